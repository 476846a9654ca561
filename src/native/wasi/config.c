/* config.c: the WASI configuration of an instance: arguments, environment, stdio, directories.
 *
 * Python makes a configuration and releases it once the instance exists; the instance counts a
 * reference of its own. Descriptors are opened or duplicated here, so that a program never uses
 * those of the process. The link hook moves them into WAMR's table, with the rights that each one
 * needs. A directory that is not writable has no right to change anything, and WAMR gives what is
 * opened in a directory no more rights than the directory has.
 */
#include "wasi/wasi.h"

#include <errno.h>
#include <fcntl.h>
#if defined(BH_PLATFORM_WINDOWS)
#include <io.h>
#else
#include "core/descriptors.h"

#include <sys/stat.h>
#include <unistd.h>
#endif

#define READ_ONLY_BASE                                                                          \
    (__WASI_RIGHT_FD_ADVISE | __WASI_RIGHT_FD_FDSTAT_SET_FLAGS | __WASI_RIGHT_FD_FILESTAT_GET | \
     __WASI_RIGHT_FD_READDIR | __WASI_RIGHT_PATH_OPEN | __WASI_RIGHT_PATH_READLINK |            \
     __WASI_RIGHT_PATH_FILESTAT_GET | __WASI_RIGHT_POLL_FD_READWRITE)
#define READ_ONLY_INHERITING \
    (READ_ONLY_BASE | __WASI_RIGHT_FD_READ | __WASI_RIGHT_FD_SEEK | __WASI_RIGHT_FD_TELL)

/* The host may use the same file as stdio, so a program may not change its flags, size and times.
 */
#define STREAM (__WASI_RIGHT_FD_FILESTAT_GET | __WASI_RIGHT_POLL_FD_READWRITE)
#define STREAM_FILE (STREAM | __WASI_RIGHT_FD_SEEK | __WASI_RIGHT_FD_TELL | __WASI_RIGHT_FD_ADVISE)
#define OUTPUT (__WASI_RIGHT_FD_WRITE | __WASI_RIGHT_FD_SYNC | __WASI_RIGHT_FD_DATASYNC)

/* ---- applying a configuration to an instance ---- */

/* Reduces the descriptor's rights to those in `allowed`; *first: what it has then. */
static bool
restrict_rights(struct fd_table *table, __wasi_fd_t fd, wpy_rights allowed, wpy_rights *first)
{
    __wasi_fdstat_t now;

    if (wasmtime_ssp_fd_fdstat_get(NULL, table, fd, &now) != 0)
        return false;
    first->base = now.fs_rights_base & allowed.base;
    first->inheriting = now.fs_rights_inheriting & allowed.inheriting;
    first->flags = now.fs_flags;
    return wasmtime_ssp_fd_fdstat_set_rights(NULL, table, fd, first->base, first->inheriting) == 0;
}

static bool
set_stdio(wpy_wasi *wasi, struct fd_table *table)
{
    uint32_t fd;

    for (fd = 0; fd < 3; fd++) {
        wpy_stream *stream = &wasi->streams[fd];
        wpy_rights allowed = {stream->kind < WPY_STREAM_FILE ? STREAM : STREAM_FILE, 0, 0};

        allowed.base |= fd == 0 ? __WASI_RIGHT_FD_READ : OUTPUT;
        if (!restrict_rights(table, fd, allowed, &stream->first))
            return false;
    }
    return true;
}

static bool
set_dirs(wpy_wasi *wasi, struct fd_table *table, struct fd_prestats *names)
{
    static const wpy_rights all = {~(__wasi_rights_t)0, ~(__wasi_rights_t)0, 0},
                            read_only = {READ_ONLY_BASE, READ_ONLY_INHERITING, 0};
    uint32_t i;

    for (i = 0; i < wasi->dir_count; i++) {
        wpy_dir *dir = &wasi->dirs[i];
        __wasi_fd_t fd = 3 + i;
        __wasi_filestat_t status;

        if (os_fstat(dir->handle, &status) != 0)
            return false;
        dir->device = status.st_dev;
        dir->inode = status.st_ino;
        if (!fd_table_insert_existing(table, fd, dir->handle, false))
            return false;
        dir->open = false;
        if (!fd_prestats_insert(names, dir->guest, fd) ||
            !restrict_rights(table, fd, dir->writable ? all : read_only, &dir->first))
            return false;
    }
    return true;
}

/* Called by the link hook, before anything can reach the instance's functions. False: `error` tells
 * why. */
