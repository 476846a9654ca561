/* file_limit.c: how much a program may add to the files of its directories.
 *
 * What a file grows by is counted, holes included, whether it is written, resized or allocated.
 * What the program cuts off or removes is given back, an open file when it is closed. So the files
 * never have more than `file_bytes` above what they had. Files, directories and links are counted,
 * too, since each takes room of the file system. A program that is at a limit gets ENOSPC.
 *
 * The functions run in a host call, without the GIL, and with the lock of the instance's group.
 */
#include "wasi/file_limit.h"

#if defined(BH_PLATFORM_WINDOWS) /* ResourceLimits refuses such a limit there */
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
#include <unistd.h>

#define FREE_ENTRIES 1000u   /* files, directories and links that a program may always make */
#define BYTES_PER_ENTRY 1024 /* one more for so many bytes of the limit */

/* The configuration of the caller if its files are limited; else NULL. */
wpy_wasi *
wpy_limited_files(WASMExecEnv *env)
{
    wpy_instance *instance = wpy_instance_of(env);
    wpy_wasi *wasi = instance ? instance->wasi : NULL;

    return wasi && wasi->file_bytes != UINT64_MAX ? wasi : NULL;
}

void
wpy_give_back(wpy_wasi *wasi, uint64_t bytes)
{
    wasi->file_used -= bytes < wasi->file_used ? bytes : wasi->file_used;
}

bool
wpy_has_room(const wpy_wasi *wasi, uint64_t bytes)
{
    return bytes <= wasi->file_bytes - wasi->file_used;
}

/* ---- entries of directories ---- */

bool
wpy_has_entry(const wpy_wasi *wasi)
{
    return wasi->entries < FREE_ENTRIES + wasi->file_bytes / BYTES_PER_ENTRY;
}

void
wpy_remove_entry(wpy_wasi *wasi)
{
    if (wasi->entries)
        wasi->entries--;
}

/* Whether the program has the file open. */
bool
wpy_is_open(WASMExecEnv *env, uint64_t device, uint64_t inode)
{
    struct fd_table *table = wpy_fd_table(env);
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
void
wpy_entry_is_gone(WASMExecEnv *env, wpy_wasi *wasi, const __wasi_filestat_t *before)
{
    wpy_remove_entry(wasi);
    if (before && before->st_filetype == __WASI_FILETYPE_REGULAR_FILE && before->st_nlink == 1 &&
        !wpy_is_open(env, before->st_dev, before->st_ino))
        wpy_give_back(wasi, before->st_size);
}

bool
wpy_status_at(WASMExecEnv *env, __wasi_fd_t fd, __wasi_lookupflags_t flags, const char *path,
              uint32_t size, __wasi_filestat_t *status)
{
    return wasmtime_ssp_path_filestat_get(env, wpy_fd_table(env), fd, flags, path, size, status) ==
           0;
}

/* ---- growth ---- */

/* The status of an open regular file. */
bool
wpy_status_of(WASMExecEnv *env, __wasi_fd_t fd, struct stat *status)
{
    os_file_handle handle;

    return wamrpy_host_handle(wpy_fd_table(env), fd, &handle) && fstat(handle, status) == 0 &&
           S_ISREG(status->st_mode);
}

bool
wpy_begin_growth(WASMExecEnv *env, wpy_growth *growth, os_file_handle handle,
                 const __wasi_filesize_t *at, uint64_t *size)
{
    wpy_wasi *wasi = wpy_limited_files(env);
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
    if (!wpy_has_room(wasi, end - growth->before)) {
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
        wpy_give_back(growth->wasi, growth->reserved - grown);
}
#endif
