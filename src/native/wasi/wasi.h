/* wasi.h: what the three files of WASI share.
 *
 *   config.c        a configuration, and giving it to an instance that is being linked
 *   stdio.c     stdio: to Python, or to a descriptor, never waiting longer than the checkpoint
 * allows calls.c  the few functions of WASI that we replace as a whole
 *
 * The rest is WAMR's: paths, rights, its table of descriptors. Its faults are patched in
 * cmake/patches/wasi/.
 */
#ifndef WPY_WASI_H
#define WPY_WASI_H

#include "runtime/runtime.h"

#include "platform_api_extension.h"
#include "wasmtime_ssp.h"
#include "posix.h"
#include "blocking_op.h"

enum {
    WPY_STREAM_NONE,   /* reads end at once, what is written is dropped */
    WPY_STREAM_PYTHON, /* streams.py's */
    WPY_STREAM_FILE,   /* a regular file: never waits */
    WPY_STREAM_OTHER   /* a pipe, terminal, socket, device */
};

typedef struct {
    os_raw_file_handle handle; /* ours; for the first two kinds, the null device: the guest's table
                                  wants something */
    uint32_t kind;
    bool open;
} wpy_stream;

typedef struct {
    char *guest;
    os_file_handle handle;
    bool open; /* not yet the guest's */
    bool writable;
} wpy_dir;

struct wpy_wasi {
    wpy_wasi_head head;
    uint64_t who; /* Python's name for it */
    char **argv, **env;
    uint32_t argc, env_count;
    wpy_stream streams[3];
    wpy_dir *dirs;
    uint32_t dir_count;
};

/* stdio.c */
void wpy_wasi_setup(void);                /* once per process */
void wpy_returned_hook(WASMExecEnv *env); /* a function of WASI has returned */
#define WPY_SLICE_NS 20000000u            /* a wait looks up this often */
wpy_stream *wpy_stream_of(wpy_instance *instance, os_file_handle handle);
uint64_t wpy_wait_ns(uint64_t until); /* how long to wait now, before looking up */
bool wpy_sleep(uint64_t ns);          /* false: woken by a signal */

/* calls.c: for this import, in place of WAMR's; NULL: WAMR's */
void *wpy_wasi_native(const char *module, const char *name);

#endif
