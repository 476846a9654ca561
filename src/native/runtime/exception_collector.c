/* exception_collector.c: frees the exceptions that nothing refers to.
 *
 * wasm code doesn't say when it drops an exnref. So a group collects its exceptions when there are
 * twice as many as the last collection has left. References in tables, globals and the values of
 * exceptions are found exactly, those in wasm stacks conservatively. Exceptions that unwind, and
 * those that Python has handles on, stay as well. Marking uses no recursion, since exceptions make
 * chains of any length.
 */
#include "runtime/exception_types.h"

typedef struct {
    wpy_group *group;
    wpy_exception **stack; /* marked exceptions whose values are still to be visited */
    uint32_t count, room;
    uint64_t cells; /* visited */
    bool full;      /* out of memory for the stack: nothing may be freed */
} marking;

static void
mark_exception(marking *m, wpy_exception *exception)
{
    if (exception->marked)
        return;
    exception->marked = true;
    if (!exception->wamr.cell_num)
        return;
    if (m->count == m->room) {
        uint32_t room = m->room * 2 + 64;
        wpy_exception **more = realloc(m->stack, room * sizeof *more);

        if (!more) {
            m->full = true;
            return;
        }
        m->stack = more;
        m->room = room;
    }
    m->stack[m->count++] = exception;
}

static void
mark_cell(marking *m, uint32_t cell)
{
    wpy_exception *exception = wpy_exnref_find(m->group, cell);

    if (exception)
        mark_exception(m, exception);
}

static void
mark_table(marking *m, const WASMTableInstance *table)
{
    uint32_t i;

    if (table->elem_type != VALUE_TYPE_EXNREF)
        return;
    for (i = 0; i < table->cur_size; i++)
        mark_cell(m, (uint32_t)table->elems[i]);
    m->cells += table->cur_size;
}

static void
mark_instance(marking *m, const wpy_instance *instance)
{
    const WASMModuleInstance *wamr = instance->wamr;
    const uint32_t *cell, *top;
    uint32_t i, ref;

    if (!wamr)
        return;
    if (instance->exception)
        mark_exception(m, instance->exception);
    for (i = 0; i < wamr->table_count; i++)
        mark_table(m, wamr->tables[i]);
    for (i = 0; i < wamr->e->global_count; i++)
        if (wamr->e->globals[i].type == VALUE_TYPE_EXNREF) {
            memcpy(&ref, wamr->global_data + wamr->e->globals[i].data_offset, sizeof ref);
            mark_cell(m, ref);
        }
    if (!instance->env)
        return;
    cell = (const uint32_t *)instance->env->wasm_stack.bottom;
    top = (const uint32_t *)instance->env->wasm_stack.top;
    m->cells += (uint64_t)(top - cell);
    for (; cell < top; cell++)
        mark_cell(m, *cell);
}

/* Marks the exceptions that the values of marked exceptions refer to. */
static void
mark_values(marking *m)
{
    while (m->count) {
        const wpy_exception *exception = m->stack[--m->count];
        const wpy_tag *tag = exception->wamr.tag;
        uint32_t i, cell = 0;

        m->cells += exception->wamr.cell_num;
        for (i = 0; i < tag->param_count; cell += wasm_value_type_cell_num(tag->params[i++]))
            if (tag->params[i] == VALUE_TYPE_EXNREF)
                mark_cell(m, exception->cells[cell]);
    }
}

/* Frees the exceptions without a mark. */
static void
sweep(wpy_exception_heap *heap)
{
    wpy_exception **link = &heap->first, *exception;

    while ((exception = *link)) {
        if (exception->marked) {
            exception->marked = false;
            link = &exception->next;
            continue;
        }
        *link = exception->next;
        wpy_exception_free(exception);
    }
}

