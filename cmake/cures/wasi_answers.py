"""WASI: what WAMR answers otherwise than WASI means, and what a guest could take from others.

The first were found with the conformance tests (tests/wasi), which ask for each errno; what happens
instead is often the wrong thing done. All are fit for a report upstream.
"""

from __future__ import annotations

from . import Cure

_POSIX = "core/iwasm/libraries/libc-wasi/sandboxed-system-primitives/src/posix.c"
_FILES = "core/shared/platform/common/posix/posix_file.c"
_TESTS = "tests/regressions/test_wasi_answers.py::"

CURES: tuple[Cure, ...] = (
    Cure(
        name="pread-nothing",
        file=_POSIX,
        expect="""\
    if (iovcnt == 0)
        return __WASI_EINVAL;

    struct fd_object *fo;
    __wasi_errno_t error =
        fd_object_get(curfds, &fo, fd, __WASI_RIGHT_FD_READ, 0);

    if (error != 0)
        return error;

    error = blocking_op_preadv(""",
        replace="""\
    struct fd_object *fo;
    __wasi_errno_t error =
        fd_object_get(curfds, &fo, fd, __WASI_RIGHT_FD_READ, 0);

    if (error != 0)
        return error;

    error = blocking_op_preadv(""",
        why="Reading nothing was an error, and hid that there is no such descriptor.",
        test=_TESTS + "test_reading_and_writing_nothing_at_a_place",
    ),
    Cure(
        name="pread-nothing",
        file=_FILES,
        expect="""\
          __wasi_filesize_t offset, size_t *nread)
{
""",
        replace="""\
          __wasi_filesize_t offset, size_t *nread)
{
    if (iovcnt == 0) {
        *nread = 0;
        return __WASI_ESUCCESS;
    }

""",
        why="See above.",
        test=_TESTS + "test_reading_and_writing_nothing_at_a_place",
    ),
    Cure(
        name="pread-nothing",
        file=_FILES,
        expect="""\
    if (iovcnt == 0)
        return __WASI_EINVAL;

    ssize_t len = 0;
""",
        replace="""\
    if (iovcnt == 0) {
        *nwritten = 0;
        return __WASI_ESUCCESS;
    }

    ssize_t len = 0;
""",
        why="The same for writing.",
        test=_TESTS + "test_reading_and_writing_nothing_at_a_place",
    ),
    Cure(
        name="path-open-exclusive",
        file=_POSIX,
        expect="""\
    struct path_access pa;
    __wasi_errno_t error = path_get(
        exec_env, curfds, &pa, dirfd, dirflags, path, pathlen, needed_base,
""",
        replace="""\
    // What must be new may not be where a link leads to.
    if ((oflags & __WASI_O_CREAT) != 0 && (oflags & __WASI_O_EXCL) != 0)
        dirflags &= ~__WASI_LOOKUP_SYMLINK_FOLLOW;

    struct path_access pa;
    __wasi_errno_t error = path_get(
        exec_env, curfds, &pa, dirfd, dirflags, path, pathlen, needed_base,
""",
        why="Creating a file exclusively made the one that a dangling link was about.",
        test=_TESTS + "test_exclusive_creation_does_not_follow_links",
    ),
    Cure(
        name="meaningless-flags",
        file=_POSIX,
        expect="""\
    // Rights that should be installed on the new file descriptor.
    __wasi_rights_t rights_base = fs_rights_base;
""",
        replace="""\
    if ((oflags
         & ~(__WASI_O_CREAT | __WASI_O_DIRECTORY | __WASI_O_EXCL
             | __WASI_O_TRUNC))
            != 0
        || (fs_flags
            & ~(__WASI_FDFLAG_APPEND | __WASI_FDFLAG_DSYNC
                | __WASI_FDFLAG_NONBLOCK | __WASI_FDFLAG_RSYNC
                | __WASI_FDFLAG_SYNC))
               != 0)
        return __WASI_EINVAL;
    // Linux before 6.4 made a file
    if ((oflags & __WASI_O_CREAT) != 0 && (oflags & __WASI_O_DIRECTORY) != 0)
        return __WASI_EINVAL;

    // Rights that should be installed on the new file descriptor.
    __wasi_rights_t rights_base = fs_rights_base;
""",
        why="Flags that there are not were taken for none, and a file was made where a directory "
        "was asked for.",
        test=_TESTS + "test_flags_that_mean_nothing",
    ),
    Cure(
        name="meaningless-flags",
        file=_POSIX,
        expect="""\
    struct fd_object *fo;
    __wasi_errno_t error =
        fd_object_get(curfds, &fo, fd, __WASI_RIGHT_FD_FDSTAT_SET_FLAGS, 0);
""",
        replace="""\
    struct fd_object *fo;
    __wasi_errno_t error;

    if ((fs_flags
         & ~(__WASI_FDFLAG_APPEND | __WASI_FDFLAG_DSYNC
             | __WASI_FDFLAG_NONBLOCK | __WASI_FDFLAG_RSYNC
             | __WASI_FDFLAG_SYNC))
        != 0)
        return __WASI_EINVAL;
    error = fd_object_get(curfds, &fo, fd, __WASI_RIGHT_FD_FDSTAT_SET_FLAGS, 0);
""",
        why="The same for an open file.",
        test=_TESTS + "test_flags_that_mean_nothing",
    ),
    Cure(
        name="trailing-slash",
        file=_POSIX,
        expect="""\
        buf = wasm_runtime_malloc((uint32)buf_len);
        if (buf == NULL) {
            *out_buf = NULL;
""",
        replace="""\
        buf = wasm_runtime_malloc((uint32)buf_len + 1);
        if (buf == NULL) {
            *out_buf = NULL;
""",
        why="There was no room for the slash that stands behind a link, and it was lost: "
        "unlinking link/ removed the file that the link leads to.",
        test=_TESTS + "test_a_slash_behind_a_link",
    ),
    Cure(
        name="trailing-slash",
        file=_POSIX,
        expect="""\
            bh_strcat_s(symlink, (uint32)symlink_len, "/");
""",
        replace="""\
            bh_strcat_s(symlink, (uint32)symlink_len + 1, "/");
""",
        why="See above.",
        test=_TESTS + "test_a_slash_behind_a_link",
    ),
    Cure(
        name="trailing-slash",
        file=_POSIX,
        expect="""\
                if (error == __WASI_ESUCCESS) {
                    bh_assert(symlink != NULL);
                    goto push_symlink;
                }
                if (error != __WASI_EINVAL && error != __WASI_ENOENT) {
""",
        replace="""\
                if (error == __WASI_ESUCCESS
                    && (flags & __WASI_LOOKUP_SYMLINK_FOLLOW) == 0) {
                    wasm_runtime_free(symlink);
                    error = __WASI_ENOTDIR;
                    goto fail;
                }
                if (error == __WASI_ESUCCESS) {
                    bh_assert(symlink != NULL);
                    goto push_symlink;
                }
                if (error != __WASI_EINVAL && error != __WASI_ENOENT) {
""",
        why="Removing or renaming link/ would do so to the directory that the link leads to.",
        test=_TESTS + "test_a_slash_behind_a_link",
    ),
    Cure(
        name="path-needs-directory",
        file=_POSIX,
        expect="""\
    struct fd_object *fo;
    __wasi_errno_t error =
        fd_object_get(curfds, &fo, fd, rights_base, rights_inheriting);
    if (error != 0) {
        wasm_runtime_free(path);
        return error;
    }
""",
        replace="""\
    struct fd_object *fo;
    __wasi_errno_t error = fd_object_get(curfds, &fo, fd, 0, 0);
    if (error == 0) {
        bool directory = fo->type == __WASI_FILETYPE_DIRECTORY;
        fd_object_release(exec_env, fo);
        error = directory ? fd_object_get(curfds, &fo, fd, rights_base,
                                          rights_inheriting)
                          : __WASI_ENOTDIR;
    }
    if (error != 0) {
        wasm_runtime_free(path);
        return error;
    }
""",
        why="Paths that begin at a file failed for its rights, those at a device by chance.",
        test=_TESTS + "test_paths_begin_at_a_directory",
    ),
    Cure(
        name="readdir-padding",
        file=_POSIX,
        expect="""\
        __wasi_dirent_t cde;
        const char *d_name = NULL;
""",
        replace="""\
        __wasi_dirent_t cde;
        const char *d_name = NULL;

        memset(&cde, 0, sizeof(cde));
""",
        why="Each entry told the guest three bytes of the host's stack.",
        test=_TESTS + "test_entries_tell_nothing_of_the_host",
    ),
    Cure(
        name="open-starves",
        file=_FILES,
        expect="    if (fd >= 0 && !(open_flags & O_NONBLOCK)) {\n",
        replace="""\
    /* the lowest free number is near the limit: leave what is there to the host */
    struct rlimit limit;
    if (fd >= 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0
        && limit.rlim_cur != RLIM_INFINITY) {
        rlim_t kept = limit.rlim_cur / 4 < 64 ? limit.rlim_cur / 4 : 64;
        if ((rlim_t)fd >= limit.rlim_cur - kept) {
            close(fd);
            return __WASI_ENFILE;
        }
    }
    if (fd >= 0 && !(open_flags & O_NONBLOCK)) {
""",
        why="A guest could open files until the host could open none.",
        test=_TESTS + "test_descriptors_remain_for_the_host",
    ),
    Cure(
        name="open-starves",
        file=_FILES,
        expect='#include "libc_errno.h"\n#include <unistd.h>\n',
        replace='#include "libc_errno.h"\n#include <sys/resource.h>\n#include <unistd.h>\n',
        why="See above.",
        test=_TESTS + "test_descriptors_remain_for_the_host",
    ),
    Cure(
        name="open-many",
        file=_POSIX,
        expect="""\
    // Rights that should be installed on the new file descriptor.
    __wasi_rights_t rights_base = fs_rights_base;
""",
        replace="""\
    // As many as a process usually has; more would be at the others' expense.
    rwlock_rdlock(&curfds->lock);
    bool full = curfds->used >= 1024;
    rwlock_unlock(&curfds->lock);
    if (full)
        return __WASI_EMFILE;

    // Rights that should be installed on the new file descriptor.
    __wasi_rights_t rights_base = fs_rights_base;
""",
        why="One guest could open so many files that others could open none.",
        test=_TESTS + "test_a_guest_has_so_many_descriptors",
    ),
    Cure(
        name="allocate-emulated",
        file=_FILES,
        expect="#if CONFIG_HAS_POSIX_FALLOCATE\n    int ret = posix_fallocate(",
        replace="""\
#if defined(__linux__)
    int ret = fallocate(handle, 0, (off_t)offset, (off_t)length) < 0 ? errno : 0;
#elif CONFIG_HAS_POSIX_FALLOCATE
    int ret = posix_fallocate(""",
        why="Where a file system can't, libc writes into each block, for as long as the guest "
        "wishes; no timeout ends that.",
        test=_TESTS + "test_allocating_where_the_file_system_cannot",
    ),
)
