/* stdio.c: the hooks through which a program reads and writes.
 *
 * WAMR's fd_read and fd_write check rights and pointers, and then call the hooks with the host's
 * descriptor. So a standard stream is still recognised after the program has renumbered it.
 *
 * - Python's streams are read and written by streams.c.
 * - Descriptors that may block (pipes, terminals, FIFOs) are waited for in slices (wait.c).
 * - Regular files are read and written in pieces. Between them the code may be stopped.
 * - What stdout and stderr take together may be limited.
 *
 * The hooks run in a host call, without the GIL, and with the lock of the instance's group.
 */
#include "runtime/segments.h"
#include "wasi/wasi.h"

#include <limits.h>

/* The most bytes of one write to a pipe: what a pipe that poll() calls writable takes. */
#if defined(BH_PLATFORM_WINDOWS)
#define PIPE_PIECE 65536 /* a thread writes them, see windows_wait.c */
#elif defined(PIPE_BUF)
#define PIPE_PIECE PIPE_BUF
#else
#define PIPE_PIECE 4096
#endif

/* The standard stream with that handle; NULL for a file that the program has opened. */
static wpy_stream *
stream_of(wpy_instance *instance, os_file_handle handle)
{
    uint32_t i;

    for (i = 0; i < 3; i++) {
        wpy_stream *stream = &instance->wasi->streams[i];
#if defined(BH_PLATFORM_WINDOWS)
        if (stream->handle == handle->raw)
            return stream;
#else
        if (stream->handle == handle)
            return stream;
#endif
    }
    return NULL;
}

/* ---- files ---- */

typedef enum { READ, WRITE, READ_AT, WRITE_AT } operation;

static __wasi_errno_t
transfer_once(operation op, os_file_handle handle, const void *iov, int count, __wasi_filesize_t at,
              size_t *size)
{
    switch (op) {
    case READ:
        return os_readv(handle, iov, count, size);
    case WRITE:
        return os_writev(handle, iov, count, size);
    case READ_AT:
        return os_preadv(handle, iov, count, at, size);
    default:
        return os_pwritev(handle, iov, count, at, size);
    }
}

static bool
exceeds_piece(const struct __wasi_iovec_t *iov, int count)
{
    uint64_t size = 0;
    int i;

    for (i = 0; i < count && size <= WPY_TRANSFER_BYTES; i++)
        size += iov[i].buf_len;
    return size > WPY_TRANSFER_BYTES;
}

/* A transfer of a gigabyte takes seconds. It is made in pieces, with a check in between of what may
 * stop the code. */
static __wasi_errno_t
transfer_file(WASMExecEnv *env, operation op, os_file_handle handle,
              const struct __wasi_iovec_t *iov, int count, __wasi_filesize_t at, size_t *size)
{
    int i;

    if (!exceeds_piece(iov, count))
        return transfer_once(op, handle, iov, count, at, size);
    *size = 0;
    for (i = 0; i < count; i++) {
        struct __wasi_iovec_t rest = iov[i];

        while (rest.buf_len) {
            struct __wasi_iovec_t piece = {
                rest.buf, rest.buf_len < WPY_TRANSFER_BYTES ? rest.buf_len : WPY_TRANSFER_BYTES};
            size_t done = 0;
            __wasi_errno_t error = transfer_once(op, handle, &piece, 1, at + *size, &done);

            if (error)
                return *size ? 0 : error;
            *size += done;
            if (done < piece.buf_len || *size >= WPY_CALL_BYTES)
                return 0;
            if (!wpy_wait_check(env, false))
                return __WASI_EINTR;
            rest.buf += done;
            rest.buf_len -= done;
        }
    }
    return 0;
}

/* ---- hooks ---- */

