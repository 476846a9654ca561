/* modules.c: loading modules, and refusing modules with exceptions.
 *
 * wasm-c-api has no functions for tags and exnrefs. So a module with a tag, or with an exnref in a
 * type, is refused as one that doesn't load. Code of other modules can't throw: a throw needs a
 * tag, and all of its exnrefs are null.
 */
#include "capi/internal.h"

static bool
has_exnref(const uint8 *types, uint32 count)
{
    return count && memchr(types, VALUE_TYPE_EXNREF, count);
}

static bool
has_exceptions(const WASMModuleCommon *common)
{
    const WASMModule *module = (const WASMModule *)common;
    bool found;
    uint32 i;

    if (common->module_type != Wasm_Module_Bytecode)
        return false;
    found = module->import_tag_count + module->tag_count > 0;
    for (i = 0; i < module->type_count && !found; i++) {
        const WASMFuncType *type = (const WASMFuncType *)module->types[i];

        found = has_exnref(type->types, (uint32)type->param_count + type->result_count);
    }
    for (i = 0; i < module->import_global_count && !found; i++)
        found = module->import_globals[i].u.global.type.val_type == VALUE_TYPE_EXNREF;
    for (i = 0; i < module->global_count && !found; i++)
        found = module->globals[i].type.val_type == VALUE_TYPE_EXNREF;
    for (i = 0; i < module->import_table_count && !found; i++)
        found = module->import_tables[i].u.table.table_type.elem_type == VALUE_TYPE_EXNREF;
    for (i = 0; i < module->table_count && !found; i++)
        found = module->tables[i].table_type.elem_type == VALUE_TYPE_EXNREF;
    return found;
}

/* The module; NULL if it has exceptions. Its code is freed then, and the store frees the struct. */
static wasm_module_t *
without_exceptions(wasm_module_t *module)
{
    if (module && has_exceptions(*module)) {
        wasm_shared_module_delete((wasm_shared_module_t *)module); /* the only count */
        return NULL;
    }
    return module;
}

wasm_module_t *
wpy_api_module_new(wasm_store_t *store, const wasm_byte_vec_t *binary)
{
    return without_exceptions(wasm_module_new(store, binary));
}

wasm_module_t *
wpy_api_module_new_ex(wasm_store_t *store, wasm_byte_vec_t *binary, LoadArgs *args)
{
    return without_exceptions(wasm_module_new_ex(store, binary, args));
}

wasm_module_t *
wpy_api_module_deserialize(wasm_store_t *store, const wasm_byte_vec_t *binary)
{
    return without_exceptions(wasm_module_deserialize(store, binary));
}

bool
wpy_api_module_validate(wasm_store_t *store, const wasm_byte_vec_t *binary)
{
    char text[128];

    wpy_api_load_error(binary, text, sizeof text);
    return store && !text[0];
}

/* see capi.h */
void
wpy_api_load_error(const wasm_byte_vec_t *binary, char *text, uint32_t size)
{
    uint8 *copy;
    WASMModuleCommon *module;

    text[0] = '\0';
    if (!binary || !binary->data || !binary->size || binary->size > UINT32_MAX) {
        snprintf(text, size, "no bytes");
        return;
    }
    if (!(copy = malloc(binary->size))) {
        snprintf(text, size, "out of memory");
        return;
    }
    memcpy(copy, binary->data, binary->size); /* the loader edits its input */
    if ((module = wasm_runtime_load(copy, (uint32)binary->size, text, size))) {
        text[0] = '\0';
        if (has_exceptions(module))
            snprintf(text, size, "%s",
                     "the module uses exceptions (tags or exnref), for which wasm-c-api has no "
                     "functions; wamr.Module loads it");
        wasm_runtime_unload(module);
    }
    free(copy);
}

bool
wpy_api_module_is_underlying_binary_freeable(const wasm_module_t *module)
{
    return module && wasm_module_is_underlying_binary_freeable(module);
}
