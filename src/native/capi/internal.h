/* internal.h: what the files of this folder share. Includes WAMR's headers with the structs of
 * wasm-c-api. */
#ifndef WPY_CAPI_INTERNAL_H
#define WPY_CAPI_INTERNAL_H

#include "wasm_c_api_internal.h"
#include "wasm_export.h"
#include "wasm_memory.h"
#include "wasm_runtime.h"
#include "aot_runtime.h"
#include "include/wpy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The byte of the binary format for a value type. */
static inline uint8
wpy_api_value_type(wasm_valkind_t kind)
{
    static const uint8 numbers_and_vectors[] = {VALUE_TYPE_I32, VALUE_TYPE_I64, VALUE_TYPE_F32,
                                                VALUE_TYPE_F64, VALUE_TYPE_V128};

    if (kind <= WASM_V128)
        return numbers_and_vectors[kind];
    return kind == WASM_EXTERNREF ? VALUE_TYPE_EXTERNREF : VALUE_TYPE_FUNCREF;
}

/* capi.c */
wasm_trap_t *wpy_api_trap(wasm_store_t *store, const char *text); /* see capi.h */
/* The table element or global value that stands for a reference to a function: the function's
 * index, or NULL_REF for NULL. False where the reference is not to a function of `instance`, in
 * which alone the index has a meaning. */
bool wpy_api_func_index(const wasm_ref_t *ref, const WASMModuleInstanceCommon *instance,
                        uint32 *out);

/* modules.c: see capi.h */
void wpy_api_load_error(const wasm_byte_vec_t *binary, char *text, uint32_t size);

/* instance.c: lets all tables of the module grow. WAMR otherwise gives room to grow only to the
 * tables that the module's own code grows. */
void wpy_api_tables_grow(WASMModule *module);

#endif
