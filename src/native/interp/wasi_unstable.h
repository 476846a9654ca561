/* wasi_unstable.h: snapshot 0 of WASI, `wasi_unstable`, with its own ABI.
 *
 * Included by libc_wasi_wrapper.c, after its table of preview 1's functions. Four functions differ
 * from preview 1: fd_seek has other values of `whence`, fd_filestat_get and path_filestat_get write
 * another struct, and poll_oneoff reads another one. The functions here convert these and call
 * those of preview 1. The object API has its own poll_oneoff (wasi/calls.c). */

#include "compiler.h"

typedef struct unstable_filestat {
    uint64 dev, ino;
    uint8 filetype;
    uint32 nlink; /* uint64 in preview 1 */
    uint64 size, atim, mtim, ctim;
} unstable_filestat_t;

/* i386 aligns 64-bit members to 4 bytes, wasm to 8. */
typedef struct unstable_subscription {
    ALIGNED_8 uint64 userdata;
    uint8 type;
    union {
        struct {
            ALIGNED_8 uint64 identifier; /* not in preview 1 */
            uint32 clock_id;
            ALIGNED_8 uint64 timeout;
            ALIGNED_8 uint64 precision;
            uint16 flags;
        } clock;
        uint32 fd;
    } u;
} unstable_subscription_t;

_Static_assert(sizeof(unstable_filestat_t) == 56, "witx calculated size");
_Static_assert(offsetof(unstable_filestat_t, nlink) == 20, "witx calculated offset");
_Static_assert(sizeof(unstable_subscription_t) == 56, "witx calculated size");
_Static_assert(offsetof(unstable_subscription_t, u.clock.timeout) == 32, "witx calculated offset");

static wasi_errno_t
unstable_fd_seek(wasm_exec_env_t exec_env, wasi_fd_t fd, wasi_filedelta_t offset, uint32 whence,
                 wasi_filesize_t *newoffset)
{
    static const wasi_whence_t known[] = {__WASI_WHENCE_CUR, __WASI_WHENCE_END, __WASI_WHENCE_SET};

    wasm_module_inst_t module_inst = get_module_inst(exec_env);
    wasi_ctx_t wasi_ctx = get_wasi_ctx(module_inst);
    wasi_filesize_t position;
    wasi_errno_t err;

    if (!wasi_ctx)
        return __WASI_EACCES;
    if (!validate_native_addr(newoffset, (uint64)sizeof(position)))
        return __WASI_EFAULT;
    if (whence >= sizeof(known) / sizeof(known[0]))
        return __WASI_EINVAL;
    err = wasmtime_ssp_fd_seek(exec_env, wasi_ctx->curfds, fd, offset, known[whence], &position);
    if (!err)
        memcpy(newoffset, &position, sizeof(position)); /* at any address */
    return err;
}

static void
to_unstable_filestat(const wasi_filestat_t *stat, unstable_filestat_t *app)
{
    unstable_filestat_t converted;

    memset(&converted, 0, sizeof(converted));
    converted.dev = stat->st_dev;
    converted.ino = stat->st_ino;
    converted.filetype = stat->st_filetype;
    converted.nlink = stat->st_nlink < UINT32_MAX ? (uint32)stat->st_nlink : UINT32_MAX;
    converted.size = stat->st_size;
    converted.atim = stat->st_atim;
    converted.mtim = stat->st_mtim;
    converted.ctim = stat->st_ctim;
    memcpy(app, &converted, sizeof(converted));
}

static wasi_errno_t
unstable_fd_filestat_get(wasm_exec_env_t exec_env, wasi_fd_t fd, unstable_filestat_t *app)
{
    wasm_module_inst_t module_inst = get_module_inst(exec_env);
    wasi_ctx_t wasi_ctx = get_wasi_ctx(module_inst);
    wasi_filestat_t stat;
    wasi_errno_t err;

    if (!wasi_ctx)
        return __WASI_EACCES;
    if (!validate_native_addr(app, (uint64)sizeof(unstable_filestat_t)))
        return __WASI_EFAULT;
    err = wasmtime_ssp_fd_filestat_get(exec_env, wasi_ctx->curfds, fd, &stat);
    if (!err)
        to_unstable_filestat(&stat, app);
    return err;
}

