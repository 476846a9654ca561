/* nt.h: what the files of this folder share.
 *
 * No path of a program reaches Win32. Each name is one component, checked by names.c, and NT opens
 * the name relative to the handle of its directory and never through a reparse point.
 */
#ifndef WPY_NT_H
#define WPY_NT_H

#include "platform_api_extension.h"
#include "platform_api_vmcore.h"

#include <winternl.h>

#define WPY_LONGEST_NAME 255 /* UTF-16 units; what file systems allow */

/* How files are opened: as POSIX shares them, and a reparse point as itself. */
#define WPY_SHARED (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define WPY_OPENS_ITSELF \
    (FILE_OPEN_REPARSE_POINT | FILE_OPEN_FOR_BACKUP_INTENT | FILE_SYNCHRONOUS_IO_NONALERT)

/* ---- nt.c ---- */

/* The WASI error for a failed call of NT, and for GetLastError(). */
__wasi_errno_t wpy_nt_error(NTSTATUS status);
__wasi_errno_t wpy_last_error(void);

/* What an open handle refers to. */
typedef struct {
    bool directory;
    bool reparse_point; /* a link, a junction, or a placeholder of a cloud service */
} wpy_file_kind;
__wasi_errno_t wpy_file_kind_of(HANDLE handle, wpy_file_kind *kind);

/* Opens the file of an open handle once more, with other access; the caller closes it. */
__wasi_errno_t wpy_reopen(HANDLE handle, ACCESS_MASK access, HANDLE *out);

/* ---- system.c ---- */

/* Times, from and to nanoseconds since 1970. */
__wasi_timestamp_t wpy_from_filetime(const FILETIME *time);
FILETIME wpy_to_filetime(__wasi_timestamp_t time);

/* ---- names.c ---- */

typedef struct {
    wchar_t text[WPY_LONGEST_NAME + 1];
    UNICODE_STRING name; /* refers to `text`; empty: the directory itself */
    bool directory;      /* a slash followed the name */
} wpy_component;

/* Reads a component of a path, with slashes after it, or ".". An error where it is no name. */
__wasi_errno_t wpy_read_component(const char *path, wpy_component *out);
/* Whether the directory has the name only as the short alias of another one. Aliases look like
   LONGNA~1.TXT, and no others are looked up. */
bool wpy_is_alias(HANDLE directory, wpy_component *name);

#endif