static bool
link_instance(wpy_wasi *wasi, wpy_instance *instance, char *error, uint32_t size)
{
    WASMModuleInstance *wamr = instance->wamr;
    WASMModuleInstanceCommon *common = (WASMModuleInstanceCommon *)wamr;
    wpy_stream *streams = wasi->streams;
    WASIContext *context;
    uint32_t i;

    wasi->output_left = wasi->output_bytes = instance->imports->output_bytes;
    wasi->file_bytes = instance->imports->file_bytes;
    if (!wasm_runtime_init_wasi(common, NULL, 0, NULL, 0, (const char **)wasi->env, wasi->env_count,
                                NULL, 0, NULL, 0, wasi->argv, wasi->argc, streams[0].handle,
                                streams[1].handle, streams[2].handle, error, size))
        return false;
    context = wasm_runtime_get_wasi_ctx(common);
    if (!set_stdio(wasi, context->curfds) || !set_dirs(wasi, context->curfds, context->prestats)) {
        snprintf(error, size, "out of memory for WASI's descriptors");
        return false;
    }
    wasi->table_size = context->curfds->size;
    for (i = 0; i < wamr->module->import_function_count; i++) {
        WASMFunctionImport *import = &wamr->module->import_functions[i].u.function;
        void *replacement =
            instance->imported[i] ? NULL : wpy_wasi_native(import->module_name, import->field_name);

        if (replacement && wamr->import_func_ptrs[i] != replacement) /* it may be shared */
            wamr->import_func_ptrs[i] = replacement;
    }
    return true;
}

static const wpy_wasi_ops wasi_ops = {
    .link = link_instance,
    .release = wpy_wasi_release,
    .at_rest = wpy_wasi_at_rest,
    .preopens = wpy_wasi_preopens,
    .guest_stream = wpy_wasi_guest_stream,
    .host_stream = wpy_wasi_host_stream,
    .reset = wpy_wasi_reset,
};

/* ---- making a configuration ---- */

static char *
copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);

    return copy ? memcpy(copy, text, size) : NULL;
}

/* An array that ends with NULL, freed by free_all; NULL where there is no memory. */
static char **
copy_all(const char *const *texts, uint32_t count)
{
    char **copies = calloc((size_t)count + 1, sizeof *copies);
    uint32_t i;

    for (i = 0; copies && i < count; i++)
        if (!(copies[i] = copy_text(texts[i]))) {
            while (i)
                free(copies[--i]);
            free(copies);
            return NULL;
        }
    return copies;
}

static void
free_all(char **texts)
{
    char **text;

    for (text = texts; text && *text; text++)
        free(*text);
    free(texts);
}

/* A configuration without stdio and directories, owned by the caller; NULL where there is no
 * memory. `streams_id` is passed to wpy_py_wasi_read and wpy_py_wasi_write. */
wpy_wasi *
wpy_wasi_new(const char *const *argv, uint32_t argc, const char *const *env, uint32_t env_count,
             uint64_t streams_id)
{
    wpy_wasi *wasi = calloc(1, sizeof *wasi);

    if (!wasi)
        return NULL;
    wasi->head.ops = &wasi_ops;
    wasi->head.refs = 1;
    wasi->streams_id = streams_id;
    wasi->argv = copy_all(argv, argc);
    wasi->env = copy_all(env, env_count);
    wasi->argc = argc;
    wasi->env_count = env_count;
    if (!wasi->argv || !wasi->env) {
        wpy_wasi_release(wasi);
        return NULL;
    }
    return wasi;
}

