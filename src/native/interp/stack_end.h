/* stack_end.h: where the stack of a thread ends.
 *
 * Included by stack_guard.h, and by our own C that asks how much room there is. WAMR asks
 * pthread_getattr_np, which on musl tells only the part of the main thread's stack that is mapped
 * so far. */

#include "platform_api_vmcore.h"

#if defined(__linux__) && !defined(__GLIBC__)
#include <stdio.h>
#include <sys/resource.h>

#define LARGEST_STACK ((uintptr_t)8 << 20) /* WAMR's limit of what it uses */
/* Linux lets a stack grow only to so many bytes above the mapping below it. */
#define GAP_BELOW_STACK ((uintptr_t)1 << 20)

/* The lowest address that the stack of this thread may grow to if the system grows it, as it does
 * the main thread's; 0: the stack is a thread's, or /proc can't be read. */
static uintptr_t
end_of_growing_stack(void)
{
    uintptr_t here = (uintptr_t)&here, start, top, below = 0, end = 0;
    struct rlimit limit;
    char line[512];
    bool begins = true;
    FILE *maps = fopen("/proc/self/maps", "re");

    while (maps && fgets(line, sizeof(line), maps)) {
        bool is_range = begins && sscanf(line, "%lx-%lx", &start, &top) == 2;

        begins = strchr(line, '\n') != NULL; /* a long line comes in parts */
        if (!is_range)
            continue;
        if (here >= start && here < top) {
            if (!strstr(line, "[stack]"))
                break;
            end = getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur > LARGEST_STACK
                      ? top - LARGEST_STACK
                      : top - (uintptr_t)limit.rlim_cur;
            if (below && end < below + GAP_BELOW_STACK)
                end = below + GAP_BELOW_STACK;
            if (end > start) /* it has been larger */
                end = start;
            break;
        }
        below = top;
    }
    if (maps)
        fclose(maps);
    return end;
}

static uint8 *
wpy_stack_end(void)
{
    static os_thread_local_attribute uint8 *known;

    if (!known && !(known = (uint8 *)end_of_growing_stack()))
        known = os_thread_get_stack_boundary();
    return known;
}
#else
/* The lowest address of this thread's stack that may be used; NULL: not known. */
static uint8 *
wpy_stack_end(void)
{
    return os_thread_get_stack_boundary();
}
#endif
