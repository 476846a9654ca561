/* offsets.c: from the interpreter's code back to the bytes of a module.
 *
 * The fast interpreter runs code of its own and keeps nothing of where it came from, and keeping it
 * would cost every module for the sake of few traps. So when somebody looks at the offsets of a
 * trap's frames, the module is loaded once more, with a patch reporting every instruction, and the
 * places asked for are found on the way.
 */
#include "core/core.h"

static THREAD_LOCAL struct {
    const uint8_t *bytes;
    wpy_location *locations;
    uint32_t count;
} wanted;

/* An instruction of the function (by position in the code section) begins here; the last one that
   begins before the place asked for is the one that runs there. */
void
wpy_trace_hook(uint32 function, const uint8 *at, uint32 compiled)
{
    uint32_t i;

    for (i = 0; i < wanted.count; i++)
        if (wanted.locations[i].function == function && compiled < wanted.locations[i].compiled)
            wanted.locations[i].offset = (uint32_t)(at - wanted.bytes);
}

/* Fills in each location's `offset` into `bytes`, UINT32_MAX where there is none. False: out of
 * memory. */
bool
wpy_locate(const uint8_t *bytes, uint32_t size, wpy_location *locations, uint32_t count)
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
    wanted.bytes = copy;
    wanted.locations = locations;
    wanted.count = count;
    wamrpy_tracing = true;
    module = wasm_runtime_load_ex(copy, size, &args, error, sizeof error);
    wamrpy_tracing = false;
    wanted.count = 0;
    if (module)
        wasm_runtime_unload(module);
    free(copy);
    wpy_runtime_stop();
    return module != NULL;
}
