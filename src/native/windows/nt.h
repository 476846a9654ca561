/* nt.h: what paths.c, files.c and directories.c share: opening below a directory, and errors.
 *
 * No path of a program reaches Win32. Each name is one component, checked by paths.c, and NT opens
 * the name relative to the handle of its directory and never through a reparse point.
 */
#ifndef WPY_NT_H
#define WPY_NT_H

#include "platform_api_extension.h"
#include "platform_api_vmcore.h"

#include <winternl.h>

#define WPY_LONGEST_NAME 255 /* UTF-16 units; what file systems allow */

/* The WASI error for a failed call of NT, and for GetLastError(). */
__wasi_errno_t wpy_nt_error(NTSTATUS status);
__wasi_errno_t wpy_last_error(void);

/* Times, from and to nanoseconds since 1970. */
__wasi_timestamp_t wpy_from_filetime(const FILETIME *time);
FILETIME wpy_to_filetime(__wasi_timestamp_t time);

/* What an open handle refers to. */
typedef struct {
    bool directory;
    bool reparse_point; /* a link, a junction, or a placeholder of a cloud service */
} wpy_file_kind;
__wasi_errno_t wpy_file_kind_of(HANDLE handle, wpy_file_kind *kind);

/* Opens the file of an open handle once more, with other access; the caller closes it. */
__wasi_errno_t wpy_reopen(HANDLE handle, ACCESS_MASK access, HANDLE *out);

#endif
