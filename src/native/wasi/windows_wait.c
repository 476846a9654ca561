/* windows_wait.c: wait.c's functions for descriptors, on Windows.
 *
 * Neither pipes nor consoles tell when they can be read, so they are looked at every few
 * milliseconds. Nothing tells whether a pipe has room: its quota also counts what a reader waits
 * for. So what may block is written by a thread of its own, and this thread waits for that one in
 * slices. If the code is stopped meanwhile, the write is cancelled. An execution is suspended
 * instead, and keeps the write: the call is executed again until the write has ended.
 */
#include "runtime/segments.h"
#include "wasi/wasi.h"

#if defined(BH_PLATFORM_WINDOWS)
#include <winternl.h>

#define LOOK_NS 5000000u    /* between two looks at a pipe */
#define AT_ONCE_NS 1000000u /* an execution isn't suspended for writes that take less */

bool
wpy_sleep(uint64_t ns)
{
    Sleep((DWORD)((ns + 999999) / 1000000));
    return true; /* Python's handler for Ctrl-C runs in another thread */
}

static bool
is_console(HANDLE handle)
{
    DWORD mode;

    return GetConsoleMode(handle, &mode) != 0;
}

/* Whether reading returns at once. An error is found by reading, so it is ready, too. */
static bool
has_input(HANDLE handle)
{
    DWORD there;

    switch (GetFileType(handle)) {
    case FILE_TYPE_PIPE:
        return !PeekNamedPipe(handle, NULL, 0, NULL, &there, NULL) || there;
    case FILE_TYPE_CHAR:
        return !is_console(handle) || WaitForSingleObject(handle, 0) != WAIT_TIMEOUT;
    default:
        return true;
    }
}

bool
wpy_is_ready(os_file_handle handle, bool output)
{
    return output || has_input(handle->raw);
}

bool
wpy_wait_ready(WASMExecEnv *env, os_file_handle handle, bool output)
{
    while (!wpy_is_ready(handle, output)) {
        if (!wpy_wait_check(env, false))
            return false;
        if (wpy_may_suspend()) /* tried again after a while, as a stream of Python is */
            return wpy_suspend(env, WPY_REASON_READ, UINT64_MAX);
        wpy_sleep(wpy_wait_ns(wpy_now() + LOOK_NS));
    }
    return true;
}

bool
wpy_may_block(os_file_handle handle)
{
    return GetFileType(handle->raw) != FILE_TYPE_DISK;
}

__wasi_errno_t
wpy_read_ready(os_file_handle handle, const struct __wasi_iovec_t *iov, int count, size_t *size)
{
    return os_readv(handle, iov, count, size);
}

/* ---- polling ---- */

/* The event of a subscribed file; false: the file is not ready. */
static bool
event_of(struct fd_table *table, const __wasi_subscription_t *file, __wasi_event_t *out)
{
    __wasi_fd_t fd = file->u.u.fd_readwrite.fd;
    __wasi_fdstat_t status;
    os_file_handle handle;

    *out = (__wasi_event_t){.userdata = file->userdata, .type = file->u.type};
    out->error = wasmtime_ssp_fd_fdstat_get(NULL, table, fd, &status);
    if (!out->error && !(status.fs_rights_base & __WASI_RIGHT_POLL_FD_READWRITE))
        out->error = __WASI_ENOTCAPABLE;
    return out->error || file->u.type == __WASI_EVENTTYPE_FD_WRITE ||
           !wamrpy_host_handle(table, fd, &handle) || has_input(handle->raw);
}

/* As poll() of POSIX does: a pipe can always be written to. */
__wasi_errno_t
wpy_poll_files(WASMExecEnv *env, __wasi_subscription_t *files, uint32_t count, uint64_t wait,
               __wasi_event_t *out, size_t *found)
{
    WASIContext *context = wasm_runtime_get_wasi_ctx(env->module_inst);
    uint32_t i;

    *found = 0;
    for (i = 0; i < count; i++)
        if (event_of(context->curfds, &files[i], &out[*found]))
            ++*found;
    if (!*found && wait)
        wpy_sleep(wait < LOOK_NS ? wait : LOOK_NS);
    return 0;
}

/* ---- writing ---- */

/* How many writes wait in threads of their own. Atomic. */
static uint32_t pending_writes;

/* A write by another thread. Freed by the last of the two threads that gives it up. */
typedef struct {
    uint32_t refs; /* atomic */
    HANDLE handle; /* a duplicate, owned */
    HANDLE thread; /* owned by the thread that has asked for the write */
    const uint8_t *source;
    __wasi_errno_t error;
    size_t size, written;
    uint8_t data[]; /* a copy: the program's memory may be gone when the write ends */
} pending_write;

static void
give_up(pending_write *write)
{
    if (REFS_DOWN(&write->refs))
        return;
    CloseHandle(write->handle);
    free(write);
}

static DWORD WINAPI
write_all(void *argument)
{
    pending_write *write = argument;
    wpy_file file = {.raw = write->handle, .writes = true};
    struct __wasi_ciovec_t piece = {write->data, write->size};

    write->error = os_writev(&file, &piece, 1, &write->written);
    REFS_DOWN(&pending_writes);
    give_up(write);
    return 0;
}

static pending_write *
new_write(HANDLE handle, const struct __wasi_ciovec_t *piece)
{
    HANDLE process = GetCurrentProcess();
    pending_write *write = malloc(sizeof *write + piece->buf_len);

    if (!write)
        return NULL;
    *write = (pending_write){.refs = 2, .source = piece->buf, .size = piece->buf_len};
    memcpy(write->data, piece->buf, piece->buf_len);
    if (DuplicateHandle(process, handle, process, &write->handle, 0, FALSE, DUPLICATE_SAME_ACCESS))
        return write;
    free(write);
    return NULL;
}