static __wasi_errno_t
read_hook(wasm_exec_env_t env, os_file_handle handle, const struct __wasi_iovec_t *iov, int count,
          size_t *size)
{
    wpy_instance *instance = wpy_instance_of(env);
    wpy_stream *stream = instance ? stream_of(instance, handle) : NULL;
    struct __wasi_iovec_t first;
    __wasi_errno_t error;

    if (!instance)
        return os_readv(handle, iov, count, size);
    if (stream && stream->kind == WPY_STREAM_PYTHON)
        return wpy_read_python(env, instance->wasi, iov, count, size);
    if (stream ? stream->kind != WPY_STREAM_OTHER : !wpy_may_block(handle))
        return transfer_file(env, READ, handle, iov, count, 0, size);
    for (; count && iov->buf_len == 0; count--)
        iov++;
    if (!count) { /* no bytes are asked for, so none are waited for */
        *size = 0;
        return 0;
    }
    if (iov->buf_len > WPY_TRANSFER_BYTES) { /* a device may deliver any amount */
        first = (struct __wasi_iovec_t){iov->buf, WPY_TRANSFER_BYTES};
        iov = &first;
        count = 1;
    }
    do {
        if (!wpy_wait_ready(env, handle, false))
            return __WASI_EINTR;
        error = wpy_read_ready(handle, iov, count, size);
    } while (error == __WASI_EAGAIN || error == __WASI_EINTR);
    return error;
}

/* Writes everything, as a blocking descriptor would, in pieces. In an execution, as much as there
 * is room for: the call is suspended only before it has written anything. */
static __wasi_errno_t
write_waiting(WASMExecEnv *env, os_file_handle handle, const struct __wasi_ciovec_t *iov, int count,
              size_t *size)
{
    int i;

    for (i = 0; i < count; i++) {
        struct __wasi_ciovec_t rest = iov[i];

        while (rest.buf_len) {
            struct __wasi_ciovec_t piece = {rest.buf,
                                            rest.buf_len < PIPE_PIECE ? rest.buf_len : PIPE_PIECE};
            size_t written;
            __wasi_errno_t error;

            if (*size && wpy_may_suspend() && !wpy_is_ready(handle, true))
                return 0; /* the program goes on with the rest */
            if (!wpy_wait_ready(env, handle, true))
                return __WASI_EINTR;
            error = wpy_write_ready(env, handle, &piece, 1, *size > 0, &written);
            if (error == __WASI_EINTR && ((WASMModuleInstance *)env->module_inst)->cur_exception[0])
                return error; /* the code was stopped */
            if (error == __WASI_EAGAIN && *size && wpy_may_suspend())
                return 0;
            if (error == __WASI_EAGAIN || error == __WASI_EINTR)
                continue; /* the descriptor may be non-blocking on the host, and not in WASI */
            if (error)
                return *size ? 0 : error;
            rest.buf += written;
            rest.buf_len -= written;
            *size += written;
            if (*size >= WPY_CALL_BYTES)
                return 0;
        }
    }
    return 0;
}

/* Writes to a standard stream, or to a file that the program has opened (`stream` is NULL). */
static __wasi_errno_t
write_any(WASMExecEnv *env, wpy_stream *stream, operation op, os_file_handle handle,
          const struct __wasi_ciovec_t *iov, int count, __wasi_filesize_t at, size_t *size)
{
    wpy_instance *instance = wpy_instance_of(env);

    *size = 0;
    if (op == WRITE) {
        if (stream && stream->kind == WPY_STREAM_PYTHON)
            return wpy_write_python(env, instance->wasi, (int)(stream - instance->wasi->streams),
                                    iov, count, size);
        if (instance && (stream ? stream->kind == WPY_STREAM_OTHER : wpy_may_block(handle)))
            return write_waiting(env, handle, iov, count, size);
    }
    return transfer_file(env, op, handle, (const struct __wasi_iovec_t *)iov, count, at, size);
}

static __wasi_errno_t
stop_output(WASMExecEnv *env, const wpy_wasi *wasi)
{
    char text[EXCEPTION_BUF_LEN];

    snprintf(text, sizeof text,
             "output limit reached: stdout and stderr together take at most %llu bytes",
             (unsigned long long)wasi->output_bytes);
    wpy_set_exception((WASMModuleInstance *)env->module_inst, WPY_TRAP, 0, text);
    return __WASI_EIO;
}

/* Writes as much as the limit allows, at once: the call may be suspended and executed again. What
 * it may write is reserved meanwhile, since a callable of Python may call code that writes, too. */
