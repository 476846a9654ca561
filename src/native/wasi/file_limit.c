/* file_limit.c: how much a program may add to the files of its directories.
 *
 * What a file grows by is counted, holes included, whether it is written, resized or allocated.
 * What the program cuts off or removes is given back, an open file when it is closed. So the files
 * never have more than `file_bytes` above what they had. Files, directories and links are counted,
 * too, since each takes room of the file system. A program that is at a limit gets ENOSPC.
 *
 * The functions here stand in place of WAMR's, and call them. They run in a host call, without the
 * GIL, and with the lock of the instance's group.
 */
#include "wasi/wasi.h"

#if defined(BH_PLATFORM_WINDOWS) /* programs have no directories there */
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

bool
wpy_begin_growth(WASMExecEnv *env, wpy_growth *growth, os_file_handle handle,
                 const __wasi_filesize_t *at, uint64_t *size)
{
    (void)env;
    (void)growth;
    (void)handle;
    (void)at;
    (void)size;
    return false;
}

void
wpy_end_growth(const wpy_growth *growth)
{
    (void)growth;
}
#else
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FREE_ENTRIES 1000u   /* files, directories and links that a program may always make */
#define BYTES_PER_ENTRY 1024 /* one more for so many bytes of the limit */

/* The configuration of the caller if its files are limited; else NULL. */
static wpy_wasi *
limited(WASMExecEnv *env)
{
    wpy_instance *instance = wpy_instance_of(env);
    wpy_wasi *wasi = instance ? instance->wasi : NULL;

    return wasi && wasi->file_bytes != UINT64_MAX ? wasi : NULL;
}

static struct fd_table *
table_of(WASMExecEnv *env)
{
    return wasm_runtime_get_wasi_ctx(env->module_inst)->curfds;
}

static void
give_back(wpy_wasi *wasi, uint64_t bytes)
{
    wasi->file_used -= bytes < wasi->file_used ? bytes : wasi->file_used;
}

static bool
has_room(const wpy_wasi *wasi, uint64_t bytes)
{
    return bytes <= wasi->file_bytes - wasi->file_used;
}

/* ---- entries of directories ---- */

static bool
has_entry(const wpy_wasi *wasi)
{
    return wasi->entries < FREE_ENTRIES + wasi->file_bytes / BYTES_PER_ENTRY;
}

static void
remove_entry(wpy_wasi *wasi)
{
    if (wasi->entries)
        wasi->entries--;
}

/* Whether the program has the file open. */
static bool
is_open(WASMExecEnv *env, uint64_t device, uint64_t inode)
{
    struct fd_table *table = table_of(env);
    os_file_handle handle;
    struct stat status;
    uint32_t fd;

    for (fd = 3; fd < table->size; fd++)
        if (wamrpy_host_handle(table, fd, &handle) && fstat(handle, &status) == 0 &&
            (uint64_t)status.st_dev == device && (uint64_t)status.st_ino == inode)
            return true;
    return false;
}

/* An entry was removed, or replaced; `before` is its status, or NULL if that is not known. */
static void
entry_is_gone(WASMExecEnv *env, wpy_wasi *wasi, const __wasi_filestat_t *before)
{
    remove_entry(wasi);
    if (before && before->st_filetype == __WASI_FILETYPE_REGULAR_FILE && before->st_nlink == 1 &&
        !is_open(env, before->st_dev, before->st_ino))
        give_back(wasi, before->st_size);
}

static bool
status_at(WASMExecEnv *env, __wasi_fd_t fd, __wasi_lookupflags_t flags, const char *path,
          uint32_t size, __wasi_filestat_t *status)
{
    return wasmtime_ssp_path_filestat_get(env, table_of(env), fd, flags, path, size, status) == 0;
}

/* ---- growth ---- */

/* The status of an open regular file. */
static bool
status_of(WASMExecEnv *env, __wasi_fd_t fd, struct stat *status)
{
    os_file_handle handle;

    return wamrpy_host_handle(table_of(env), fd, &handle) && fstat(handle, status) == 0 &&
           S_ISREG(status->st_mode);
}

bool
wpy_begin_growth(WASMExecEnv *env, wpy_growth *growth, os_file_handle handle,
                 const __wasi_filesize_t *at, uint64_t *size)
{
    wpy_wasi *wasi = limited(env);
    uint64_t start, end;
    struct stat status;
    off_t position;
    int flags;

    if (!wasi || fstat(handle, &status) != 0 || !S_ISREG(status.st_mode))
        return false;
    flags = fcntl(handle, F_GETFL);
    position = at ? (off_t)*at : lseek(handle, 0, SEEK_CUR);
    start = flags >= 0 && flags & O_APPEND ? (uint64_t)status.st_size : (uint64_t)position;
    *growth = (wpy_growth){wasi, handle, (uint64_t)status.st_size, 0};
    end = start > UINT64_MAX - *size ? UINT64_MAX : start + *size;
    if (end <= growth->before)
        return true;
    if (!has_room(wasi, end - growth->before)) {
        end = growth->before + (wasi->file_bytes - wasi->file_used); /* less than above */
        *size = end > start ? end - start : 0;
    }
    if (end > growth->before && *size) {
        growth->reserved = end - growth->before;
        wasi->file_used += growth->reserved;
    }
    return true;
}

void
wpy_end_growth(const wpy_growth *growth)
{
    struct stat status;
    uint64_t grown = growth->reserved;

    if (fstat(growth->handle, &status) == 0)
        grown = (uint64_t)status.st_size > growth->before
                    ? (uint64_t)status.st_size - growth->before
                    : 0;
    if (grown < growth->reserved)
        give_back(growth->wasi, growth->reserved - grown);
}

