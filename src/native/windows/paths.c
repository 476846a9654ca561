/* paths.c: WAMR's platform layer: names in a directory, the Windows half of the sandbox.
 *
 * WAMR's posix.c takes a path apart, goes from one directory to the next, and never above the one
 * that the program was given. Each function here gets one component and the handle of its
 * directory.
 *
 * - NT opens a component relative to the handle, so neither the working directory, nor drives, nor
 *   directories that are renamed meanwhile, matter.
 * - Every reparse point is refused, so no link or junction is followed, not even one that another
 *   process makes meanwhile. (Placeholders of cloud services are reparse points, too.)
 * - A component that Windows understands as something else than a name is refused: names.c.
 */
#include "windows/nt.h"

/* Information classes that the headers lack. The last two are Windows 10's. */
enum {
    DISPOSITION_INFORMATION = 13,
    RENAME_INFORMATION = 10,
    LINK_INFORMATION = 11,
    DISPOSITION_INFORMATION_EX = 64,
    RENAME_INFORMATION_EX = 65,
};
enum { DISPOSE = 1, RENAME_REPLACES = 1, POSIX_SEMANTICS = 2, DISPOSE_READ_ONLY = 0x10 };
#define RENAME_READ_ONLY 0x40

/* Declared by the kernel's headers only. */
NTSTATUS NTAPI NtSetInformationFile(HANDLE, PIO_STATUS_BLOCK, PVOID, ULONG, FILE_INFORMATION_CLASS);
/* FILE_RENAME_INFORMATION(_EX) and FILE_LINK_INFORMATION */
typedef struct {
    ULONG flags; /* or a BOOLEAN: replace */
    HANDLE directory;
    ULONG size;
    wchar_t name[WPY_LONGEST_NAME + 1];
} new_name;

/* ---- opening ---- */

/* Opens a component that was read. The caller closes the handle, which may be that of a reparse
   point. */
static __wasi_errno_t
open_component(HANDLE directory, wpy_component *name, ACCESS_MASK access, ULONG disposition,
               ULONG options, HANDLE *out)
{
    OBJECT_ATTRIBUTES what;
    IO_STATUS_BLOCK done;
    NTSTATUS status;

    if (wpy_is_alias(directory, name))
        return __WASI_ENOENT;
    InitializeObjectAttributes(&what, &name->name, OBJ_CASE_INSENSITIVE, directory, NULL);
    if (name->directory)
        options |= FILE_DIRECTORY_FILE;
    status = NtCreateFile(out, access | SYNCHRONIZE | FILE_READ_ATTRIBUTES, &what, &done, NULL,
                          FILE_ATTRIBUTE_NORMAL, WPY_SHARED, disposition,
                          options | WPY_OPENS_ITSELF, NULL, 0);
    return status < 0 ? wpy_nt_error(status) : 0;
}

/* Opens what there is; `links`: also a reparse point, which is not followed. */
static __wasi_errno_t
open_existing(os_file_handle directory, const char *path, ACCESS_MASK access, ULONG options,
              bool links, HANDLE *out, wpy_file_kind *kind)
{
    wpy_component name;
    __wasi_errno_t error = wpy_read_component(path, &name);

    if (error ||
        (error = open_component(directory->raw, &name, access, FILE_OPEN, options, out)) != 0)
        return error;
    if ((error = wpy_file_kind_of(*out, kind)) == 0 && kind->reparse_point && !links)
        error = __WASI_ELOOP;
    if (error)
        CloseHandle(*out);
    return error;
}

static ULONG
disposition_of(__wasi_oflags_t flags)
{
    if (!(flags & __WASI_O_CREAT))
        return FILE_OPEN;
    return flags & __WASI_O_EXCL ? FILE_CREATE : FILE_OPEN_IF;
}

/* Ends what os_openat has opened: only now is it known to be no reparse point, and emptied. */
static __wasi_errno_t
accept_opened(HANDLE handle, __wasi_oflags_t flags)
{
    FILE_END_OF_FILE_INFO none = {.EndOfFile.QuadPart = 0};
    wpy_file_kind kind;
    __wasi_errno_t error = wpy_file_kind_of(handle, &kind);

    if (error)
        return error;
    if (kind.reparse_point)
        return __WASI_ELOOP;
    if ((flags & __WASI_O_TRUNC) &&
        !SetFileInformationByHandle(handle, FileEndOfFileInfo, &none, sizeof none))
        return wpy_last_error();
    return 0;
}

