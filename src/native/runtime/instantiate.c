/* instantiate.c: making and starting instances.
 *
 * Making happens in two steps, so that Python has its own object before any code runs:
 * wpy_instance_new links and initialises, wpy_instance_start runs the start function and a
 * reactor's `_initialize`. All that is imported is first brought into one group, whose lock is held
 * while the instance is made in it.
 */
#include "runtime/enter.h"
#include "runtime/exceptions.h"

/* ---- what is imported ---- */

static bool
same_signature(const WASMFuncType *a, const WASMFuncType *b)
{
    return a->param_count == b->param_count && a->result_count == b->result_count &&
           !memcmp(a->types, b->types, (size_t)a->param_count + a->result_count);
}

/* Python has matched the imports and told users what is wrong. What memory safety hangs on is
 * looked at once more. */
static const char *
check_imports(const WASMModule *module, const wpy_imports *imports)
{
    uint32_t i;

    for (i = 0; i < module->import_function_count; i++) {
        const WASMFunctionImport *want = &module->import_functions[i].u.function;
        wpy_func *func = imports->funcs[i];

        if (func ? !same_signature(func->type, want->func_type)
                 : !(want->func_ptr_linked && imports->wasi))
            return "an imported function has the wrong type";
        if (func && func->instance && (ATOMIC_LOAD(&func->instance->attention) & WPY_ATTN_CLOSED))
            return "an imported function's instance is closed";
    }
    if (module->import_memory_count && (!imports->memory || wpy_memory_closed(imports->memory)))
        return "the imported memory is missing or closed";
    for (i = 0; i < module->import_table_count; i++)
        if (!imports->tables[i] ||
            imports->tables[i]->element != module->import_tables[i].u.table.table_type.elem_type)
            return "an imported table has the wrong element type";
    for (i = 0; i < module->import_global_count; i++) {
        const WASMGlobalType *want = &module->import_globals[i].u.global.type;
        wpy_global *global = imports->globals[i];

        if (!global || global->content != want->val_type || global->mutable_ != want->is_mutable)
            return "an imported global has the wrong type";
    }
    for (i = 0; i < module->import_tag_count; i++) {
        const WASMFuncType *want = module->import_tags[i].u.tag.tag_type;
        const wpy_tag *tag = imports->tags[i];

        if (!tag || tag->param_count != want->param_count ||
            memcmp(tag->params, want->types, want->param_count))
            return "an imported tag has the wrong type";
    }
    return NULL;
}

/* Merges the groups of everything imported; *anchor: one of the objects, or NULL if there is none.
 */
static int
gather(const WASMModule *module, const wpy_imports *imports, wpy_object **anchor)
{
    uint32_t i, status = WPY_OK;
    wpy_object *first = NULL;

#define JOIN(thing)                                                             \
    do {                                                                        \
        wpy_object *object = (wpy_object *)(thing);                             \
        if (!object || !object->group) /* a host function */                    \
            break;                                                              \
        if (!first)                                                             \
            first = object;                                                     \
        else if ((status = (uint32_t)wpy_group_merge(first, object)) != WPY_OK) \
            return (int)status;                                                 \
    } while (0)

    for (i = 0; i < module->import_function_count; i++)
        JOIN(imports->funcs[i]);
    if (module->import_memory_count)
        JOIN(imports->memory);
    for (i = 0; i < module->import_table_count; i++)
        JOIN(imports->tables[i]);
    for (i = 0; i < module->import_global_count; i++)
        JOIN(imports->globals[i]);
    for (i = 0; i < module->import_tag_count; i++)
        JOIN(imports->tags[i]);
#undef JOIN
    *anchor = first;
    return WPY_OK;
}

/* The instance's own list of what its function imports are, each with a reference. */
static bool
keep_functions(wpy_instance *instance, const wpy_imports *imports)
{
    uint32_t count = instance->module->wamr->import_function_count, i;

    if (!(instance->imported = calloc((size_t)count + 1, sizeof *instance->imported)))
        return false;
    instance->calls_python_only = true;
    for (i = 0; i < count; i++) {
        wpy_func *func = imports->funcs[i];

        if (func && !func->object.group)
            wpy_retain(func);
        if (!func || func->instance)
            instance->calls_python_only = false;
        instance->imported[i] = func;
    }
    return true;
}

