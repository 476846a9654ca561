/* call.c: calls from Python into wasm.
 *
 * Arguments and results are packed into cells of 4 bytes, as WAMR packs them. cpython/function.c
 * converts those of most calls, Python's struct module (codec.py) those of the others.
 */
#include "runtime/enter.h"
#include "runtime/exception_types.h"

static ALWAYS_INLINE int
call_cells(wpy_func *func, uint32_t *cells, uint64_t timeout_ns, int64_t fuel, const uint32_t *stop,
           bool hold)
{
    wpy_activation activation;
    int status;

    if (!func->instance) /* a host function, which Python calls itself */
        status = WPY_CLOSED;
    else
        status = wpy_enter(func->instance, &activation, timeout_ns, fuel);
    if (UNLIKELY(status != WPY_OK)) {
        wpy_push_error(func, status, 0, "", false);
        return status;
    }
    if (UNLIKELY(stop != NULL) && ATOMIC_LOAD(stop)) {
        wpy_leave(&activation);
        wpy_push_error(func, WPY_INTERRUPTED, 0, "", false);
        return WPY_INTERRUPTED;
    }
    status = wpy_run(func, cells, func);
    if (hold && status == WPY_OK)
        wpy_exnrefs_hold(func->object.group, func->type->types + func->type->param_count,
                         func->type->result_count, cells);
    wpy_leave(&activation);
    return status;
}

/* Calls the function with the arguments in `cells`, which then has the results; a status, with an
   error record of `func`. `cells` has room for the larger of both and 2 cells more. Waits for the
   group's lock, so not with the GIL. `stop`: the flag that wpy_thread_set_stop was given, or NULL.
   A call that was stopped while it waited for the lock does not begin. */
int
wpy_call_cells(wpy_func *func, uint32_t *cells, uint64_t timeout_ns, int64_t fuel,
               const uint32_t *stop)
{
    return call_cells(func, cells, timeout_ns, fuel, stop, false);
}

/* The same for a function that returns exnrefs: each has a handle on its exception, which
   wpy_exception_held returns. */
int
wpy_call_cells_held(wpy_func *func, uint32_t *cells, uint64_t timeout_ns, int64_t fuel,
                    const uint32_t *stop)
{
    return call_cells(func, cells, timeout_ns, fuel, stop, true);
}

/* Calls a bounded function, without limits, with the GIL. Where it would have to wait for the
   group's lock it returns WPY_BUSY, without an error record. */
int
wpy_call_now(wpy_func *func, uint32_t *cells)
{
    wpy_activation activation;
    int status = wpy_enter_now(func->instance, &activation);

    if (UNLIKELY(status != WPY_OK)) {
        if (status != WPY_BUSY)
            wpy_push_error(func, status, 0, "", false);
        return status;
    }
    status = wpy_run(func, cells, func);
    wpy_leave(&activation);
    return status;
}