__wasi_errno_t
os_openat(os_file_handle directory, const char *path, __wasi_oflags_t oflags,
          __wasi_fdflags_t fd_flags, __wasi_lookupflags_t lookup_flags,
          wasi_libc_file_access_mode mode, os_file_handle *out)
{
    bool reads = mode != WASI_LIBC_ACCESS_MODE_WRITE_ONLY,
         writes = mode != WASI_LIBC_ACCESS_MODE_READ_ONLY;
    ACCESS_MASK access = (reads ? FILE_GENERIC_READ | FILE_TRAVERSE : 0) |
                         (writes || (oflags & __WASI_O_TRUNC) ? FILE_GENERIC_WRITE : 0);
    ULONG options = 0;
    wpy_component name;
    HANDLE handle;
    __wasi_errno_t error = wpy_read_component(path, &name);

    (void)lookup_flags; /* links are never followed */
    if (error)
        return error;
    if (oflags & __WASI_O_DIRECTORY)
        options |= FILE_DIRECTORY_FILE;
    else if (access & FILE_WRITE_DATA || (oflags & __WASI_O_CREAT))
        options |= FILE_NON_DIRECTORY_FILE;
    if (name.directory && (options & FILE_NON_DIRECTORY_FILE))
        return __WASI_EISDIR;
    if (fd_flags & (__WASI_FDFLAG_SYNC | __WASI_FDFLAG_RSYNC | __WASI_FDFLAG_DSYNC))
        options |= FILE_WRITE_THROUGH;
    if ((error = open_component(directory->raw, &name, access, disposition_of(oflags), options,
                                &handle)) != 0)
        return error;
    error = accept_opened(handle, oflags);
    if (!error && !(*out = wasm_runtime_malloc(sizeof **out)))
        error = __WASI_ENOMEM;
    if (error) {
        CloseHandle(handle);
        return error;
    }
    **out = (wpy_file){.raw = handle, .flags = fd_flags, .reads = reads, .writes = writes};
    return 0;
}

/* ---- attributes ---- */

__wasi_errno_t
os_fstatat(os_file_handle directory, const char *path, struct __wasi_filestat_t *out,
           __wasi_lookupflags_t flags)
{
    wpy_file opened = {0};
    wpy_file_kind kind;
    __wasi_errno_t error = open_existing(directory, path, 0, 0, true, &opened.raw, &kind);

    (void)flags;
    if (error)
        return error;
    error = os_fstat(&opened, out);
    CloseHandle(opened.raw);
    return error;
}

__wasi_errno_t
os_utimensat(os_file_handle directory, const char *path, __wasi_timestamp_t atime,
             __wasi_timestamp_t mtime, __wasi_fstflags_t which, __wasi_lookupflags_t flags)
{
    wpy_file opened = {0};
    wpy_file_kind kind;
    __wasi_errno_t error = open_existing(directory, path, 0, 0, true, &opened.raw, &kind);

    (void)flags;
    if (error)
        return error;
    error = os_futimens(&opened, atime, mtime, which);
    CloseHandle(opened.raw);
    return error;
}

/* ---- links, which a program can neither read nor make ---- */

__wasi_errno_t
os_readlinkat(os_file_handle directory, const char *path, char *out, size_t room, size_t *size)
{
    HANDLE handle;
    wpy_file_kind kind;
    __wasi_errno_t error = open_existing(directory, path, 0, 0, true, &handle, &kind);

    (void)out;
    (void)room;
    (void)size;
    if (error)
        return error;
    CloseHandle(handle);
    return kind.reparse_point ? __WASI_ENOTCAPABLE : __WASI_EINVAL;
}

/* Windows asks for a privilege, and must know whether the target is a directory. */
__wasi_errno_t
os_symlinkat(const char *target, os_file_handle directory, const char *path)
{
    wpy_component name;
    __wasi_errno_t error = wpy_read_component(path, &name);

    (void)target;
    (void)directory;
    return error ? error : __WASI_ENOTSUP;
}

/* ---- making, removing and renaming ---- */

__wasi_errno_t
os_mkdirat(os_file_handle directory, const char *path)
{
    wpy_component name;
    HANDLE handle;
    __wasi_errno_t error = wpy_read_component(path, &name);

    if (!error && (error = open_component(directory->raw, &name, FILE_LIST_DIRECTORY, FILE_CREATE,
                                          FILE_DIRECTORY_FILE, &handle)) == 0)
        CloseHandle(handle);
    return error;
}

static bool
is_unsupported(NTSTATUS status)
{
    switch ((uint32_t)status) {
    case 0xC0000002: /* NOT_IMPLEMENTED */
    case 0xC0000003: /* INVALID_INFO_CLASS */
    case 0xC000000D: /* INVALID_PARAMETER */
    case 0xC0000010: /* INVALID_DEVICE_REQUEST */
    case 0xC00000BB: /* NOT_SUPPORTED */
        return true;
    default:
        return false;
    }
}

/* Removes the name at once, also of a file that is open or read-only, where the system can. */
static __wasi_errno_t
dispose(HANDLE handle)
{
    ULONG flags = DISPOSE | POSIX_SEMANTICS | DISPOSE_READ_ONLY;
    FILE_DISPOSITION_INFO gone = {TRUE};
    IO_STATUS_BLOCK done;
    NTSTATUS status = NtSetInformationFile(handle, &done, &flags, sizeof flags,
                                           (FILE_INFORMATION_CLASS)DISPOSITION_INFORMATION_EX);

    if (is_unsupported(status)) /* before Windows 10, and on FAT */
        status = NtSetInformationFile(handle, &done, &gone, sizeof gone,
                                      (FILE_INFORMATION_CLASS)DISPOSITION_INFORMATION);
    return status < 0 ? wpy_nt_error(status) : 0;
}

