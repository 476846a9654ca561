/* nt.c: errors of Windows and NT, and what an open handle refers to. */
#include "windows/nt.h"

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

__wasi_errno_t
wpy_reopen(HANDLE handle, ACCESS_MASK access, HANDLE *out)
{
    wchar_t empty[] = L"";
    UNICODE_STRING itself = {0, 0, empty};
    OBJECT_ATTRIBUTES what;
    IO_STATUS_BLOCK done;
    NTSTATUS status;

    InitializeObjectAttributes(&what, &itself, 0, handle, NULL);
    status = NtCreateFile(out, access | SYNCHRONIZE, &what, &done, NULL, 0, WPY_SHARED, FILE_OPEN,
                          WPY_OPENS_ITSELF, NULL, 0);
    return status < 0 ? wpy_nt_error(status) : 0;
}
