/* files.c: WAMR's platform layer: open files, and the errors of Windows.
 *
 * Handles are synchronous: the system keeps a position for each. Standard streams are handles of
 * the host, so nothing is asked of them that only handles of paths.c can do.
 */
#include "windows/nt.h"

#include "compiler.h"

#define PIECE (1u << 30) /* the most bytes of one call of Win32, whose sizes have 32 bits */

__wasi_errno_t
wpy_nt_error(NTSTATUS status)
{
    switch ((uint32_t)status) {
    case 0xC0000033: /* OBJECT_NAME_INVALID */
        return __WASI_EINVAL;
    case 0xC0000035: /* OBJECT_NAME_COLLISION */
        return __WASI_EEXIST;
    case 0xC0000056: /* DELETE_PENDING */
        return __WASI_ENOENT;
    case 0xC00000BA: /* FILE_IS_A_DIRECTORY */
        return __WASI_EISDIR;
    case 0xC00000D4: /* NOT_SAME_DEVICE */
        return __WASI_EXDEV;
    case 0xC0000101: /* DIRECTORY_NOT_EMPTY */
        return __WASI_ENOTEMPTY;
    case 0xC0000103: /* NOT_A_DIRECTORY */
        return __WASI_ENOTDIR;
    case 0xC0000106: /* NAME_TOO_LONG */
        return __WASI_ENAMETOOLONG;
    case 0xC0000121: /* CANNOT_DELETE */
        return __WASI_EACCES;
    case 0xC0000904: /* PATH_NOT_COVERED: stopped at a reparse point */
    case 0xC000050B: /* REPARSE_POINT_ENCOUNTERED */
    case 0x8000002D: /* STOPPED_ON_SYMLINK */
        return __WASI_ELOOP;
    default:
        break;
    }
    SetLastError(RtlNtStatusToDosError(status));
    return wpy_last_error();
}

__wasi_errno_t
wpy_last_error(void)
{
    switch (GetLastError()) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_INVALID_DRIVE:
    case ERROR_BAD_PATHNAME:
    case ERROR_DELETE_PENDING:
        return __WASI_ENOENT;
    case ERROR_ACCESS_DENIED:
    case ERROR_LOCK_VIOLATION:
        return __WASI_EACCES;
    case ERROR_SHARING_VIOLATION:
    case ERROR_USER_MAPPED_FILE:
        return __WASI_EBUSY;
    case ERROR_FILE_EXISTS:
    case ERROR_ALREADY_EXISTS:
        return __WASI_EEXIST;
    case ERROR_DIR_NOT_EMPTY:
        return __WASI_ENOTEMPTY;
    case ERROR_DIRECTORY:
        return __WASI_ENOTDIR;
    case ERROR_INVALID_HANDLE:
        return __WASI_EBADF;
    case ERROR_INVALID_NAME:
    case ERROR_INVALID_PARAMETER:
    case ERROR_NEGATIVE_SEEK:
        return __WASI_EINVAL;
    case ERROR_FILENAME_EXCED_RANGE:
        return __WASI_ENAMETOOLONG;
    case ERROR_NO_UNICODE_TRANSLATION:
        return __WASI_EILSEQ;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
    case ERROR_NO_SYSTEM_RESOURCES:
        return __WASI_ENOMEM;
    case ERROR_TOO_MANY_OPEN_FILES:
        return __WASI_EMFILE;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
        return __WASI_ENOSPC;
    case ERROR_WRITE_PROTECT:
        return __WASI_EROFS;
    case ERROR_NOT_SAME_DEVICE:
        return __WASI_EXDEV;
    case ERROR_BROKEN_PIPE:
    case ERROR_NO_DATA:
        return __WASI_EPIPE;
    case ERROR_OPERATION_ABORTED:
        return __WASI_EINTR;
    case ERROR_NOT_SUPPORTED:
    case ERROR_INVALID_FUNCTION:
        return __WASI_ENOTSUP;
    default:
        return __WASI_EIO;
    }
}

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

static os_file_handle
wrap_stdio(HANDLE handle, bool writes)
{
    os_file_handle made = wasm_runtime_malloc(sizeof *made);

    if (made)
        *made = (wpy_file){.raw = handle, .reads = !writes, .writes = writes};
    return made;
}

