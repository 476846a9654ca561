/* wasi.h: what the files of WASI share.
 *
 *   config.c  a configuration, and applying it to an instance that is being linked
 *   stdio.c   the hooks for reading and writing
 *   streams.c the standard streams that are Python's
 *   wait.c    waiting in slices, with windows_wait.c
 *   calls.c   the WASI functions that are replaced as a whole
 *   wide_results.c  those that write numbers of 64 bits
 *   file_limit.c  how much a program may add to files, with file_limit_calls.c
 *   state.c   what snapshots need to know
 *
 * Paths, rights and the table of descriptors are WAMR's, with the patches of cmake/patches/wasi/.
 */
#ifndef WPY_WASI_H
#define WPY_WASI_H

#include "runtime/runtime.h"

#include "platform_api_extension.h"
#include "wasmtime_ssp.h"
#include "posix.h"
#include "blocking_op.h"

enum {
    WPY_STREAM_NONE,   /* empty; what is written is dropped */
    WPY_STREAM_PYTHON, /* a stream of streams.py */
    WPY_STREAM_FILE,   /* a regular file, which never blocks */
    WPY_STREAM_OTHER   /* a pipe, terminal, socket or device */
};

/* The rights of a descriptor, and its flags. */
typedef struct {
    __wasi_rights_t base, inheriting;
    __wasi_fdflags_t flags;
} wpy_rights;

typedef struct {
    os_raw_file_handle handle; /* the null device for the first two kinds, since WAMR's table of
                                  descriptors needs a handle */
    uint32_t kind;             /* WPY_STREAM_… */
    bool open;                 /* `handle` is owned */
    wpy_rights first;          /* that the program begins with */
} wpy_stream;

typedef struct {
    char *guest; /* the path that the program sees; owned */
    os_file_handle handle;
    bool open; /* `handle` is owned; false once it is in an instance's table of descriptors */
    bool writable;
    wpy_rights first; /* that the program begins with */
    __wasi_device_t device;
    __wasi_inode_t inode;
} wpy_dir;

struct wpy_wasi {
    wpy_wasi_head head;
    uint64_t streams_id; /* under which streams.py knows the streams */
    char **argv, **env;
    uint32_t argc, env_count;
    wpy_stream streams[3];
    uint64_t output_left, output_bytes; /* what stdout and stderr may still take; the limit */
    uint64_t file_used, file_bytes;     /* what was added to files; the limit, or UINT64_MAX */
    uint64_t entries;                   /* of directories, made under that limit */
    wpy_dir *dirs;
    uint32_t dir_count;
    size_t table_size; /* of the table of descriptors that the program begins with */
};

/* The descriptors of the caller; NULL: it has no WASI configuration. Borrowed. */
static inline struct fd_table *
wpy_fd_table(WASMExecEnv *env)
{
    WASIContext *context = wasm_runtime_get_wasi_ctx(env->module_inst);

    return context ? context->curfds : NULL;
}

/* Whether the bytes are in the caller's memory; else the call ends with a trap. */
static inline bool
wpy_is_in_memory(WASMExecEnv *env, const void *address, uint64_t size)
{
    return wasm_runtime_validate_native_addr(env->module_inst, (void *)(uintptr_t)address, size);
}

/* ---- stdio.c ---- */

/* Sets the hooks; once per process. */
void wpy_wasi_setup(void);
/* Called when a function of WASI has returned. */
void wpy_returned_hook(WASMExecEnv *env);

/* The most bytes of one transfer, to a stream of Python or a file. */
#define WPY_TRANSFER_BYTES (1u << 20)
/* The most bytes of one call of the program, as on Linux; WASI's size has 32 bits. */
#define WPY_CALL_BYTES 0x7ffff000u

/* ---- streams.c ---- */

/* Read from Python's stdin, and write to its stdout or stderr (`fd`): without the GIL, with the
 * lock of the instance's group and no other lock. `size` becomes the number of bytes; for a write,
 * 0 before the call. EINTR: the code was stopped or suspended meanwhile. EIO: it ends with an
 * exception of Python. */
__wasi_errno_t wpy_read_python(WASMExecEnv *env, const wpy_wasi *wasi,
                               const struct __wasi_iovec_t *iov, int count, size_t *size);
