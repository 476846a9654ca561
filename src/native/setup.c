/* setup.c: what happens once per process, before anything else here.
 *
 * The roof: the only file that names all others. The locks are made, the hooks of the patched WAMR
 * are filled in, and a fork is prepared for.
 */
#include "runtime/exceptions.h"

#if !defined(BH_PLATFORM_WINDOWS)
#include <pthread.h>

/* In the child, which has the registry's lock. */
static void
forked(void)
{
    wpy_forks++;
    wpy_groups_forked();
    wpy_registry_unlock();
}
#endif

/* Again at no cost. False: the locks can't be made. */
bool
wpy_setup(void)
{
    static bool done;

    if (done)
        return true;
    if (!wpy_threads_setup())
        return false;
#if !defined(BH_PLATFORM_WINDOWS)
    pthread_atfork(wpy_registry_lock, wpy_registry_unlock, forked);
#endif
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
    };
    wpy_regions_setup();
    wpy_wasi_setup();
    done = true;
    return true;
}
