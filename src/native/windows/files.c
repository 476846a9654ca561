/* files.c: WAMR's platform layer: open files and their attributes.
 *
 * Standard streams are handles of the host, so nothing is asked of them that only handles of
 * paths.c can do.
 */
#include "windows/nt.h"

static __wasi_errno_t
check(BOOL done)
{
    return done ? 0 : wpy_last_error();
}

/* ---- handles ---- */

os_raw_file_handle
os_invalid_raw_handle(void)
{
    return INVALID_HANDLE_VALUE;
}

bool
os_is_handle_valid(os_file_handle *handle)
{
    return *handle != NULL;
}

bool
os_compare_file_handle(os_file_handle a, os_file_handle b)
{
    return a == b || (a && b && a->raw == b->raw);
}

/* The null device, for processes without streams, as those of pythonw.exe; never closed. */
static HANDLE
null_device(void)
{
    static void *shared; /* atomic */
    void *none = NULL;
    HANDLE opened = ATOMIC_LOAD_SEQ(&shared);

    if (opened)
        return opened;
    opened = CreateFileA("NUL", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE,
                         NULL, OPEN_EXISTING, 0, NULL);
    if (opened == INVALID_HANDLE_VALUE || ATOMIC_SWAP_SEQ(&shared, &none, opened))
        return opened;
    CloseHandle(opened); /* another thread was first */
    return none;
}

/* A handle that isn't valid stands for the process's own stream, as in the C API. */
static os_file_handle
wrap_stdio(HANDLE handle, DWORD stream)
{
    os_file_handle made = wasm_runtime_malloc(sizeof *made);
    bool writes = stream != STD_INPUT_HANDLE;

    if (handle == INVALID_HANDLE_VALUE)
        handle = GetStdHandle(stream);
    if (!handle || handle == INVALID_HANDLE_VALUE)
        handle = null_device();
    if (made)
        *made = (wpy_file){.raw = handle, .reads = !writes, .writes = writes};
    return made;
}

os_file_handle
os_convert_stdin_handle(os_raw_file_handle handle)
{
    return wrap_stdio(handle, STD_INPUT_HANDLE);
}

os_file_handle
os_convert_stdout_handle(os_raw_file_handle handle)
{
    return wrap_stdio(handle, STD_OUTPUT_HANDLE);
}

os_file_handle
os_convert_stderr_handle(os_raw_file_handle handle)
{
    return wrap_stdio(handle, STD_ERROR_HANDLE);
}

/* Streams are told apart by WAMR's table of descriptors. */
bool
os_is_stdin_handle(os_file_handle handle)
{
    (void)handle;
    return false;
}

bool
os_is_stdout_handle(os_file_handle handle)
{
    (void)handle;
    return false;
}

bool
os_is_stderr_handle(os_file_handle handle)
{
    (void)handle;
    return false;
}

/* A handle of stdio is config.c's. */
__wasi_errno_t
os_close(os_file_handle handle, bool is_stdio)
{
    __wasi_errno_t error = 0;

    if (!handle)
        return __WASI_EBADF;
    if (!is_stdio)
        error = check(CloseHandle(handle->raw));
    wasm_runtime_free(handle);
    return error;
}

__wasi_errno_t
os_isatty(os_file_handle handle)
{
    DWORD mode;

    return GetConsoleMode(handle->raw, &mode) ? 0 : __WASI_ENOTTY;
}

int
os_ioctl(os_file_handle handle, int request, ...)
{
    (void)handle;
    (void)request;
    return BHT_ERROR;
}

int
os_poll(os_poll_file_handle *files, os_nfds_t count, int timeout)
{
    (void)files;
    (void)count;
    (void)timeout;
    return BHT_ERROR;
}

/* Nobody opens a path by its name: paths.c and config.c open directories. */
char *
os_realpath(const char *path, char *resolved)
{
    (void)path;
    (void)resolved;
    errno = ENOENT;
    return NULL;
}

/* ---- attributes ---- */

static __wasi_filetype_t
type_of(DWORD attributes)
{
    return attributes & FILE_ATTRIBUTE_REPARSE_POINT ? __WASI_FILETYPE_SYMBOLIC_LINK
           : attributes & FILE_ATTRIBUTE_DIRECTORY   ? __WASI_FILETYPE_DIRECTORY
                                                     : __WASI_FILETYPE_REGULAR_FILE;
}

__wasi_errno_t
os_fstat(os_file_handle handle, struct __wasi_filestat_t *out)
{
    BY_HANDLE_FILE_INFORMATION info;
    FILE_BASIC_INFO basic;

    *out = (struct __wasi_filestat_t){.st_nlink = 1};
    switch (GetFileType(handle->raw)) {
    case FILE_TYPE_CHAR:
        out->st_filetype = __WASI_FILETYPE_CHARACTER_DEVICE;
        return 0;
    case FILE_TYPE_PIPE: /* as a FIFO of POSIX */
        out->st_filetype = __WASI_FILETYPE_SOCKET_STREAM;
        return 0;
    case FILE_TYPE_DISK:
        break;
    default:
        return GetLastError() == NO_ERROR ? __WASI_ENOTSUP : wpy_last_error();
    }
    if (!GetFileInformationByHandle(handle->raw, &info))
        return wpy_last_error();
    out->st_dev = info.dwVolumeSerialNumber;
    out->st_ino = ((uint64_t)info.nFileIndexHigh << 32) | info.nFileIndexLow;
    out->st_filetype = type_of(info.dwFileAttributes);
    out->st_nlink = info.nNumberOfLinks;
    out->st_size = ((uint64_t)info.nFileSizeHigh << 32) | info.nFileSizeLow;
    out->st_atim = wpy_from_filetime(&info.ftLastAccessTime);
    out->st_mtim = wpy_from_filetime(&info.ftLastWriteTime);
    out->st_ctim = out->st_mtim;
    if (GetFileInformationByHandleEx(handle->raw, FileBasicInfo, &basic, sizeof basic) &&
        basic.ChangeTime.QuadPart) {
        FILETIME changed = {basic.ChangeTime.LowPart, (DWORD)basic.ChangeTime.HighPart};
        out->st_ctim = wpy_from_filetime(&changed);
    }
    return 0;
}

