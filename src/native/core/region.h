/* region.h: the struct of a region, for region.c and image.c. */
#ifndef WPY_REGION_H
#define WPY_REGION_H

#include "core/core.h"

#define WPY_REGION_FULL ((uint64_t)1 << 32)

typedef struct wpy_region {
    uint8_t *base;
    uint64_t reserved, committed;
    uint32_t mappings;
    uint64_t size;      /* in use; more may be committed, in a region that was used before */
    wpy_budget *budget; /* a reference; `size` is charged to it */
    /* Takes the region back when it is freed; false: region.c drops it. NULL: region.c's pool. */
    bool (*take_back)(struct wpy_region *region);
    wpy_image *image; /* its first bytes were this image; NULL: zeros. A reference while it lives */
    struct wpy_region *next;
} wpy_region;

/* A region with nothing committed, of `reserve` bytes, or of less where address space is short, but
   `size` at least. It takes `mappings` of those that the process may have. NULL: refused. */
wpy_region *wpy_region_reserve(uint64_t size, uint64_t reserve, uint32_t mappings);
/* Gives a region that isn't live back to the system. */
void wpy_region_drop(wpy_region *region);
/* Makes the region a live one, with `size` bytes, which are charged already; its bytes. */
void *wpy_region_add(wpy_region *region, uint64_t size, wpy_budget *budget);
/* Commits the bytes up to `size`. False: refused. */
bool wpy_region_commit(wpy_region *region, uint64_t size);
/* Takes back what is committed from `size` on: it reads as zeros when it is committed again. False:
   the system refuses. */
bool wpy_region_uncommit(wpy_region *region, uint64_t size);
/* The live region that begins at this address; NULL: there is none. */
wpy_region *wpy_region_find(const void *base);

#endif
