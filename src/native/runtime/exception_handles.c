/* exception_handles.c: exceptions as Python sees them: handles, values and references.
 *
 * A handle is a count in `wpy_exception.object.refs`. While there is one, the collector keeps the
 * exception, and the exception keeps its group.
 */
#include "runtime/exception_types.h"

/* Makes a handle for each exnref among the cells, whose value types are `types`: the results of a
   call. wpy_exception_held returns the handle. */
void
wpy_exnrefs_hold(const wpy_group *group, const uint8_t *types, uint32_t count,
                 const uint32_t *cells)
{
    uint32_t i;

    ASSERT_IN_GROUP(group);
    for (i = 0; i < count; cells += wasm_value_type_cell_num(types[i++]))
        if (types[i] == VALUE_TYPE_EXNREF) {
            wpy_exception *exception = wpy_exnref_find(group, *cells);

            if (exception)
                wpy_retain(exception);
        }
}

/* A handle on the exception of a reference that was in the group of `object`. NULL: it was freed,
   or another thread has the group's lock. Waits 50 ms for the lock, so not with the GIL. */
wpy_exception *
wpy_exnref_hold(void *object, uint32_t ref)
{
    wpy_exception *exception = NULL;
    bool held;

    if (wpy_group_enter(object, &held) == WPY_OK) {
        if ((exception = wpy_exnref_find(((wpy_object *)object)->group, ref)))
            wpy_retain(exception);
        wpy_group_leave(object, held);
    }
    return exception;
}

/* Borrowed: as long as the caller's handle on the exception. */
wpy_tag *
wpy_exception_tag(wpy_exception *exception)
{
    return exception->wamr.tag;
}

/* Whether wasm code may have an exnref of the exception. */
bool
wpy_exception_numbered(wpy_exception *exception)
{
    return exception->wamr.ref != 0;
}

/* Whether the values have references to functions or Python objects. */
bool
wpy_exception_has_objects(wpy_exception *exception)
{
    const wpy_tag *tag = exception->wamr.tag;
    uint32_t i;

    for (i = 0; i < tag->param_count; i++)
        if (tag->params[i] == VALUE_TYPE_EXTERNREF || tag->params[i] == VALUE_TYPE_FUNCREF)
            return true;
    return false;
}

/* The values, which don't change. Borrowed: as long as the caller's handle. */
const uint32_t *
wpy_exception_cells(wpy_exception *exception)
{
    return exception->cells;
}

/* Makes an exception of a tag with its values in cells, and a handle in *out. A status. Waits for
   the group's lock, so not with the GIL. */
int
wpy_exception_new(wpy_tag *tag, const uint32_t *cells, wpy_exception **out)
{
    uint32_t i, count = 0;
    wpy_exception *exception;
    bool held;
    int status = wpy_group_enter(&tag->object, &held);

    if (status != WPY_OK)
        return status;
    for (i = 0; i < tag->param_count; i++)
        count += wasm_value_type_cell_num(tag->params[i]);
    if ((exception = wpy_exception_allocate(tag->object.group, tag, count))) {
        if (count)
            memcpy(exception->cells, cells, count * sizeof *cells);
        wpy_retain(*out = exception);
    } else
        status = WPY_NO_MEMORY;
    wpy_group_leave(&tag->object, held);
    return status;
}

/* Writes the reference of an exception to *ref, for the group of `object`, which is merged with the
   exception's group. The store's budget is charged. A status. Waits for the groups' locks, so not
   with the GIL. */
int
wpy_exception_ref(wpy_exception *exception, void *object, uint32_t *ref)
{
    wpy_object *into = object;
    int status = wpy_group_merge(into, &exception->heap->object);
    bool held, done;

    if (status != WPY_OK || (status = wpy_group_enter(into, &held)) != WPY_OK)
        return status;
    done = wpy_exception_number(into->group, exception,
                                ((const wpy_tag *)exception->wamr.tag)->budget);
    *ref = exception->wamr.ref;
    wpy_group_leave(into, held);
    return done ? WPY_OK : WPY_NO_MEMORY;
}