/* Begins a write; NULL: no memory, or no thread. */
static pending_write *
begin_write(HANDLE handle, const struct __wasi_ciovec_t *piece)
{
    pending_write *write = new_write(handle, piece);

    if (!write)
        return NULL;
    REFS_UP(&pending_writes);
    if ((write->thread = CreateThread(NULL, 64 * 1024, write_all, write, 0, NULL)))
        return write;
    REFS_DOWN(&pending_writes);
    give_up(write);
    give_up(write);
    return NULL;
}

static void
end_write(pending_write *write)
{
    CloseHandle(write->thread);
    give_up(write);
}

/* Cancels the write until its thread ends, for at most a second: the thread may not have begun to
   write yet. */
static void
cancel(void *argument)
{
    pending_write *write = argument;
    int tries;

    for (tries = 0; tries < 100; tries++) {
        CancelSynchronousIo(write->thread);
        if (WaitForSingleObject(write->thread, 10) == WAIT_OBJECT_0)
            break;
    }
    end_write(write);
}

/* The write that this call had begun when it was suspended. Another call can follow if the host has
   closed the descriptor meanwhile. */
static pending_write *
kept_write(const struct __wasi_ciovec_t *piece)
{
    pending_write *write = wpy_take_pending();

    if (!write || (write->source == piece->buf && write->size == piece->buf_len))
        return write;
    cancel(write);
    return NULL;
}

/* Waits for the write's thread. False: the code was stopped, or suspended; `write` isn't the
   caller's any more. */
static bool
wait_for_write(WASMExecEnv *env, pending_write *write)
{
    bool suspends = wpy_may_suspend();
    uint64_t ns;

    do {
        ns = suspends ? AT_ONCE_NS : wpy_wait_ns(UINT64_MAX);
        if (WaitForSingleObject(write->thread, (DWORD)(ns / 1000000 + 1)) != WAIT_TIMEOUT)
            return true;
        if (!wpy_wait_check(env, false)) {
            cancel(write);
            return false;
        }
    } while (!suspends);
    wpy_keep_pending(write, cancel);
    return wpy_suspend(env, WPY_REASON_WRITE, UINT64_MAX);
}

static __wasi_errno_t
write_by_thread(WASMExecEnv *env, HANDLE handle, pending_write *write,
                const struct __wasi_ciovec_t *piece, size_t *size)
{
    __wasi_errno_t error;

    if (!write && !(write = begin_write(handle, piece)))
        return __WASI_ENOMEM;
    if (!wait_for_write(env, write))
        return __WASI_EINTR;
    error = write->error;
    *size = write->written;
    end_write(write);
    return error;
}

/* How many bytes the pipe takes without blocking, at least. */
static uint32_t
room_of(HANDLE handle)
{
    /* FILE_PIPE_LOCAL_INFORMATION */
    struct {
        ULONG type, configuration, instances, most_instances, in_quota, to_read, out_quota, room,
            state, end;
    } pipe;
    IO_STATUS_BLOCK done;
    const int local_information = 24;

    if (NtQueryInformationFile(handle, &done, &pipe, sizeof pipe,
                               (FILE_INFORMATION_CLASS)local_information) < 0)
        return 0;
    return pipe.room;
}

/* The owner of a pipe may have made it non-blocking. */
static bool
is_nonblocking(HANDLE pipe)
{
    DWORD state;

    return GetNamedPipeHandleStateW(pipe, &state, NULL, NULL, NULL, NULL, 0) &&
           (state & PIPE_NOWAIT);
}

/* Whether writing returns at once. While another thread writes to the same pipe, the system holds
 * up each call for its file, also one that only asks: so no pipe is asked while any write waits. */
static bool
takes_at_once(HANDLE handle, size_t size)
{
    return !ATOMIC_LOAD(&pending_writes) && (GetFileType(handle) != FILE_TYPE_PIPE ||
                                             room_of(handle) >= size || is_nonblocking(handle));
}

/* `count` is 1: stdio.c writes what may block in pieces. A non-blocking pipe that has no room
 * for all takes 0 bytes, without an error: it is asked to take less, and then tried again after a
 * while. */
__wasi_errno_t
wpy_write_ready(WASMExecEnv *env, os_file_handle handle, const struct __wasi_ciovec_t *iov,
                int count, bool begun, size_t *size)
{
    struct __wasi_ciovec_t piece = *iov;
    pending_write *kept = begun ? NULL : kept_write(&piece);
    bool suspends = wpy_may_suspend();
    __wasi_errno_t error;

    (void)count;
    do {
        *size = 0;
        if (!kept && takes_at_once(handle->raw, piece.buf_len))
            error = os_writev(handle, &piece, 1, size);
        else if (begun && suspends)
            return __WASI_EAGAIN;
        else
            error = write_by_thread(env, handle->raw, kept, &piece, size);
        if (error || *size)
            return error;
        kept = NULL;
    } while (piece.buf_len /= 2);
    if (begun && suspends)
        return __WASI_EAGAIN;
    if (suspends)
        return wpy_suspend(env, WPY_REASON_WRITE, UINT64_MAX) ? 0 : __WASI_EINTR;
    wpy_sleep(wpy_wait_ns(wpy_now() + LOOK_NS));
    return wpy_wait_check(env, false) ? __WASI_EAGAIN : __WASI_EINTR;
}
#endif
