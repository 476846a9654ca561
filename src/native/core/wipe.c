/* wipe.c: sets memory that nobody reads any more to 0, so that nothing secret stays there.
 *
 * Memory that is freed keeps its contents until it is used again. It is cleared before where it may
 * have what a program has computed: its stack, its globals, the frames of suspended calls.
 */
#include "core/core.h"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

void
wpy_wipe(void *bytes, size_t size)
{
    static void *(*const volatile clear)(void *, int, size_t) = memset;

    clear(bytes, 0, size);
}

/* Only the system knows which pages were used: it replaces those by zeros, and does nothing for the
   others. The first kilobyte stays, since each page that is replaced is a page fault later. */
void
wpy_wipe_sparse(uint8_t *bytes, size_t size)
{
#if defined(__linux__)
    const uintptr_t mask = WPY_SYSTEM_PAGE - 1;
    uintptr_t from = ((uintptr_t)bytes + 1024 + mask) & ~mask,
              to = ((uintptr_t)bytes + size + mask) & ~mask;

    if (sysconf(_SC_PAGESIZE) == WPY_SYSTEM_PAGE && from < to &&
        madvise((void *)from, to - from, MADV_DONTNEED) == 0) {
        wpy_wipe(bytes, from - (uintptr_t)bytes);
        return;
    } /* it is small, or locked in memory */
#endif
    wpy_wipe(bytes, size);
}

void
wpy_wipe_and_free(void *block, size_t size)
{
    if (block)
        wpy_wipe(block, size);
    free(block);
}
