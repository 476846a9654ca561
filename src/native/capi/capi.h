/* capi.h: wasm_c_api.h with replacements for the functions that WAMR implements incorrectly.
 *
 * A function that the header declares and WAMR does not define is defined by the files of capi/
 * under the header's name. A function that WAMR defines incorrectly is defined there under a name
 * of its own, wpy_api_…, and a macro of this file redirects to it. So a user of this file, such as
 * cffi's module, calls the replacement, while WAMR's own code still calls WAMR's function. The
 * macros stand before the #include, since the header's declarations and inline functions must use
 * them, too. The files of capi/ must not include this file, because they call WAMR's functions.
 * This file knows nothing of the object API's C (include/wpy.h).
 */
#ifndef WPY_CAPI_H
#define WPY_CAPI_H

#define wasm_engine_new wpy_api_engine_new
#define wasm_engine_new_with_config wpy_api_engine_new_with_config
#define wasm_engine_delete wpy_api_engine_delete
#define wasm_val_delete wpy_api_val_delete
#define wasm_func_call wpy_api_func_call
#define wasm_func_param_arity wpy_api_func_param_arity
#define wasm_func_result_arity wpy_api_func_result_arity
#define wasm_global_new wpy_api_global_new
#define wasm_global_get wpy_api_global_get
#define wasm_global_set wpy_api_global_set
#define wasm_memory_new wpy_api_memory_new
#define wasm_memory_grow wpy_api_memory_grow
#define wasm_table_new wpy_api_table_new
#define wasm_table_copy wpy_api_table_copy
#define wasm_table_set wpy_api_table_set
#define wasm_table_grow wpy_api_table_grow
#define wasm_instance_new wpy_api_instance_new
#define wasm_instance_new_with_args wpy_api_instance_new_with_args
#define wasm_instance_new_with_args_ex wpy_api_instance_new_with_args_ex
#define wasm_instance_copy wpy_api_instance_copy
#define wasm_ref_copy wpy_api_ref_copy
#define wasm_ref_delete wpy_api_ref_delete
#define wasm_ref_same wpy_api_ref_same
#define wasm_func_same wpy_api_func_same
#define wasm_global_same wpy_api_global_same
#define wasm_table_same wpy_api_table_same
#define wasm_memory_same wpy_api_memory_same
#define wasm_foreign_same wpy_api_foreign_same
#define wasm_trap_message wpy_api_trap_message
#define wasm_module_new wpy_api_module_new
#define wasm_module_new_ex wpy_api_module_new_ex
#define wasm_module_deserialize wpy_api_module_deserialize
#define wasm_module_validate wpy_api_module_validate
#define wasm_module_is_underlying_binary_freeable wpy_api_module_is_underlying_binary_freeable
#define wasm_importtype_is_linked wpy_api_importtype_is_linked
#define wasm_extern_as_func wpy_api_extern_as_func
#define wasm_extern_as_global wpy_api_extern_as_global
#define wasm_extern_as_table wpy_api_extern_as_table
#define wasm_extern_as_memory wpy_api_extern_as_memory
#define wasm_extern_as_func_const wpy_api_extern_as_func_const
#define wasm_extern_as_global_const wpy_api_extern_as_global_const
#define wasm_extern_as_table_const wpy_api_extern_as_table_const
#define wasm_extern_as_memory_const wpy_api_extern_as_memory_const
#define wasm_externtype_as_functype wpy_api_externtype_as_functype
#define wasm_externtype_as_globaltype wpy_api_externtype_as_globaltype
#define wasm_externtype_as_tabletype wpy_api_externtype_as_tabletype
#define wasm_externtype_as_memorytype wpy_api_externtype_as_memorytype
#define wasm_externtype_as_functype_const wpy_api_externtype_as_functype_const
#define wasm_externtype_as_globaltype_const wpy_api_externtype_as_globaltype_const
#define wasm_externtype_as_tabletype_const wpy_api_externtype_as_tabletype_const
#define wasm_externtype_as_memorytype_const wpy_api_externtype_as_memorytype_const

/* The header marks this function as deprecated. cffi's module passes all functions on, so it needs
 * a declaration without the mark. */
#define wasm_engine_new_with_args wamr_engine_new_with_args
#include "wasm_c_api.h"
#undef wasm_engine_new_with_args
#define wasm_engine_new_with_args wpy_api_engine_new_with_args
wasm_engine_t *wasm_engine_new_with_args(mem_alloc_type_t type, const MemAllocOption *options);

/* cdef begin */

/* wasm_func_call with arguments that Python keeps from one call to the next: the function; the
 * vectors of arguments and of results; then, for each vector, the address of its data and the
 * number of values that fit. Where a vector no longer agrees with that, nothing is called, and the
 * result is `prepared` itself. Otherwise the result is that of wasm_func_call. */
wasm_trap_t *wpy_api_call(const uintptr_t *prepared);

/* A callback for wasm_func_new_with_env. It calls the wasm_func_t `env`, an export of an instance,
 * and so makes an import of it. */
wasm_trap_t *wpy_api_forward(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results);

/* A callback for wasm_func_new_with_env. It calls the Python function of the handle `env`. The
 * caller holds the GIL or not. */
wasm_trap_t *wpy_api_callback(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results);

/* Whether the function is an export of an instance, and not a host function. */
bool wpy_api_func_is_export(const wasm_func_t *func);

/* A new trap with this message, owned by the caller. `store` may be NULL. */
wasm_trap_t *wpy_api_trap(wasm_store_t *store, const char *text);

/* Writes why these bytes are no module to `text`: the loader's error, or that the module has
 * exceptions. An empty text where they are one. */
void wpy_api_load_error(const wasm_byte_vec_t *binary, char *text, uint32_t size);

/* cdef end */

#endif
