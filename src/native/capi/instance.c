/* instance.c: instances, whose imports are checked here.
 *
 * WAMR only counts the imports of each kind. Here their types are compared with those that the
 * module declares, before anything is written into the module, and the trap names the import that
 * does not fit.
 */
#include "capi/internal.h"

bool
wpy_api_func_is_export(const wasm_func_t *func)
{
    return func && func->inst_comm_rt && !func->with_env && !func->u.cb;
}

static bool
same_types(const wasm_valtype_vec_t *types, const uint8 *declared, uint32 count)
{
    uint32 i;

    if (types->num_elems != count)
        return false;
    for (i = 0; i < count; i++)
        if (declared[i] != wpy_api_value_type(types->data[i]->kind))
            return false;
    return true;
}

static bool
func_fits(const wasm_func_t *func, const WASMFuncType *declared)
{
    return !func->type || (same_types(func->type->params, declared->types, declared->param_count) &&
                           same_types(func->type->results, declared->types + declared->param_count,
                                      declared->result_count));
}

static bool
global_fits(const wasm_global_t *global, const WASMGlobalType *declared)
{
    const wasm_globaltype_t *type = global->type;

    return !type || (type->mutability == (declared->is_mutable ? WASM_VAR : WASM_CONST) &&
                     wpy_api_value_type(type->val_type->kind) == declared->val_type);
}

/* The declaration that an import is compared with, the `index`-th of its kind; NULL where it fits,
 * or there is none. */
static const WASMImport *
misfit(const WASMModule *module, const wasm_extern_t *import, uint32 index)
{
    const WASMImport *declared;

    switch (import->kind) {
    case WASM_EXTERN_FUNC:
        if (index >= module->import_function_count)
            return NULL;
        declared = &module->import_functions[index];
        return func_fits((const wasm_func_t *)import, declared->u.function.func_type) ? NULL
                                                                                      : declared;
    case WASM_EXTERN_GLOBAL:
        if (index >= module->import_global_count)
            return NULL;
        declared = &module->import_globals[index];
        return global_fits((const wasm_global_t *)import, &declared->u.global.type) ? NULL
                                                                                    : declared;
    default:
        return NULL;
    }
}

/* How many of the module's imported functions are linked to functions of WASI. */
static uint32
count_native_functions(const WASMModule *module)
{
    uint32 i, count = 0;

    for (i = 0; i < module->import_function_count; i++) {
        const WASMFunctionImport *function = &module->import_functions[i].u.function;

        count += function->func_ptr_linked && !function->call_conv_wasm_c_api;
    }
    return count;
}

/* Whether the imports are those that the module declares. False: `text` tells the difference. */
static bool
imports_fit(const WASMModule *module, const wasm_extern_vec_t *imports, char *text, size_t size)
{
    uint32 given[4] = {0}; /* by kind */
    size_t i, count = imports ? imports->num_elems : 0;

    for (i = 0; i < count; i++) {
        const wasm_extern_t *import = imports->data[i];
        const WASMImport *declared;

        if (!import) {
            snprintf(text, size, "import %zu is NULL", i);
            return false;
        }
        if (import->kind > WASM_EXTERN_MEMORY)
            continue;
        if ((declared = misfit(module, import, given[import->kind]++))) {
            snprintf(text, size, "import %zu does not have the type of \"%s\".\"%s\"", i,
                     declared->u.names.module_name, declared->u.names.field_name);
            return false;
        }
    }
    /* Without imports, a module may use WASI's functions, which are always there. */
    if (!count && count_native_functions(module) == module->import_function_count)
        given[WASM_EXTERN_FUNC] = module->import_function_count;
    if (given[WASM_EXTERN_FUNC] == module->import_function_count &&
        given[WASM_EXTERN_GLOBAL] == module->import_global_count &&
        given[WASM_EXTERN_TABLE] == module->import_table_count &&
        given[WASM_EXTERN_MEMORY] == module->import_memory_count)
        return true;
    snprintf(text, size,
             "the module imports %u functions, %u globals, %u tables and %u memories, not %u, %u, "
             "%u and %u",
             module->import_function_count, module->import_global_count, module->import_table_count,
             module->import_memory_count, given[WASM_EXTERN_FUNC], given[WASM_EXTERN_GLOBAL],
             given[WASM_EXTERN_TABLE], given[WASM_EXTERN_MEMORY]);
    return false;
}

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
            instance->store = store; /* which WAMR does not set */
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

/* WAMR's function adds a heap to the module's memory, so that the module has pages that it does not
 * declare. */
wasm_instance_t *
wpy_api_instance_new(wasm_store_t *store, const wasm_module_t *module,
                     const wasm_extern_vec_t *imports, wasm_trap_t **trap)
{
    return wpy_api_instance_new_with_args(store, module, imports, trap, KILOBYTE(32), 0);
}

wasm_instance_t *
wpy_api_instance_copy(const wasm_instance_t *instance)
{
    return (wasm_instance_t *)instance; /* the store owns it, so handles aren't counted */
}

/* The runtime's lookup needs names that end with a NUL, and those of a type need not. */
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
