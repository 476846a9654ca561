/* exceptions.c: the exceptions that wasm code throws and catches.
 *
 * An exception is a tag and cells, allocated when it is thrown. While it unwinds the code of an
 * instance, `wpy_instance.exception` points at it. A trap has no such pointer, so no clause catches
 * a trap. Most exceptions are caught without an exnref and freed at once. An exception whose exnref
 * was made stays until the collector finds that nothing refers to it (exception_collector.c).
 *
 * All of this runs with the group's lock. An exception is charged to the budget of an instance from
 * when it has a number: one without a number is freed when its catch begins.
 */
#include "runtime/exception_types.h"

static void
no_room(WASMModuleInstance *wamr)
{
    wpy_set_exception(wamr, WPY_TRAP, 0, "out of memory for exceptions");
}

WamrPyException *
wpy_new_exception_hook(WASMExecEnv *env, void *tag, uint32 cells)
{
    wpy_instance *instance = wpy_instance_of(env);
    wpy_exception *exception = wpy_exception_allocate(instance->object.group, tag, cells);

    if (!exception)
        no_room(instance->wamr);
    return exception ? &exception->wamr : NULL;
}

void
wpy_throw_exception_hook(WASMModuleInstance *wamr, WamrPyException *thrown)
{
    wpy_instance *instance = wamr->custom_data;

    instance->exception = wpy_exception_of(thrown);
}

WamrPyException *
wpy_thrown_exception_hook(WASMModuleInstance *wamr)
{
    wpy_instance *instance = wamr->custom_data;

    return instance->exception ? &instance->exception->wamr : NULL;
}

void
wpy_caught_exception_hook(WASMModuleInstance *wamr, WamrPyException *thrown)
{
    wpy_instance *instance = wamr->custom_data;
    wpy_exception *exception = wpy_exception_of(thrown);
    wpy_exception_heap *heap = exception->heap;
    int raised = 0;

    instance->exception = NULL;
    if (wamr->cur_exception[0]) { /* the exception has left an instance or a host function */
        if (instance->status == WPY_HOST)
            raised = instance->status_code;
        instance->status = WPY_OK;
        wamr->cur_exception[0] = 0;
        wpy_self.frame_count = 0;
    }
    /* Without a number nothing else refers to it. It is almost always the newest one. */
    if (!thrown->ref && !ATOMIC_LOAD_ACQUIRE(&exception->object.refs) && heap->first == exception) {
        heap->first = exception->next;
        wpy_exception_free(exception);
    }
    if (raised)
        wpy_forget_raised(raised);
}

void
wpy_uncaught_exception_hook(WASMModuleInstance *wamr)
{
    if (!wamr->cur_exception[0])
        wpy_set_exception(wamr, WPY_EXCEPTION, 0, "uncaught exception");
}

uint32
wpy_exception_ref_hook(WASMModuleInstance *wamr, WamrPyException *thrown)
{
    wpy_instance *instance = wamr->custom_data;

    instance->exception = wpy_exception_of(thrown); /* a collection leaves the exception */
    if (wpy_exception_number(instance->object.group, instance->exception, instance->budget))
        return thrown->ref;
    no_room(wamr); /* a trap: the exception doesn't unwind any more */
    return 0;
}

WamrPyException *
wpy_find_exception_hook(WASMModuleInstance *wamr, uint32 ref)
{
    wpy_instance *instance = wamr->custom_data;
    wpy_exception *exception = wpy_exnref_find(instance->object.group, ref);

    return exception ? &exception->wamr : NULL;
}
