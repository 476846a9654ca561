/* exnrefs.c: the numbers by which wasm code refers to exceptions.
 *
 * An exnref is a 32-bit cell: bit 31 set, a generation of 11 bits, an index of 20 bits. The
 * generation of an index changes when its exception is freed, so an old number finds nothing. A
 * page has 64 indices and belongs to one heap. Numbers of a group are allocated, found and released
 * with the group's lock alone. Pages are handed over under the registry's lock.
 *
 * The collector also looks up cells of wasm stacks that only look like numbers. Their page may
 * belong to another group, which another thread runs. So the owner is read first, atomically: only
 * if it is a heap of this group, whose pages can't change meanwhile, the page is read.
 */
#include "runtime/exception_types.h"

#define PAGE_BITS 6
#define PAGE_SIZE (1u << PAGE_BITS)
#define INDEX_BITS 20
#define PAGES (1u << (INDEX_BITS - PAGE_BITS))
#define GENERATION_MASK 0x7FFu
#define EXNREF 0x80000000u

struct wpy_exnref_page {
    wpy_exception_heap *owner; /* atomic; NULL: a free page */
    wpy_exnref_page *next;  /* in the owner's list of pages with free indices, or in free_pages */
    wpy_exnref_page **link; /* what points to the page in the owner's list */
    uint64_t free;          /* a bit for each free index */
    uint32_t number;
    uint16_t generations[PAGE_SIZE];
    wpy_exception *exceptions[PAGE_SIZE];
};

static wpy_exnref_page *pages[PAGES]; /* atomic: each set once, and never freed */
static wpy_exnref_page *free_pages;   /* under the registry's lock */
static uint32_t page_count;

static void
insert(wpy_exception_heap *heap, wpy_exnref_page *page)
{
    if ((page->next = heap->pages))
        page->next->link = &page->next;
    page->link = &heap->pages;
    heap->pages = page;
}

static void
take_out(wpy_exnref_page *page)
{
    if ((*page->link = page->next))
        page->next->link = page->link;
}

/* Adds a page to the heap; false: none is left, or out of memory. */
static bool
add_page(wpy_exception_heap *heap)
{
    wpy_exnref_page *page, *made = NULL;

    wpy_registry_lock();
    if ((page = free_pages))
        free_pages = page->next;
    /* the last page is left out: its last number would be the null reference */
    else if (page_count < PAGES - 1 && (made = page = calloc(1, sizeof *page)))
        page->number = page_count++;
    if (page) {
        page->free = UINT64_MAX;
        insert(heap, page);
        ATOMIC_STORE_RELEASE(&page->owner, heap);
    }
    if (made)
        ATOMIC_STORE_RELEASE(&pages[made->number], made);
    wpy_registry_unlock();
    return page != NULL;
}

bool
wpy_exnref_allocate(wpy_exception *exception)
{
    wpy_exception_heap *heap = exception->heap;
    wpy_exnref_page *page;
    uint32_t slot;

    if (!heap->pages && !add_page(heap))
        return false;
    page = heap->pages;
    slot = LOWEST_BIT_64(page->free);
    page->free &= ~((uint64_t)1 << slot);
    if (!page->free)
        take_out(page);
    page->exceptions[slot] = exception;
    exception->wamr.ref =
        EXNREF | (uint32_t)page->generations[slot] << INDEX_BITS | page->number << PAGE_BITS | slot;
    return true;
}

/* The page of a number, if there is one. */
static wpy_exnref_page *
page_of(uint32_t ref)
{
    return ref & EXNREF ? ATOMIC_LOAD_ACQUIRE(&pages[(ref & ((1u << INDEX_BITS) - 1)) >> PAGE_BITS])
                        : NULL;
}

/* A page without exceptions is returned, unless it is the heap's last one with a free number. */
void
wpy_exnref_release(wpy_exception *exception)
{
    wpy_exception_heap *heap = exception->heap;
    wpy_exnref_page *page = exception->wamr.ref ? page_of(exception->wamr.ref) : NULL;
    uint32_t slot = exception->wamr.ref & (PAGE_SIZE - 1);

    if (!page)
        return;
    if (!page->free)
        insert(heap, page);
    page->exceptions[slot] = NULL;
    page->generations[slot] = (page->generations[slot] + 1) & GENERATION_MASK;
    page->free |= (uint64_t)1 << slot;
    exception->wamr.ref = 0;
    if (page->free != UINT64_MAX || (heap->pages == page && !page->next))
        return;
    take_out(page);
    wpy_registry_lock();
    ATOMIC_STORE(&page->owner, NULL);
    page->next = free_pages;
    free_pages = page;
    wpy_registry_unlock();
}

wpy_exception *
wpy_exnref_find(const wpy_group *group, uint32_t ref)
{
    const wpy_exnref_page *page = page_of(ref);
    const wpy_exception_heap *owner, *heap;
    wpy_exception *exception;

    if (!page || !(owner = ATOMIC_LOAD_ACQUIRE(&page->owner)))
        return NULL;
    for (heap = group->exceptions; heap && heap != owner; heap = heap->next)
        ;
    if (!heap)
        return NULL;
    exception = page->exceptions[ref & (PAGE_SIZE - 1)];
    return exception && exception->wamr.ref == ref ? exception : NULL;
}

void
wpy_exnref_pages_free(wpy_exception_heap *heap)
{
    wpy_exnref_page *page;

    wpy_registry_lock();
    while ((page = heap->pages)) {
        heap->pages = page->next;
        ATOMIC_STORE(&page->owner, NULL);
        page->next = free_pages;
        free_pages = page;
    }
    wpy_registry_unlock();
}

/* The exception of a number that wpy_call_cells_held returned: a handle. */
wpy_exception *
wpy_exception_held(uint32_t ref)
{
    const wpy_exnref_page *page = page_of(ref);

    return page ? page->exceptions[ref & (PAGE_SIZE - 1)] : NULL;
}
