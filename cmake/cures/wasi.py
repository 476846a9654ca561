"""WASI: faults of WAMR's sandbox, and the hooks through which our C serves a program's stdio.

The first group are holes and crashes that a guest program can reach by itself; they are fit for a
report upstream. The second are hooks: which descriptors are Python's and how long a call may wait,
src/wamr/_native/wasi_io.c decides; instances of wasm-c-api never get there.
"""

from __future__ import annotations

from . import Cure

_POSIX = "core/iwasm/libraries/libc-wasi/sandboxed-system-primitives/src/posix.c"
_BLOCKING = "core/iwasm/libraries/libc-wasi/sandboxed-system-primitives/src/blocking_op"
_FILES = "core/shared/platform/common/posix/posix_file.c"
_RUNTIME = "core/iwasm/interpreter/wasm_runtime.c"
_INTERPRETER = "core/iwasm/interpreter/wasm_interp_fast.c"
_TESTS = "tests/regressions/test_wasi.py::"

FAULTS: tuple[Cure, ...] = (
    Cure(
        name="wasi-no-keywords",
        file="core/iwasm/interpreter/wasm_loader.c",
        expect="""\
    /* Check the WASI application ABI */
    if (!check_wasi_abi_compatibility(module,
""",
        replace="""\
    /* Whether it is a command is asked by who runs it as one */
    if (false
        && !check_wasi_abi_compatibility(module,
""",
        why="Valid modules were refused for exporting something called _start or _initialize "
        "without a memory, or of another type than WASI's.",
        test=_TESTS + "test_names_of_wasi_are_no_keywords",
    ),
    Cure(
        name="fd-renumber",
        file=_POSIX,
        expect="""\
    struct fd_object *fo;
    fd_table_detach(ft, to, &fo);
    refcount_acquire(&fe_from->object->refcount);
""",
        replace="""\
    if (from == to) {
        rwlock_unlock(&prestats->lock);
        rwlock_unlock(&ft->lock);
        return 0;
    }

    struct fd_object *fo;
    fd_table_detach(ft, to, &fo);
    refcount_acquire(&fe_from->object->refcount);
""",
        why="Renumbering a descriptor to itself dereferenced NULL.",
        test=_TESTS + "test_descriptor_renumbered_to_itself",
    ),
    Cure(
        name="fd-renumber",
        file=_POSIX,
        expect="""\
    fd_table_detach(ft, from, &fo);
    fd_object_release(exec_env, fo);
    --ft->used;
""",
        replace="""\
    fd_table_detach(ft, from, &fo);
    fd_object_release(exec_env, fo);
""",
        why="Detaching has counted already: the table looked emptier than it was, did not grow, "
        "and the search for a free number in a full one never ended.",
        test=_TESTS + "test_table_grows_after_renumbering",
    ),
    Cure(
        name="fd-readdir-type",
        file=_POSIX,
        expect="""\
    // Create a directory handle if none has been opened yet.
    mutex_lock(&fo->directory.lock);
""",
        replace="""\
    if (fo->type != __WASI_FILETYPE_DIRECTORY) {
        fd_object_release(exec_env, fo);
        return __WASI_ENOTDIR;
    }

    // Create a directory handle if none has been opened yet.
    mutex_lock(&fo->directory.lock);
""",
        why="Character devices have all rights; listing one used an uninitialised lock and "
        "pointer.",
        test=_TESTS + "test_listing_a_device",
    ),
    Cure(
        name="path-open-race",
        file=_POSIX,
        expect="""\
    error = blocking_op_openat(exec_env, pa.fd, pa.path, oflags, fs_flags,
                               dirflags, access_mode, &handle);
""",
        replace="""\
    /* path_get has followed the links already: one that is there now was put
       there since, and may lead anywhere */
    error = blocking_op_openat(exec_env, pa.fd, pa.path, oflags, fs_flags,
                               pa.follow ? dirflags
                                         : dirflags & ~__WASI_LOOKUP_SYMLINK_FOLLOW,
                               access_mode, &handle);
""",
        why="A symbolic link that another program puts in place between the look and the opening "
        "led out of the directory.",
        test=_TESTS + "test_link_swapped_in_while_opening",
    ),
    Cure(
        name="path-open-rights",
        file=_POSIX,
        expect="""\
    // Which open() mode should be used to satisfy the needed rights.
    bool read =
""",
        replace="""\
    // Some libraries always ask for everything. What does not decide about
    // reading and writing is only given where the directory has it.
    {
        struct fd_entry *fe;
        __wasi_rights_t some = __WASI_RIGHT_FD_READ | __WASI_RIGHT_FD_READDIR
                               | __WASI_RIGHT_FD_WRITE
                               | __WASI_RIGHT_FD_ALLOCATE
                               | __WASI_RIGHT_FD_FILESTAT_SET_SIZE;
        rwlock_rdlock(&curfds->lock);
        if (fd_table_get_entry(curfds, dirfd, 0, 0, &fe) == 0) {
            rights_base &= fe->rights_inheriting | some;
            rights_inheriting &= fe->rights_inheriting;
        }
        rwlock_unlock(&curfds->lock);
    }

    // Which open() mode should be used to satisfy the needed rights.
    bool read =
""",
        why="Programs of Rust's library could not open a file in a read-only directory, since they "
        "ask for the right to set its times along with reading.",
        test=_TESTS + "test_opening_asks_for_more_than_there_is",
    ),
    Cure(
        name="fdstat-inheriting",
        file=_POSIX,
        expect="""\
                              .fs_rights_inheriting = fe->rights_inheriting,
                              .fs_flags = flags };

    rwlock_unlock(&ft->lock);
""",
        replace="""\
                              .fs_rights_inheriting = fe->rights_inheriting,
                              .fs_flags = flags };
    // Said, not given: path_open looks at what is in the table.
    if (fo->type == __WASI_FILETYPE_DIRECTORY)
        buf->fs_rights_inheriting |= __WASI_RIGHT_FD_WRITE;

    rwlock_unlock(&ft->lock);
""",
        why="wasi-libc asks path_open for no more than the directory says it can give: in a "
        "read-only one, open(O_RDWR) succeeded, and what was written got lost at the next flush.",
        test=_TESTS + "test_directories_tell_of_writing_so_that_it_is_asked_for",
    ),
    Cure(
        name="fdstat-inheriting",
        file=_POSIX,
        expect="""\
    error =
        fd_table_get_entry(ft, fd, fs_rights_base, fs_rights_inheriting, &fe);
    if (error != 0) {
        rwlock_unlock(&ft->lock);
        return error;
    }

    // Restrict the rights on the file descriptor.
""",
        replace="""\
    error = fd_table_get_entry(ft, fd, 0, 0, &fe);
    if (error == 0 && fe->object->type == __WASI_FILETYPE_DIRECTORY)
        fs_rights_inheriting &= fe->rights_inheriting | ~__WASI_RIGHT_FD_WRITE;
    if (error == 0)
        error = fd_table_get_entry(ft, fd, fs_rights_base, fs_rights_inheriting,
                                   &fe);
    if (error != 0) {
        rwlock_unlock(&ft->lock);
        return error;
    }

    // Restrict the rights on the file descriptor.
""",
        why="A guest may ask to keep what fd_fdstat_get told it.",
        test=_TESTS + "test_directories_tell_of_writing_so_that_it_is_asked_for",
    ),
    Cure(
        name="path-validate",
        file=_POSIX,
        expect="""\
    size_t i;
    char path_resolved[PATH_MAX], prestat_dir_resolved[PATH_MAX];
    char *path_real, *prestat_dir_real;

    if (!(path_real = os_realpath(path, path_resolved)))
        /* path doesn't exist, creating a link to this file
           is allowed: if this file is to be created in
           the future, WASI will strictly check whether it
           can be created or not. */
        return true;

    for (i = 0; i < pt->size; i++) {
        if (pt->prestats[i].dir) {
            if (!(prestat_dir_real =
                      os_realpath(pt->prestats[i].dir, prestat_dir_resolved)))
                return false;
            if (!strncmp(path_real, prestat_dir_real, strlen(prestat_dir_real)))
                return true;
        }
    }

    return false;
}
""",
        replace="""\
    (void)pt;
    return path[0] != '/';
}
""",
        why="Targets of links were looked up on the host, from its working directory: a guest "
        "could ask which files exist there, and make absolute links to those that don't yet.",
        test=_TESTS + "test_links_do_not_ask_the_host",
    ),
    Cure(
        name="path-validate",
        file=_POSIX,
        expect="""\
    if (!validate_path(old_pa.path, prestats)
        || !validate_path(new_pa.path, prestats)) {
        rwlock_unlock(&prestats->lock);
        return __WASI_EBADF;
    }
    rwlock_unlock(&prestats->lock);

    error = os_linkat(""",
        replace="""\
    rwlock_unlock(&prestats->lock); /* both paths are single names by now */

    error = os_linkat(""",
        why="The same for hard links, where refusing leaked two descriptors each time.",
        test=_TESTS + "test_links_do_not_ask_the_host",
    ),
    Cure(
        name="path-validate",
        file=_POSIX,
        expect="""\
    if (!validate_path(target, prestats)) {
        rwlock_unlock(&prestats->lock);
        wasm_runtime_free(target);
        return __WASI_EBADF;
    }
    rwlock_unlock(&prestats->lock);

    error = os_symlinkat(target, pa.fd, pa.path);
""",
        replace="""\
    if (!validate_path(target, prestats)) {
        rwlock_unlock(&prestats->lock);
        path_put(&pa);
        wasm_runtime_free(target);
        return __WASI_ENOTCAPABLE;
    }
    rwlock_unlock(&prestats->lock);

    error = os_symlinkat(target, pa.fd, pa.path);
""",
        why="A refused symbolic link leaked its directory's descriptor.",
        test=_TESTS + "test_links_do_not_ask_the_host",
    ),
    Cure(
        name="readlink-size",
        file=_POSIX,
        expect="""\
    if (error != __WASI_ESUCCESS) {
        stat.st_size = 0;
    }
""",
        replace="""\
    if (error != __WASI_ESUCCESS || stat.st_size > PATH_MAX) {
        stat.st_size = 0; /* no link, or not any more */
    }
""",
        why="The size of whatever file was there, cut to 32 bits, became the size of a buffer that "
        "a link put there meanwhile was read into.",
        test=_TESTS + "test_opening_a_huge_file_takes_no_memory",
    ),
    Cure(
        name="empty-path",
        file="core/iwasm/libraries/libc-wasi/sandboxed-system-primitives/src/str.c",
        expect="    size_t l = strnlen(s, n);\n",
        replace="    size_t l = n ? strnlen(s, n) : 0;\n",
        why="An empty path at the very end of the memory has no native address: NULL.",
        test=_TESTS + "test_empty_path_at_the_end_of_the_memory",
    ),
    Cure(
        name="ioctl-argument",
        file=_FILES,
        expect="    ret = ioctl(handle, request, args);\n",
        replace="    ret = ioctl(handle, request, va_arg(args, void *));\n",
        why="The kernel wrote into the argument list, and poll_oneoff told the guest 4 bytes of "
        "the host's stack.",
        test=_TESTS + "test_poll_tells_how_much_can_be_read",
    ),
    Cure(
        name="open-cloexec",
        file=_FILES,
        expect="""\
    int fd = openat(handle, path, open_flags, 0666);

    if (fd < 0) {""",
        replace="""\
    /* not inherited by what the host starts, and a FIFO is not waited for */
    int fd = openat(handle, path, open_flags | O_CLOEXEC | O_NONBLOCK, 0666);
    if (fd >= 0 && !(open_flags & O_NONBLOCK)) {
        int flags = fcntl(fd, F_GETFL);
        if (flags >= 0)
            fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    }

    if (fd < 0) {""",
        why="Descriptors of the guest leaked into programs that another thread of the host starts; "
        "opening a FIFO blocked where no timeout reaches.",
        test=_TESTS + "test_opening_a_fifo_does_not_block",
    ),
)

