/* dirty_pages.h: which pages of a private mapping were written to. */
#ifndef WPY_DIRTY_PAGES_H
#define WPY_DIRTY_PAGES_H

#include "core/core.h"

typedef struct {
    uint64_t start, end; /* addresses */
} wpy_page_run;

/* Finds the runs of pages in [base, base + size) that this process has written to since it mapped
   the file there: the system has replaced these by pages of the process's own. Returns how many
   runs; -1: it is not known, or there are more than `room` runs or `most` pages. */
int wpy_find_dirty_pages(const uint8_t *base, uint64_t size, wpy_page_run *runs, int room,
                         uint64_t most);

/* For tests: 0: the best way, 1: without PAGEMAP_SCAN, 2: not known, 3: by the parent's map, as an
   emulator shows another one. */
extern int wpy_dirty_pages_way;
enum { WPY_OTHER_PAGE_MAP = 3 };

#endif