os_file_handle
os_convert_stdin_handle(os_raw_file_handle handle)
{
    return wrap_stdio(handle, false);
}

os_file_handle
os_convert_stdout_handle(os_raw_file_handle handle)
{
    return wrap_stdio(handle, true);
}

os_file_handle
os_convert_stderr_handle(os_raw_file_handle handle)
{
    return wrap_stdio(handle, true);
}

/* The process's own streams are never given to a program: config.c duplicates them. */
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

__wasi_errno_t
wpy_file_kind_of(HANDLE handle, wpy_file_kind *kind)
{
    FILE_ATTRIBUTE_TAG_INFO info;

    if (!GetFileInformationByHandleEx(handle, FileAttributeTagInfo, &info, sizeof info))
        return wpy_last_error();
    kind->directory = (info.FileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    kind->reparse_point = (info.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0;
    return 0;
}

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

/* ---- size and position ---- */

static __wasi_errno_t
set_size(HANDLE handle, uint64_t size)
{
    FILE_END_OF_FILE_INFO info = {.EndOfFile.QuadPart = (LONGLONG)size};

    if (size > INT64_MAX)
        return __WASI_EINVAL;
    return check(SetFileInformationByHandle(handle, FileEndOfFileInfo, &info, sizeof info));
}

__wasi_errno_t
os_ftruncate(os_file_handle handle, __wasi_filesize_t size)
{
    return set_size(handle->raw, size);
}

__wasi_errno_t
os_fallocate(os_file_handle handle, __wasi_filesize_t offset, __wasi_filesize_t length)
{
    LARGE_INTEGER size;

    if (!length || offset > INT64_MAX || length > INT64_MAX - offset)
        return length ? __WASI_EFBIG : __WASI_EINVAL;
    if (!GetFileSizeEx(handle->raw, &size))
        return wpy_last_error();
    return (int64_t)(offset + length) <= size.QuadPart ? 0 : set_size(handle->raw, offset + length);
}

__wasi_errno_t
os_lseek(os_file_handle handle, __wasi_filedelta_t offset, __wasi_whence_t whence,
         __wasi_filesize_t *new_offset)
{
    LARGE_INTEGER distance = {.QuadPart = offset}, found;
    DWORD from = whence == __WASI_WHENCE_SET   ? FILE_BEGIN
                 : whence == __WASI_WHENCE_CUR ? FILE_CURRENT
                                               : FILE_END;

    if (whence > __WASI_WHENCE_SET && whence > __WASI_WHENCE_CUR && whence > __WASI_WHENCE_END)
        return __WASI_EINVAL;
    if (GetFileType(handle->raw) != FILE_TYPE_DISK)
        return __WASI_ESPIPE;
    if (!SetFilePointerEx(handle->raw, distance, &found, from))
        return wpy_last_error();
    *new_offset = (__wasi_filesize_t)found.QuadPart;
    return 0;
}

__wasi_errno_t
os_fadvise(os_file_handle handle, __wasi_filesize_t offset, __wasi_filesize_t length,
           __wasi_advice_t advice)
{
    (void)handle;
    (void)offset;
    (void)length;
    return advice > __WASI_ADVICE_NOREUSE ? __WASI_EINVAL : 0; /* Windows takes no advice */
}

/* A file that is open for reading has nothing to flush. */
__wasi_errno_t
os_fsync(os_file_handle handle)
{
    return !handle->writes ? 0 : check(FlushFileBuffers(handle->raw));
}

__wasi_errno_t
os_fdatasync(os_file_handle handle)
{
    return os_fsync(handle);
}

/* ---- reading and writing ---- */

#define AT_POSITION UINT64_MAX

static OVERLAPPED *
place(OVERLAPPED *out, uint64_t at)
{
    *out = (OVERLAPPED){.Offset = (DWORD)at, .OffsetHigh = (DWORD)(at >> 32)};
    return out;
}

/* One ReadFile. 0 bytes at the end of a file, or where the writers of a pipe have gone. */
static __wasi_errno_t
read_once(HANDLE handle, uint8_t *data, size_t size, uint64_t at, size_t *got)
{
    OVERLAPPED where;
    DWORD count = 0;

    *got = 0;
    if (!ReadFile(handle, data, size < PIECE ? (DWORD)size : PIECE, &count,
                  at == AT_POSITION ? NULL : place(&where, at))) {
        DWORD error = GetLastError();
        if (error != ERROR_HANDLE_EOF && error != ERROR_BROKEN_PIPE)
            return error == ERROR_ACCESS_DENIED ? __WASI_EBADF : wpy_last_error();
    }
    *got = count;
    return 0;
}

static __wasi_errno_t
write_once(HANDLE handle, const uint8_t *data, size_t size, uint64_t at, bool append, size_t *put)
{
    OVERLAPPED where;
    DWORD count = 0;

    *put = 0;
    place(&where, at);
    if (append) /* at the end, in one step */
        where.Offset = where.OffsetHigh = 0xFFFFFFFF;
    if (!WriteFile(handle, data, size < PIECE ? (DWORD)size : PIECE, &count,
                   at == AT_POSITION && !append ? NULL : &where))
        return GetLastError() == ERROR_ACCESS_DENIED ? __WASI_EBADF : wpy_last_error();
    *put = count;
    return 0;
}

static __wasi_errno_t
read_all(os_file_handle handle, const struct __wasi_iovec_t *iov, int count, uint64_t at,
         size_t *size)
{
    bool disk = GetFileType(handle->raw) == FILE_TYPE_DISK;
    int i;

    *size = 0;
    for (i = 0; i < count; i++) {
        size_t got;
        __wasi_errno_t error = read_once(handle->raw, iov[i].buf, iov[i].buf_len,
                                         at == AT_POSITION ? at : at + *size, &got);

        if (error)
            return *size ? 0 : error;
        *size += got;
        if (got < iov[i].buf_len || (got && !disk))
            break; /* a second read of a pipe could wait */
    }
    return 0;
}

static __wasi_errno_t
write_all(os_file_handle handle, const struct __wasi_ciovec_t *iov, int count, uint64_t at,
          size_t *size)
{
    bool append = at == AT_POSITION && (handle->flags & __WASI_FDFLAG_APPEND);
    int i;

    *size = 0;
    for (i = 0; i < count; i++) {
        size_t put;
        __wasi_errno_t error = write_once(handle->raw, iov[i].buf, iov[i].buf_len,
                                          at == AT_POSITION ? at : at + *size, append, &put);

        if (error)
            return *size ? 0 : error;
        *size += put;
        if (put < iov[i].buf_len)
            break;
    }
    return 0;
}

__wasi_errno_t
os_readv(os_file_handle handle, const struct __wasi_iovec_t *iov, int count, size_t *size)
{
    return read_all(handle, iov, count, AT_POSITION, size);
}

__wasi_errno_t
os_writev(os_file_handle handle, const struct __wasi_ciovec_t *iov, int count, size_t *size)
{
    return write_all(handle, iov, count, AT_POSITION, size);
}

/* Reading or writing at an offset moves the position of a synchronous handle, unlike on POSIX. */
static __wasi_errno_t
remember(os_file_handle handle, __wasi_filesize_t at, LARGE_INTEGER *position)
{
    LARGE_INTEGER none = {.QuadPart = 0};

    if (at > INT64_MAX)
        return __WASI_EINVAL;
    if (GetFileType(handle->raw) != FILE_TYPE_DISK)
        return __WASI_ESPIPE;
    return check(SetFilePointerEx(handle->raw, none, position, FILE_CURRENT));
}

__wasi_errno_t
os_preadv(os_file_handle handle, const struct __wasi_iovec_t *iov, int count, __wasi_filesize_t at,
          size_t *size)
{
    LARGE_INTEGER position;
    __wasi_errno_t error = remember(handle, at, &position);

    if (error)
        return error;
    error = read_all(handle, iov, count, at, size);
    SetFilePointerEx(handle->raw, position, NULL, FILE_BEGIN);
    return error;
}

__wasi_errno_t
os_pwritev(os_file_handle handle, const struct __wasi_ciovec_t *iov, int count,
           __wasi_filesize_t at, size_t *size)
{
    LARGE_INTEGER position;
    __wasi_errno_t error = remember(handle, at, &position);

    if (error)
        return error;
    error = write_all(handle, iov, count, at, size);
    SetFilePointerEx(handle->raw, position, NULL, FILE_BEGIN);
    return error;
}
