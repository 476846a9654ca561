/* capi.h: wasm-c-api as its header describes it, where WAMR's differs. It includes
 * wasm_c_api.h.
 *
 * What the header declares and WAMR does not define, procedural*.c define under the header's name.
 * What WAMR defines and only pretends to do, they do under a name of our own, and a macro here
 * redirects to it: so whoever compiles against this header, cffi's module above all, gets the real
 * thing, while WAMR's own code keeps calling its own. The macros come before the header: its
 * declarations, and the bodies in it, then speak of our functions. procedural*.c don't include this
 * file. It knows nothing of the classes' C (include/wpy.h).
 */
#ifndef WPY_PROCEDURAL_H
#define WPY_PROCEDURAL_H

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

/* The header calls this one deprecated, which it is for its users; whoever hands on all functions
   gets a name without that mark. */
#define wasm_engine_new_with_args wamr_engine_new_with_args
#include "wasm_c_api.h"
#undef wasm_engine_new_with_args
#define wasm_engine_new_with_args wpy_api_engine_new_with_args
wasm_engine_t *wasm_engine_new_with_args(mem_alloc_type_t type, const MemAllocOption *options);

/* cdef begin */

/* wasm_func_call with everything in one place, as Python keeps it from one call to the next: the
   function, the arguments, the results; the address of the arguments' data and how many there is
   room for; the same of the results. Where the vectors are not so any more, it calls nothing and
   answers with `known`. */
wasm_trap_t *wpy_api_call(const uintptr_t *known);

/* A callback for wasm_func_new_with_env that calls the function `env`, an export: so it can be an
 * import. */
wasm_trap_t *wpy_api_forward(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results);

/* Whether this function is an export of an instance, not one of the host. */
bool wpy_api_func_is_export(const wasm_func_t *func);

/* A trap with this message; the store may be NULL. */
wasm_trap_t *wpy_api_trap(wasm_store_t *store, const char *text);

/* Does the module have tags, or exnrefs in its types? wasm-c-api has neither, so it can't be used. */
bool wpy_api_has_exceptions(const wasm_module_t *module);
/* What the loader says about these bytes; an empty text: nothing is wrong. */
void wpy_api_load_error(const wasm_byte_vec_t *binary, char *text, uint32_t size);

/* cdef end */

#endif
