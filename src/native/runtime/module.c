/* module.c: loads modules, and describes them to Python.
 *
 * WAMR validates and compiles the bytes. WAMR's own tables of imports and exports are not enough,
 * because WAMR clips limits (of tables, and of memories that never grow), so describe.c reads them
 * from the bytes as well. A module belongs to no group: instances of many groups and threads use
 * it. Each instance has a reference to it, and so has Python.
 */
#include "runtime/runtime.h"

/* Whether describe.c and WAMR agree about the module: indices into the arrays of one are used in
   those of the other. */
static bool
agrees(const wpy_module *module)
{
    const WASMModule *wamr = module->wamr;

    return module->arena && module->import_count == wamr->import_count &&
           module->export_count == wamr->export_count &&
           module->table_count == wamr->import_table_count + wamr->table_count &&
           module->global_count == wamr->import_global_count + wamr->global_count &&
           !module->memory == !(wamr->import_memory_count + wamr->memory_count);
}

/* Loads a module. Returns a reference, which wpy_module_release gives back, or NULL: `error` says
   why. WAMR only reads the bytes (its fast interpreter has code of its own, unlike the classic one,
   which changes them), and by wasm_binary_freeable copies what it needs later. */
wpy_module *
wpy_module_new(const uint8_t *bytes, uint32_t size, char *error, uint32_t error_size)
{
    wpy_module *module = calloc(1, sizeof *module);
    LoadArgs args;

    snprintf(error, error_size, "out of memory");
    if (!module)
        return NULL;
    if (os_mutex_init(&module->mutex) != 0) {
        free(module);
        return NULL;
    }
    if (!wpy_runtime_start()) {
        snprintf(error, error_size, "WAMR could not be started");
        os_mutex_destroy(&module->mutex);
        free(module);
        return NULL;
    }
    module->refs = 1;
    module->forks = wpy_forks;
    /* of a malformed module, WAMR's message below says more */
    if (size >= 8)
        (void)wpy_describe(module, bytes, size);
    memset(&args, 0, sizeof args);
    args.name = "";
    args.wasm_binary_freeable = true;
    module->wamr = (WASMModule *)wasm_runtime_load_ex((uint8_t *)(uintptr_t)bytes, size, &args,
                                                      error, error_size);
    if (!module->wamr)
        goto fail;
    if (!agrees(module)) {
        snprintf(
            error, error_size, "%s",
            module->no_memory
                ? "out of memory"
                : "its imports and exports could not be read, a fault of wamr: please report it");
        goto fail;
    }
    return module;
fail:
    wpy_module_release(module);
    return NULL;
}

/* Gives back a reference. Any thread. */
void
wpy_module_release(wpy_module *module)
{
    if (REFS_DOWN(&module->refs) != 0)
        return;
    if (module->wamr)
        wasm_runtime_unload((WASMModuleCommon *)module->wamr);
    free(module->imports);
    free(module->exports);
    free(module->spaces);
    free(module->arena);
    os_mutex_destroy(&module->mutex);
    free(module);
    wpy_runtime_stop();
}

/* In the child of a fork, a thread of the parent may have the mutex. The child makes a new one,
   since the instance that the thread was making doesn't exist there. */
void
wpy_module_lock(wpy_module *module)
{
    wpy_registry_lock();
    if (module->forks != wpy_forks) {
        os_mutex_init(&module->mutex);
        module->forks = wpy_forks;
    }
    wpy_registry_unlock();
    ACQUIRES_LOCK(WPY_MODULE_MUTEX);
    os_mutex_lock(&module->mutex);
}

void
wpy_module_unlock(wpy_module *module)
{
    RELEASES_LOCK(WPY_MODULE_MUTEX);
    os_mutex_unlock(&module->mutex);
}

/* The descriptions, borrowed from the module, as are the names in them. Returns how many there are.
 */
uint32_t
wpy_module_imports(wpy_module *module, const wpy_extern **out)
{
    *out = module->imports;
    return module->import_count;
}

uint32_t
wpy_module_exports(wpy_module *module, const wpy_extern **out)
{
    *out = module->exports;
    return module->export_count;
}

/* The name in the name section, borrowed; NULL: there is none. */
const char *
wpy_module_function_name(wpy_module *module, uint32_t index)
{
    WASMModule *wamr = module->wamr;

    if (index < wamr->import_function_count)
        return wamr->import_functions[index].u.function.field_name;
    index -= wamr->import_function_count;
    return index < wamr->function_count ? wamr->functions[index]->field_name : NULL;
}

/* Whether wpy_instance_start has something to run. */
bool
wpy_module_starts(wpy_module *module)
{
    return module->start >= 0 || module->initialize >= 0;
}

/* Whether WAMR has a function of its own for this import, by its position among the imported
   functions. */
bool
wpy_module_import_is_wasi(wpy_module *module, uint32_t index)
{
    return index < module->wamr->import_function_count &&
           module->wamr->import_functions[index].u.function.func_ptr_linked != NULL;
}
