/* internal.h: what the files of the procedural layer (procedural*.c) share; WAMR's c-api
 * structs are visible. */
#ifndef WPY_PROCEDURAL_INTERNAL_H
#define WPY_PROCEDURAL_INTERNAL_H

#include "wasm_c_api_internal.h"
#include "wasm_export.h"
#include "wasm_memory.h"
#include "wasm_runtime.h"
#include "aot_runtime.h"
#include "include/wpy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* capi.c */
wasm_trap_t *wpy_api_trap(wasm_store_t *store, const char *text);
bool wpy_api_func_index(const wasm_ref_t *ref, const WASMModuleInstanceCommon *instance,
                        uint32 *out);

/* instance.c */
void wpy_api_tables_grow(WASMModule *module);

#endif
