/* imports.c: links the imports of an instance that WAMR instantiates.
 *
 * A patch calls the link hook once the memories, tables, globals and functions of an instance
 * exist, before its segments are written and its code runs. The hook replaces pointers: imported
 * items become those of the exporter or the host, and what can be shared later (the memory,
 * exported tables, exported globals) moves into objects of the group, which outlive the instance.
 * Nothing is written into the module, so its instances can be linked differently. The unlink hook
 * removes what WAMR must not free.
 */
#include "runtime/exception_types.h"
#include "runtime/shared_code.h"
#include "runtime/wasm_stack.h"

static bool
fail(char *error, uint32_t size, const char *text)
{
    snprintf(error, size, "%s", text);
    return false;
}

/* Makes the instantiation fail with WPY_NO_MEMORY. */
static bool
no_memory(wpy_instance *instance, char *error, uint32_t size)
{
    instance->status = WPY_NO_MEMORY;
    return fail(error, size, "out of memory");
}

/* Adds a new object to the instance's group, without a handle. */
static void
add(wpy_instance *instance, wpy_object *object, const wpy_object_ops *ops)
{
    wpy_group_add(instance->object.group, object, ops);
    wpy_release(object); /* not the last one: the instance has a handle */
}

/* Points the slot of each imported function at a copy of the import struct, with the exporter's
   function in it. The type is the module's own, since call_indirect compares pointers. */
static bool
link_functions(wpy_instance *instance, WASMModuleInstance *wamr, char *error, uint32_t size)
{
    WASMModule *module = wamr->module;
    uint32_t count = module->import_function_count, i;

    if (!count)
        return true;
    if (!(instance->import_structs = calloc(count, sizeof *instance->import_structs)))
        return no_memory(instance, error, size);
    for (i = 0; i < count; i++) {
        wpy_func *func = instance->imported[i];
        WASMFunctionImport *own = &module->import_functions[i].u.function,
                           *slot = &instance->import_structs[i];

        if (!func)
            continue; /* WASI's own */
        *slot = func->import_struct;
        slot->module_name = own->module_name;
        slot->field_name = own->field_name;
        slot->func_type = own->func_type;
        wamr->e->functions[i].u.func_import = slot;
    }
    return true;
}

static bool
link_memory(wpy_instance *instance, WASMModuleInstance *wamr, char *error, uint32_t size)
{
    WASMMemoryInstance *own;
    wpy_memory *memory;

    if (!wamr->memory_count)
        return true;
    own = wamr->memories[0];
    if (wamr->module->import_memory_count) {
        bool open;

        memory = instance->imports->memory;
        wpy_registry_lock();
        if ((open = memory->users > 0)) /* else another thread has just closed it */
            memory->users++;
        wpy_registry_unlock();
        if (!open)
            return fail(error, size, "the imported memory is closed");
        if (own->memory_data)
            wasm_deallocate_linear_memory(own);
    } else {
        if (!(memory = wpy_memory_from_wamr(own, instance->module->memory)))
            return no_memory(instance, error, size);
        add(instance, &memory->object, &wpy_memory_ops);
    }
    instance->memory = memory;
    wamr->memories[0] = &memory->wamr;
    return true;
}

static bool
link_tables(wpy_instance *instance, WASMModuleInstance *wamr, char *error, uint32_t size)
{
    const wpy_module *module = instance->module;
    uint32_t imported = wamr->module->import_table_count, i;

    if (!wamr->table_count)
        return true;
    if (!(instance->tables = calloc(wamr->table_count, sizeof *instance->tables)))
        return no_memory(instance, error, size);
    for (i = 0; i < wamr->table_count; i++) {
        const wpy_extern *limits = &module->spaces[i]; /* tables come first */
        wpy_table *table;

        if (i < imported)
            table = instance->imports->tables[i];
        else if (limits->flags & WPY_EXPORTED) {
            table = wpy_table_map(limits->content, limits->min, limits->max,
                                  limits->flags & WPY_HAS_MAX, instance->budget);
            if (!table)
                return fail(error, size, "too many table elements");
            add(instance, &table->object, &wpy_table_ops);
        } else {
            if (!wpy_budget_charge(instance->budget, WPY_TABLE_ELEMENTS, limits->min))
                return fail(error, size, "too many table elements");
            instance->inline_elements += limits->min;
            continue;
        }
        instance->tables[i] = table;
        wamr->tables[i] = table->wamr;
    }
    return true;
}

