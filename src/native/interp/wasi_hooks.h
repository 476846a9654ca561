/* The hooks of WASI: reading and writing.
 *
 * Included by blocking_op.h. Each takes the place of the blocking operation of
 * the same name, since this is where Python's file objects and callables come
 * in, and where a program may wait. NULL leaves WAMR's own operation. */

/* Set by the host; NULL: as without it. */
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
