/* wide_results.c: the functions of WASI that write numbers of 64 bits.
 *
 * A program may pass any address. WAMR writes the numbers as if it were a multiple of 8, and 32-bit
 * ARM ends the process with SIGBUS where it isn't. The functions here write the results to
 * variables and copy the bytes.
 *
 * They stand in place of WAMR's, and run in a host call, without the GIL, and with the lock of the
 * instance's group.
 */
#include "wasi/wasi.h"

/* Whether the caller may use files, and has `size` bytes at `out`: 0, or an errno. */
static __wasi_errno_t
refusal(WASMExecEnv *env, const uint8_t *out, size_t size)
{
    if (!wpy_fd_table(env))
        return __WASI_EACCES;
    return wpy_is_in_memory(env, out, size) ? 0 : __WASI_EFAULT;
}

/* Copies a result to the program's memory unless the function failed; the errno. */
static uint32_t
deliver(__wasi_errno_t error, uint8_t *out, const void *result, size_t size)
{
    if (!error)
        memcpy(out, result, size);
    return error;
}

static uint32_t
clock_res_get(WASMExecEnv *env, uint32_t clock, uint8_t *out)
{
    __wasi_timestamp_t resolution;

    if (!wpy_is_in_memory(env, out, sizeof resolution))
        return __WASI_EFAULT;
    return deliver(os_clock_res_get(clock, &resolution), out, &resolution, sizeof resolution);
}

static uint32_t
clock_time_get(WASMExecEnv *env, uint32_t clock, uint64_t precision, uint8_t *out)
{
    __wasi_timestamp_t now;

    if (!wpy_is_in_memory(env, out, sizeof now))
        return __WASI_EFAULT;
    return deliver(os_clock_time_get(clock, precision, &now), out, &now, sizeof now);
}

static uint32_t
fd_seek(WASMExecEnv *env, __wasi_fd_t fd, int64_t offset, uint32_t whence, uint8_t *out)
{
    __wasi_filesize_t position;
    __wasi_errno_t error = refusal(env, out, sizeof position);

    if (!error && whence > UINT8_MAX)
        error = __WASI_EINVAL;
    if (!error)
        error = wasmtime_ssp_fd_seek(env, wpy_fd_table(env), fd, offset, (__wasi_whence_t)whence,
                                     &position);
    return deliver(error, out, &position, sizeof position);
}

static uint32_t
fd_tell(WASMExecEnv *env, __wasi_fd_t fd, uint8_t *out)
{
    __wasi_filesize_t position;
    __wasi_errno_t error = refusal(env, out, sizeof position);

    if (!error)
        error = wasmtime_ssp_fd_tell(env, wpy_fd_table(env), fd, &position);
    return deliver(error, out, &position, sizeof position);
}

static uint32_t
fd_filestat_get(WASMExecEnv *env, __wasi_fd_t fd, uint8_t *out)
{
    __wasi_filestat_t status;
    __wasi_errno_t error = refusal(env, out, sizeof status);

    memset(&status, 0, sizeof status); /* the padding is copied, too */
    if (!error)
        error = wasmtime_ssp_fd_filestat_get(env, wpy_fd_table(env), fd, &status);
    return deliver(error, out, &status, sizeof status);
}

static uint32_t
path_filestat_get(WASMExecEnv *env, __wasi_fd_t fd, uint32_t flags, const char *path, uint32_t size,
                  uint8_t *out)
{
    __wasi_filestat_t status;
    __wasi_errno_t error = refusal(env, out, sizeof status);

    memset(&status, 0, sizeof status);
    if (!error)
        error =
            wasmtime_ssp_path_filestat_get(env, wpy_fd_table(env), fd, flags, path, size, &status);
    return deliver(error, out, &status, sizeof status);
}

void *
wpy_wide_result_native(const char *module, const char *name)
{
    static const struct {
        const char *name;
        void *function;
        bool in_snapshot_0; /* with the same parameters and results */
    } replacements[] = {
        {"clock_res_get", (void *)clock_res_get, true},
        {"clock_time_get", (void *)clock_time_get, true},
        {"fd_filestat_get", (void *)fd_filestat_get, false},
        {"fd_seek", (void *)fd_seek, false},
        {"fd_tell", (void *)fd_tell, true},
        {"path_filestat_get", (void *)path_filestat_get, false},
    };
    bool snapshot_0 = !strcmp(module, "wasi_unstable");
    size_t i;

    for (i = 0; i < sizeof replacements / sizeof *replacements; i++)
        if (!strcmp(name, replacements[i].name) && (replacements[i].in_snapshot_0 || !snapshot_0))
            return replacements[i].function;
    return NULL;
}