#if defined(BH_PLATFORM_WINDOWS)
static int
share_null(wpy_stream *stream, int fd)
{
    (void)fd;
    stream->open = true;
    stream->handle = CreateFileA("NUL", GENERIC_READ | GENERIC_WRITE,
                                 FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    return stream->handle == INVALID_HANDLE_VALUE ? EIO : 0;
}

static int
duplicate(wpy_stream *stream, int descriptor)
{
    HANDLE process = GetCurrentProcess(), handle = (HANDLE)_get_osfhandle(descriptor);

    if (handle == INVALID_HANDLE_VALUE ||
        !DuplicateHandle(process, handle, process, &stream->handle, 0, FALSE,
                         DUPLICATE_SAME_ACCESS))
        return EBADF;
    stream->kind =
        GetFileType(stream->handle) == FILE_TYPE_DISK ? WPY_STREAM_FILE : WPY_STREAM_OTHER;
    return 0;
}

static void
close_raw(os_raw_file_handle handle)
{
    CloseHandle(handle);
}

static int
open_dir(const char *path, os_file_handle *out)
{
    return os_open_preopendir(path, out) == 0 ? 0 : ENOENT;
}
#else
static bool
is_null(int descriptor)
{
    static uint64_t device; /* atomic; the same in all threads */
    struct stat status;

    if (descriptor < 0)
        return false;
    if (!ATOMIC_LOAD(&device) && stat("/dev/null", &status) == 0)
        ATOMIC_STORE(&device, (uint64_t)status.st_rdev);
    return fstat(descriptor, &status) == 0 && S_ISCHR(status.st_mode) &&
           (uint64_t)status.st_rdev == ATOMIC_LOAD(&device);
}

/* The null device, one descriptor for each of the three streams, which stdio.c tells apart. All
 * instances share it: WAMR never closes descriptors of stdio, and a program has no right to change
 * them. Whoever closes all descriptors of the process, as daemons do after a fork, closes these,
 * too, and then the numbers may stand for other files. */
static int null_devices[3] = {-1, -1, -1}; /* atomic; written under the registry's lock */

/* Opens those that are closed. All numbers of closed ones are forgotten before the first is opened:
 * it may get the number that another stream had, and both would then be one. Returns an errno. */
static int
open_null_devices(void)
{
    ASSERT_HAS_LOCK(WPY_REGISTRY_LOCK);
    for (int i = 0; i < 3; i++)
        if (!is_null(ATOMIC_LOAD_SEQ(&null_devices[i])))
            ATOMIC_STORE_SEQ(&null_devices[i], -1);
    for (int i = 0; i < 3; i++)
        if (ATOMIC_LOAD_SEQ(&null_devices[i]) < 0) {
            int opened = wpy_above_stdio(open("/dev/null", O_RDWR | O_CLOEXEC));

            if (opened < 0)
                return errno;
            ATOMIC_STORE_SEQ(&null_devices[i], opened);
        }
    return 0;
}

static int
share_null(wpy_stream *stream, int fd)
{
    int known = ATOMIC_LOAD_SEQ(&null_devices[fd]), error = 0;

    /* A closed one is forgotten before its number is given to another stream. */
    if (!is_null(known) || ATOMIC_LOAD_SEQ(&null_devices[fd]) != known) {
        wpy_registry_lock();
        error = open_null_devices();
        known = ATOMIC_LOAD_SEQ(&null_devices[fd]);
        wpy_registry_unlock();
    }
    stream->handle = known;
    return known < 0 ? error : 0;
}

static int
duplicate(wpy_stream *stream, int descriptor)
{
    struct stat status;

    if ((stream->handle = wpy_duplicate_above_stdio(descriptor)) < 0)
        return errno;
    stream->kind = fstat(stream->handle, &status) == 0 && S_ISREG(status.st_mode)
                       ? WPY_STREAM_FILE
                       : WPY_STREAM_OTHER;
    return 0;
}

static void
close_raw(os_raw_file_handle handle)
{
    close(handle);
}

static int
open_dir(const char *path, os_file_handle *out)
{
    int descriptor = wpy_above_stdio(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));

    if (descriptor < 0)
        return errno;
    *out = descriptor;
    return 0;
}
#endif

/* Sets the standard stream `fd` (0 to 2): to a duplicate of the host's descriptor, to a stream of
 * Python (-1), or to nothing (-2). Returns an errno. */
int
wpy_wasi_stdio(wpy_wasi *wasi, int fd, int descriptor)
{
    wpy_stream *stream = &wasi->streams[fd];
    int error;

    if (descriptor < 0) {
        stream->kind = descriptor == -1 ? WPY_STREAM_PYTHON : WPY_STREAM_NONE;
        return share_null(stream, fd);
    }
    error = duplicate(stream, descriptor);
    stream->open = error == 0;
    return error;
}

/* Lets the program see the host's directory `host` as `guest`. Returns an errno. */
int
wpy_wasi_dir(wpy_wasi *wasi, const char *guest, const char *host, bool writable)
{
    wpy_dir *dirs = realloc(wasi->dirs, (wasi->dir_count + 1) * sizeof *dirs), *dir;
    int error;

    if (!dirs)
        return ENOMEM;
    wasi->dirs = dirs;
    dir = &dirs[wasi->dir_count];
    if ((error = open_dir(host, &dir->handle)) != 0)
        return error;
    dir->open = true;
    dir->writable = writable;
    dir->guest = copy_text(guest);
    wasi->dir_count++;
    return dir->guest ? 0 : ENOMEM;
}

/* Gives a reference back. The last one closes the descriptors that no instance has, and frees. */
void
wpy_wasi_release(wpy_wasi *wasi)
{
    uint32_t i;

    if (REFS_DOWN(&wasi->head.refs) != 0)
        return;
    for (i = 0; i < 3; i++)
        if (wasi->streams[i].open)
            close_raw(wasi->streams[i].handle);
    for (i = 0; i < wasi->dir_count; i++) {
        if (wasi->dirs[i].open)
            os_close(wasi->dirs[i].handle, false);
        free(wasi->dirs[i].guest);
    }
    free(wasi->dirs);
    free_all(wasi->argv);
    free_all(wasi->env);
    free(wasi);
}

uint32 get_libc_wasi_export_apis(NativeSymbol **symbols); /* no header of WAMR declares it */

/* The signature of the WASI function of this name, in WAMR's notation; NULL where there is none. */
const char *
wpy_wasi_signature(const char *name)
{
    NativeSymbol *symbols;
    uint32_t count = get_libc_wasi_export_apis(&symbols), i;

    for (i = 0; i < count; i++)
        if (!strcmp(symbols[i].symbol, name))
            return symbols[i].signature;
    return NULL;
}
