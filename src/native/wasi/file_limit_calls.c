/* file_limit_calls.c: the functions of WASI that make files larger or smaller, and entries of
 * directories, with the limit of file_limit.c. They stand in place of WAMR's, and call them.
 */
#include "wasi/file_limit.h"

#if defined(BH_PLATFORM_WINDOWS)
void
wpy_file_limit_setup(void)
{
}

void *
wpy_file_limit_native(const char *name)
{
    (void)name;
    return NULL;
}

void
wpy_wasi_close(WASMExecEnv *env, __wasi_fd_t fd)
{
    WASIContext *context = wasm_runtime_get_wasi_ctx(env->module_inst);

    if (wasmtime_ssp_fd_close(env, context->curfds, context->prestats, fd) != 0)
        return; /* no such descriptor */
}
#else

enum {
    FD_ALLOCATE,
    FD_CLOSE,
    FD_FILESTAT_SET_SIZE,
    FD_RENUMBER,
    PATH_CREATE_DIRECTORY,
    PATH_LINK,
    PATH_OPEN,
    PATH_REMOVE_DIRECTORY,
    PATH_RENAME,
    PATH_SYMLINK,
    PATH_UNLINK_FILE,
    FUNCTIONS
};
static void *originals[FUNCTIONS]; /* WAMR's; set once */

#define ORIGINAL(which, ...) (((uint32_t (*)(__VA_ARGS__))originals[which]))

static uint32_t
fd_filestat_set_size(WASMExecEnv *env, __wasi_fd_t fd, uint64_t size)
{
    wpy_wasi *wasi = wpy_limited_files(env);
    struct stat status;
    uint64_t before;
    uint32_t error;
    bool known = wasi && wpy_status_of(env, fd, &status);

    before = known ? (uint64_t)status.st_size : size;
    if (known && size > before && !wpy_has_room(wasi, size - before))
        return __WASI_ENOSPC;
    error = ORIGINAL(FD_FILESTAT_SET_SIZE, WASMExecEnv *, __wasi_fd_t, uint64_t)(env, fd, size);
    if (!known || error)
        return error;
    if (size > before)
        wasi->file_used += size - before;
    else
        wpy_give_back(wasi, before - size);
    return 0;
}

static uint32_t
fd_allocate(WASMExecEnv *env, __wasi_fd_t fd, uint64_t offset, uint64_t size)
{
    wpy_wasi *wasi = wpy_limited_files(env);
    struct stat status;
    uint64_t before, end = offset > UINT64_MAX - size ? UINT64_MAX : offset + size;
    bool known = wasi && wpy_status_of(env, fd, &status);
    uint32_t error;

    before = known ? (uint64_t)status.st_size : end;
    if (end > before && !wpy_has_room(wasi, end - before))
        return __WASI_ENOSPC;
    error = ORIGINAL(FD_ALLOCATE, WASMExecEnv *, __wasi_fd_t, uint64_t, uint64_t)(env, fd, offset,
                                                                                  size);
    if (known && end > before && wpy_status_of(env, fd, &status) &&
        (uint64_t)status.st_size > before)
        wasi->file_used += (uint64_t)status.st_size - before;
    return error;
}

/* Whether the descriptor is of a file that has been removed; its status. */
static bool
is_removed(WASMExecEnv *env, __wasi_fd_t fd, struct stat *status)
{
    return wpy_limited_files(env) && wpy_status_of(env, fd, status) && status->st_nlink == 0;
}

/* A descriptor of a file that has been removed was closed. */
static void
removed_is_closed(WASMExecEnv *env, const struct stat *status)
{
    if (!wpy_is_open(env, (uint64_t)status->st_dev, (uint64_t)status->st_ino))
        wpy_give_back(wpy_limited_files(env), (uint64_t)status->st_size);
}

