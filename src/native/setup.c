/* setup.c: what happens once per process, before anything else of our C.
 *
 * The top layer: it makes the locks, fills in the hooks of the patched WAMR and of the core, and
 * prepares for forks.
 */
#include "runtime/activation.h"
#include "runtime/exception_types.h"
#include "runtime/segments.h"
#include "wasi/wasi.h"

#if !defined(BH_PLATFORM_WINDOWS)
#include <pthread.h>

/* In the child of a fork, where this thread has the registry's lock. */
static void
reset_after_fork(void)
{
    wpy_forks++;
    wpy_groups_reset_after_fork();
    wpy_registry_unlock();
}
#endif

/* May be called again, with the GIL. False: the system has no room for what the process needs once:
   locks, a key of thread-local storage, handlers of forks. */
bool
wpy_setup(void)
{
    static bool done;

    if (done)
        return true;
    if (!wpy_threads_setup())
        return false;
#if !defined(BH_PLATFORM_WINDOWS)
    if (pthread_atfork(wpy_registry_lock, wpy_registry_unlock, reset_after_fork) != 0)
        return false;
#endif
    wpy_check_stop_hook = wpy_check_stop;
    wamrpy = (WamrPyHooks){
        .link = wpy_link_hook,
        .unlink = wpy_unlink_hook,
        .foreign = wpy_foreign_hook,
        .call = wpy_call_hook,
        .trapped = wpy_trapped_hook,
        .checkpoint = wpy_checkpoint_hook,
        .enlarge = wpy_enlarge_hook,
        .trace = wpy_trace_hook,
        .returned = wpy_returned_hook,
        .new_exception = wpy_new_exception_hook,
        .throw_exception = wpy_throw_exception_hook,
        .thrown_exception = wpy_thrown_exception_hook,
        .caught_exception = wpy_caught_exception_hook,
        .uncaught_exception = wpy_uncaught_exception_hook,
        .exception_ref = wpy_exception_ref_hook,
        .find_exception = wpy_find_exception_hook,
        .resumer = wpy_make_resumer(),
    };
    wpy_mappings_setup();
    wpy_wasi_setup();
    done = true;
    return true;
}

/* Whether WAMR was built with SIMD instructions: its build turns them off for some processors. */
bool
wpy_has_simd(void)
{
    return WASM_ENABLE_SIMD != 0 && WASM_ENABLE_SIMDE != 0;
}
