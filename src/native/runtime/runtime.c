/* runtime.c: WAMR's start and stop, and where WAMR's own output goes: nowhere.
 *
 * WAMR is one per process and counts its starts under a lock of its own; what must be the same for
 * both layers is how the first start sets it up, so everybody starts it through wpy_runtime_start.
 */
#include "core/core.h"

#include <stdarg.h>

/* WAMR prints through these two (see CMakeLists.txt); a library has no business on its host's
 * stdout. */
int
wpy_vprintf(const char *format, va_list arguments)
{
    (void)format;
    (void)arguments;
    return 0;
}

void
wpy_log(uint32_t level, const char *file, int line, const char *format, ...)
{
    (void)level;
    (void)file;
    (void)line;
    (void)format;
}

/* Counted; false: WAMR could not be started. Every start has its stop. */
bool
wpy_runtime_start(void)
{
    RuntimeInitArgs args;
    bool started;

    memset(&args, 0, sizeof args);
    args.mem_alloc_type = Alloc_With_Allocator;
    wpy_allocator(&args.mem_alloc_option);
    wpy_registry_lock(); /* WAMR's own lock must not be held over a fork */
    started = wasm_runtime_full_init(&args);
    wpy_registry_unlock();
    return started;
}

void
wpy_runtime_stop(void)
{
    wpy_registry_lock();
    wasm_runtime_destroy();
    wpy_registry_unlock();
}