static __wasi_errno_t
write_limited(WASMExecEnv *env, wpy_stream *stream, operation op, os_file_handle handle,
              const struct __wasi_ciovec_t *iov, int count, __wasi_filesize_t at, size_t *size)
{
    wpy_wasi *wasi = wpy_instance_of(env)->wasi;
    struct __wasi_ciovec_t *allowed = NULL;
    uint64_t sum = 0, left = wasi->output_left;
    __wasi_errno_t error = 0;
    int whole = 0;

    *size = 0;
    while (whole < count && iov[whole].buf_len <= left - sum)
        sum += iov[whole++].buf_len;
    if (whole < count) {
        if (left == 0)
            return stop_output(env, wasi);
        if (!(allowed = malloc(((size_t)whole + 1) * sizeof *allowed)))
            return __WASI_ENOMEM;
        memcpy(allowed, iov, (size_t)whole * sizeof *allowed);
        allowed[whole] = (struct __wasi_ciovec_t){iov[whole].buf, left - sum};
        sum = left;
        iov = allowed;
        whole++;
    }
    wasi->output_left -= sum;
    error = write_any(env, stream, op, handle, iov, whole, at, size);
    wasi->output_left += sum - *size;
    if (allowed && !error && *size == sum)
        error = stop_output(env, wasi);
    free(allowed);
    return error;
}

/* Writes to a file that the program has opened, as much as its limit allows. */
static __wasi_errno_t
write_file(WASMExecEnv *env, operation op, os_file_handle handle, const struct __wasi_ciovec_t *iov,
           int count, __wasi_filesize_t at, size_t *size)
{
    struct __wasi_ciovec_t *allowed;
    uint64_t sum = 0, left;
    __wasi_errno_t error;
    wpy_growth growth;
    int i;

    for (i = 0; i < count; i++)
        sum += iov[i].buf_len;
    left = sum;
    if (!wpy_begin_growth(env, &growth, handle, op == WRITE_AT ? &at : NULL, &left))
        return write_any(env, NULL, op, handle, iov, count, at, size);
    if (left == sum)
        error = write_any(env, NULL, op, handle, iov, count, at, size);
    else if (!left)
        error = __WASI_ENOSPC;
    else if (!(allowed = malloc((size_t)count * sizeof *allowed)))
        error = __WASI_ENOMEM;
    else {
        for (i = 0; left; i++) {
            allowed[i] = iov[i];
            if (allowed[i].buf_len > left)
                allowed[i].buf_len = (size_t)left;
            left -= allowed[i].buf_len;
        }
        error = write_any(env, NULL, op, handle, allowed, i, at, size);
        free(allowed);
    }
    wpy_end_growth(&growth);
    return error;
}

static __wasi_errno_t
write_either(WASMExecEnv *env, operation op, os_file_handle handle,
             const struct __wasi_ciovec_t *iov, int count, __wasi_filesize_t at, size_t *size)
{
    wpy_instance *instance = wpy_instance_of(env);
    wpy_stream *stream = instance ? stream_of(instance, handle) : NULL;

    return stream ? write_limited(env, stream, op, handle, iov, count, at, size)
                  : write_file(env, op, handle, iov, count, at, size);
}

static __wasi_errno_t
write_hook(wasm_exec_env_t env, os_file_handle handle, const struct __wasi_ciovec_t *iov, int count,
           size_t *size)
{
    return write_either(env, WRITE, handle, iov, count, 0, size);
}

static __wasi_errno_t
read_at_hook(wasm_exec_env_t env, os_file_handle handle, const struct __wasi_iovec_t *iov,
             int count, __wasi_filesize_t at, size_t *size)
{
    return transfer_file(env, READ_AT, handle, iov, count, at, size);
}

static __wasi_errno_t
write_at_hook(wasm_exec_env_t env, os_file_handle handle, const struct __wasi_ciovec_t *iov,
              int count, __wasi_filesize_t at, size_t *size)
{
    return write_either(env, WRITE_AT, handle, iov, count, at, size);
}

void
wpy_wasi_setup(void)
{
    wpy_file_limit_setup();
    wamrpy_wasi = (WamrPyWasiHooks){
        .readv = read_hook,
        .writev = write_hook,
        .preadv = read_at_hook,
        .pwritev = write_at_hook,
    };
}

/* A WASI call has returned. It may have taken time that the checkpoint did not count. */
void
wpy_returned_hook(WASMExecEnv *env)
{
    wpy_end_slice(wpy_instance_of(env));
}