/* ---- making ---- */

/* Under the module's lock: imported globals are read from the module while an instance is made. */
static void
lend_globals(WASMModule *module, const wpy_imports *imports)
{
    uint32_t i;

    ASSERT_HAS_LOCK(WPY_MODULE_MUTEX);
    for (i = 0; i < module->import_global_count; i++) {
        WASMGlobalImport *slot = &module->import_globals[i].u.global;
        memcpy(&slot->global_data_linked, imports->globals[i]->cell,
               sizeof imports->globals[i]->cell);
        slot->is_linked = true;
    }
}

static WASMModuleInstance *
instantiate(wpy_instance *instance, const wpy_imports *imports, char *error, uint32_t size)
{
    wpy_module *module = instance->module;
    struct InstantiationArgs2 args;
    WASMModuleInstanceCommon *wamr;
    uint64_t elements = 0;
    uint32_t i;

    for (i = module->wamr->import_table_count; i < module->table_count; i++)
        elements += module->spaces[i].min; /* tables come first there */
    wpy_forget_refusal();
    if (elements > WPY_MOST_ELEMENTS) {
        wpy_refuse(WPY_TOO_MANY_ELEMENTS, elements, WPY_MOST_ELEMENTS);
        snprintf(error, size, "too many table elements");
        return NULL;
    }
    wasm_runtime_instantiation_args_set_defaults(&args);
    args.v1.default_stack_size = imports->stack_bytes;
    args.v1.host_managed_heap_size = 0; /* it would add pages that the module can see */
    args.custom_data = instance;
    wpy_region_budget = module->wamr->import_memory_count ? NULL : instance->budget;
    instance->imports = imports;
    instance->making = true;
    if (module->wamr->import_global_count) {
        wpy_module_lock(module);
        lend_globals(module->wamr, imports);
    }
    wamr = wasm_runtime_instantiate_ex2((WASMModuleCommon *)module->wamr, &args, error, size);
    if (module->wamr->import_global_count)
        wpy_module_unlock(module);
    instance->making = false;
    instance->imports = NULL;
    wpy_region_budget = NULL;
    return (WASMModuleInstance *)wamr;
}

/* Makes `instance`, which is in its group and locked; a status with its record. */
static int
make(wpy_instance *instance, const wpy_imports *imports)
{
    char error[EXCEPTION_BUF_LEN];
    WASMModuleInstance *wamr;
    int status;

    ASSERT_ENTERED(instance);
    error[0] = 0;
    if (!keep_functions(instance, imports)) {
        wpy_record_push(instance->module, WPY_NO_MEMORY, 0, "out of memory", false);
        return WPY_NO_MEMORY;
    }
    wamr = instantiate(instance, imports, error, sizeof error);
    if (wamr)
        return WPY_OK;
    status = instance->linked ? WPY_TRAP : instance->status != WPY_OK ? instance->status : WPY_LINK;
    instance->status = WPY_OK;
    if (instance->kept) /* it can be called, through a table */
        instance->wamr->cur_exception[0] = 0;
    wpy_record_push(instance->module, status, 0, error, false);
    return status;
}

/* Frees what was made for an instance that could not be: nobody has seen it, and no reference to it
   is anywhere. The group, which is locked and others have, stays. */
static void
discard(wpy_instance *instance)
{
    const WASMModule *module = instance->module->wamr;
    wpy_group *group = instance->object.group;
    uint32_t i;

    ASSERT_IN_GROUP(group);
    if (!module->import_memory_count && instance->memory)
        wpy_group_discard(&instance->memory->object);
    for (i = module->import_table_count; instance->tables && i < instance->module->table_count; i++)
        if (instance->tables[i])
            wpy_group_discard(&instance->tables[i]->object);
    for (i = module->import_global_count; instance->globals && i < instance->module->global_count;
         i++)
        if (instance->globals[i])
            wpy_group_discard(&instance->globals[i]->object);
    for (i = module->import_function_count; instance->funcs && i < instance->func_count; i++)
        if (instance->funcs[i])
            wpy_group_discard(&instance->funcs[i]->object);
    wpy_group_discard(&instance->object);
    wpy_group_forget_handle(group); /* not the last: what was imported has some */
}

