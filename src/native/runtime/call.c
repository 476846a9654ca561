/* call.c: from Python into wasm, any signature.
 *
 * Arguments and results come packed as WAMR packs them, 4 bytes a cell. cpython/function.c converts
 * them on the way of most calls, Python's struct module (codec.py) for the rest.
 */
#include "runtime/enter.h"

/* Calls with the arguments packed in `cells`, which then holds the results: room for the larger of
   both and 2 cells. `stop`: what wpy_thread_stop was given, if anything: a call that is to end by
   now does not begin, however long it has waited for its turn. */
int
wpy_call_cells(wpy_func *func, uint32_t *cells, uint64_t timeout_ns, int64_t fuel,
               const uint32_t *stop)
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
    wpy_leave(&activation);
    return status;
}

/* The same for a function that is bounded, without limits, by a thread that others wait for (it has
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
