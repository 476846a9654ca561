/* wait.c: waiting for descriptors and clocks in slices, so that a wait can be stopped.
 *
 * Between two slices the caller checks what may stop the code (wpy_wait_check), as the checkpoint
 * does for running code. None of the functions needs the GIL.
 */
#include "runtime/segments.h"
#include "wasi/wasi.h"

#include <errno.h>
#if !defined(BH_PLATFORM_WINDOWS)
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#endif

#define SLICE_NS 20000000u

uint64_t
wpy_wait_ns(uint64_t until)
{
    uint64_t now = wpy_now(), end = now + SLICE_NS, deadline = wpy_deadline(wpy_self.top, now);

    if (until < end)
        end = until;
    if (deadline < end)
        end = deadline;
    return end > now ? end - now : 0;
}

#if !defined(BH_PLATFORM_WINDOWS) /* see windows_wait.c */

bool
wpy_sleep(uint64_t ns)
{
    struct timespec time = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

    return ns == 0 || nanosleep(&time, NULL) == 0;
}

bool
wpy_is_ready(os_file_handle handle, bool output)
{
    struct pollfd item = {.fd = handle, .events = output ? POLLOUT : POLLIN};

    return poll(&item, 1, 0) != 0;
}

bool
wpy_wait_ready(WASMExecEnv *env, os_file_handle handle, bool output)
{
    struct pollfd item = {.fd = handle, .events = output ? POLLOUT : POLLIN};
    int timeout = 0, found;

    for (;;) {
        found = poll(&item, 1, timeout);
        if (found > 0 || (found < 0 && errno != EINTR))
            return true; /* ready, or an error that reading or writing will report */
        if (!wpy_wait_check(env, found < 0))
            return false;
        if (found == 0 && wpy_may_suspend()) {
            wpy_descriptor descriptor = {.fd = handle, .output = output};
            return wpy_suspend_poll(env, &descriptor, 1, UINT64_MAX);
        }
        timeout = (int)((wpy_wait_ns(UINT64_MAX) + 999999) / 1000000);
    }
}

bool
wpy_may_block(os_file_handle handle)
{
    struct stat status;

    return fstat(handle, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode) &&
           !(fcntl(handle, F_GETFL) & O_NONBLOCK);
}

/* Another process may have used the descriptor since poll() called it ready. Where the system can,
 * ask for EAGAIN instead of blocking. Setting O_NONBLOCK is no way, since the host and its other
 * processes share the descriptor's flags. */

__wasi_errno_t
wpy_read_ready(os_file_handle handle, const struct __wasi_iovec_t *iov, int count, size_t *size)
{
#if defined(RWF_NOWAIT)
    ssize_t got = preadv2(handle, (const struct iovec *)iov, count, -1, RWF_NOWAIT);

    if (got >= 0)
        *size = (size_t)got;
    if (got >= 0 || errno == EAGAIN)
        return got >= 0 ? 0 : __WASI_EAGAIN;
#endif
    return os_readv(handle, iov, count, size);
}

__wasi_errno_t
wpy_write_ready(WASMExecEnv *env, os_file_handle handle, const struct __wasi_ciovec_t *iov,
                int count, bool begun, size_t *size)
{
    (void)env;
    (void)begun;
#if defined(RWF_NOWAIT)
    ssize_t put = pwritev2(handle, (const struct iovec *)iov, count, -1, RWF_NOWAIT);

    if (put >= 0)
        *size = (size_t)put;
    if (put >= 0 || errno == EAGAIN)
        return put >= 0 ? 0 : __WASI_EAGAIN;
#endif
    return os_writev(handle, iov, count, size);
}

/* By WAMR's function, which checks descriptors and rights. */
__wasi_errno_t
wpy_poll_files(WASMExecEnv *env, __wasi_subscription_t *files, uint32_t count, uint64_t wait,
               __wasi_event_t *out, size_t *found)
{
    WASIContext *context = wasm_runtime_get_wasi_ctx(env->module_inst);

    files[count] = (__wasi_subscription_t){
        .u.type = __WASI_EVENTTYPE_CLOCK,
        .u.u.clock = {.clock_id = __WASI_CLOCK_MONOTONIC,
                      .timeout = (wait + 999999) / 1000000 * 1000000},
    };
    return wasmtime_ssp_poll_oneoff(env, context->curfds, files, out, count + 1, found);
}

#endif
