/* platform_internal.h: WAMR's platform layer on Windows: its types. The functions are beside this
 * file.
 *
 * WAMR's own layer for Windows (core/shared/platform/windows) is not used. A program with a
 * directory could leave it there, variables that should be local to a thread are shared if the
 * compiler is not MSVC, and a condition variable works in WAMR's threads only.
 *
 * WAMR's files include this header by its name.
 */
#ifndef WPY_PLATFORM_INTERNAL_H
#define WPY_PLATFORM_INTERNAL_H

#if !defined(BH_PLATFORM_WINDOWS)
#define BH_PLATFORM_WINDOWS
#endif
#if !defined(NOMINMAX)
#define NOMINMAX
#endif

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include <windows.h>

#include "compiler.h"
#include "platform_wasi_types.h"

#if !defined(PATH_MAX)
#define PATH_MAX MAX_PATH
#endif
typedef SSIZE_T ssize_t;

#define BH_APPLET_PRESERVED_STACK_SIZE (32 * 1024)
#define BH_THREAD_DEFAULT_PRIORITY 0

/* ---- threads.c ---- */

typedef HANDLE korp_thread;
typedef DWORD korp_tid;
typedef HANDLE korp_sem;
typedef SRWLOCK korp_mutex;
typedef CONDITION_VARIABLE korp_cond;
typedef struct {
    SRWLOCK lock;
    bool exclusive; /* written by the thread that has the lock exclusively */
} korp_rwlock;
#define OS_THREAD_MUTEX_INITIALIZER SRWLOCK_INIT

#define os_thread_local_attribute THREAD_LOCAL /* only MSVC heeds __declspec(thread) */

#define strncasecmp _strnicmp
#define strcasecmp _stricmp

/* ---- system.c ---- */

unsigned os_getpagesize(void);
void *os_mem_commit(void *address, size_t size, int flags);
void os_mem_decommit(void *address, size_t size);

/* ---- files.c ---- */

typedef HANDLE os_raw_file_handle;

/* An open file of a program; made by os_openat and the like, and freed by os_close. */
typedef struct {
    os_raw_file_handle raw; /* owned, but for standard streams, which config.c owns */
    __wasi_fdflags_t flags;
    bool reads, writes; /* opened for */
} wpy_file;

typedef wpy_file *os_file_handle;
#define bh_socket_t os_file_handle

static inline os_file_handle
os_get_invalid_handle(void)
{
    return NULL;
}

/* ---- directories.c ---- */

typedef struct wpy_dir_stream *os_dir_stream;

/* Declared by a header of WAMR, and used by nobody here. */
typedef int os_poll_file_handle;
typedef unsigned int os_nfds_t;
typedef struct timespec os_timespec;

#endif