__wasi_errno_t wpy_write_python(WASMExecEnv *env, const wpy_wasi *wasi, int fd,
                                const struct __wasi_ciovec_t *iov, int count, size_t *size);

/* ---- wide_results.c ---- */

/* The function that stands in place of the WASI function of this name; NULL where there is none. */
void *wpy_wide_result_native(const char *module, const char *name);

/* ---- file_limit.c ---- */

/* A write to a file whose growth is limited. */
typedef struct {
    wpy_wasi *wasi;
    os_file_handle handle;
    uint64_t before; /* the size of the file */
    uint64_t reserved;
} wpy_growth;

/* Begins to write `size` bytes to a file, at `at` or, if that is NULL, where the file is. False:
 * nothing limits it. Otherwise `size` becomes what may be written: 0 where there is no room. */
bool wpy_begin_growth(WASMExecEnv *env, wpy_growth *growth, os_file_handle handle,
                      const __wasi_filesize_t *at, uint64_t *size);
/* Counts what the file has grown by. */
void wpy_end_growth(const wpy_growth *growth);

/* ---- file_limit_calls.c ---- */

/* Finds WAMR's functions; once per process. */
void wpy_file_limit_setup(void);
/* The function that stands in place of the WASI function of this name; NULL where there is none. */
void *wpy_file_limit_native(const char *name);
/* Closes a descriptor, if it is open, as the program would. */
void wpy_wasi_close(WASMExecEnv *env, __wasi_fd_t fd);

/* ---- wait.c ---- */

/* The length of the next slice: to `until` (on the scale of wpy_now), to the nearest deadline of
 * this thread's calls, and at most 20 ms. */
uint64_t wpy_wait_ns(uint64_t until);
/* False where a signal ended the sleep. */
bool wpy_sleep(uint64_t ns);
/* The number for wpy_descriptor; -1 on Windows, where nothing can wait for a handle of a file. */
static inline int32_t
wpy_descriptor_of(os_file_handle handle)
{
#if defined(BH_PLATFORM_WINDOWS)
    (void)handle;
    return -1;
#else
    return handle;
#endif
}

/* Whether the descriptor can be read or written without waiting. */
bool wpy_is_ready(os_file_handle handle, bool output);
/* Waits until the descriptor can be read or written. False where the code was stopped or suspended
 * meanwhile. */
bool wpy_wait_ready(WASMExecEnv *env, os_file_handle handle, bool output);
/* Whether reading or writing may block: the descriptor is a FIFO or a device, and the program has
 * not set it non-blocking. */
bool wpy_may_block(os_file_handle handle);
/* Read or write a descriptor that is ready. EINTR: the code was stopped or suspended meanwhile.
 * EAGAIN, on systems that can tell, where it is no longer ready. `begun`: the call has written
 * something already, so it can't be suspended any more. */
__wasi_errno_t wpy_read_ready(os_file_handle handle, const struct __wasi_iovec_t *iov, int count,
                              size_t *size);
__wasi_errno_t wpy_write_ready(WASMExecEnv *env, os_file_handle handle,
                               const struct __wasi_ciovec_t *iov, int count, bool begun,
                               size_t *size);

/* Waits for the subscribed files, and for at most `wait` nanoseconds: writes the events of those
 * that are ready or have an error, and perhaps one of a clock. `files` has room for one more. EINTR
 * where a signal ended the wait. */
__wasi_errno_t wpy_poll_files(WASMExecEnv *env, __wasi_subscription_t *files, uint32_t count,
                              uint64_t wait, __wasi_event_t *out, size_t *found);

/* ---- state.c: see wpy_wasi_ops ---- */

bool wpy_wasi_at_rest(const wpy_wasi *wasi, wpy_instance *instance, char *why, uint32_t size);
bool wpy_wasi_reset(const wpy_wasi *wasi, wpy_instance *instance, char *why, uint32_t size);
char *wpy_wasi_preopens(const wpy_wasi *wasi, uint32_t *size);
int wpy_wasi_guest_stream(const wpy_wasi *wasi, int descriptor);
int wpy_wasi_host_stream(const wpy_wasi *wasi, int stream);

/* ---- calls.c ---- */

/* Our function for an import of WASI; NULL where WAMR's is used. */
void *wpy_wasi_native(const char *module, const char *name);

#endif
