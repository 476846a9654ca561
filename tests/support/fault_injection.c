/* fault_injection.c: makes allocations of one library fail: the n-th, or all from the n-th on.
 *
 * Preloaded by LD_PRELOAD; fault_injection.py drives it. Only calls whose return address is in the
 * library are counted, so no allocation of Python's fails.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

static uintptr_t low, high;
static long seen, first, last;

/* Returns the number of allocations since the last call. */
long
fail_at(uintptr_t from, uintptr_t to, long the_first, long the_last)
{
    long before = seen;

    low = from;
    high = to;
    first = the_first;
    last = the_last;
    seen = 0;
    return before;
}

static int
fails(void *caller)
{
    if ((uintptr_t)caller < low || (uintptr_t)caller >= high)
        return 0;
    seen++;
    if (seen < first || seen > last)
        return 0;
    errno = ENOMEM;
    return 1;
}

/* Memory for dlsym, which allocates before the real functions are known. */
static char early[65536];
static size_t early_used;
static int resolving;

static void *
early_calloc(size_t size)
{
    void *block = early + early_used;

    early_used += (size + 31) & ~(size_t)15;
    return early_used <= sizeof early ? block : NULL;
}

#define REAL(name)                                        \
    if (!real) {                                          \
        resolving = 1;                                    \
        real = (__typeof__(real))dlsym(RTLD_NEXT, #name); \
        resolving = 0;                                    \
    }

void *
malloc(size_t size)
{
    static void *(*real)(size_t);

    if (fails(__builtin_return_address(0)))
        return NULL;
    if (resolving)
        return early_calloc(size);
    REAL(malloc)
    return real(size);
}

void *
calloc(size_t count, size_t size)
{
    static void *(*real)(size_t, size_t);

    if (fails(__builtin_return_address(0)))
        return NULL;
    if (resolving)
        return early_calloc(count * size);
    REAL(calloc)
    return real(count, size);
}

void *
realloc(void *block, size_t size)
{
    static void *(*real)(void *, size_t);

    if (fails(__builtin_return_address(0)))
        return NULL;
    REAL(realloc)
    return real(block, size);
}

void
free(void *block)
{
    static void (*real)(void *);

    if ((char *)block >= early && (char *)block < early + sizeof early)
        return;
    if (resolving)
        return;
    REAL(free)
    real(block);
}

void *
mmap(void *at, size_t size, int protection, int flags, int file, off_t offset)
{
    static void *(*real)(void *, size_t, int, int, int, off_t);

    if (fails(__builtin_return_address(0)))
        return MAP_FAILED;
    REAL(mmap)
    return real(at, size, protection, flags, file, offset);
}

int
mprotect(void *at, size_t size, int protection)
{
    static int (*real)(void *, size_t, int);

    if (fails(__builtin_return_address(0)))
        return -1;
    REAL(mprotect)
    return real(at, size, protection);
}
