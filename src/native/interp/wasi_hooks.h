/* wasi_hooks.h: the hooks of WASI, for reading and writing.
 *
 * Included by blocking_op.h. Each hook replaces the blocking operation of the same
 * name, since a program may read and write Python's file objects and callables,
 * and may have to wait. A hook that is NULL leaves WAMR's own operation.
 * wasi/stdio.c sets the struct. */

typedef struct WamrPyWasiHooks {
    __wasi_errno_t (*readv)(wasm_exec_env_t, os_file_handle, const struct __wasi_iovec_t *, int,
                            size_t *);
    __wasi_errno_t (*writev)(wasm_exec_env_t, os_file_handle, const struct __wasi_ciovec_t *, int,
                             size_t *);
    __wasi_errno_t (*preadv)(wasm_exec_env_t, os_file_handle, const struct __wasi_iovec_t *, int,
                             __wasi_filesize_t, size_t *);
    __wasi_errno_t (*pwritev)(wasm_exec_env_t, os_file_handle, const struct __wasi_ciovec_t *, int,
                              __wasi_filesize_t, size_t *);
} WamrPyWasiHooks;
extern WamrPyWasiHooks wamrpy_wasi;

/* host_handle.h: the host's handle of a descriptor; false: there is no such descriptor. */
struct fd_table;
bool wamrpy_host_handle(struct fd_table *table, __wasi_fd_t fd, os_file_handle *handle);
