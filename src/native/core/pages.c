/* pages.c: ranges of addresses from the system, reserved, committed, and taken apart. */
#include "core/pages.h"

#if defined(BH_PLATFORM_WINDOWS)
#include <windows.h>
#endif

#if defined(BH_PLATFORM_WINDOWS)
uint8_t *
wpy_pages_reserve(uint64_t size)
{
    return size > SIZE_MAX ? NULL : VirtualAlloc(NULL, (SIZE_T)size, MEM_RESERVE, PAGE_NOACCESS);
}

bool
wpy_pages_commit(uint8_t *base, uint64_t size)
{
    return VirtualAlloc(base, (SIZE_T)size, MEM_COMMIT, PAGE_READWRITE) != NULL;
}

bool
wpy_pages_uncommit(uint8_t *base, uint64_t size)
{
    return VirtualFree(base, (SIZE_T)size, MEM_DECOMMIT) != 0;
}

void
wpy_pages_return(uint8_t *base, uint64_t size)
{
    (void)size;
    VirtualFree(base, 0, MEM_RELEASE);
}
#else
#if !defined(MAP_NORESERVE)
#define MAP_NORESERVE 0
#endif
uint8_t *
wpy_pages_reserve(uint64_t size)
{
    void *base;

    if (size > SIZE_MAX)
        return NULL;
    base = mmap(NULL, (size_t)size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return base == MAP_FAILED ? NULL : base;
}

bool
wpy_pages_uncommit(uint8_t *base, uint64_t size)
{
    return mmap(base, (size_t)size, PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED;
}

void
wpy_pages_return(uint8_t *base, uint64_t size)
{
    munmap(base, (size_t)size);
}
#endif

#if WPY_FEW_ADDRESSES && !defined(BH_PLATFORM_WINDOWS)
#define LARGEST ((uint64_t)1 << 31)

uint8_t *
wpy_pages_reserve_apart(uint64_t size)
{
    uint64_t free_size = LARGEST;
    uint8_t *range = NULL, *base;
    size_t before, after;

    while (free_size > size && !(range = wpy_pages_reserve(free_size)))
        free_size /= 2;
    if (!range)
        return wpy_pages_reserve(size);
    before = (size_t)(free_size - size) / 2 / WPY_PAGE * WPY_PAGE;
    after = (size_t)(free_size - size) - before;
    base = range + before;
    if (before)
        wpy_pages_return(range, before);
    wpy_pages_return(base + size, after);
    return base;
}

/* Without MAP_FIXED the system chooses another range if this one is used, also in part. */
bool
wpy_pages_extend(uint8_t *base, uint64_t size, uint64_t extended)
{
    size_t more = (size_t)(extended - size);
    uint8_t *behind = base + size, *got;

    if (extended > UINT32_MAX - (uintptr_t)base)
        return false;
    got = mmap(behind, more, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (got == MAP_FAILED)
        return false;
    if (got != behind)
        munmap(got, more);
    return got == behind;
}
#else
uint8_t *
wpy_pages_reserve_apart(uint64_t size)
{
    return wpy_pages_reserve(size);
}

bool
wpy_pages_extend(uint8_t *base, uint64_t size, uint64_t extended)
{
    (void)base;
    return extended <= size;
}
#endif
