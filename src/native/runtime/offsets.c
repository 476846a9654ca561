/* offsets.c: resolves positions in the interpreter's code to offsets in the bytes of a module.
 *
 * The fast interpreter runs code of its own, without a map to the bytes that it came from: such a
 * map would cost every module memory for the sake of few traps. So when Python asks for the offsets
 * of a trap's frames, the module is loaded once more, and a patch reports every instruction to the
 * trace hook, which finds the positions.
 */
#include "runtime/runtime.h"

static THREAD_LOCAL struct {
    const uint8_t *bytes;
    wpy_location *locations;
    uint32_t count;
} request;

/* The wanted instruction is the last one that begins before the position in the compiled code. */
void
wpy_trace_hook(uint32 function, const uint8 *at, uint32 compiled)
{
    uint32_t i;

    for (i = 0; i < request.count; i++)
        if (request.locations[i].function == function && compiled < request.locations[i].compiled)
            request.locations[i].offset = (uint32_t)(at - request.bytes);
}

/* Sets the `offset` of each location to its offset in `bytes`; UINT32_MAX: not found. False: out of
   memory. Loads the module, so not with the GIL. */
bool
wpy_resolve_offsets(const uint8_t *bytes, uint32_t size, wpy_location *locations, uint32_t count)
{
    uint8_t *copy = malloc(size ? size : 1);
    char error[128];
    LoadArgs args;
    WASMModuleCommon *module = NULL;
    uint32_t i;

    for (i = 0; i < count; i++)
        locations[i].offset = UINT32_MAX;
    if (!copy || !wpy_runtime_start()) {
        free(copy);
        return false;
    }
    memcpy(copy, bytes, size);
    memset(&args, 0, sizeof args);
    args.name = "";
    request.bytes = copy;
    request.locations = locations;
    request.count = count;
    wamrpy_tracing = true;
    module = wasm_runtime_load_ex(copy, size, &args, error, sizeof error);
    wamrpy_tracing = false;
    request.count = 0;
    if (module)
        wasm_runtime_unload(module);
    free(copy);
    wpy_runtime_stop();
    return module != NULL;
}
