/* instantiate.c: makes and starts instances.
 *
 * This takes two steps, so that Python has its own object before any code runs: wpy_instance_new
 * links and initializes, wpy_instance_start runs the start function and a reactor's `_initialize`.
 * First, the groups of all imports are merged. The lock of that group is held while the instance is
 * made in it.
 *
 * A failure is an error record of the module and not an output parameter, since most
 * instantiations succeed and need no struct for an error.
 */
#include "runtime/enter.h"
#include "runtime/exception_types.h"

/* ---- imports ---- */

/* Python has checked the imports and reported what is wrong. This repeats the checks that memory
   safety depends on. Returns what is wrong, or NULL. */
static const char *
check_imports(const WASMModule *module, const wpy_imports *imports)
{
    uint32_t i;

    for (i = 0; i < module->import_function_count; i++) {
        const WASMFunctionImport *want = &module->import_functions[i].u.function;
        wpy_func *func = imports->funcs[i];

        if (func ? !wpy_same_type(func->type, want->func_type)
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

/* Merges the group of an import with the group of *anchor, which the first import becomes; a
   status. Host functions have no group. */
static int
merge_group(wpy_object **anchor, void *imported)
{
    wpy_object *object = imported;

    if (!object || !ATOMIC_LOAD(&object->group))
        return WPY_OK;
    if (*anchor)
        return wpy_group_merge(*anchor, object);
    *anchor = object;
    return WPY_OK;
}

/* Merges the groups of all imports; a status. *anchor: an import, or NULL: none has a group. */
static int
merge_groups(const WASMModule *module, const wpy_imports *imports, wpy_object **anchor)
{
    uint32_t i;
    int status;

    *anchor = NULL;
    for (i = 0; i < module->import_function_count; i++)
        if ((status = merge_group(anchor, imports->funcs[i])) != WPY_OK)
            return status;
    if (module->import_memory_count && (status = merge_group(anchor, imports->memory)) != WPY_OK)
        return status;
    for (i = 0; i < module->import_table_count; i++)
        if ((status = merge_group(anchor, imports->tables[i])) != WPY_OK)
            return status;
    for (i = 0; i < module->import_global_count; i++)
        if ((status = merge_group(anchor, imports->globals[i])) != WPY_OK)
            return status;
    for (i = 0; i < module->import_tag_count; i++)
        if ((status = merge_group(anchor, imports->tags[i])) != WPY_OK)
            return status;
    return WPY_OK;
}

/* Makes the instance's list of its imported functions, with a reference to each host function.
   False: out of memory. */
static bool
retain_functions(wpy_instance *instance, const wpy_imports *imports)
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

/* ---- instantiation ---- */

/* Writes the values of imported globals into the module, where WAMR reads them during the
   instantiation. Under the module's mutex. */
static void
set_imported_globals(WASMModule *module, const wpy_imports *imports)
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

/* Makes WAMR instantiate the module, which calls the link hook. NULL: `error` says why. */
static WASMModuleInstance *
instantiate(wpy_instance *instance, const wpy_imports *imports, char *error, uint32_t size)
{
    wpy_module *module = instance->module;
    struct InstantiationArgs2 args;
    WASMModuleInstanceCommon *wamr;
    uint64_t elements = 0;
    uint32_t i;

    for (i = module->wamr->import_table_count; i < module->table_count; i++)
        elements += module->spaces[i].min; /* tables come first in there */
    wpy_clear_refusal();
    if (elements > WPY_MOST_ELEMENTS) {
        wpy_set_refusal(WPY_TOO_MANY_ELEMENTS, elements, WPY_MOST_ELEMENTS);
        snprintf(error, size, "too many table elements");
        return NULL;
    }
    wasm_runtime_instantiation_args_set_defaults(&args);
    args.v1.default_stack_size = imports->stack_bytes;
    args.v1.host_managed_heap_size = 0; /* a heap would add pages that the module can see */
    args.custom_data = instance;
    wpy_region_budget = module->wamr->import_memory_count ? NULL : instance->budget;
    instance->imports = imports;
    instance->instantiating = true;
    if (module->wamr->import_global_count) {
        wpy_module_lock(module);
        set_imported_globals(module->wamr, imports);
    }
    wamr = wasm_runtime_instantiate_ex2((WASMModuleCommon *)module->wamr, &args, error, size);
    if (module->wamr->import_global_count)
        wpy_module_unlock(module);
    instance->instantiating = false;
    instance->imports = NULL;
    wpy_region_budget = NULL;
    return (WASMModuleInstance *)wamr;
}

/* Instantiates `instance`, whose group's lock this thread has; a status, with an error record of
   the module. */
static int
make(wpy_instance *instance, const wpy_imports *imports, wpy_maker *maker)
{
    char error[WPY_ERROR_TEXT];
    WASMModuleInstance *wamr;
    int status;

    ASSERT_ENTERED(instance);
    error[0] = 0;
    if (!retain_functions(instance, imports)) {
        wpy_push_error(instance->module, WPY_NO_MEMORY, 0, "out of memory", false);
        return WPY_NO_MEMORY;
    }
    if (maker)
        return maker->make(instance, imports, maker);
    wamr = instantiate(instance, imports, error, sizeof error);
    if (wamr)
        return WPY_OK;
    status = instance->linked ? WPY_TRAP : instance->status != WPY_OK ? instance->status : WPY_LINK;
    instance->status = WPY_OK;
    if (instance->kept_after_failure) /* it can be called through a table */
        instance->wamr->cur_exception[0] = 0;
    wpy_push_error(instance->module, status, 0, error, false);
    return status;
}

/* Whether an object that was added after the instance is part of it. This thread has the group's
   lock, so other threads may only have added functions of other instances. */
static bool
is_part_of(const wpy_object *object, const wpy_object *instance)
{
    return object->ops != &wpy_func_ops ||
           ((const wpy_func *)object)->instance == (const wpy_instance *)instance;
}

/* Frees a partly constructed instance. It hasn't been published, so no references to it exist. Its
   group has other objects, and stays. */
static void
discard(wpy_instance *instance)
{
    wpy_group_discard(&instance->object, is_part_of);
}

/* Returns a new instance, in the group and with a handle, or NULL: out of memory. Under the group's
   lock; without a `group`, the instance gets a new one, and this thread its lock. */
static wpy_instance *
new_instance(wpy_module *module, const wpy_imports *imports, wpy_group *group)
{
    wpy_instance *instance = calloc(1, sizeof *instance);

    if (!instance)
        return NULL;
    if (!group) {
        if (!(group = wpy_group_new())) {
            free(instance);
            return NULL;
        }
        group->owner = (uintptr_t)&wpy_self;
    }
    wpy_group_add(group, &instance->object, &wpy_instance_ops);
    REFS_UP(&module->refs);
    instance->module = module;
    instance->instance_id = imports->instance_id;
    instance->budget = wpy_budget_retain(imports->budget);
    instance->thread = UINT64_MAX;
    instance->fuel_counted = imports->fuel >= 0;
    instance->fuel = instance->fuel_given =
        instance->fuel_counted ? imports->fuel : WPY_FUEL_ENDLESS;
    wpy_instance_set_timeout(instance, imports->timeout_ns);
    if ((instance->wasi = imports->wasi))
        REFS_UP(&((wpy_wasi_head *)instance->wasi)->refs);
    ASSERT_ENTERED(instance);
    return instance;
}

/* Links and initializes an instance; runs no code. A status, with an error record of `module`
   unless it comes from waiting for a lock. *out: a handle, also on an instance whose segments
   failed if other instances may call it through a table, or NULL. `imports` are borrowed. Waits for
   the locks of the imports' groups, so not with the GIL. */
int
wpy_instance_new(wpy_module *module, const wpy_imports *imports, wpy_instance **out)
{
    return wpy_instance_make(module, imports, NULL, out);
}

int
wpy_instance_make(wpy_module *module, const wpy_imports *imports, wpy_maker *maker,
                  wpy_instance **out)
{
    const char *wrong = check_imports(module->wamr, imports);
    wpy_object *anchor;
    wpy_instance *instance;
    bool acquired = false;
    int status;

    *out = NULL;
    if (wrong) {
        wpy_push_error(module, WPY_LINK, 0, wrong, false);
        return WPY_LINK;
    }
    if ((status = merge_groups(module->wamr, imports, &anchor)) != WPY_OK ||
        (anchor && (status = wpy_group_enter(anchor, &acquired)) != WPY_OK))
        return status;
    if (!(instance = new_instance(module, imports, anchor ? anchor->group : NULL))) {
        if (anchor)
            wpy_group_leave(anchor, acquired);
        wpy_push_error(module, WPY_NO_MEMORY, 0, "out of memory", false);
        return WPY_NO_MEMORY;
    }
    if (maker)
        maker->may_hold = acquired || !anchor;
    status = make(instance, imports, maker);
    if (status != WPY_OK && !instance->kept_after_failure) {
        if (anchor) {
            discard(instance);
            wpy_group_leave(anchor, acquired);
        } else
            wpy_release(instance); /* frees its group, too */
        instance = NULL;
    } else if (maker && maker->holder)
        wpy_group_hold(instance->object.group, maker->holder);
    else
        wpy_group_leave(&instance->object, acquired || !anchor);
    *out = instance;
    return status;
}

/* The same for a module without imports: a handle, or NULL, with an error record of `module`. Waits
   for no lock of a group, since the instance is alone in its own. */
wpy_instance *
wpy_instance_new_without_imports(wpy_module *module, uint64_t instance_id, wpy_budget *budget,
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

/* Runs a function without parameters and results; a status, with an error record of `instance`. */
static int
run_function(wpy_instance *instance, int32_t index)
{
    uint32_t cells[2] = {0, 0};
    wpy_func func = {.instance = instance, .wamr = &instance->wamr->e->functions[index]};

    return wpy_run(&func, cells, instance);
}

/* Runs the start function, then a reactor's `_initialize`; a status, with an error record of
   `instance`. Waits for the group's lock, so not with the GIL. */
int
wpy_instance_start(wpy_instance *instance)
{
    const wpy_module *module = instance->module;
    wpy_activation activation;
    int status;

    if (module->start < 0 && module->initialize < 0)
        return WPY_OK;
    if ((status = wpy_enter(instance, &activation, 0, -1)) != WPY_OK) {
        wpy_push_error(instance, status, 0, "", false);
        return status;
    }
    if (module->start >= 0)
        status = run_function(instance, module->start);
    if (status == WPY_OK && module->initialize >= 0)
        status = run_function(instance, module->initialize);
    wpy_leave(&activation);
    return status;
}
