/* shared_code.c: the arrays of an instance that its copies share.
 *
 * WAMR makes them for each instance, and writes to none of them after it has linked the instance.
 * An instance that a snapshot is taken of gives them to a counted struct. It may be closed before
 * its copies.
 *
 * The slot of a host function points at an import struct, which has the host function of one
 * instance. In shared arrays it has none, and wpy_call_hook looks into the instance's own list.
 */
#include "runtime/shared_code.h"

wpy_shared_code *
wpy_share_code(wpy_instance *instance)
{
    WASMModuleInstance *wamr = instance->wamr;
    wpy_shared_code *shared = instance->shared;
    uint32_t count = wamr->module->import_function_count, i;

    ASSERT_ENTERED(instance);
    if (!shared) {
        if (!(shared = calloc(1, sizeof *shared)))
            return NULL;
        shared->refs = 1;
        shared->functions = wamr->e->functions;
        shared->globals = wamr->e->globals;
        shared->export_functions = wamr->export_functions;
        shared->natives = wamr->import_func_ptrs;
        shared->import_structs = instance->import_structs;
        instance->import_structs = NULL;
        for (i = 0; shared->import_structs && i < count; i++)
            shared->import_structs[i].attachment = NULL;
        instance->shared = shared;
    }
    REFS_UP(&shared->refs);
    return shared;
}

void
wpy_shared_code_release(wpy_shared_code *shared)
{
    if (!shared || REFS_DOWN(&shared->refs) != 0)
        return;
    wasm_runtime_free(shared->functions);
    if (shared->globals)
        wasm_runtime_free(shared->globals);
    if (shared->export_functions)
        wasm_runtime_free(shared->export_functions);
    if (shared->natives)
        wasm_runtime_free(shared->natives);
    free(shared->import_structs);
    free(shared);
}

void
wpy_use_shared_code(wpy_instance *instance, wpy_shared_code *shared)
{
    WASMModuleInstance *wamr = instance->wamr;

    REFS_UP(&shared->refs);
    instance->shared = shared;
    wamr->e->functions = shared->functions;
    wamr->e->globals = shared->globals;
    wamr->export_functions = shared->export_functions;
    wamr->import_func_ptrs = shared->natives;
}

void
wpy_hide_shared_code(wpy_instance *instance, WASMModuleInstance *wamr)
{
    const wpy_shared_code *shared = instance->shared;

    wamr->e->functions = NULL;
    if (wamr->e->globals == shared->globals)
        wamr->e->globals = NULL;
    wamr->export_functions = NULL;
    wamr->import_func_ptrs = NULL;
}
