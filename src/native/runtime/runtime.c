/* runtime.c: starts and stops WAMR, and drops what WAMR would print.
 *
 * WAMR is initialized once per process, and counts its starts under a lock of its own. The first
 * start sets it up. So that this is always done in the same way, the object API and the C API both
 * start WAMR through wpy_runtime_start.
 */
#include "runtime/runtime.h"

#include <stdarg.h>

/* WAMR prints through these two (see CMakeLists.txt). A library must not write to the stdout of its
   process. */
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

/* Starts WAMR; false: it can't be started. Each start is counted, and needs a wpy_runtime_stop. */
bool
wpy_runtime_start(void)
{
    RuntimeInitArgs args;
    bool started;

    memset(&args, 0, sizeof args);
    args.mem_alloc_type = Alloc_With_Allocator;
    wpy_set_allocator(&args.mem_alloc_option);
    wpy_registry_lock(); /* so that no thread has WAMR's own lock in a fork */
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
