/* file_limit.h: what file_limit_calls.c needs of file_limit.c.
 *
 * All functions run in a host call, without the GIL, and with the lock of the instance's group.
 */
#ifndef WPY_FILE_LIMIT_H
#define WPY_FILE_LIMIT_H

#include "wasi/wasi.h"

#if !defined(BH_PLATFORM_WINDOWS)
#include <sys/stat.h>

/* The configuration of the caller if its files are limited; else NULL. Borrowed. */
wpy_wasi *wpy_limited_files(WASMExecEnv *env);

/* Whether so many bytes may be added to files; bytes that were added and now are gone. */
bool wpy_has_room(const wpy_wasi *wasi, uint64_t bytes);
void wpy_give_back(wpy_wasi *wasi, uint64_t bytes);

/* Whether one more file, directory or link may be made; one was removed. */
bool wpy_has_entry(const wpy_wasi *wasi);
void wpy_remove_entry(wpy_wasi *wasi);
/* One was removed, or replaced. `before` is its status, or NULL if that is not known. */
void wpy_entry_is_gone(WASMExecEnv *env, wpy_wasi *wasi, const __wasi_filestat_t *before);

/* Whether the program has the file open. */
bool wpy_is_open(WASMExecEnv *env, uint64_t device, uint64_t inode);
/* The status of a path, and of an open regular file. False: there is none. */
bool wpy_status_at(WASMExecEnv *env, __wasi_fd_t fd, __wasi_lookupflags_t flags, const char *path,
                   uint32_t size, __wasi_filestat_t *status);
bool wpy_status_of(WASMExecEnv *env, __wasi_fd_t fd, struct stat *status);
#endif

#endif
