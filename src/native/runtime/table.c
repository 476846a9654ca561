/* table.c: tables that are imported, exported, or made by the host.
 *
 * WAMR allocates the tables of an instance inside the instance's block, with a maximum that it
 * guesses. A table that can be shared is ours instead: its address range is mapped at its maximal
 * size, so it grows in place, whoever grows it, and outlives its instance. Where addresses are few,
 * only what is used is mapped, and growing maps what is behind it. Elements are references (refs.c)
 * of 32 bits in cells of a pointer's size.
 */
#include "runtime/runtime.h"

#include "core/pages.h"

static size_t
size_for(uint32_t elements)
{
    return offsetof(WASMTableInstance, elems) + (size_t)elements * sizeof(table_elem_type_t);
}

/* The same in whole pages, as ranges are extended where addresses are few. */
static size_t
mapped_for(uint32_t elements)
{
    return (size_for(elements) + WPY_PAGE - 1) / WPY_PAGE * WPY_PAGE;
}

wpy_table *
wpy_table_map(uint8_t element, uint32_t min, uint32_t max, bool has_max, wpy_budget *budget)
{
    wpy_table *table = calloc(1, sizeof *table);
    uint32_t capacity = has_max && max < WPY_MOST_ELEMENTS ? max : WPY_MOST_ELEMENTS, i;

    wpy_clear_refusal();
    if (!table)
        return NULL;
    if (min > WPY_MOST_ELEMENTS) {
        wpy_set_refusal(WPY_TOO_MANY_ELEMENTS, min, WPY_MOST_ELEMENTS);
        free(table);
        return NULL;
    }
    if (capacity < min)
        capacity = min;
    table->mapped = WPY_FEW_ADDRESSES ? mapped_for(min) : size_for(capacity);
    if (!wpy_budget_charge(budget, WPY_TABLE_ELEMENTS, min)) {
        free(table);
        return NULL;
    }
    if (!(table->wamr = wpy_region_alloc_exact(table->mapped))) {
        wpy_budget_refund(budget, WPY_TABLE_ELEMENTS, min);
        free(table);
        return NULL;
    }
    table->budget = wpy_budget_retain(budget);
    table->element = element;
    table->declared_max = max;
    table->has_max = has_max;
    table->wamr->elem_type = element;
    table->wamr->cur_size = min;
    table->wamr->max_size = capacity;
    for (i = 0; i < min; i++)
        table->wamr->elems[i] = (table_elem_type_t)WPY_NULL_REF;
    return table;
}

/* Maps room for that many elements, within the maximum. False: refused (wpy_take_refusal). */
static bool
map_room(wpy_table *table, uint32_t elements)
{
    size_t size = mapped_for(elements);

    if (size_for(elements) <= table->mapped)
        return true;
    if (!wpy_region_grow(table->wamr, size))
        return false;
    table->mapped = size;
    return true;
}

/* Charges for more elements, within the maximum, and maps room for them. False: refused. */
static bool
take_room(wpy_table *table, uint32_t delta)
{
    if (!wpy_budget_charge(table->budget, WPY_TABLE_ELEMENTS, delta))
        return false;
    if (map_room(table, table->wamr->cur_size + delta))
        return true;
    wpy_budget_refund(table->budget, WPY_TABLE_ELEMENTS, delta);
    return false;
}

static void
free_table(wpy_object *object)
{
    wpy_table *table = (wpy_table *)object;

    wpy_budget_refund(table->budget, WPY_TABLE_ELEMENTS, table->wamr->cur_size);
    wpy_budget_release(table->budget);
    wpy_region_free(table->wamr);
    free(table);
}

const wpy_object_ops wpy_table_ops = {.free = free_table};

/* Makes a table of the host, in a group of its own. Returns a handle, or NULL: no room, or beyond
   the budget (wpy_take_refusal). */
wpy_table *
wpy_table_new(uint8_t element, uint32_t min, uint32_t max, bool has_max, wpy_budget *budget)
{
    wpy_table *table = wpy_table_map(element, min, max, has_max, budget);
    wpy_group *group = table ? wpy_group_new() : NULL;

    if (!group) {
        if (table)
            free_table(&table->object);
        return NULL;
    }
    wpy_group_add(group, &table->object, &wpy_table_ops);
    return table;
}

uint32_t
wpy_table_size(wpy_table *table)
{
    return ATOMIC_LOAD(&table->wamr->cur_size);
}

uint32_t
wpy_table_max(wpy_table *table, bool *has_max)
{
    *has_max = table->has_max;
    return table->declared_max;
}