static uint32_t
fd_close(WASMExecEnv *env, __wasi_fd_t fd)
{
    struct stat status;
    bool removed = is_removed(env, fd, &status);
    uint32_t error = ORIGINAL(FD_CLOSE, WASMExecEnv *, __wasi_fd_t)(env, fd);

    if (removed && !error)
        removed_is_closed(env, &status);
    return error;
}

void
wpy_wasi_close(WASMExecEnv *env, __wasi_fd_t fd)
{
    (void)fd_close(env, fd);
}

static uint32_t
fd_renumber(WASMExecEnv *env, __wasi_fd_t from, __wasi_fd_t to)
{
    struct stat status;
    bool removed = from != to && is_removed(env, to, &status);
    uint32_t error = ORIGINAL(FD_RENUMBER, WASMExecEnv *, __wasi_fd_t, __wasi_fd_t)(env, from, to);

    if (removed && !error)
        removed_is_closed(env, &status);
    return error;
}

static uint32_t
path_open(WASMExecEnv *env, __wasi_fd_t fd, uint32_t lookup, const char *path, uint32_t size,
          uint32_t flags, uint64_t rights, uint64_t inheriting, uint32_t fd_flags, void *out)
{
    wpy_wasi *wasi = flags & (__WASI_O_CREAT | __WASI_O_TRUNC) ? wpy_limited_files(env) : NULL;
    __wasi_filestat_t before;
    bool existed = wasi && wpy_status_at(env, fd, lookup, path, size, &before);
    uint32_t error;

    if (wasi && !existed && flags & __WASI_O_CREAT && !wpy_has_entry(wasi))
        return __WASI_ENOSPC;
    error = ORIGINAL(PATH_OPEN, WASMExecEnv *, __wasi_fd_t, uint32_t, const char *, uint32_t,
                     uint32_t, uint64_t, uint64_t, uint32_t,
                     void *)(env, fd, lookup, path, size, flags, rights, inheriting, fd_flags, out);
    if (!wasi || error)
        return error;
    if (!existed && flags & __WASI_O_CREAT)
        wasi->entries++;
    if (existed && flags & __WASI_O_TRUNC && before.st_filetype == __WASI_FILETYPE_REGULAR_FILE)
        wpy_give_back(wasi, before.st_size);
    return 0;
}

static uint32_t
path_create_directory(WASMExecEnv *env, __wasi_fd_t fd, const char *path, uint32_t size)
{
    wpy_wasi *wasi = wpy_limited_files(env);
    uint32_t error;

    if (wasi && !wpy_has_entry(wasi))
        return __WASI_ENOSPC;
    error = ORIGINAL(PATH_CREATE_DIRECTORY, WASMExecEnv *, __wasi_fd_t, const char *,
                     uint32_t)(env, fd, path, size);
    if (wasi && !error)
        wasi->entries++;
    return error;
}

static uint32_t
path_link(WASMExecEnv *env, __wasi_fd_t old_fd, uint32_t flags, const char *old_path,
          uint32_t old_size, __wasi_fd_t fd, const char *path, uint32_t size)
{
    wpy_wasi *wasi = wpy_limited_files(env);
    uint32_t error;

    if (wasi && !wpy_has_entry(wasi))
        return __WASI_ENOSPC;
    error = ORIGINAL(PATH_LINK, WASMExecEnv *, __wasi_fd_t, uint32_t, const char *, uint32_t,
                     __wasi_fd_t, const char *,
                     uint32_t)(env, old_fd, flags, old_path, old_size, fd, path, size);
    if (wasi && !error)
        wasi->entries++;
    return error;
}

static uint32_t
path_symlink(WASMExecEnv *env, const char *target, uint32_t target_size, __wasi_fd_t fd,
             const char *path, uint32_t size)
{
    wpy_wasi *wasi = wpy_limited_files(env);
    uint32_t error;

    if (wasi && !wpy_has_entry(wasi))
        return __WASI_ENOSPC;
    error = ORIGINAL(PATH_SYMLINK, WASMExecEnv *, const char *, uint32_t, __wasi_fd_t, const char *,
                     uint32_t)(env, target, target_size, fd, path, size);
    if (wasi && !error)
        wasi->entries++;
    return error;
}

