/* table.c: tables, those that can be shared mapped once up to what they may grow to.
 *
 * WAMR keeps an instance's tables inside the instance's block, sized for the limits it guesses. A
 * table that is imported or exported, or made by the host, is ours instead: mapped at its full size
 * without being committed, so that it grows in place from any side and outlives its instance.
 * Elements are references (refs.c) of 32 bits in cells of a pointer's size.
 */
#include "core/core.h"

static size_t
size_for(uint32_t elements)
{
    return offsetof(WASMTableInstance, elems) + (size_t)elements * sizeof(table_elem_type_t);
}

/* A table of our own, all null; no group yet. NULL: no room for it, or beyond the budget. */
wpy_table *
wpy_table_map(uint8_t element, uint32_t min, uint32_t max, bool has_max, wpy_budget *budget)
{
    wpy_table *table = calloc(1, sizeof *table);
    uint32_t capacity = has_max && max < WPY_MOST_ELEMENTS ? max : WPY_MOST_ELEMENTS, i;

    wpy_forget_refusal();
    if (!table)
        return NULL;
    if (min > WPY_MOST_ELEMENTS) {
        wpy_refuse(WPY_TOO_MANY_ELEMENTS, min, WPY_MOST_ELEMENTS);
        free(table);
        return NULL;
    }
    if (capacity < min)
        capacity = min;
    table->mapped = size_for(capacity);
    if (!wpy_budget_take(budget, WPY_TABLE_ELEMENTS, min)) {
        free(table);
        return NULL;
    }
    if (!(table->wamr = wpy_region_exact(table->mapped))) {
        wpy_budget_give(budget, WPY_TABLE_ELEMENTS, min);
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

static void
free_table(wpy_object *object)
{
    wpy_table *table = (wpy_table *)object;

    wpy_budget_give(table->budget, WPY_TABLE_ELEMENTS, table->wamr->cur_size);
    wpy_budget_release(table->budget);
    wpy_region_free(table->wamr);
    free(table);
}

const wpy_kind wpy_table_kind = {.free = free_table};

/* A table of the host's, in a group of its own; a handle. */
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
    wpy_group_add(group, &table->object, &wpy_table_kind);
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

/* ---- under the lock of the table's group ---- */

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
    wpy_forget_refusal();
    if (delta > wamr->max_size - wamr->cur_size) {
        wpy_refuse(WPY_TOO_MANY_ELEMENTS, delta, wamr->max_size);
        return WPY_NO_MEMORY;
    }
    if (!wpy_budget_take(table->budget, WPY_TABLE_ELEMENTS, delta))
        return WPY_NO_MEMORY;
    for (i = 0; i < delta; i++)
        wamr->elems[wamr->cur_size + i] = (table_elem_type_t)init;
    ATOMIC_STORE(&wamr->cur_size, wamr->cur_size + delta); /* wpy_table_size does not lock */
    return WPY_OK;
}

/* ---- waiting for it ---- */

/* WPY_RANGE: no such element. */
int
wpy_table_get(wpy_table *table, uint32_t index, uint32_t *out)
{
    bool held;
    int status = wpy_group_enter(&table->object, &held);

    if (status == WPY_OK) {
        status = get(table, index, out);
        wpy_group_leave(&table->object, held);
    }
    return status;
}

/* The reference must be of the table's group: see wpy_retain_reference. */
int
wpy_table_set(wpy_table *table, uint32_t index, uint32_t ref)
{
    bool held;
    int status = wpy_group_enter(&table->object, &held);

    if (status == WPY_OK) {
        status = set(table, index, ref);
        wpy_group_leave(&table->object, held);
    }
    return status;
}

/* WPY_NO_MEMORY: beyond the maximum, or what there is. */
int
wpy_table_grow(wpy_table *table, uint32_t delta, uint32_t init, uint32_t *old_size)
{
    bool held;
    int status = wpy_group_enter(&table->object, &held);

    if (status == WPY_OK) {
        status = grow(table, delta, init, old_size);
        wpy_group_leave(&table->object, held);
    }
    return status;
}

/* ---- not waiting for it: see include/now.h ---- */

int
wpy_table_get_now(wpy_table *table, uint32_t index, uint32_t *out)
{
    bool held;
    int status;

    if (UNLIKELY(!wpy_group_enter_now(&table->object, &held)))
        return WPY_BUSY;
    status = get(table, index, out);
    wpy_group_leave(&table->object, held);
    return status;
}

int
wpy_table_set_now(wpy_table *table, uint32_t index, uint32_t ref)
{
    bool held;
    int status;

    if (UNLIKELY(!wpy_group_enter_now(&table->object, &held)))
        return WPY_BUSY;
    status = set(table, index, ref);
    wpy_group_leave(&table->object, held);
    return status;
}

int
wpy_table_grow_now(wpy_table *table, uint32_t delta, uint32_t init, uint32_t *old_size)
{
    bool held;
    int status;

    if (UNLIKELY(!wpy_group_enter_now(&table->object, &held)))
        return WPY_BUSY;
    status = grow(table, delta, init, old_size);
    wpy_group_leave(&table->object, held);
    return status;
}

/* table.grow, within the table's own maximum; false: beyond the budget. */
bool
wpy_enlarge_hook(WASMModuleInstance *wamr, WASMTableInstance *grown, uint32_t delta)
{
    wpy_instance *instance = wamr->custom_data;
    uint32_t i;

    ASSERT_ENTERED(instance);
    for (i = 0; i < wamr->table_count; i++)
        if (instance->tables[i] && instance->tables[i]->wamr == grown)
            return wpy_budget_take(instance->tables[i]->budget, WPY_TABLE_ELEMENTS, delta);
    if (!wpy_budget_take(instance->budget, WPY_TABLE_ELEMENTS, delta))
        return false;
    instance->own_elements += delta;
    return true;
}