HOOKS: tuple[Cure, ...] = (
    Cure(
        name="wasi-hooks",
        file=_BLOCKING + ".h",
        expect="""\
__wasi_errno_t
blocking_op_close(wasm_exec_env_t exec_env, os_file_handle handle,
                  bool is_stdio);
""",
        replace="""\
/* Set by the host; NULL: as without it. */
typedef struct WamrPyWasiHooks {
    __wasi_errno_t (*readv)(wasm_exec_env_t, os_file_handle,
                            const struct __wasi_iovec_t *, int, size_t *);
    __wasi_errno_t (*writev)(wasm_exec_env_t, os_file_handle,
                             const struct __wasi_ciovec_t *, int, size_t *);
} WamrPyWasiHooks;
extern WamrPyWasiHooks wamrpy_wasi;

__wasi_errno_t
blocking_op_close(wasm_exec_env_t exec_env, os_file_handle handle,
                  bool is_stdio);
""",
        why="Reading and writing are where Python comes in, and where one may wait.",
        test="tests/test_stdio.py::test_output_goes_to_a_callable",
    ),
    Cure(
        name="wasi-hooks",
        file=_BLOCKING + ".c",
        expect="""\
    if (!wasm_runtime_begin_blocking_op(exec_env)) {
        return __WASI_EINTR;
    }
    __wasi_errno_t error = os_readv(handle, iov, iovcnt, nread);
""",
        replace="""\
    if (wamrpy_wasi.readv)
        return wamrpy_wasi.readv(exec_env, handle, iov, iovcnt, nread);
    if (!wasm_runtime_begin_blocking_op(exec_env)) {
        return __WASI_EINTR;
    }
    __wasi_errno_t error = os_readv(handle, iov, iovcnt, nread);
""",
        why="See above.",
        test="tests/test_stdio.py::test_input_comes_from_a_callable",
    ),
    Cure(
        name="wasi-hooks",
        file=_BLOCKING + ".c",
        expect="""\
    if (!wasm_runtime_begin_blocking_op(exec_env)) {
        return __WASI_EINTR;
    }
    __wasi_errno_t error = os_writev(handle, iov, iovcnt, nwritten);
""",
        replace="""\
    if (wamrpy_wasi.writev)
        return wamrpy_wasi.writev(exec_env, handle, iov, iovcnt, nwritten);
    if (!wasm_runtime_begin_blocking_op(exec_env)) {
        return __WASI_EINTR;
    }
    __wasi_errno_t error = os_writev(handle, iov, iovcnt, nwritten);
""",
        why="See above.",
        test="tests/test_stdio.py::test_output_goes_to_a_callable",
    ),
    Cure(
        name="wasi-hooks",
        file=_BLOCKING + ".c",
        expect="""\
#include "blocking_op.h"
#include "libc_errno.h"
""",
        replace="""\
#include "blocking_op.h"
#include "libc_errno.h"

WamrPyWasiHooks wamrpy_wasi;
""",
        why="The struct's one definition.",
        test="tests/test_stdio.py::test_output_goes_to_a_callable",
    ),
    Cure(
        name="wasi-output",
        file=_POSIX,
        expect="""\
#ifndef BH_VPRINTF
    error = blocking_op_writev(exec_env, fo->file_handle, iov, (int)iovcnt,
                               nwritten);
#else
""",
        replace="""\
#if 1 /* BH_VPRINTF is for WAMR's own messages */
    error = blocking_op_writev(exec_env, fo->file_handle, iov, (int)iovcnt,
                               nwritten);
#else
""",
        why="A program's output went the way of WAMR's messages, cut at its first NUL byte.",
        test="tests/test_stdio.py::test_output_goes_to_a_callable",
    ),
    Cure(
        name="wasi-stdio-type",
        file=_POSIX,
        expect="""\
    error = fd_object_new(type, is_stdio, &fo);
    if (error != 0)
        return false;
    fo->file_handle = out;
""",
        replace="""\
    if (is_stdio && type == __WASI_FILETYPE_CHARACTER_DEVICE
        && (rights_base & __WASI_RIGHT_FD_SEEK) != 0)
        type = __WASI_FILETYPE_UNKNOWN; /* /dev/null, not a terminal */

    error = fd_object_new(type, is_stdio, &fo);
    if (error != 0)
        return false;
    fo->file_handle = out;
""",
        why="libc takes a character device that can't seek for a terminal.",
        test="tests/test_stdio.py::test_nothing_is_a_terminal",
    ),
    Cure(
        name="wasi-is-ours",
        file=_RUNTIME,
        expect="    if (!is_sub_inst) {\n        const WASIArguments *wasi_args = &args->wasi;\n",
        replace="""\
    if (!is_sub_inst && !(wamrpy.link && module_inst->custom_data)) {
        const WASIArguments *wasi_args = &args->wasi;
""",
        why="Our link hook sets WASI up, before segments can make functions reachable, and only "
        "for instances that have it.",
        test="tests/test_wasi.py::test_half_made_instance_has_wasi",
    ),
    Cure(
        name="native-returned",
        file=_INTERPRETER,
        expect="""\
    if (!ret)
        return;

#if WASM_ENABLE_GC != 0
    func_type = cur_func->u.func_import->func_type;
""",
        replace="""\
    if (wamrpy.returned && module_inst->custom_data)
        wamrpy.returned(exec_env);
    if (!ret)
        return;

#if WASM_ENABLE_GC != 0
    func_type = cur_func->u.func_import->func_type;
""",
        why="A call may have taken long: the next check has to look at the clock.",
        test="tests/test_wasi_waiting.py::test_timeout_counts_the_time_in_calls",
    ),
    Cure(
        name="native-returned",
        file="core/iwasm/interpreter/wasm_runtime.h",
        expect="""\
    /* The exec_env's fuel is below zero. False: the exception is set. */
""",
        replace="""\
    /* A function of WASI has returned. */
    void (*returned)(struct WASMExecEnv *);
    /* The exec_env's fuel is below zero. False: the exception is set. */
""",
        why="See above.",
        test="tests/test_wasi_waiting.py::test_timeout_counts_the_time_in_calls",
    ),
)

CURES = FAULTS + HOOKS
