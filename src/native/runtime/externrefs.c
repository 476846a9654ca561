/* externrefs.c: finds the externrefs that wasm code can still reach.
 *
 * In wasm, an externref is a number that Python chose. The store has the objects
 * (src/wamr/_values/externrefs.py), and calls this file to learn which of them it may drop. The
 * search is exact for tables and globals, by their types. It is conservative for the wasm stacks of
 * open calls, where each cell that could be an externref counts as one.
 */
#include "runtime/exception_types.h"

/* Tells groups apart, as long as nothing is linked or freed. */
uint64_t
wpy_group_id(void *object)
{
    return (uint64_t)(uintptr_t)ATOMIC_LOAD_ACQUIRE(&((wpy_object *)object)->group);
}

static void
mark(uint32_t ref, uint8_t *marks, uint32_t count)
{
    if (ref < count)
        marks[ref] = 1;
}

static void
mark_table(const WASMTableInstance *table, uint8_t *marks, uint32_t count)
{
    uint32_t i;

    if (table->elem_type == VALUE_TYPE_EXTERNREF)
        for (i = 0; i < table->cur_size; i++)
            mark((uint32_t)table->elems[i], marks, count);
}

static void
mark_instance(const wpy_instance *instance, uint8_t *marks, uint32_t count)
{
    const WASMModuleInstance *wamr = instance->wamr;
    uint32_t i, ref;

    ASSERT_ENTERED(instance);
    if (!wamr)
        return;
    for (i = 0; i < wamr->table_count; i++)
        mark_table(wamr->tables[i], marks, count);
    for (i = 0; i < wamr->e->global_count; i++)
        if (wamr->e->globals[i].type == VALUE_TYPE_EXTERNREF) {
            memcpy(&ref, wamr->global_data + wamr->e->globals[i].data_offset, sizeof ref);
            mark(ref, marks, count);
        }
    if (instance->env) {
        const uint32_t *cell = (const uint32_t *)instance->env->wasm_stack.bottom;
        const uint32_t *top = (const uint32_t *)instance->env->wasm_stack.top;
        for (; cell < top; cell++)
            mark(*cell, marks, count);
    }
}

/* Sets marks[n] to 1 for every externref n below `count` that the group of the object can reach; a
   status. Waits for the group's lock, so not with the GIL. */
int
wpy_mark_externrefs(void *pointer, uint8_t *marks, uint32_t count)
{
    wpy_object *object = pointer, *other;
    bool acquired;
    int status = wpy_group_enter(object, &acquired);

    if (status != WPY_OK)
        return status;
    wpy_exceptions_mark(object->group, marks, count);
    /* another thread may add a function, which comes before this head */
    for (other = ATOMIC_LOAD_ACQUIRE(&object->group->objects); other; other = other->next) {
        if (other->ops == &wpy_instance_ops)
            mark_instance((wpy_instance *)other, marks, count);
        else if (other->ops == &wpy_table_ops)
            mark_table(((wpy_table *)other)->wamr, marks, count);
        else if (other->ops == &wpy_global_ops &&
                 ((wpy_global *)other)->content == VALUE_TYPE_EXTERNREF) {
            uint32_t ref;
            memcpy(&ref, ((wpy_global *)other)->cell, sizeof ref);
            mark(ref, marks, count);
        }
    }
    wpy_group_leave(object, acquired);
    return WPY_OK;
}