static wasi_errno_t
unstable_path_filestat_get(wasm_exec_env_t exec_env, wasi_fd_t fd, wasi_lookupflags_t flags,
                           const char *path, uint32 path_len, unstable_filestat_t *app)
{
    wasm_module_inst_t module_inst = get_module_inst(exec_env);
    wasi_ctx_t wasi_ctx = get_wasi_ctx(module_inst);
    wasi_filestat_t stat;
    wasi_errno_t err;

    if (!wasi_ctx)
        return __WASI_EACCES;
    if (!validate_native_addr(app, (uint64)sizeof(unstable_filestat_t)))
        return __WASI_EFAULT;
    err = wasmtime_ssp_path_filestat_get(exec_env, wasi_ctx->curfds, fd, flags, path, path_len,
                                         &stat);
    if (!err)
        to_unstable_filestat(&stat, app);
    return err;
}

static wasi_errno_t
unstable_poll_oneoff(wasm_exec_env_t exec_env, const unstable_subscription_t *in, wasi_event_t *out,
                     uint32 nsubscriptions, uint32 *nevents_app)
{
    wasm_module_inst_t module_inst = get_module_inst(exec_env);
    wasi_ctx_t wasi_ctx = get_wasi_ctx(module_inst);
    wasi_subscription_t *converted;
    size_t nevents = 0;
    wasi_errno_t err;
    uint32 i;

    if (!wasi_ctx)
        return __WASI_EACCES;
    if (!validate_native_addr((void *)in, (uint64)nsubscriptions * sizeof(*in)) ||
        !validate_native_addr(out, (uint64)nsubscriptions * sizeof(*out)) ||
        !validate_native_addr(nevents_app, (uint64)sizeof(uint32)))
        return __WASI_EFAULT;
    if (nsubscriptions == 0 || nsubscriptions > 65536)
        return __WASI_EINVAL;
    if (!(converted = wasm_runtime_malloc(nsubscriptions * (uint32)sizeof(*converted))))
        return __WASI_ENOMEM;
    memset(converted, 0, nsubscriptions * sizeof(*converted));
    for (i = 0; i < nsubscriptions; i++) {
        unstable_subscription_t app;

        memcpy(&app, in + i, sizeof(app));
        converted[i].userdata = app.userdata;
        converted[i].u.type = app.type;
        if (app.type == __WASI_EVENTTYPE_CLOCK) {
            converted[i].u.u.clock.clock_id = app.u.clock.clock_id;
            converted[i].u.u.clock.timeout = app.u.clock.timeout;
            converted[i].u.u.clock.precision = app.u.clock.precision;
            converted[i].u.u.clock.flags = app.u.clock.flags;
        } else {
            converted[i].u.u.fd_readwrite.fd = (wasi_fd_t)app.u.fd;
        }
    }
    err = wasmtime_ssp_poll_oneoff(exec_env, wasi_ctx->curfds, converted, out, nsubscriptions,
                                   &nevents);
    wasm_runtime_free(converted);
    if (!err)
        *nevents_app = (uint32)nevents;
    return err;
}

/* Returns the table of preview 1 with four functions replaced. A copy, since WAMR sorts a table
 * when it is registered. */
uint32
get_libc_wasi_unstable_export_apis(NativeSymbol **p_libc_wasi_apis)
{
    static NativeSymbol symbols[sizeof(native_symbols_libc_wasi) / sizeof(NativeSymbol)];
    static const struct {
        const char *name;
        void *function;
    } other[] = {
        {"fd_seek", (void *)unstable_fd_seek},
        {"fd_filestat_get", (void *)unstable_fd_filestat_get},
        {"path_filestat_get", (void *)unstable_path_filestat_get},
        {"poll_oneoff", (void *)unstable_poll_oneoff},
    };
    uint32 count = sizeof(symbols) / sizeof(NativeSymbol), i, j;

    memcpy(symbols, native_symbols_libc_wasi, sizeof(symbols));
    for (i = 0; i < count; i++)
        for (j = 0; j < sizeof(other) / sizeof(other[0]); j++)
            if (!strcmp(symbols[i].symbol, other[j].name))
                symbols[i].func_ptr = other[j].function;
    *p_libc_wasi_apis = symbols;
    return count;
}
