/* memory.c: linear memories that never move.
 *
 * A memory's whole address range, up to its declared maximum or 4 GiB, is reserved when it is made, and committed as it
 * grows. So a Python view of it stays valid while it grows, and WAMR may keep its base in a register. The reservation
 * costs address space only; where that is short (`ulimit -v`) less is reserved, and growing beyond it fails as growing
 * may. WAMR allocates through the hook below: its sizes are 32 bits wide, so 4 GiB arrive as 0.
 *
 * A memory outlives the instance that made it, as long as a view pins it: `users` are open instances that have it (and
 * the host, if it made it), `pins` are views. The region goes when both are 0, the struct with its group.
 */
#include "internal.h"

#if defined(BH_PLATFORM_WINDOWS)
#include <windows.h>
#else
#include <sys/mman.h>
#endif

#define FULL ((uint64_t)1 << 32)
#define BUCKETS 4096

__thread uint64_t wpy_region_reserve;
__thread wpy_budget *wpy_region_budget;

/* Live regions by address, since WAMR's hook hands us only that; under the registry's lock. */
typedef struct region {
    uint8_t *base;
    uint64_t reserved, committed;
    wpy_budget *budget; /* that the committed bytes are taken from */
    struct region *next;
} region;

static region *regions[BUCKETS];

