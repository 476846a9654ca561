/* stack_guard.h: the size of the guard at the end of a thread's stack.
 *
 * Included by wasm_exec_env.c. */

#include "stack_end.h"

/* Returns WASM_STACK_GUARD_SIZE, or half of this thread's stack if that is less. */
static uint32
guard_size(void)
{
    static os_thread_local_attribute uint32 known;
    size_t size = 0;

    if (known)
        return known;
#if defined(__linux__) && !defined(__GLIBC__)
    if (end_of_growing_stack())
        return known = WASM_STACK_GUARD_SIZE;
#endif
#if defined(__linux__)
    pthread_attr_t attr;
    void *addr;
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        if (pthread_attr_getstack(&attr, &addr, &size) != 0)
            size = 0;
        pthread_attr_destroy(&attr);
    }
#elif defined(__APPLE__)
    size = pthread_get_stacksize_np(pthread_self());
#endif
    known = size && size / 2 < WASM_STACK_GUARD_SIZE ? (uint32)(size / 2) : WASM_STACK_GUARD_SIZE;
    return known;
}
