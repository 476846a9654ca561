/* region.c: reserved ranges of address space, committed as they are used; and WAMR's allocator.
 *
 * The address range of a linear memory, 4 GiB where there is so much address space, is reserved
 * when the memory is made, and committed as the memory grows, so the memory never moves. Where
 * address space is short (`ulimit -v`), less is reserved, and growing beyond that fails. With 32
 * bits only what is used is reserved, apart from other ranges; growing reserves the addresses
 * behind it, and fails where others have them.
 *
 * Mapping and unmapping would take most of the time of making an instance. So a pool keeps a few
 * freed regions that have little committed, zeroed when they are freed. The pool is given back to
 * the system as soon as the system refuses memory or address space, before we fail.
 *
 * WAMR allocates through wpy_set_allocator. WAMR's sizes are 32 bits wide, so 4 GiB arrive as 0.
 */
#include "core/region.h"

#include "core/pages.h"

#define BUCKETS 4096

/* The most regions in the pool, and the most bytes that each has committed. */
#define POOL 64
#define POOLED_BYTES (256 * 1024)

THREAD_LOCAL wpy_budget *wpy_region_budget;

typedef wpy_region region;

/* The live regions, hashed by address, since WAMR's allocator gets only that. Under the registry's
   lock. */
static region *regions[BUCKETS];
/* Each item is atomic: allocations empty the pool, whatever locks their callers hold. */
static region *pool[POOL];

static region **
bucket_of(const void *base)
{
    return &regions[(((uint64_t)(uintptr_t)base >> 12) * 0x9E3779B97F4A7C15u >> 40) % BUCKETS];
}

void
wpy_region_drop(region *r)
{
    wpy_pages_return(r->base, r->reserved);
    wpy_return_mappings(r->mappings);
    free(r);
}

/* A region of the pool, zeroed, or NULL. */
static region *
take_from_pool(void)
{
    region *r;
    uint32_t i;

    for (i = 0; i < POOL; i++)
        if (ATOMIC_LOAD(&pool[i]) && (r = ATOMIC_EXCHANGE_ACQUIRE(&pool[i], NULL)))
            return r;
    return NULL;
}

/* Gives the regions of the pool back to the system. False: it was empty. */
static bool
drain_pool(void)
{
    region *r;
    bool any = false;

    while ((r = take_from_pool())) {
        wpy_region_drop(r);
        any = true;
    }
    return any;
}

/* How much to reserve where address space is short: about a quarter of what there is, so that the
   rest is left for other memories and for Python; but `least` at least. */
static uint64_t
share_of_address_space(uint64_t reserve, uint64_t least)
{
    uint8_t *base = NULL;

    while (reserve > least && !(base = wpy_pages_reserve(reserve)))
        reserve /= 2;
    if (base)
        wpy_pages_return(base, reserve);
    return reserve / 4 > least ? reserve / 4 : least;
}

/* The same as wpy_take_mappings where the pool has the last ones, for one thread at a time: while
   another one empties the pool, neither has them. */
static bool
take_last_mappings(uint32_t count)
{
    bool taken;

    wpy_registry_lock();
    drain_pool();
    taken = wpy_take_mappings(count);
    wpy_registry_unlock();
    return taken;
}

/* Reserves as wpy_region_reserve does where address space is short, and sets *reserve to how much.
   One thread at a time: while another one finds out how much there is, nothing may be left. */
static void *
reserve_share(uint64_t *reserve, uint64_t least)
{
    void *base;

    wpy_registry_lock();
    drain_pool();
    if (!(base = wpy_pages_reserve(*reserve))) {
        *reserve = share_of_address_space(*reserve, least);
        base = wpy_pages_reserve(*reserve);
    }
    wpy_registry_unlock();
    return base;
}

/* Reserves `size` bytes, in whole pages, apart from other ranges; sets *reserve to how much. */
static uint8_t *
reserve_apart(uint64_t *reserve, uint64_t size)
{
    uint8_t *base;

    *reserve = size ? (size + WPY_PAGE - 1) / WPY_PAGE * WPY_PAGE : WPY_PAGE;
    wpy_registry_lock();
    if (!(base = wpy_pages_reserve_apart(*reserve)) && drain_pool())
        base = wpy_pages_reserve_apart(*reserve);
    wpy_registry_unlock();
    return base;
}