static uint32_t
path_unlink_file(WASMExecEnv *env, __wasi_fd_t fd, const char *path, uint32_t size)
{
    wpy_wasi *wasi = wpy_limited_files(env);
    __wasi_filestat_t before;
    bool known = wasi && wpy_status_at(env, fd, 0, path, size, &before);
    uint32_t error = ORIGINAL(PATH_UNLINK_FILE, WASMExecEnv *, __wasi_fd_t, const char *,
                              uint32_t)(env, fd, path, size);

    if (wasi && !error)
        wpy_entry_is_gone(env, wasi, known ? &before : NULL);
    return error;
}

static uint32_t
path_remove_directory(WASMExecEnv *env, __wasi_fd_t fd, const char *path, uint32_t size)
{
    wpy_wasi *wasi = wpy_limited_files(env);
    uint32_t error = ORIGINAL(PATH_REMOVE_DIRECTORY, WASMExecEnv *, __wasi_fd_t, const char *,
                              uint32_t)(env, fd, path, size);

    if (wasi && !error)
        wpy_remove_entry(wasi);
    return error;
}

static uint32_t
path_rename(WASMExecEnv *env, __wasi_fd_t old_fd, const char *old_path, uint32_t old_size,
            __wasi_fd_t fd, const char *path, uint32_t size)
{
    wpy_wasi *wasi = wpy_limited_files(env);
    __wasi_filestat_t before, moved;
    bool replaces = wasi && wpy_status_at(env, fd, 0, path, size, &before) &&
                    wpy_status_at(env, old_fd, 0, old_path, old_size, &moved) &&
                    (before.st_dev != moved.st_dev || before.st_ino != moved.st_ino);
    uint32_t error =
        ORIGINAL(PATH_RENAME, WASMExecEnv *, __wasi_fd_t, const char *, uint32_t, __wasi_fd_t,
                 const char *, uint32_t)(env, old_fd, old_path, old_size, fd, path, size);

    if (replaces && !error)
        wpy_entry_is_gone(env, wasi, &before);
    return error;
}

static const struct {
    const char *name;
    void *function;
} functions[FUNCTIONS] = {
    [FD_ALLOCATE] = {"fd_allocate", (void *)fd_allocate},
    [FD_CLOSE] = {"fd_close", (void *)fd_close},
    [FD_FILESTAT_SET_SIZE] = {"fd_filestat_set_size", (void *)fd_filestat_set_size},
    [FD_RENUMBER] = {"fd_renumber", (void *)fd_renumber},
    [PATH_CREATE_DIRECTORY] = {"path_create_directory", (void *)path_create_directory},
    [PATH_LINK] = {"path_link", (void *)path_link},
    [PATH_OPEN] = {"path_open", (void *)path_open},
    [PATH_REMOVE_DIRECTORY] = {"path_remove_directory", (void *)path_remove_directory},
    [PATH_RENAME] = {"path_rename", (void *)path_rename},
    [PATH_SYMLINK] = {"path_symlink", (void *)path_symlink},
    [PATH_UNLINK_FILE] = {"path_unlink_file", (void *)path_unlink_file},
};

uint32 get_libc_wasi_export_apis(NativeSymbol **symbols); /* no header of WAMR declares it */

void
wpy_file_limit_setup(void)
{
    NativeSymbol *symbols;
    uint32_t count = get_libc_wasi_export_apis(&symbols), i, k;

    for (k = 0; k < FUNCTIONS; k++)
        for (i = 0; i < count; i++)
            if (!strcmp(symbols[i].symbol, functions[k].name))
                originals[k] = symbols[i].func_ptr;
}

void *
wpy_file_limit_native(const char *name)
{
    uint32_t k;

    for (k = 0; k < FUNCTIONS; k++)
        if (originals[k] && !strcmp(name, functions[k].name))
            return functions[k].function;
    return NULL;
}
#endif
