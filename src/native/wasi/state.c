/* state.c: what snapshots need to know of a program's WASI.
 *
 * A copy of an instance has a WASI of its own, with new descriptors. So a program may not have
 * opened files when a snapshot is taken, and the copy has the same directories.
 */
#include "wasi/wasi.h"

static bool
is_stream(os_file_handle handle, const wpy_stream *stream)
{
#if defined(BH_PLATFORM_WINDOWS)
    return handle->raw == stream->handle;
#else
    return handle == stream->handle;
#endif
}

/* Whether a descriptor is of the file that the program began with, or closed. WAMR closes no
 * handles of streams, so no other file has the same handle; those of directories it closes, and
 * then another file may have the handle. */
static bool
is_same_file(const wpy_wasi *wasi, struct fd_table *table, __wasi_fd_t fd)
{
    __wasi_filestat_t now;
    os_file_handle handle;

    if (!wamrpy_host_handle(table, fd, &handle))
        return true;
    if (fd < 3)
        return is_stream(handle, &wasi->streams[fd]);
    return os_fstat(handle, &now) == 0 && now.st_dev == wasi->dirs[fd - 3].device &&
           now.st_ino == wasi->dirs[fd - 3].inode;
}

static struct fd_table *
table_of(const wpy_instance *instance)
{
    WASIContext *context = wasm_runtime_get_wasi_ctx((WASMModuleInstanceCommon *)instance->wamr);

    return context->curfds;
}

/* Descriptors beyond those that the program began with. */
static uint32_t
count_opened(const wpy_wasi *wasi, struct fd_table *table)
{
    uint32_t own = 3 + wasi->dir_count, fd, open = (uint32_t)table->used;
    __wasi_fdstat_t status;

    for (fd = 0; fd < own; fd++)
        if (wasmtime_ssp_fd_fdstat_get(NULL, table, fd, &status) == 0)
            open--;
    return open;
}

bool
wpy_wasi_at_rest(const wpy_wasi *wasi, wpy_instance *instance, char *why, uint32_t size)
{
    struct fd_table *table = table_of(instance);
    uint32_t opened = count_opened(wasi, table), fd;

    if (opened) {
        snprintf(why, size, "open-files: the program has %u file%s open", opened,
                 opened == 1 ? "" : "s");
        return false;
    }
    for (fd = 0; fd < 3 + wasi->dir_count; fd++)
        if (!is_same_file(wasi, table, fd)) {
            snprintf(why, size, "open-files: the program has a file open as descriptor %u", fd);
            return false;
        }
    return true;
}

bool
wpy_wasi_reset(const wpy_wasi *wasi, wpy_instance *instance, char *why, uint32_t size)
{
    struct fd_table *table = table_of(instance);
    WASIContext *context = wasm_runtime_get_wasi_ctx((WASMModuleInstanceCommon *)instance->wamr);
    uint32_t own = 3 + wasi->dir_count, fd;
    __wasi_prestat_t named;

    for (fd = 0; fd < own; fd++) {
        __wasi_fdstat_t status;
        const wpy_rights *first = fd < 3 ? &wasi->streams[fd].first : &wasi->dirs[fd - 3].first;

        if (wasmtime_ssp_fd_fdstat_get(NULL, table, fd, &status) != 0 ||
            !is_same_file(wasi, table, fd)) {
            snprintf(why, size, "open-files: the program has closed descriptor %u", fd);
            return false;
        }
        if (status.fs_rights_base != first->base ||
            status.fs_rights_inheriting != first->inheriting) {
            snprintf(why, size, "open-files: the program has dropped rights of descriptor %u", fd);
            return false;
        }
        if (fd >= 3 && (status.fs_flags != first->flags || /* streams share them with the host */
                        wasmtime_ssp_fd_prestat_get(context->prestats, fd, &named) != 0)) {
            snprintf(why, size, "open-files: the program has changed descriptor %u", fd);
            return false;
        }
    }
    for (fd = own; table->used > own && fd < table->size; fd++)
        wpy_wasi_close(instance->env, fd); /* gives back what removed files have */
    table->size = wasi->table_size;        /* the numbers of new descriptors are below it */
    return true;
}

char *
wpy_wasi_preopens(const wpy_wasi *wasi, uint32_t *size)
{
    uint32_t i, used = 0;
    char *all;

    *size = 0;
    for (i = 0; i < wasi->dir_count; i++)
        *size += (uint32_t)strlen(wasi->dirs[i].guest) + 1;
    if (!(all = malloc(*size + 1)))
        return NULL;
    for (i = 0; i < wasi->dir_count; i++) {
        size_t length = strlen(wasi->dirs[i].guest) + 1;

        memcpy(all + used, wasi->dirs[i].guest, length);
        used += (uint32_t)length;
    }
    return all;
}

int
wpy_wasi_guest_stream(const wpy_wasi *wasi, int descriptor)
{
    int fd;

    for (fd = 0; fd < 3; fd++)
        if (wasi->streams[fd].open && (int)(intptr_t)wasi->streams[fd].handle == descriptor)
            return fd;
    return -1;
}

int
wpy_wasi_host_stream(const wpy_wasi *wasi, int stream)
{
    if (stream < 0 || stream > 2 || wasi->streams[stream].kind < WPY_STREAM_FILE)
        return -1;
    return (int)(intptr_t)wasi->streams[stream].handle;
}
