/* pages.h: ranges of addresses from the system: pages.c. Sizes are multiples of the system's pages,
 * and may be beyond the address space, which refuses them. */
#ifndef WPY_PAGES_H
#define WPY_PAGES_H

#include "core/core.h"

#if !defined(BH_PLATFORM_WINDOWS)
#include <sys/mman.h>
#endif

/* Whether the address space is so small that a range may not be larger than what is used of it.
   Then ranges are made by wpy_pages_reserve_apart, and wpy_pages_extend makes them larger. */
#define WPY_FEW_ADDRESSES (UINTPTR_MAX == UINT32_MAX)

/* Reserves a range, with nothing committed. NULL: refused. wpy_pages_return gives it back. */
uint8_t *wpy_pages_reserve(uint64_t size);
/* The same, in the middle of the largest free range, so that it can be extended. One thread at a
   time: for a moment there are few other addresses. */
uint8_t *wpy_pages_reserve_apart(uint64_t size);
/* Reserves the addresses behind a range, too. False: refused, or another one has them. */
bool wpy_pages_extend(uint8_t *base, uint64_t size, uint64_t extended);
/* Makes a part of a range readable and writable; it reads as zeros. False: no memory. */
#if defined(BH_PLATFORM_WINDOWS)
bool wpy_pages_commit(uint8_t *base, uint64_t size);
#else
static inline bool /* memory.grow calls it */
wpy_pages_commit(uint8_t *base, uint64_t size)
{
    return mprotect(base, (size_t)size, PROT_READ | PROT_WRITE) == 0;
}
#endif
/* Takes back what is committed. False: the system refuses. */
bool wpy_pages_uncommit(uint8_t *base, uint64_t size);
/* Gives a whole range back, of which some may be committed. */
void wpy_pages_return(uint8_t *base, uint64_t size);

#endif
