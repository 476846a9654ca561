/* transfers.c: WAMR's platform layer: size and position of files, reading and writing.
 *
 * Handles are synchronous: the system keeps a position for each.
 */
#include "windows/nt.h"

#define PIECE (1u << 30) /* the most bytes of one call of Win32, whose sizes have 32 bits */

static __wasi_errno_t
check(BOOL done)
{
    return done ? 0 : wpy_last_error();
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