static bool
link_globals(wpy_instance *instance, WASMModuleInstance *wamr, char *error, uint32_t size)
{
    uint32_t imported = wamr->module->import_global_count, count = wamr->e->global_count, i;
    const wpy_module *module = instance->module;
    const wpy_extern *globals = module->spaces + module->table_count + (module->memory != NULL);

    if (!count)
        return true;
    if (!(instance->globals = calloc(count, sizeof *instance->globals)))
        return no_memory(instance, error, size);
    for (i = 0; i < count; i++) {
        WASMGlobalInstance *own = &wamr->e->globals[i];
        uint8 *data = wamr->global_data + own->data_offset;
        wpy_global *global;

        if (i >= imported) { /* ref.func in an initializer: its index becomes a reference */
            InitializerExpression *init = &wamr->module->globals[i - imported].init_expr;
            if (init->init_expr_type == INIT_EXPR_TYPE_FUNCREF_CONST &&
                init->u.unary.v.ref_index != WPY_NULL_REF) {
                own->initial_value.u32 = init->u.unary.v.ref_index + instance->ref_base;
                memcpy(data, &own->initial_value.u32, 4);
            }
        }
        if (i < imported)
            global = instance->imports->globals[i];
        else if (globals[i].flags & WPY_EXPORTED) {
            if (!(global = calloc(1, sizeof *global)))
                return no_memory(instance, error, size);
            global->content = own->type;
            global->mutable_ = own->is_mutable;
            memcpy(global->cell, data, wasm_value_type_size(own->type));
            add(instance, &global->object, &wpy_global_ops);
        } else
            continue;
        instance->globals[i] = global;
        if (own->is_mutable)
            own->data_offset = (uint8 *)global->cell - wamr->global_data;
    }
    return true;
}

/* Makes the wasm stack of the instance: before the segments are written, since a failure after that
   can't be undone. */
static bool
make_stack(wpy_instance *instance, WASMModuleInstance *wamr, char *error, uint32_t size)
{
    WASMExecEnv *env = wpy_stack_new(wamr, instance->imports->stack_bytes);

    if (!env) {
        instance->status = WPY_NO_MEMORY;
        snprintf(error, size, "no memory for the instance's stack of %u bytes (stack_bytes)",
                 instance->imports->stack_bytes);
        return false;
    }
    instance->env = wamr->cur_exec_env = env;
    return true;
}

/* After a failure, the unlink hook undoes what was done. */
bool
wpy_link_hook(WASMModuleInstanceCommon *common, char *error, uint32_t size)
{
    WASMModuleInstance *wamr = (WASMModuleInstance *)common;
    wpy_instance *instance = wamr->custom_data;

    ASSERT_ENTERED(instance);
    instance->wamr = wamr;
    instance->func_count = wamr->e->function_count;
    /* WAMR sets it later, too late for what may fail before */
    wamr->default_wasm_stack_size = instance->imports->stack_bytes;
    if (!(instance->funcs = wpy_funcs_new(instance->func_count)))
        return no_memory(instance, error, size);
    if (!wpy_refs_allocate(instance))
        return fail(error, size,
                    "no numbers are left in this process for references to the functions of one "
                    "more instance");
    wamr->reserved[0] = instance->ref_base; /* WAMRPY_BASE in interp/hooks.h */
    instance->linked =
        link_functions(instance, wamr, error, size) && link_memory(instance, wamr, error, size) &&
        link_tables(instance, wamr, error, size) && link_globals(instance, wamr, error, size) &&
        (!wamr->e->tag_count || wpy_link_tags(instance, wamr) ||
         no_memory(instance, error, size)) &&
        (!instance->wasi ||
         wpy_wasi_ops_of(instance->wasi)->link(instance->wasi, instance, error, size)) &&
        make_stack(instance, wamr, error, size);
    return instance->linked;
}

/* An instance whose segments did not fit may have written functions into other instances' tables
   before. The specification says that these stay callable, so the instance is kept until its group
   is freed. */
bool
wpy_unlink_hook(WASMModuleInstanceCommon *common)
{
    WASMModuleInstance *wamr = (WASMModuleInstance *)common;
    wpy_instance *instance = wamr->custom_data;

    ASSERT_ENTERED_OR_DYING(instance);
    if (instance->instantiating && instance->linked && wamr->module->import_table_count) {
        instance->kept_after_failure = true;
        return true;
    }
    if (instance->instantiating && instance->env) {
        wpy_stack_free(instance->env, true);
        instance->env = wamr->cur_exec_env = NULL;
    }
    if (UNLIKELY(instance->shared != NULL))
        wpy_hide_shared_code(instance, wamr);
    if (instance->memory) {
        wamr->memories[0] = NULL;
        /* instance->memory stays: another thread may be about to read it */
        wpy_memory_remove_user(instance->memory);
    }
    wpy_registry_lock(); /* another thread may ask for a function */
    instance->wamr = NULL;
    wpy_registry_unlock();
    return false;
}
