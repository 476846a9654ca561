/* instance.c: instances. WAMR counts the imports of each kind and hardly looks at them; here
 * they are compared with what the module wants before anything is written into it, and the trap
 * says which does not fit.
 */
#include "capi/internal.h"

bool
wpy_api_func_is_export(const wasm_func_t *func)
{
    return func && func->inst_comm_rt && !func->with_env && !func->u.cb;
}

static bool
same_kinds(const wasm_valtype_vec_t *types, const uint8 *runtime, uint32 count)
{
    uint32 i;

    if (types->num_elems != count)
        return false;
    for (i = 0; i < count; i++) {
        static const uint8 numbers[] = {VALUE_TYPE_I32, VALUE_TYPE_I64, VALUE_TYPE_F32,
                                        VALUE_TYPE_F64, VALUE_TYPE_V128};
        wasm_valkind_t kind = types->data[i]->kind;

        if (runtime[i] != (kind <= WASM_V128        ? numbers[kind]
                           : kind == WASM_EXTERNREF ? VALUE_TYPE_EXTERNREF
                                                    : VALUE_TYPE_FUNCREF))
            return false;
    }
    return true;
}

/* WAMR counts the imports of each kind and looks at nothing else. False: `text` says what does not
 * fit. */
static bool
imports_fit(const WASMModule *module, const wasm_extern_vec_t *imports, char *text, size_t size)
{
    uint32 got[4] = {0};
    size_t i, count = imports ? imports->num_elems : 0;
    uint32 native = 0;

    for (i = 0; i < count; i++) {
        const wasm_extern_t *import = imports->data[i];
        const WASMImport *wanted;

        if (!import) {
            snprintf(text, size, "import %zu is NULL", i);
            return false;
        }
        if (import->kind == WASM_EXTERN_FUNC &&
            got[WASM_EXTERN_FUNC] < module->import_function_count) {
            const wasm_func_t *func = (const wasm_func_t *)import;
            const WASMFuncType *type;

            wanted = &module->import_functions[got[WASM_EXTERN_FUNC]];
            type = wanted->u.function.func_type;
            if (func->type && !(same_kinds(func->type->params, type->types, type->param_count) &&
                                same_kinds(func->type->results, type->types + type->param_count,
                                           type->result_count))) {
                snprintf(text, size, "import %zu does not have the type of \"%s\".\"%s\"", i,
                         wanted->u.names.module_name, wanted->u.names.field_name);
                return false;
            }
        }
        if (import->kind == WASM_EXTERN_GLOBAL &&
            got[WASM_EXTERN_GLOBAL] < module->import_global_count) {
            const wasm_global_t *global = (const wasm_global_t *)import;
            const WASMGlobalType *type;

            wanted = &module->import_globals[got[WASM_EXTERN_GLOBAL]];
            type = &wanted->u.global.type;
            if (global->type &&
                (global->type->mutability != (type->is_mutable ? WASM_VAR : WASM_CONST) ||
                 !same_kinds(&(wasm_valtype_vec_t){.size = 1,
                                                   .num_elems = 1,
                                                   .data = &global->type->val_type},
                             &type->val_type, 1))) {
                snprintf(text, size, "import %zu does not have the type of \"%s\".\"%s\"", i,
                         wanted->u.names.module_name, wanted->u.names.field_name);
                return false;
            }
        }
        if (import->kind <= WASM_EXTERN_MEMORY)
            got[import->kind]++;
    }
    for (i = 0; i < module->import_function_count; i++) {
        const WASMFunctionImport *function = &module->import_functions[i].u.function;

        native += function->func_ptr_linked && !function->call_conv_wasm_c_api;
    }
    /* WASI's functions are there anyway. */
    if (!count && native == module->import_function_count)
        got[WASM_EXTERN_FUNC] = native;
    if (got[WASM_EXTERN_FUNC] == module->import_function_count &&
        got[WASM_EXTERN_GLOBAL] == module->import_global_count &&
        got[WASM_EXTERN_TABLE] == module->import_table_count &&
        got[WASM_EXTERN_MEMORY] == module->import_memory_count)
        return true;
    snprintf(text, size,
             "the module imports %u functions, %u globals, %u tables and %u memories, not %u, %u, "
             "%u and %u",
             module->import_function_count, module->import_global_count, module->import_table_count,
             module->import_memory_count, got[WASM_EXTERN_FUNC], got[WASM_EXTERN_GLOBAL],
             got[WASM_EXTERN_TABLE], got[WASM_EXTERN_MEMORY]);
    return false;
}

