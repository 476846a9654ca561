/* check.h: the helpers that all groups of this program use.
 *
 * Each check prints a line "what = got / wanted", which test_conformance.py reads. A group works in
 * the directory of descriptor 3, which is empty and writable, and creates the files that it needs.
 * The functions of WASI are called directly, except for one part of rest.c that goes through libc,
 * so error numbers are those of the runtime.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wasi/api.h>

#define E(name) __WASI_ERRNO_##name
#define R(name) __WASI_RIGHTS_##name
#define ROOT 3
#define NOBODY 12345 /* no descriptor */

#define READING                                                                           \
    (R(FD_READ) | R(FD_SEEK) | R(FD_TELL) | R(FD_FILESTAT_GET) | R(FD_FDSTAT_SET_FLAGS) | \
     R(FD_ADVISE) | R(POLL_FD_READWRITE))
#define WRITING                                                                             \
    (R(FD_WRITE) | R(FD_SEEK) | R(FD_TELL) | R(FD_FILESTAT_GET) | R(FD_FILESTAT_SET_SIZE) | \
     R(FD_FILESTAT_SET_TIMES) | R(FD_FDSTAT_SET_FLAGS) | R(FD_SYNC) | R(FD_DATASYNC) |      \
     R(FD_ALLOCATE) | R(POLL_FD_READWRITE))
#define BOTH (READING | WRITING)
#define LISTING (R(FD_READDIR) | R(PATH_OPEN) | R(PATH_FILESTAT_GET) | R(FD_FILESTAT_GET))

#define FOLLOW __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW
#define CREAT __WASI_OFLAGS_CREAT
#define EXCL __WASI_OFLAGS_EXCL
#define TRUNC __WASI_OFLAGS_TRUNC
#define DIRECTORY __WASI_OFLAGS_DIRECTORY

void check(const char *what, long long got, long long wanted);

/* Errnos; the descriptor is in *fd, which is NOBODY if there is none. */
int open_as(const char *path, int lookup, int oflags, uint64_t rights, int flags, __wasi_fd_t *fd);
int opens(const char *path, int lookup, int oflags, uint64_t rights); /* and closes it again */

/* What can't fail, or the group ends here. */
__wasi_fd_t make(const char *path, const char *content); /* open for both */
void put(const char *path, const char *content);
void make_directory(const char *path);
void make_link(const char *target, const char *path);
const char *content(const char *path); /* or "(errno)" */
long long size_of(const char *path);   /* -1: not there */
int type_of(const char *path);         /* of the link, not what it leads to; -1: not there */

int read_some(__wasi_fd_t fd, char *data, size_t size, __wasi_size_t *count);
int write_text(__wasi_fd_t fd, const char *text, __wasi_size_t *count);
long long position(__wasi_fd_t fd);

#endif