/* ---- under the lock of the table's group; a status ---- */

static int
get(const wpy_table *table, uint32_t index, uint32_t *out)
{
    ASSERT_ENTERED(table);
    if (UNLIKELY(index >= table->wamr->cur_size))
        return WPY_RANGE;
    *out = (uint32_t)table->wamr->elems[index];
    return WPY_OK;
}

static int
set(wpy_table *table, uint32_t index, uint32_t ref)
{
    ASSERT_ENTERED(table);
    if (UNLIKELY(index >= table->wamr->cur_size))
        return WPY_RANGE;
    table->wamr->elems[index] = (table_elem_type_t)ref;
    return WPY_OK;
}

static int
grow(wpy_table *table, uint32_t delta, uint32_t init, uint32_t *old_size)
{
    WASMTableInstance *wamr = table->wamr;
    uint32_t i;

    ASSERT_ENTERED(table);
    *old_size = wamr->cur_size;
    wpy_clear_refusal();
    if (delta > wamr->max_size - wamr->cur_size) {
        wpy_set_refusal(WPY_TOO_MANY_ELEMENTS, delta, wamr->max_size);
        return WPY_NO_MEMORY;
    }
    if (!take_room(table, delta))
        return WPY_NO_MEMORY;
    for (i = 0; i < delta; i++)
        wamr->elems[wamr->cur_size + i] = (table_elem_type_t)init;
    ATOMIC_STORE(&wamr->cur_size, wamr->cur_size + delta); /* wpy_table_size does not lock */
    return WPY_OK;
}

/* ---- waiting for the lock, so not with the GIL ---- */

/* WPY_RANGE: no such element. */
int
wpy_table_get(wpy_table *table, uint32_t index, uint32_t *out)
{
    bool acquired;
    int status = wpy_group_enter(&table->object, &acquired);

    if (status == WPY_OK) {
        status = get(table, index, out);
        wpy_group_leave(&table->object, acquired);
    }
    return status;
}

/* wpy_retain_reference first, if it is a reference to a function. */
int
wpy_table_set(wpy_table *table, uint32_t index, uint32_t ref)
{
    bool acquired;
    int status = wpy_group_enter(&table->object, &acquired);

    if (status == WPY_OK) {
        status = set(table, index, ref);
        wpy_group_leave(&table->object, acquired);
    }
    return status;
}

/* WPY_NO_MEMORY: beyond the maximum or the budget, or no room (wpy_take_refusal). */
int
wpy_table_grow(wpy_table *table, uint32_t delta, uint32_t init, uint32_t *old_size)
{
    bool acquired;
    int status = wpy_group_enter(&table->object, &acquired);

    if (status == WPY_OK) {
        status = grow(table, delta, init, old_size);
        wpy_group_leave(&table->object, acquired);
    }
    return status;
}

/* ---- not waiting for the lock, with the GIL: see include/now.h ---- */

int
wpy_table_get_now(wpy_table *table, uint32_t index, uint32_t *out)
{
    bool acquired;
    int status;

    if (UNLIKELY(!wpy_group_enter_now(&table->object, &acquired)))
        return WPY_BUSY;
    status = get(table, index, out);
    wpy_group_leave(&table->object, acquired);
    return status;
}

int
wpy_table_set_now(wpy_table *table, uint32_t index, uint32_t ref)
{
    bool acquired;
    int status;

    if (UNLIKELY(!wpy_group_enter_now(&table->object, &acquired)))
        return WPY_BUSY;
    status = set(table, index, ref);
    wpy_group_leave(&table->object, acquired);
    return status;
}

int
wpy_table_grow_now(wpy_table *table, uint32_t delta, uint32_t init, uint32_t *old_size)
{
    bool acquired;
    int status;

    if (UNLIKELY(!wpy_group_enter_now(&table->object, &acquired)))
        return WPY_BUSY;
    status = grow(table, delta, init, old_size);
    wpy_group_leave(&table->object, acquired);
    return status;
}

bool
wpy_enlarge_hook(WASMModuleInstance *wamr, WASMTableInstance *grown, uint32_t delta)
{
    wpy_instance *instance = wamr->custom_data;
    uint32_t i;

    ASSERT_ENTERED(instance);
    for (i = 0; i < wamr->table_count; i++)
        if (instance->tables[i] && instance->tables[i]->wamr == grown)
            return take_room(instance->tables[i], delta);
    if (!wpy_budget_charge(instance->budget, WPY_TABLE_ELEMENTS, delta))
        return false;
    instance->inline_elements += delta;
    return true;
}