/* WAMR gives room to grow to the tables only that the module's own code grows. */
void
wpy_api_tables_grow(WASMModule *module)
{
    uint32 i;

    for (i = 0; i < module->import_table_count; i++)
        module->import_tables[i].u.table.table_type.possible_grow = true;
    for (i = 0; i < module->table_count; i++)
        module->tables[i].table_type.possible_grow = true;
}

wasm_instance_t *
wpy_api_instance_new_with_args_ex(wasm_store_t *store, const wasm_module_t *module,
                                  const wasm_extern_vec_t *imports, wasm_trap_t **trap,
                                  const InstantiationArgs *args)
{
    char text[256];

    if (!store || !module || !args)
        return NULL;
    if (!*module) {
        snprintf(text, sizeof text, "the module is deleted");
    } else if ((*module)->module_type != Wasm_Module_Bytecode ||
               imports_fit((const WASMModule *)*module, imports, text, sizeof text)) {
        if ((*module)->module_type == Wasm_Module_Bytecode)
            wpy_api_tables_grow((WASMModule *)*module);
        wasm_instance_t *instance =
            wasm_instance_new_with_args_ex(store, module, imports, trap, args);

        if (instance)
            instance->store = store; /* WAMR leaves it out */
        return instance;
    }
    if (trap)
        *trap = wpy_api_trap(store, text);
    return NULL;
}

wasm_instance_t *
wpy_api_instance_new_with_args(wasm_store_t *store, const wasm_module_t *module,
                               const wasm_extern_vec_t *imports, wasm_trap_t **trap,
                               const uint32_t stack_size, const uint32_t heap_size)
{
    InstantiationArgs args = {0};

    args.default_stack_size = stack_size;
    args.host_managed_heap_size = heap_size;
    return wpy_api_instance_new_with_args_ex(store, module, imports, trap, &args);
}

/* Without the heap that WAMR puts at the end of the module's memory, where the module sees pages it
 * never asked for. */
wasm_instance_t *
wpy_api_instance_new(wasm_store_t *store, const wasm_module_t *module,
                     const wasm_extern_vec_t *imports, wasm_trap_t **trap)
{
    return wpy_api_instance_new_with_args(store, module, imports, trap, KILOBYTE(32), 0);
}

wasm_instance_t *
wpy_api_instance_copy(const wasm_instance_t *instance)
{
    return (wasm_instance_t *)
        instance; /* it lives as long as the store, so one more handle costs nothing */
}

/* Names need not end with a NUL, the runtime's lookup wants one. */
bool
wpy_api_importtype_is_linked(const wasm_importtype_t *type)
{
    const wasm_name_t *names[2];
    char *texts[2];
    bool linked = false;
    int i;

    if (!type || wasm_externtype_kind(type->extern_type) != WASM_EXTERN_FUNC)
        return false;
    names[0] = type->module_name;
    names[1] = type->name;
    for (i = 0; i < 2; i++) {
        if ((texts[i] = calloc(names[i]->size + 1, 1)) && names[i]->data)
            memcpy(texts[i], names[i]->data, names[i]->size);
    }
    if (texts[0] && texts[1])
        linked = wasm_runtime_is_import_func_linked(texts[0], texts[1]);
    free(texts[0]);
    free(texts[1]);
    return linked;
}
