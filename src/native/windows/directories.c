/* directories.c: WAMR's platform layer: listing a directory.
 *
 * The system's own position in a listing belongs to the handle of the directory. So a listing opens
 * a handle of its own, and a cookie is the number of entries before it.
 */
#include "windows/nt.h"

struct wpy_dir_stream {
    HANDLE handle;
    os_file_handle directory;  /* owned: as with POSIX, os_closedir closes it, too */
    __wasi_dircookie_t cookie; /* of the next entry */
    DWORD next;                /* its offset in `buffer` */
    bool filled, restart;      /* the buffer has more entries; the next read begins anew */
    char name[3 * WPY_LONGEST_NAME + 1];
    uint64_t buffer[2048]; /* entries, each at a multiple of 8 bytes */
};

os_dir_stream
os_get_invalid_dir_stream(void)
{
    return NULL;
}

bool
os_is_dir_stream_valid(os_dir_stream *stream)
{
    return *stream != NULL;
}

__wasi_errno_t
os_rewinddir(os_dir_stream stream)
{
    stream->cookie = 0;
    stream->filled = false;
    stream->restart = true;
    return 0;
}

__wasi_errno_t
os_fdopendir(os_file_handle directory, os_dir_stream *out)
{
    wpy_file_kind kind;
    __wasi_errno_t error = wpy_file_kind_of(directory->raw, &kind);

    if (!error && !kind.directory)
        error = __WASI_ENOTDIR;
    if (error)
        return error;
    if (!(*out = wasm_runtime_malloc(sizeof **out)))
        return __WASI_ENOMEM;
    if ((error = wpy_reopen(directory->raw, FILE_LIST_DIRECTORY, &(*out)->handle)) != 0) {
        wasm_runtime_free(*out);
        *out = NULL;
        return error;
    }
    (*out)->directory = directory;
    return os_rewinddir(*out);
}

__wasi_errno_t
os_closedir(os_dir_stream stream)
{
    os_file_handle directory = stream->directory;

    CloseHandle(stream->handle);
    wasm_runtime_free(stream);
    return os_close(directory, false);
}

/* The next entry, or NULL at the end. */
static __wasi_errno_t
next_entry(os_dir_stream stream, const FILE_ID_BOTH_DIR_INFO **out)
{
    const FILE_ID_BOTH_DIR_INFO *entry;

    *out = NULL;
    if (!stream->filled) {
        FILE_INFO_BY_HANDLE_CLASS how =
            stream->restart ? FileIdBothDirectoryRestartInfo : FileIdBothDirectoryInfo;

        if (!GetFileInformationByHandleEx(stream->handle, how, stream->buffer,
                                          sizeof stream->buffer)) {
            DWORD error = GetLastError();
            return error == ERROR_NO_MORE_FILES || error == ERROR_FILE_NOT_FOUND ? 0
                                                                                 : wpy_last_error();
        }
        stream->filled = true;
        stream->restart = false;
        stream->next = 0;
    }
    entry = (const FILE_ID_BOTH_DIR_INFO *)((const uint8_t *)stream->buffer + stream->next);
    stream->filled = entry->NextEntryOffset != 0;
    stream->next += entry->NextEntryOffset;
    stream->cookie++;
    *out = entry;
    return 0;
}

__wasi_errno_t
os_seekdir(os_dir_stream stream, __wasi_dircookie_t cookie)
{
    const FILE_ID_BOTH_DIR_INFO *entry;
    __wasi_errno_t error = 0;

    if (cookie < stream->cookie)
        os_rewinddir(stream);
    while (!error && stream->cookie < cookie) {
        error = next_entry(stream, &entry);
        if (!entry)
            break; /* beyond the end: nothing more is listed */
    }
    return error;
}

__wasi_errno_t
os_readdir(os_dir_stream stream, __wasi_dirent_t *out, const char **name)
{
    const FILE_ID_BOTH_DIR_INFO *entry;
    __wasi_errno_t error;
    int size;

    *name = NULL;
    if ((error = next_entry(stream, &entry)) != 0 || !entry)
        return error;
    size = WideCharToMultiByte(CP_UTF8, 0, entry->FileName,
                               (int)(entry->FileNameLength / sizeof(wchar_t)), stream->name,
                               (int)sizeof stream->name - 1, NULL, NULL);
    stream->name[size] = 0;
    out->d_ino = (__wasi_inode_t)entry->FileId.QuadPart;
    out->d_namlen = (__wasi_dirnamlen_t)size;
    out->d_next = stream->cookie;
    out->d_type = entry->FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT
                      ? __WASI_FILETYPE_SYMBOLIC_LINK
                  : entry->FileAttributes & FILE_ATTRIBUTE_DIRECTORY ? __WASI_FILETYPE_DIRECTORY
                                                                     : __WASI_FILETYPE_REGULAR_FILE;
    *name = stream->name;
    return 0;
}
