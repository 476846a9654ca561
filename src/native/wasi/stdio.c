/* stdio.c: a program's stdio: to and from Python, or through a descriptor without waiting for
 * ever.
 *
 * WAMR's fd_read and fd_write have looked at rights and pointers and call the hooks here with the
 * host's descriptor: so a stream stays what it is when the guest renumbers it. Python's streams go
 * straight to streams.py, a piece at a time, so that nothing piles up. On all that may block
 * (pipes, terminals, FIFOs) we wait in slices and look at what stops the code in between, as the
 * checkpoint does; files are read and written in pieces for the same reason.
 */
#include "runtime/stack_switch.h"
#include "wasi/wasi.h"

#include <errno.h>
#include <limits.h>
#if !defined(BH_PLATFORM_WINDOWS)
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#endif

/* Python's side, declared to cffi by build_ffi.py and defined in streams.py. Answers a size, or the
   number, below 0, of the exception that waits. Reading, WPY_WOULD_BLOCK: nothing is there yet, ask
   again; writing, 0: none of it was taken, try again. */
extern int wpy_py_wasi_read(uint64_t who, uint8_t *data, uint32_t size);
extern int wpy_py_wasi_write(uint64_t who, int fd, const uint8_t *data, uint32_t size);

#define PIECE (1u << 20) /* the most that Python is asked for, or given, at once */
#define MOST 0x7ffff000u /* of one call, as on Linux: the guest's count has 32 bits */
#if !defined(PIPE_BUF)
#define PIPE_BUF 4096
#endif

/* NULL: an opened file */
wpy_stream *
wpy_stream_of(wpy_instance *instance, os_file_handle handle)
{
    uint32_t i;

    for (i = 0; i < 3; i++) {
        wpy_stream *stream = &instance->wasi->streams[i];
#if defined(BH_PLATFORM_WINDOWS)
        if (stream->handle == handle->raw.handle)
            return stream;
#else
        if (stream->handle == handle)
            return stream;
#endif
    }
    return NULL;
}

/* ---- waiting ---- */

uint64_t
wpy_wait_ns(uint64_t until)
{
    uint64_t now = wpy_now(), end = now + WPY_SLICE_NS, deadline = wpy_deadline(wpy_self.top, now);

    if (until < end)
        end = until;
    if (deadline < end)
        end = deadline;
    return end > now ? end - now : 0;
}

#if defined(BH_PLATFORM_WINDOWS)
bool
wpy_sleep(uint64_t ns)
{
    os_usleep((uint32)((ns + 999) / 1000));
    return true;
}

static bool
wait_ready(WASMExecEnv *env, os_file_handle handle, bool output)
{
    (void)env;
    (void)handle;
    (void)output;
    return true;
}

static bool
may_block(os_file_handle handle)
{
    (void)handle;
    return false;
}

#define read_ready os_readv
#define write_ready os_writev
#else
bool
wpy_sleep(uint64_t ns)
{
    struct timespec time = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

    return ns == 0 || nanosleep(&time, NULL) == 0;
}

/* False: the code was stopped meanwhile. What poll knows no more about, reading or writing will
 * tell. */
static bool
wait_ready(WASMExecEnv *env, os_file_handle handle, bool output)
{
    struct pollfd item = {.fd = handle, .events = output ? POLLOUT : POLLIN};
    int timeout = 0, found;

    for (;;) {
        found = poll(&item, 1, timeout);
        if (found > 0 || (found < 0 && errno != EINTR))
            return true;
        if (!wpy_wait_check(env, found < 0))
            return false;
        timeout = (int)((wpy_wait_ns(UINT64_MAX) + 999999) / 1000000);
    }
}

/* A file that the guest has opened: a FIFO or a device, and the guest has not asked for EAGAIN. */
static bool
may_block(os_file_handle handle)
{
    struct stat status;

    return fstat(handle, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode) &&
           !(fcntl(handle, F_GETFL) & O_NONBLOCK);
}

/* What was ready a moment ago, others may have taken or filled since: where the system can, ask for
   EAGAIN then. The descriptor itself can't be made non-blocking, since the host and its other
   programs share it. */
static __wasi_errno_t
read_ready(os_file_handle handle, const struct __wasi_iovec_t *iov, int count, size_t *size)
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

