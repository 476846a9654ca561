/* call.c: from Python into wasm, any signature.
 *
 * Arguments and results come packed as WAMR packs them, 4 bytes a cell. cpython/function.c converts
 * them on the way of most calls, Python's struct module (codec.py) for the rest.
 */
#include "runtime/enter.h"
#include "runtime/exceptions.h"

/* Calls with the arguments packed in `cells`, which then holds the results: room for the larger of
   both and 2 cells. `stop`: what wpy_thread_stop was given, if anything: a call that is to end by
   now does not begin, however long it has waited for its turn. */
static ALWAYS_INLINE int
call_cells(wpy_func *func, uint32_t *cells, uint64_t timeout_ns, int64_t fuel, const uint32_t *stop,
           bool hold)
{
    wpy_activation activation;
    int status;

    if (!func->instance) /* a host function: Python calls those itself */
        status = WPY_CLOSED;
    else
        status = wpy_enter(func->instance, &activation, timeout_ns, fuel);
    if (UNLIKELY(status != WPY_OK)) {
        wpy_record_push(func, status, 0, "", false);
        return status;
    }
    if (UNLIKELY(stop != NULL) && ATOMIC_LOAD(stop)) {
        wpy_leave(&activation);
        wpy_record_push(func, WPY_INTERRUPTED, 0, "", false);
        return WPY_INTERRUPTED;
    }
    status = wpy_run(func, cells);
    if (hold && status == WPY_OK)
        wpy_exnrefs_hold(func->object.group, func->type->types + func->type->param_count,
                         func->type->result_count, cells);
    wpy_leave(&activation);
    return status;
}

int
wpy_call_cells(wpy_func *func, uint32_t *cells, uint64_t timeout_ns, int64_t fuel,
               const uint32_t *stop)
{
    return call_cells(func, cells, timeout_ns, fuel, stop, false);
}

/* The same for a function that returns exnrefs: each has a handle on its exception, which
   wpy_exception_held finds. */
int
wpy_call_cells_held(wpy_func *func, uint32_t *cells, uint64_t timeout_ns, int64_t fuel,
                    const uint32_t *stop)
{
    return call_cells(func, cells, timeout_ns, fuel, stop, true);
}

/* The same as wpy_call_cells for a function that is bounded, without limits, by a thread that others wait for (it has
   Python's GIL): never waits itself, but answers WPY_BUSY, with no record, where it would have to.
 */
int
wpy_call_now(wpy_func *func, uint32_t *cells)
{
    wpy_activation activation;
    int status = wpy_enter_now(func->instance, &activation);

    if (UNLIKELY(status != WPY_OK)) {
        if (status != WPY_BUSY)
            wpy_record_push(func, status, 0, "", false);
        return status;
    }
    status = wpy_run(func, cells);
    wpy_leave(&activation);
    return status;
}