region *
wpy_region_reserve(uint64_t size, uint64_t reserve, uint32_t count)
{
    region *r = malloc(sizeof *r);

    if (!r || (!wpy_take_mappings(count) && !take_last_mappings(count))) {
        wpy_set_refusal(r ? WPY_NO_MAPPINGS : WPY_NO_BYTES, size, wpy_most_mappings);
        free(r);
        return NULL;
    }
    r->committed = 0;
    r->mappings = count;
    r->take_back = NULL;
    r->image = NULL;
    if (!(r->base =
              WPY_FEW_ADDRESSES ? reserve_apart(&reserve, size) : wpy_pages_reserve(reserve)) &&
        !(r->base = reserve_share(&reserve, size))) {
        wpy_set_refusal(WPY_NO_ADDRESS_SPACE, size, 0);
        wpy_return_mappings(count);
        free(r);
        return NULL;
    }
    r->reserved = reserve;
    return r;
}

bool
wpy_region_commit(region *r, uint64_t size)
{
    if (size > r->committed) {
        if (!wpy_pages_commit(r->base + r->committed, size - r->committed) &&
            (!drain_pool() || !wpy_pages_commit(r->base + r->committed, size - r->committed))) {
            wpy_set_refusal(WPY_NO_BYTES, size, 0);
            return false;
        }
        r->committed = size;
    }
    return true;
}

bool
wpy_region_uncommit(region *r, uint64_t size)
{
    if (r->committed <= size)
        return true;
    if (!wpy_pages_uncommit(r->base + size, r->committed - size))
        return false;
    r->committed = size;
    return true;
}

void *
wpy_region_add(region *r, uint64_t size, wpy_budget *budget)
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

void *
wpy_region_alloc(uint64_t size, wpy_budget *budget)
{
    region *r;

    if (!wpy_budget_charge(budget, WPY_MEMORY_BYTES, size))
        return NULL;
    if (!(r = take_from_pool()))
        r = wpy_region_reserve(size, WPY_REGION_FULL, 2);
    if (r && (size <= r->committed || wpy_region_commit(r, size)))
        return wpy_region_add(r, size, budget);
    if (r)
        wpy_region_drop(r);
    wpy_budget_refund(budget, WPY_MEMORY_BYTES, size);
    return NULL;
}

/* For tables: neither from the pool nor into it. */
void *
wpy_region_alloc_exact(uint64_t size)
{
    region *r = wpy_region_reserve(size, size, 1);

    if (r && wpy_region_commit(r, size))
        return wpy_region_add(r, size, NULL);
    if (r)
        wpy_region_drop(r);
    return NULL;
}

region *
wpy_region_find(const void *base)
{
    region *r;

    wpy_registry_lock();
    for (r = *bucket_of(base); r && r->base != base; r = r->next)
        ;
    wpy_registry_unlock();
    return r;
}

/* What wpy_region_grow says, inline: memory.grow calls it. */
static ALWAYS_INLINE bool
region_grow(void *base, uint64_t size)
{
    region *r = wpy_region_find(base);

    if (r && WPY_FEW_ADDRESSES && size > r->reserved &&
        wpy_pages_extend(r->base, r->reserved, size))
        r->reserved = size;
    if (!r || size > r->reserved) {
        wpy_set_refusal(WPY_NO_ADDRESS_SPACE, size, r ? r->reserved : 0);
        return false;
    }
    if (size > r->size) {
        if (!wpy_budget_charge(r->budget, WPY_MEMORY_BYTES, size - r->size))
            return false;
        if (!wpy_region_commit(r, size)) {
            wpy_budget_refund(r->budget, WPY_MEMORY_BYTES, size - r->size);
            return false;
        }
        r->size = size;
    }
    return true;
}

bool
wpy_region_grow(void *base, uint64_t size)
{
    return region_grow(base, size);
}

/* Zeroes the region and puts it into the pool; false: the pool is full, or the region too large.
   Zeroed now, not when it is used again, so that its old contents don't stay in memory. (Letting
   the system do so, with MADV_DONTNEED, takes 4 us more for a small instance, and 35 us for one
   that has written to a whole page of 64 KiB.) */
static bool
put_into_pool(region *r)
{
    bool zeroed = false;
    uint32_t i;

    if (r->reserved != WPY_REGION_FULL || r->committed > POOLED_BYTES)
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
    wpy_budget_refund(r->budget, WPY_MEMORY_BYTES, r->size);
    wpy_budget_release(r->budget);
    if (r->take_back ? !r->take_back(r) : !put_into_pool(r))
        wpy_region_drop(r);
}

/* Where there is no room, the pool makes some. */
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
    return wpy_region_alloc(size ? size : WPY_REGION_FULL, wpy_region_budget);
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
    return region_grow(base, size ? size : WPY_REGION_FULL) ? base : NULL;
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
wpy_set_allocator(MemAllocOption *option)
{
    option->allocator.malloc_func = (void *)allocate;
    option->allocator.realloc_func = (void *)reallocate;
    option->allocator.free_func = (void *)release;
}