/* Code of the group may run: it is between two instructions or in a host function. */
void
wpy_collect_exceptions(wpy_group *group)
{
    marking m = {.group = group};
    wpy_exception_heap *heap;
    wpy_exception *exception;
    wpy_object *object;
    uint64_t limit;

    ASSERT_IN_GROUP(group);
    for (heap = group->exceptions; heap; heap = heap->next)
        for (exception = heap->first; exception; exception = exception->next)
            if (ATOMIC_LOAD_ACQUIRE(&exception->object.refs))
                mark_exception(&m, exception);
    for (object = ATOMIC_LOAD_ACQUIRE(&group->objects); object; object = object->next) {
        if (object->ops == &wpy_instance_ops)
            mark_instance(&m, (wpy_instance *)object);
        else if (object->ops == &wpy_table_ops)
            mark_table(&m, ((wpy_table *)object)->wamr);
        else if (object->ops == &wpy_global_ops &&
                 ((wpy_global *)object)->content == VALUE_TYPE_EXNREF) {
            uint32_t ref;

            memcpy(&ref, ((wpy_global *)object)->cell, sizeof ref);
            mark_cell(&m, ref);
        }
    }
    mark_values(&m);
    free(m.stack);
    for (heap = group->exceptions; heap; heap = heap->next) {
        if (!m.full)
            sweep(heap);
        else
            for (exception = heap->first; exception; exception = exception->next)
                exception->marked = false;
        limit = m.cells / 32; /* so that an exception's share of visiting is bounded */
        if (limit < 2 * (uint64_t)heap->count)
            limit = 2 * (uint64_t)heap->count;
        heap->limit = limit < WPY_EXCEPTIONS_LEAST ? WPY_EXCEPTIONS_LEAST
                      : limit > UINT32_MAX         ? UINT32_MAX
                                                   : (uint32_t)limit;
    }
}

/* Collects first, so that only externrefs of exceptions that something refers to are marked. */
void
wpy_exceptions_mark(wpy_group *group, uint8_t *marks, uint32_t count)
{
    const wpy_exception_heap *heap;
    const wpy_exception *exception;

    ASSERT_IN_GROUP(group);
    if (group->exceptions)
        wpy_collect_exceptions(group);
    for (heap = group->exceptions; heap; heap = heap->next)
        for (exception = heap->first; exception; exception = exception->next) {
            const wpy_tag *tag = exception->wamr.tag;
            uint32_t i, cell = 0;

            for (i = 0; i < tag->param_count; cell += wasm_value_type_cell_num(tag->params[i++]))
                if (tag->params[i] == VALUE_TYPE_EXTERNREF && exception->cells[cell] < count)
                    marks[exception->cells[cell]] = 1;
        }
}

/* ---- allocating, which may collect ---- */

wpy_exception *
wpy_exception_allocate(wpy_group *group, wpy_tag *tag, uint32_t cells)
{
    wpy_exception_heap *heap = wpy_exception_heap_of(group);
    wpy_exception *exception;

    if (!heap)
        return NULL;
    if (heap->count >= heap->limit)
        wpy_collect_exceptions(group);
    if (!(exception = malloc(sizeof *exception + 4 * (size_t)cells)))
        return NULL;
    memset(exception, 0, sizeof *exception);
    exception->object.ops = &wpy_exception_ops;
    exception->wamr.tag = tag;
    exception->wamr.cell_num = cells;
    exception->wamr.cells = exception->cells;
    exception->heap = heap;
    exception->next = heap->first;
    heap->first = exception;
    heap->count++;
    return exception;
}

/* The collection that makes room considers only the exceptions of this group. */
bool
wpy_exception_number(wpy_group *group, wpy_exception *exception, wpy_budget *budget)
{
    bool collected = false;

    ASSERT_IN_GROUP(group);
    if (exception->wamr.ref)
        return true;
    for (;; collected = true) {
        if (wpy_budget_charge(budget, WPY_MEMORY_BYTES, wpy_exception_size(exception))) {
            if (wpy_exnref_allocate(exception)) {
                exception->budget = wpy_budget_retain(budget);
                return true;
            }
            wpy_budget_refund(budget, WPY_MEMORY_BYTES, wpy_exception_size(exception));
        }
        if (collected)
            return false;
        wpy_collect_exceptions(group);
    }
}