/* Links and initialises; no code runs. *out: a handle, also on one whose segments failed, which
   others may call through a table. Otherwise NULL and a status, with a record of `module` unless
   another thread is in the way. */
int
wpy_instance_new(wpy_module *module, const wpy_imports *imports, wpy_instance **out)
{
    const char *wrong = check_imports(module->wamr, imports);
    wpy_object *anchor;
    wpy_instance *instance;
    bool held = false;
    int status;

    *out = NULL;
    if (wrong) {
        wpy_record_push(module, WPY_LINK, 0, wrong, false);
        return WPY_LINK;
    }
    if ((status = gather(module->wamr, imports, &anchor)) != WPY_OK ||
        (anchor && (status = wpy_group_enter(anchor, &held)) != WPY_OK))
        return status;
    if ((instance = calloc(1, sizeof *instance))) {
        wpy_group *group = anchor ? anchor->group : wpy_group_new();
        if (group) {
            if (!anchor)
                group->owner = (uintptr_t)&wpy_self;
            wpy_group_add(group, &instance->object, &wpy_instance_kind);
        } else {
            free(instance);
            instance = NULL;
        }
    }
    if (!instance) {
        if (anchor)
            wpy_group_leave(anchor, held);
        wpy_record_push(module, WPY_NO_MEMORY, 0, "out of memory", false);
        return WPY_NO_MEMORY;
    }
    REFS_UP(&module->refs);
    instance->module = module;
    instance->instance_id = imports->instance_id;
    instance->budget = wpy_budget_retain(imports->budget);
    instance->thread = UINT64_MAX;
    wpy_instance_set_fuel(instance, imports->fuel);
    wpy_instance_set_timeout(instance, imports->timeout_ns);
    if ((instance->wasi = imports->wasi))
        REFS_UP(&((wpy_wasi_head *)instance->wasi)->refs);
    status = make(instance, imports);
    if (status != WPY_OK && !instance->kept) {
        if (anchor) {
            discard(instance);
            wpy_group_leave(anchor, held);
        } else
            wpy_release(instance); /* and its group */
        instance = NULL;
    } else
        wpy_group_leave(&instance->object, held || !anchor);
    *out = instance;
    return status;
}

/* The same of a module without imports, which nothing else has to do with. NULL: the record of
 * `module` tells why. */
wpy_instance *
wpy_instance_alone(wpy_module *module, uint64_t instance_id, wpy_budget *budget,
                   uint32_t stack_bytes, uint64_t timeout_ns, int64_t fuel)
{
    const wpy_imports none = {.instance_id = instance_id,
                              .budget = budget,
                              .stack_bytes = stack_bytes,
                              .timeout_ns = timeout_ns,
                              .fuel = fuel};
    wpy_instance *instance;

    wpy_instance_new(module, &none, &instance);
    return instance;
}

static int
run_index(wpy_instance *instance, int32_t index)
{
    uint32_t cells[2] = {0, 0};
    wpy_func starter = {.instance = instance, .wamr = &instance->wamr->e->functions[index]};

    if (wpy_run(&starter, cells) == WPY_OK)
        return WPY_OK;
    return wpy_record_pass(instance); /* from the function on our stack */
}

/* Runs the start function, then a reactor's `_initialize`; a status with a record of `instance`. */
int
wpy_instance_start(wpy_instance *instance)
{
    const wpy_module *module = instance->module;
    wpy_activation activation;
    int status;

    if (module->start < 0 && module->initialize < 0)
        return WPY_OK;
    if ((status = wpy_enter(instance, &activation, 0, -1)) != WPY_OK) {
        wpy_record_push(instance, status, 0, "", false);
        return status;
    }
    if (module->start >= 0)
        status = run_index(instance, module->start);
    if (status == WPY_OK && module->initialize >= 0)
        status = run_index(instance, module->initialize);
    wpy_leave(&activation);
    return status;
}
