/* names.c: the names that a program gives to files: which of them are names, and no others.
 *
 * A component that Windows understands as something else than a name is refused: streams and drives
 * ("a:b", "C:"), devices ("NUL", "com1.txt"), wildcards, control characters, a dot or space at the
 * end, and the short alias of a longer name ("PROGRA~1").
 */
#include "windows/nt.h"

#include <wctype.h>

#define LONGEST_BYTES (3 * WPY_LONGEST_NAME) /* of a name in UTF-8 */

/* Declared by the kernel's headers only. */
NTSTATUS NTAPI NtQueryDirectoryFile(HANDLE, HANDLE, PIO_APC_ROUTINE, PVOID, PIO_STATUS_BLOCK, PVOID,
                                    ULONG, FILE_INFORMATION_CLASS, BOOLEAN, PUNICODE_STRING,
                                    BOOLEAN);

/* FILE_NAMES_INFORMATION */
typedef struct {
    ULONG next, index, size;
    wchar_t name[WPY_LONGEST_NAME + 1];
} found_name;

/* Whether Win32 takes the name for a device, in every directory and with any extension. */
static bool
is_device(const wchar_t *text)
{
    static const wchar_t *const devices[] = {L"CON", L"PRN", L"AUX", L"NUL", L"CONIN$", L"CONOUT$"};
    size_t size = wcscspn(text, L"."), i;

    while (size && text[size - 1] == L' ') /* "NUL .txt" */
        size--;
    for (i = 0; i < sizeof devices / sizeof *devices; i++)
        if (wcslen(devices[i]) == size && !_wcsnicmp(text, devices[i], size))
            return true;
    return size == 4 && (!_wcsnicmp(text, L"COM", 3) || !_wcsnicmp(text, L"LPT", 3)) &&
           ((text[3] >= L'0' && text[3] <= L'9') ||
            wcschr(L"\u00B9\u00B2\u00B3", text[3])); /* superscript 1 to 3 */
}

static __wasi_errno_t
check_text(const wchar_t *text, size_t size)
{
    size_t i;

    for (i = 0; i < size; i++) {
        if (text[i] == L':')
            return __WASI_ENOTCAPABLE; /* a drive or a stream */
        if (text[i] < 32 || wcschr(L"\\/*?\"<>|", text[i]))
            return __WASI_EINVAL;
    }
    if (size && (text[size - 1] == L'.' || text[size - 1] == L' '))
        return __WASI_EINVAL; /* Win32 would drop these */
    return size && is_device(text) ? __WASI_ENOTCAPABLE : 0;
}

__wasi_errno_t
wpy_read_component(const char *path, wpy_component *out)
{
    size_t size = strlen(path);
    int wide = 0;

    out->directory = false;
    while (size && (path[size - 1] == '/' || path[size - 1] == '\\')) {
        out->directory = true;
        size--;
    }
    if (size == 1 && *path == '.')
        size = 0;
    else if (!size)
        return __WASI_ENOENT;
    if (size > LONGEST_BYTES)
        return __WASI_ENAMETOOLONG;
    if (size && !(wide = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, (int)size,
                                             out->text, WPY_LONGEST_NAME)))
        return GetLastError() == ERROR_INSUFFICIENT_BUFFER ? __WASI_ENAMETOOLONG : __WASI_EILSEQ;
    out->text[wide] = 0;
    out->name.Buffer = out->text;
    out->name.Length = out->name.MaximumLength = (USHORT)(wide * sizeof *out->text);
    return check_text(out->text, (size_t)wide);
}

bool
wpy_is_alias(HANDLE directory, wpy_component *of)
{
    const int names_information = 12;
    found_name found = {0};
    IO_STATUS_BLOCK done;
    NTSTATUS status;
    HANDLE listing;
    size_t size = of->name.Length / sizeof *of->text;

    if (size > 12 || !wcschr(of->text, L'~') ||
        wpy_reopen(directory, FILE_LIST_DIRECTORY, &listing) != 0)
        return false;
    status = NtQueryDirectoryFile(listing, NULL, NULL, NULL, &done, &found, sizeof found,
                                  (FILE_INFORMATION_CLASS)names_information, TRUE, &of->name, TRUE);
    CloseHandle(listing);
    return status >= 0 &&
           (found.size != of->name.Length || _wcsnicmp(found.name, of->text, size) != 0);
}
