/* region.c: ranges of address space that bytes are committed in as they are needed; and WAMR's
 * allocator.
 *
 * A linear memory's whole range, 4 GiB where there is so much address space, is reserved when it is
 * made, and committed as it grows, so it never moves. Where address space is short (`ulimit -v`)
 * less is reserved, and growing beyond it fails, as growing may. Making and unmapping a range are
 * what instances would spend most of their time on, so a few freed ones with little committed are
 * kept, zeroed when they are freed, and given back as soon as memory or address space is refused to
 * us, before we fail.
 *
 * WAMR allocates through the hook below: its sizes are 32 bits wide, so 4 GiB arrive as 0.
 */
#include "core/core.h"

#if defined(BH_PLATFORM_WINDOWS)
#include <windows.h>
#else
#include <sys/mman.h>
#endif

#define FULL ((uint64_t)1 << 32)
#define BUCKETS 4096

/* What is kept: at most so many freed regions, each with at most so much committed. */
#define POOL 64
#define POOLED_BYTES (256 * 1024)

THREAD_LOCAL wpy_budget *wpy_region_budget;

/* Live regions by address, since WAMR's hook hands us only that; under the registry's lock. */
typedef struct region {
    uint8_t *base;
    uint64_t reserved, committed;
    uint32_t mappings;
    uint64_t size;      /* what is used of it: committed may be more, in one that was used before */
    wpy_budget *budget; /* that `size` is taken from */
    struct region *next;
} region;

static region *regions[BUCKETS];
static region *pool[POOL]; /* atomic, each: it is emptied from within allocations, whatever locks
                              their callers hold */

/* Of what Linux lets a process have, how many we take, and may: one for what is committed of a
   region, one for the rest. Adjacent ones are one, so this is the most that it can be. Atomic, for
   the same reason. */
static uint32_t mappings, most_mappings = UINT32_MAX;
#define MAPPINGS_FOR_OTHERS 2500 /* Python can't live without */

/* Once per process. */
void
wpy_regions_setup(void)
{
#if defined(__linux__)
    FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
    unsigned long most;

    if (file && fscanf(file, "%lu", &most) == 1 && most > 2 * MAPPINGS_FOR_OTHERS &&
        most < UINT32_MAX)
        most_mappings = (uint32_t)most - MAPPINGS_FOR_OTHERS;
    if (file)
        fclose(file);
#endif
}

static void
give_mappings(uint32_t count)
{
    ATOMIC_SUB(&mappings, count);
}

static bool
take_mappings(uint32_t count)
{
    if (ATOMIC_ADD(&mappings, count) <= most_mappings)
        return true;
    give_mappings(count);
    return false;
}

static region **
bucket_of(const void *base)
{
    return &regions[(((uint64_t)(uintptr_t)base >> 12) * 0x9E3779B97F4A7C15u >> 40) % BUCKETS];
}

#if defined(BH_PLATFORM_WINDOWS)
static void *
reserve_pages(uint64_t size)
{
    return VirtualAlloc(NULL, (SIZE_T)size, MEM_RESERVE, PAGE_NOACCESS);
}

static bool
commit_pages(uint8_t *base, uint64_t size)
{
    return VirtualAlloc(base, (SIZE_T)size, MEM_COMMIT, PAGE_READWRITE) != NULL;
}

