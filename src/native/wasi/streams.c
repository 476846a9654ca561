/* streams.c: reads and writes the standard streams that are Python's.
 *
 * streams.py has the file objects and callables. A read or write passes one piece after another to
 * it, so that nothing accumulates in C. A stream that has nothing to read, or no room, is asked
 * again after a slice of waiting (wait.c); in an execution, the call is suspended instead.
 */
#include "include/python_functions.h"
#include "runtime/segments.h"
#include "runtime/stack_switch.h"
#include "wasi/wasi.h"

/* Waits a slice before the next attempt. False where the code was stopped meanwhile. */
static bool
wait_for_python(WASMExecEnv *env)
{
    bool woken = !wpy_sleep(wpy_wait_ns(UINT64_MAX));

    return wpy_wait_check(env, woken);
}

/* Stops the code with the exception that is kept under `number`. */
static __wasi_errno_t
stop_with_exception(WASMExecEnv *env, int number)
{
    wpy_set_exception((WASMModuleInstance *)env->module_inst, WPY_HOST, number, "stdio failed");
    return __WASI_EIO;
}

__wasi_errno_t
wpy_read_python(WASMExecEnv *env, const wpy_wasi *wasi, const struct __wasi_iovec_t *iov, int count,
                size_t *size)
{
    int i, got;

    *size = 0;
    for (i = 0; i < count && iov[i].buf_len == 0; i++)
        ;
    if (i == count)
        return 0;
    for (;;) {
        wpy_saved_stack outside = wpy_save_stack(env);

        ASSERT_NO_LOCKS();
        got = wpy_py_wasi_read(wasi->streams_id, iov[i].buf,
                               iov[i].buf_len < WPY_TRANSFER_BYTES ? (uint32_t)iov[i].buf_len
                                                                   : WPY_TRANSFER_BYTES);
        if (!wpy_restore_stack(env, &outside))
            return __WASI_EIO;
        if (got < 0)
            return stop_with_exception(env, got);
        if (got != WPY_WOULD_BLOCK)
            break;
        if (wpy_may_suspend()) {
            wpy_restore_frame(env, outside.frame);
            wpy_suspend(env, WPY_REASON_READ, UINT64_MAX);
            return __WASI_EINTR;
        }
        if (!wait_for_python(env))
            return __WASI_EINTR;
    }
    *size = (size_t)got;
    return 0;
}

__wasi_errno_t
wpy_write_python(WASMExecEnv *env, const wpy_wasi *wasi, int fd, const struct __wasi_ciovec_t *iov,
                 int count, size_t *size)
{
    int i;

    for (i = 0; i < count; i++) {
        const uint8_t *data = iov[i].buf;
        size_t left = iov[i].buf_len;

        while (left) {
            uint32_t piece = left < WPY_TRANSFER_BYTES ? (uint32_t)left : WPY_TRANSFER_BYTES;
            wpy_saved_stack outside = wpy_save_stack(env);
            int taken;

            ASSERT_NO_LOCKS();
            taken = wpy_py_wasi_write(wasi->streams_id, fd, data, piece);
            if (!wpy_restore_stack(env, &outside))
                return __WASI_EIO;
            if (taken < 0)
                return stop_with_exception(env, taken);
            if (taken == 0 && wpy_may_suspend()) {
                if (*size) /* the program goes on with the rest */
                    return 0;
                wpy_restore_frame(env, outside.frame);
                wpy_suspend(env, WPY_REASON_WRITE, UINT64_MAX);
                return __WASI_EINTR;
            }
            if (taken == 0 && !wait_for_python(env))
                return __WASI_EINTR;
            data += taken;
            left -= (size_t)taken;
            *size += (size_t)taken;
            if (*size >= WPY_CALL_BYTES)
                return 0;
        }
    }
    return 0;
}