__wasi_errno_t
os_unlinkat(os_file_handle directory, const char *path, bool is_dir)
{
    HANDLE handle;
    wpy_file_kind kind;
    __wasi_errno_t error =
        open_existing(directory, path, DELETE,
                      is_dir ? FILE_DIRECTORY_FILE : FILE_NON_DIRECTORY_FILE, true, &handle, &kind);

    if (error)
        return error;
    error = dispose(handle);
    CloseHandle(handle);
    return error;
}

/* Gives the file of a handle another name in a directory; `class`: by renaming or linking. */
static NTSTATUS
set_name(HANDLE handle, os_file_handle directory, const wpy_component *name, ULONG flags, int class)
{
    new_name to = {.flags = flags, .directory = directory->raw, .size = name->name.Length};
    IO_STATUS_BLOCK done;

    memcpy(to.name, name->text, name->name.Length);
    return NtSetInformationFile(handle, &done, &to, sizeof to, (FILE_INFORMATION_CLASS)class);
}

/* Makes room for a file or directory that is renamed to a name which is taken, as POSIX has it: a
   directory replaces an empty one only, and a file no directory. */
static __wasi_errno_t
make_room(os_file_handle directory, const char *path, const wpy_file_kind *source)
{
    wpy_file_kind there;
    HANDLE target;
    __wasi_errno_t error = open_existing(directory, path, DELETE, 0, true, &target, &there);

    if (error)
        return error == __WASI_ENOENT ? 0 : error;
    if (there.directory != source->directory)
        error = there.directory ? __WASI_EISDIR : __WASI_ENOTDIR;
    else if (there.directory)
        error = dispose(target);
    CloseHandle(target);
    return error;
}

static bool
is_same_file(HANDLE handle, os_file_handle directory, const char *path)
{
    BY_HANDLE_FILE_INFORMATION a, b;
    wpy_file_kind kind;
    HANDLE other;
    bool same;

    if (open_existing(directory, path, 0, 0, true, &other, &kind) != 0)
        return false;
    same = GetFileInformationByHandle(handle, &a) && GetFileInformationByHandle(other, &b) &&
           a.dwVolumeSerialNumber == b.dwVolumeSerialNumber &&
           a.nFileIndexHigh == b.nFileIndexHigh && a.nFileIndexLow == b.nFileIndexLow;
    CloseHandle(other);
    return same;
}

static __wasi_errno_t
rename_opened(HANDLE handle, const wpy_file_kind *kind, os_file_handle directory, const char *path)
{
    wpy_component name;
    NTSTATUS status;
    __wasi_errno_t error = wpy_read_component(path, &name);

    if (error)
        return error;
    if (!name.name.Length)
        return __WASI_EBUSY;
    if (name.directory && !kind->directory)
        return __WASI_ENOTDIR;
    if (wpy_is_alias(directory->raw, &name))
        return __WASI_EEXIST;
    if (!is_same_file(handle, directory, path) && (error = make_room(directory, path, kind)) != 0)
        return error;
    status = set_name(handle, directory, &name,
                      RENAME_REPLACES | POSIX_SEMANTICS | RENAME_READ_ONLY, RENAME_INFORMATION_EX);
    if (is_unsupported(status))
        status = set_name(handle, directory, &name, TRUE, RENAME_INFORMATION);
    return status < 0 ? wpy_nt_error(status) : 0;
}

__wasi_errno_t
os_renameat(os_file_handle old_directory, const char *old_path, os_file_handle directory,
            const char *path)
{
    HANDLE handle;
    wpy_file_kind kind;
    wpy_component old;
    __wasi_errno_t error = wpy_read_component(old_path, &old);

    if (!error && !old.name.Length)
        error = __WASI_EBUSY;
    if (error ||
        (error = open_existing(old_directory, old_path, DELETE, 0, true, &handle, &kind)) != 0)
        return error;
    error = rename_opened(handle, &kind, directory, path);
    CloseHandle(handle);
    return error;
}

__wasi_errno_t
os_linkat(os_file_handle old_directory, const char *old_path, os_file_handle directory,
          const char *path, __wasi_lookupflags_t flags)
{
    wpy_component name;
    HANDLE handle;
    wpy_file_kind kind;
    NTSTATUS status;
    __wasi_errno_t error = wpy_read_component(path, &name);

    (void)flags;
    if (error || (error = open_existing(old_directory, old_path, FILE_WRITE_ATTRIBUTES, 0, false,
                                        &handle, &kind)) != 0)
        return error;
    if (kind.directory)
        error = __WASI_EPERM;
    else if (!name.name.Length || wpy_is_alias(directory->raw, &name))
        error = __WASI_EEXIST;
    else if (name.directory)
        error = __WASI_ENOENT;
    else {
        status = set_name(handle, directory, &name, FALSE, LINK_INFORMATION);
        error = status < 0 ? wpy_nt_error(status) : 0;
    }
    CloseHandle(handle);
    return error;
}