/* ---- the functions ---- */

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
    wpy_wasi *wasi = limited(env);
    struct stat status;
    uint64_t before;
    uint32_t error;
    bool known = wasi && status_of(env, fd, &status);

    before = known ? (uint64_t)status.st_size : size;
    if (known && size > before && !has_room(wasi, size - before))
        return __WASI_ENOSPC;
    error = ORIGINAL(FD_FILESTAT_SET_SIZE, WASMExecEnv *, __wasi_fd_t, uint64_t)(env, fd, size);
    if (!known || error)
        return error;
    if (size > before)
        wasi->file_used += size - before;
    else
        give_back(wasi, before - size);
    return 0;
}

static uint32_t
fd_allocate(WASMExecEnv *env, __wasi_fd_t fd, uint64_t offset, uint64_t size)
{
    wpy_wasi *wasi = limited(env);
    struct stat status;
    uint64_t before, end = offset > UINT64_MAX - size ? UINT64_MAX : offset + size;
    bool known = wasi && status_of(env, fd, &status);
    uint32_t error;

    before = known ? (uint64_t)status.st_size : end;
    if (end > before && !has_room(wasi, end - before))
        return __WASI_ENOSPC;
    error = ORIGINAL(FD_ALLOCATE, WASMExecEnv *, __wasi_fd_t, uint64_t, uint64_t)(env, fd, offset,
                                                                                  size);
    if (known && end > before && status_of(env, fd, &status) && (uint64_t)status.st_size > before)
        wasi->file_used += (uint64_t)status.st_size - before;
    return error;
}

/* Whether the descriptor is of a file that has been removed; its status. */
static bool
is_removed(WASMExecEnv *env, __wasi_fd_t fd, struct stat *status)
{
    return limited(env) && status_of(env, fd, status) && status->st_nlink == 0;
}

/* A descriptor of a file that has been removed was closed. */
static void
removed_is_closed(WASMExecEnv *env, const struct stat *status)
{
    if (!is_open(env, (uint64_t)status->st_dev, (uint64_t)status->st_ino))
        give_back(limited(env), (uint64_t)status->st_size);
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
    wpy_wasi *wasi = flags & (__WASI_O_CREAT | __WASI_O_TRUNC) ? limited(env) : NULL;
    __wasi_filestat_t before;
    bool existed = wasi && status_at(env, fd, lookup, path, size, &before);
    uint32_t error;

    if (wasi && !existed && flags & __WASI_O_CREAT && !has_entry(wasi))
        return __WASI_ENOSPC;
    error = ORIGINAL(PATH_OPEN, WASMExecEnv *, __wasi_fd_t, uint32_t, const char *, uint32_t,
                     uint32_t, uint64_t, uint64_t, uint32_t,
                     void *)(env, fd, lookup, path, size, flags, rights, inheriting, fd_flags, out);
    if (!wasi || error)
        return error;
    if (!existed && flags & __WASI_O_CREAT)
        wasi->entries++;
    if (existed && flags & __WASI_O_TRUNC && before.st_filetype == __WASI_FILETYPE_REGULAR_FILE)
        give_back(wasi, before.st_size);
    return 0;
}

static uint32_t
path_create_directory(WASMExecEnv *env, __wasi_fd_t fd, const char *path, uint32_t size)
{
    wpy_wasi *wasi = limited(env);
    uint32_t error;

    if (wasi && !has_entry(wasi))
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
    wpy_wasi *wasi = limited(env);
    uint32_t error;

    if (wasi && !has_entry(wasi))
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
    wpy_wasi *wasi = limited(env);
    uint32_t error;

    if (wasi && !has_entry(wasi))
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
    wpy_wasi *wasi = limited(env);
    __wasi_filestat_t before;
    bool known = wasi && status_at(env, fd, 0, path, size, &before);
    uint32_t error = ORIGINAL(PATH_UNLINK_FILE, WASMExecEnv *, __wasi_fd_t, const char *,
                              uint32_t)(env, fd, path, size);

    if (wasi && !error)
        entry_is_gone(env, wasi, known ? &before : NULL);
    return error;
}

static uint32_t
path_remove_directory(WASMExecEnv *env, __wasi_fd_t fd, const char *path, uint32_t size)
{
    wpy_wasi *wasi = limited(env);
    uint32_t error = ORIGINAL(PATH_REMOVE_DIRECTORY, WASMExecEnv *, __wasi_fd_t, const char *,
                              uint32_t)(env, fd, path, size);

    if (wasi && !error)
        remove_entry(wasi);
    return error;
}

static uint32_t
path_rename(WASMExecEnv *env, __wasi_fd_t old_fd, const char *old_path, uint32_t old_size,
            __wasi_fd_t fd, const char *path, uint32_t size)
{
    wpy_wasi *wasi = limited(env);
    __wasi_filestat_t before, moved;
    bool replaces = wasi && status_at(env, fd, 0, path, size, &before) &&
                    status_at(env, old_fd, 0, old_path, old_size, &moved) &&
                    (before.st_dev != moved.st_dev || before.st_ino != moved.st_ino);
    uint32_t error =
        ORIGINAL(PATH_RENAME, WASMExecEnv *, __wasi_fd_t, const char *, uint32_t, __wasi_fd_t,
                 const char *, uint32_t)(env, old_fd, old_path, old_size, fd, path, size);

    if (replaces && !error)
        entry_is_gone(env, wasi, &before);
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