static region **
bucket_of(const void *base)
{
    return &regions[((uintptr_t)base >> 16) % BUCKETS];
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
    void *base = mmap(NULL, (size_t)size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
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

/* `size` bytes of zeros that can grow in place up to `reserve`, or to less where address space is short; NULL: none, or
   the budget has no room for them. */
void *
wpy_region_alloc(uint64_t size, uint64_t reserve, wpy_budget *budget)
{
    region *r = malloc(sizeof *r), **bucket;

    if (!r)
        return NULL;
    if (!wpy_budget_take(budget, WPY_MEMORY_BYTES, size)) {
        free(r);
        return NULL;
    }
    if (reserve < size)
        reserve = size;
    while (!(r->base = reserve_pages(reserve))) {
        if (reserve == size)
            goto fail;
        reserve = reserve / 2 > size ? reserve / 2 : size;
    }
    r->reserved = reserve;
    r->committed = size;
    r->budget = wpy_budget_retain(budget);
    if (size && !commit_pages(r->base, size)) {
        return_pages(r->base, reserve);
        wpy_budget_release(budget);
        goto fail;
    }
    wpy_registry_lock();
    bucket = bucket_of(r->base);
    r->next = *bucket;
    *bucket = r;
    wpy_registry_unlock();
    return r->base;
fail:
    wpy_budget_give(budget, WPY_MEMORY_BYTES, size);
    free(r);
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

    if (!r || size > r->reserved)
        return false;
    if (size > r->committed) {
        if (!wpy_budget_take(r->budget, WPY_MEMORY_BYTES, size - r->committed))
            return false;
        if (!commit_pages(r->base + r->committed, size - r->committed)) {
            wpy_budget_give(r->budget, WPY_MEMORY_BYTES, size - r->committed);
            return false;
        }
        r->committed = size;
    }
    return true;
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
    if (r) {
        return_pages(r->base, r->reserved);
        wpy_budget_give(r->budget, WPY_MEMORY_BYTES, r->committed);
        wpy_budget_release(r->budget);
        free(r);
    }
}

/* ---- WAMR's allocator ---- */

static void *
allocate(mem_alloc_usage_t usage, unsigned int size)
{
    if (usage != Alloc_For_LinearMemory)
        return malloc(size);
    return wpy_region_alloc(size ? size : FULL, wpy_region_reserve ? wpy_region_reserve : FULL, wpy_region_budget);
}

static void *
reallocate(mem_alloc_usage_t usage, bool full_size_mapped, void *base, unsigned int size)
{
    (void)full_size_mapped;
    if (usage != Alloc_For_LinearMemory)
        return realloc(base, size);
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

/* ---- memories ---- */

static wpy_memory *
memory_new(void)
{
    wpy_memory *memory = calloc(1, sizeof *memory);

    if (memory)
        memory->users = 1;
    return memory;
}

/* A memory that an instance defines: its struct moves out of the instance's block. No group yet, one user. */
wpy_memory *
wpy_memory_adopt(WASMMemoryInstance *inline_one, const wpy_extern *limits)
{
    wpy_memory *memory = memory_new();

    if (!memory)
        return NULL;
    memory->wamr = *inline_one;
    if (!memory->wamr.memory_data) { /* no pages yet: WAMR allocates none; the address is to stay what it is */
        uint8_t *base = wpy_region_alloc(0, wpy_region_reserve ? wpy_region_reserve : FULL, wpy_region_budget);
        if (!base) {
            free(memory);
            return NULL;
        }
        memory->wamr.memory_data = memory->wamr.memory_data_end = base;
        memory->wamr.heap_data = memory->wamr.heap_data_end = base;
    }
    memory->has_max = limits->flags & 2;
    memory->declared_max = memory->has_max ? limits->max : WPY_PAGE;
    return memory;
}

/* A memory of the host's, in a group of its own; a handle. NULL: no room for it, or beyond the budget. */
wpy_memory *
wpy_memory_new(uint32_t min, uint32_t max, bool has_max, wpy_budget *budget)
{
    wpy_memory *memory = memory_new();
    wpy_group *group = memory ? wpy_group_new() : NULL;
    uint64_t size = (uint64_t)min * WPY_PAGE;
    uint64_t reserve = (uint64_t)(has_max ? max : WPY_PAGE) * WPY_PAGE;
    WASMMemoryInstance *wamr;

    if (!group || !(memory->wamr.memory_data = wpy_region_alloc(size, reserve ? reserve : WPY_PAGE, budget))) {
        if (group)
            wpy_group_free(group);
        free(memory);
        return NULL;
    }
    memory->has_max = has_max;
    memory->declared_max = has_max ? max : WPY_PAGE;
    memory->host = true;
    wamr = &memory->wamr;
    wamr->module_type = Wasm_Module_Bytecode;
    wamr->num_bytes_per_page = WPY_PAGE;
    wamr->cur_page_count = min;
    wamr->max_page_count = memory->declared_max;
    wamr->memory_data_size = size;
    wamr->memory_data_end = wamr->heap_data = wamr->heap_data_end = wamr->memory_data + size;
    wasm_runtime_set_mem_bound_check_bytes(wamr, size);
    wpy_group_add(group, &memory->object, WPY_MEMORY);
    return memory;
}

static void
free_region_if_unused(wpy_memory *memory)
{
    bool unused;

    wpy_registry_lock();
    unused = !memory->users && !memory->pins && !memory->freed;
    memory->freed |= unused;
    wpy_registry_unlock();
    if (unused && memory->wamr.memory_data) {
        wpy_region_free(memory->wamr.memory_data);
        memory->wamr.memory_data = NULL;
    }
}

/* A user less: an instance that has it is closed, or the host's own. */
void
wpy_memory_drop(wpy_memory *memory)
{
    wpy_registry_lock();
    memory->users--;
    wpy_registry_unlock();
    free_region_if_unused(memory);
}

/* The host lets go of a memory that it made; twice is fine. */
void
wpy_memory_close(wpy_memory *memory)
{
    bool first;

    wpy_registry_lock();
    first = memory->host;
    memory->host = false;
    wpy_registry_unlock();
    if (first)
        wpy_memory_drop(memory);
}

/* With its group: nobody holds a view any more. */
void
wpy_memory_free(wpy_memory *memory)
{
    if (!memory->freed && memory->wamr.memory_data)
        wpy_region_free(memory->wamr.memory_data);
    free(memory);
}

/* Views hold the bytes, beyond the close of everything else. */
void
wpy_memory_pin(wpy_memory *memory)
{
    wpy_registry_lock();
    memory->pins++;
    wpy_registry_unlock();
}

void
wpy_memory_unpin(wpy_memory *memory)
{
    wpy_registry_lock();
    memory->pins--;
    wpy_registry_unlock();
    free_region_if_unused(memory);
}

bool
wpy_memory_closed(wpy_memory *memory)
{
    return ATOMIC_LOAD(&memory->users) == 0;
}

/* The address never changes while the memory is open or pinned. */
uint8_t *
wpy_memory_data(wpy_memory *memory)
{
    return memory->wamr.memory_data;
}

uint64_t
wpy_memory_size(wpy_memory *memory)
{
    return (uint64_t)ATOMIC_LOAD(&memory->wamr.cur_page_count) * memory->wamr.num_bytes_per_page;
}

uint32_t
wpy_memory_pages(wpy_memory *memory)
{
    return ATOMIC_LOAD(&memory->wamr.cur_page_count);
}

uint32_t
wpy_memory_max(wpy_memory *memory, bool *has_max)
{
    *has_max = memory->has_max;
    return memory->declared_max;
}

/* Under the group's lock, since wasm code grows it, too. WPY_NO_MEMORY: beyond the maximum, or what there is. */
int
wpy_memory_grow(wpy_memory *memory, uint32_t delta, uint32_t *old_pages)
{
    bool held, grown = true;
    int status = wpy_group_enter(&memory->object, &held);

    if (status != WPY_OK)
        return status;
    if (wpy_memory_closed(memory)) {
        wpy_group_leave(&memory->object, held);
        return WPY_CLOSED;
    }
    *old_pages = memory->wamr.cur_page_count;
    if (delta)
        grown = wasm_memory_enlarge(&memory->wamr, delta);
    wpy_group_leave(&memory->object, held);
    return grown ? WPY_OK : WPY_NO_MEMORY;
}