static void
return_pages(uint8_t *base, uint64_t size)
{
    (void)size;
    VirtualFree(base, 0, MEM_RELEASE);
}
#else
#if !defined(MAP_NORESERVE)
#define MAP_NORESERVE 0
#endif
static void *
reserve_pages(uint64_t size)
{
    void *base =
        mmap(NULL, (size_t)size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return base == MAP_FAILED ? NULL : base;
}

static bool
commit_pages(uint8_t *base, uint64_t size)
{
    return mprotect(base, (size_t)size, PROT_READ | PROT_WRITE) == 0;
}

static void
return_pages(uint8_t *base, uint64_t size)
{
    munmap(base, (size_t)size);
}
#endif

static void
drop_region(region *r)
{
    return_pages(r->base, r->reserved);
    give_mappings(r->mappings);
    free(r);
}

/* One that was freed, zeroed, or NULL. */
static region *
from_pool(void)
{
    region *r;
    uint32_t i;

    for (i = 0; i < POOL; i++)
        if (ATOMIC_LOAD(&pool[i]) && (r = ATOMIC_EXCHANGE_ACQUIRE(&pool[i], NULL)))
            return r;
    return NULL;
}

/* Gives back all that is kept; false: nothing was. */
static bool
drain_pool(void)
{
    region *r;
    bool any = false;

    while ((r = from_pool())) {
        drop_region(r);
        any = true;
    }
    return any;
}

/* Where address space is short: about a quarter of what there is, the rest stays for other memories
   and for Python; but `least`. */
static uint64_t
share_of(uint64_t reserve, uint64_t least)
{
    uint8_t *base = NULL;

    while (reserve > least && !(base = reserve_pages(reserve)))
        reserve /= 2;
    if (base)
        return_pages(base, reserve);
    return reserve / 4 > least ? reserve / 4 : least;
}

/* A new one of `reserve` bytes, where address space is short of less, but `size` at least. */
static region *
reserve_region(uint64_t size, uint64_t reserve)
{
    uint32_t count = reserve > size ? 2 : 1;
    region *r = malloc(sizeof *r);

    if (!r || (!take_mappings(count) && (!drain_pool() || !take_mappings(count)))) {
        wpy_refuse(r ? WPY_NO_MAPPINGS : WPY_NO_BYTES, size, most_mappings);
        free(r);
        return NULL;
    }
    r->committed = 0;
    r->mappings = count;
    if (!(r->base = reserve_pages(reserve)) &&
        (!drain_pool() || !(r->base = reserve_pages(reserve)))) {
        reserve = share_of(reserve, size);
        r->base = reserve ? reserve_pages(reserve) : NULL;
    }
    if (!r->base) {
        wpy_refuse(WPY_NO_ADDRESS_SPACE, size, 0);
        give_mappings(count);
        free(r);
        return NULL;
    }
    r->reserved = reserve;
    return r;
}

static bool
commit_up_to(region *r, uint64_t size)
{
    if (size > r->committed) {
        if (!commit_pages(r->base + r->committed, size - r->committed) &&
            (!drain_pool() || !commit_pages(r->base + r->committed, size - r->committed))) {
            wpy_refuse(WPY_NO_BYTES, size, 0);
            return false;
        }
        r->committed = size;
    }
    return true;
}

static void *
enter_region(region *r, uint64_t size, wpy_budget *budget)
{
    region **bucket = bucket_of(r->base);

    r->size = size;
    r->budget = wpy_budget_retain(budget);
    wpy_registry_lock();
    r->next = *bucket;
    *bucket = r;
    wpy_registry_unlock();
    return r->base;
}

/* `size` bytes of zeros that can grow in place, up to 4 GiB where there is address space. NULL:
   there is no room, or none in the budget. */
void *
wpy_region_alloc(uint64_t size, wpy_budget *budget)
{
    region *r;

    if (!wpy_budget_take(budget, WPY_MEMORY_BYTES, size))
        return NULL;
    if (!(r = from_pool()))
        r = reserve_region(size, FULL);
    if (r && commit_up_to(r, size))
        return enter_region(r, size, budget);
    if (r)
        drop_region(r);
    wpy_budget_give(budget, WPY_MEMORY_BYTES, size);
    return NULL;
}

/* The same of exactly this size, not from the pool nor for it: tables. */
void *
wpy_region_exact(uint64_t size)
{
    region *r = reserve_region(size, size);

    if (r && commit_up_to(r, size))
        return enter_region(r, size, NULL);
    if (r)
        drop_region(r);
    return NULL;
}

static region *
find_region(const void *base)
{
    region *r;

    wpy_registry_lock();
    for (r = *bucket_of(base); r && r->base != base; r = r->next)
        ;
    wpy_registry_unlock();
    return r;
}

static bool
region_grow(void *base, uint64_t size)
{
    region *r = find_region(base);

    if (!r || size > r->reserved) {
        wpy_refuse(WPY_NO_ADDRESS_SPACE, size, r ? r->reserved : 0);
        return false;
    }
    if (size > r->size) {
        if (!wpy_budget_take(r->budget, WPY_MEMORY_BYTES, size - r->size))
            return false;
        if (!commit_up_to(r, size)) {
            wpy_budget_give(r->budget, WPY_MEMORY_BYTES, size - r->size);
            return false;
        }
        r->size = size;
    }
    return true;
}

/* Zeroed now, not when it is used again: what it held must not linger. (Letting the system zero it,
   with MADV_DONTNEED, takes 4 us more for a small instance and 35 for one that has written to a
   whole page of 64 KiB.) */
static bool
to_pool(region *r)
{
    bool zeroed = false;
    uint32_t i;

    if (r->reserved != FULL || r->committed > POOLED_BYTES)
        return false;
    for (i = 0; i < POOL; i++) {
        region *none = NULL;

        if (ATOMIC_LOAD(&pool[i]))
            continue;
        if (!zeroed)
            memset(r->base, 0, (size_t)r->committed);
        zeroed = true;
        if (ATOMIC_SWAP_RELEASE(&pool[i], &none, r))
            return true;
    }
    return false;
}

void
wpy_region_free(void *base)
{
    region **link, *r;

    wpy_registry_lock();
    for (link = bucket_of(base); *link && (*link)->base != base; link = &(*link)->next)
        ;
    if ((r = *link))
        *link = r->next;
    wpy_registry_unlock();
    if (!r)
        return;
    wpy_budget_give(r->budget, WPY_MEMORY_BYTES, r->size);
    wpy_budget_release(r->budget);
    if (!to_pool(r))
        drop_region(r);
}

/* malloc, for what may be large: where there is no room, what is kept here makes some. */
void *
wpy_malloc(size_t size)
{
    void *block = malloc(size);

    return block || !drain_pool() ? block : malloc(size);
}

/* ---- WAMR's allocator ---- */

static void *
allocate(mem_alloc_usage_t usage, unsigned int size)
{
    if (usage != Alloc_For_LinearMemory)
        return wpy_malloc(size);
    return wpy_region_alloc(size ? size : FULL, wpy_region_budget);
}

static void *
reallocate(mem_alloc_usage_t usage, bool full_size_mapped, void *base, unsigned int size)
{
    void *block;

    (void)full_size_mapped;
    if (usage != Alloc_For_LinearMemory) {
        block = realloc(base, size);
        return block || !size || !drain_pool() ? block : realloc(base, size);
    }
    if (!base)
        return allocate(usage, size);
    return region_grow(base, size ? size : FULL) ? base : NULL;
}

static void
release(mem_alloc_usage_t usage, void *base)
{
    if (usage != Alloc_For_LinearMemory)
        free(base);
    else if (base)
        wpy_region_free(base);
}

void
wpy_allocator(MemAllocOption *option)
{
    option->allocator.malloc_func = (void *)allocate;
    option->allocator.realloc_func = (void *)reallocate;
    option->allocator.free_func = (void *)release;
}