__wasi_errno_t
os_file_get_fdflags(os_file_handle handle, __wasi_fdflags_t *flags)
{
    *flags = handle->flags;
    return 0;
}

/* Only appending can be changed. */
__wasi_errno_t
os_file_set_fdflags(os_file_handle handle, __wasi_fdflags_t flags)
{
    if ((handle->flags ^ flags) & (__WASI_FDFLAG_SYNC | __WASI_FDFLAG_DSYNC | __WASI_FDFLAG_RSYNC))
        return __WASI_ENOTSUP;
    handle->flags = flags;
    return 0;
}

__wasi_errno_t
os_file_get_access_mode(os_file_handle handle, wasi_libc_file_access_mode *mode)
{
    *mode = !handle->writes  ? WASI_LIBC_ACCESS_MODE_READ_ONLY
            : !handle->reads ? WASI_LIBC_ACCESS_MODE_WRITE_ONLY
                             : WASI_LIBC_ACCESS_MODE_READ_WRITE;
    return 0;
}

static LARGE_INTEGER
time_to_set(__wasi_timestamp_t time, bool set, bool now)
{
    LARGE_INTEGER result = {.QuadPart = 0}; /* 0: left as it is */
    FILETIME found;

    if (now)
        GetSystemTimePreciseAsFileTime(&found);
    else if (set)
        found = wpy_to_filetime(time);
    else
        return result;
    result.LowPart = found.dwLowDateTime;
    result.HighPart = (LONG)found.dwHighDateTime;
    return result;
}

__wasi_errno_t
os_futimens(os_file_handle handle, __wasi_timestamp_t atime, __wasi_timestamp_t mtime,
            __wasi_fstflags_t which)
{
    FILE_BASIC_INFO info = {
        .LastAccessTime = time_to_set(atime, (which & __WASI_FILESTAT_SET_ATIM) != 0,
                                      (which & __WASI_FILESTAT_SET_ATIM_NOW) != 0),
        .LastWriteTime = time_to_set(mtime, (which & __WASI_FILESTAT_SET_MTIM) != 0,
                                     (which & __WASI_FILESTAT_SET_MTIM_NOW) != 0),
    };
    __wasi_errno_t error;
    HANDLE other; /* the file may be open for reading only, which does not matter to POSIX */

    if ((error = wpy_reopen(handle->raw, FILE_WRITE_ATTRIBUTES, &other)) != 0)
        return error;
    error = check(SetFileInformationByHandle(other, FileBasicInfo, &info, sizeof info));
    CloseHandle(other);
    return error;
}

/* ---- directories of the host ---- */

/* A directory that the host gives to programs, by a path of the host, where links are followed. */
__wasi_errno_t
os_open_preopendir(const char *path, os_file_handle *out)
{
    static const wchar_t unlimited[] = L"\\\\?\\", network[] = L"\\\\?\\UNC";
    int size = MultiByteToWideChar(CP_UTF8, 0, path, -1, NULL, 0);
    wchar_t *wide = size > 0 ? malloc(((size_t)size + 8) * sizeof *wide) : NULL, *start = wide + 8;
    FILE_BASIC_INFO info;
    HANDLE handle;
    __wasi_errno_t error = 0;

    *out = NULL;
    if (!wide)
        return size > 0 ? __WASI_ENOMEM : __WASI_EILSEQ;
    MultiByteToWideChar(CP_UTF8, 0, path, -1, start, size);
    if (size > 240 && wcsncmp(start, L"\\\\", 2)) { /* MAX_PATH does not apply with a prefix */
        start -= 4;
        memcpy(start, unlimited, 4 * sizeof *start);
    } else if (size > 240 && wcsncmp(start, unlimited, 4)) { /* \\server\share */
        start -= 6;
        memcpy(start, network, 7 * sizeof *start);
    }
    handle = CreateFileW(start, FILE_GENERIC_READ | FILE_TRAVERSE, WPY_SHARED, NULL, OPEN_EXISTING,
                         FILE_FLAG_BACKUP_SEMANTICS, NULL);
    free(wide);
    if (handle == INVALID_HANDLE_VALUE)
        return wpy_last_error();
    if (!GetFileInformationByHandleEx(handle, FileBasicInfo, &info, sizeof info))
        error = wpy_last_error();
    else if (!(info.FileAttributes & FILE_ATTRIBUTE_DIRECTORY))
        error = __WASI_ENOTDIR;
    else if (!(*out = wasm_runtime_malloc(sizeof **out)))
        error = __WASI_ENOMEM;
    if (error) {
        CloseHandle(handle);
        return error;
    }
    **out = (wpy_file){.raw = handle, .reads = true};
    return 0;
}