static __wasi_errno_t
write_ready(os_file_handle handle, const struct __wasi_ciovec_t *iov, int count, size_t *size)
{
#if defined(RWF_NOWAIT)
    ssize_t put = pwritev2(handle, (const struct iovec *)iov, count, -1, RWF_NOWAIT);

    if (put >= 0)
        *size = (size_t)put;
    if (put >= 0 || errno == EAGAIN)
        return put >= 0 ? 0 : __WASI_EAGAIN;
#endif
    return os_writev(handle, iov, count, size);
}
#endif

/* ---- files ---- */

typedef enum { READ, WRITE, READ_AT, WRITE_AT } transfer;

static __wasi_errno_t
transfer_once(transfer what, os_file_handle handle, const void *iov, int count,
              __wasi_filesize_t at, size_t *size)
{
    switch (what) {
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
is_much(const struct __wasi_iovec_t *iov, int count)
{
    uint64_t size = 0;
    int i;

    for (i = 0; i < count && size <= PIECE; i++)
        size += iov[i].buf_len;
    return size > PIECE;
}

/* A gigabyte takes seconds: what is much goes in pieces, with a look at what stops the code in
 * between. */
static __wasi_errno_t
transfer_file(WASMExecEnv *env, transfer what, os_file_handle handle,
              const struct __wasi_iovec_t *iov, int count, __wasi_filesize_t at, size_t *size)
{
    int i;

    if (!is_much(iov, count))
        return transfer_once(what, handle, iov, count, at, size);
    *size = 0;
    for (i = 0; i < count; i++) {
        struct __wasi_iovec_t rest = iov[i];

        while (rest.buf_len) {
            struct __wasi_iovec_t piece = {rest.buf, rest.buf_len < PIECE ? rest.buf_len : PIECE};
            size_t done = 0;
            __wasi_errno_t error = transfer_once(what, handle, &piece, 1, at + *size, &done);

            if (error)
                return *size ? 0 : error;
            *size += done;
            if (done < piece.buf_len || *size >= MOST)
                return 0;
            if (!wpy_wait_check(env, false))
                return __WASI_EINTR;
            rest.buf += done;
            rest.buf_len -= done;
        }
    }
    return 0;
}

/* ---- reading ---- */

/* Before Python is asked again. False: the code was stopped meanwhile. */
static bool
wait_for_python(WASMExecEnv *env)
{
    bool woken = !wpy_sleep(wpy_wait_ns(UINT64_MAX));

    return wpy_wait_check(env, woken);
}

static __wasi_errno_t
stopped_by_python(WASMExecEnv *env, int raised)
{
    wpy_set_exception((WASMModuleInstance *)env->module_inst, WPY_HOST, raised, "stdio failed");
    return __WASI_EIO;
}

static __wasi_errno_t
read_python(WASMExecEnv *env, wpy_wasi *wasi, const struct __wasi_iovec_t *iov, int count,
            size_t *size)
{
    int i, got;

    *size = 0;
    for (i = 0; i < count && iov[i].buf_len == 0; i++)
        ;
    if (i == count)
        return 0;
    do {
        wpy_saved_stack outside = wpy_save_stack(env);

        ASSERT_NO_LOCKS();
        got = wpy_py_wasi_read(wasi->who, iov[i].buf,
                               iov[i].buf_len < PIECE ? (uint32_t)iov[i].buf_len : PIECE);
        if (!wpy_restore_stack(env, &outside))
            return __WASI_EIO;
        if (got < 0)
            return stopped_by_python(env, got);
        if (got == WPY_WOULD_BLOCK && !wait_for_python(env))
            return __WASI_EINTR;
    } while (got == WPY_WOULD_BLOCK);
    *size = (size_t)got;
    return 0;
}

static __wasi_errno_t
read_hook(wasm_exec_env_t env, os_file_handle handle, const struct __wasi_iovec_t *iov, int count,
          size_t *size)
{
    wpy_instance *instance = wpy_instance_of(env);
    wpy_stream *stream = instance ? wpy_stream_of(instance, handle) : NULL;
    struct __wasi_iovec_t first;
    __wasi_errno_t error;

    if (!instance)
        return os_readv(handle, iov, count, size);
    if (stream && stream->kind == WPY_STREAM_PYTHON)
        return read_python(env, instance->wasi, iov, count, size);
    if (stream ? stream->kind != WPY_STREAM_OTHER : !may_block(handle))
        return transfer_file(env, READ, handle, iov, count, 0, size);
    for (; count > 1 && iov->buf_len == 0; count--)
        iov++;
    if (count && iov->buf_len > PIECE) { /* a device may have any amount */
        first = (struct __wasi_iovec_t){iov->buf, PIECE};
        iov = &first;
        count = 1;
    }
    do {
        if (!wait_ready(env, handle, false))
            return __WASI_EINTR;
        error = read_ready(handle, iov, count, size);
    } while (error == __WASI_EAGAIN || error == __WASI_EINTR);
    return error;
}

/* ---- writing ---- */

static __wasi_errno_t
write_python(WASMExecEnv *env, wpy_wasi *wasi, int fd, const struct __wasi_ciovec_t *iov, int count,
             size_t *size)
{
    int i;

    for (i = 0; i < count; i++) {
        const uint8_t *data = iov[i].buf;
        size_t left = iov[i].buf_len;

        while (left) {
            uint32_t piece = left < PIECE ? (uint32_t)left : PIECE;
            wpy_saved_stack outside = wpy_save_stack(env);
            int taken;

            ASSERT_NO_LOCKS();
            taken = wpy_py_wasi_write(wasi->who, fd, data, piece);
            if (!wpy_restore_stack(env, &outside))
                return __WASI_EIO;
            if (taken < 0)
                return stopped_by_python(env, taken);
            if (taken == 0 && !wait_for_python(env))
                return __WASI_EINTR;
            data += taken;
            left -= (size_t)taken;
            *size += (size_t)taken;
            if (*size >= MOST)
                return 0;
        }
    }
    return 0;
}

/* In pieces that what poll calls writable takes without blocking. All of it, as a blocking
 * descriptor would. */
static __wasi_errno_t
write_waiting(WASMExecEnv *env, os_file_handle handle, const struct __wasi_ciovec_t *iov, int count,
              size_t *size)
{
    int i;

    for (i = 0; i < count; i++) {
        struct __wasi_ciovec_t rest = iov[i];

        while (rest.buf_len) {
            struct __wasi_ciovec_t piece = {rest.buf,
                                            rest.buf_len < PIPE_BUF ? rest.buf_len : PIPE_BUF};
            size_t written;
            __wasi_errno_t error;

            if (!wait_ready(env, handle, true))
                return __WASI_EINTR;
            error = write_ready(handle, &piece, 1, &written);
            if (error == __WASI_EAGAIN || error == __WASI_EINTR)
                continue; /* the host's descriptor may be non-blocking: the guest does not know */
            if (error)
                return *size ? 0 : error;
            rest.buf += written;
            rest.buf_len -= written;
            *size += written;
            if (*size >= MOST)
                return 0;
        }
    }
    return 0;
}

static __wasi_errno_t
write_hook(wasm_exec_env_t env, os_file_handle handle, const struct __wasi_ciovec_t *iov, int count,
           size_t *size)
{
    wpy_instance *instance = wpy_instance_of(env);
    wpy_stream *stream = instance ? wpy_stream_of(instance, handle) : NULL;

    *size = 0;
    if (stream && stream->kind == WPY_STREAM_PYTHON)
        return write_python(env, instance->wasi, (int)(stream - instance->wasi->streams), iov,
                            count, size);
    if (instance && (stream ? stream->kind == WPY_STREAM_OTHER : may_block(handle)))
        return write_waiting(env, handle, iov, count, size);
    return transfer_file(env, WRITE, handle, (const struct __wasi_iovec_t *)iov, count, 0, size);
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
    return transfer_file(env, WRITE_AT, handle, (const struct __wasi_iovec_t *)iov, count, at,
                         size);
}

void
wpy_wasi_setup(void)
{
    wamrpy_wasi = (WamrPyWasiHooks){
        .readv = read_hook,
        .writev = write_hook,
        .preadv = read_at_hook,
        .pwritev = write_at_hook,
    };
}

/* A WASI call has returned: time has passed that the checkpoint does not count. */
void
wpy_returned_hook(WASMExecEnv *env)
{
    wpy_end_slice(wpy_instance_of(env));
}
