/* refs.c: function references, which are numbers and never pointers.
 *
 * Each instance has a range of numbers of a process-wide space, in pages of 1024: the reference of
 * its function i is base + i. Host functions have the numbers from HOST_BASE on. A reference is
 * looked up in the table of pages. One that was forged, or whose instance was freed, is not found
 * there, and calling it traps.
 *
 * The numbers of a freed instance are used again. So that no table or global has one of them, an
 * object that a reference comes into joins the group of the reference's function
 * (wpy_retain_reference), and a group is freed as a whole.
 */
#include "runtime/func.h"

#define PAGE_BITS 10
#define HOST_BASE 0xC0000000u
#define PAGES (HOST_BASE >> PAGE_BITS)
#define CHUNK 4096u
#define CHUNKS ((UINT32_MAX - HOST_BASE) / CHUNK)
#define NO_ID (UINT32_MAX >> 1) /* a free slot of 32 bits has room for 31 */

/* The instance of each page, written under the registry's lock. Memory that was never written costs
   nothing. */
static wpy_instance *pages[PAGES];
/* Page 0 is not used, since instances of the C API have references from 0. */
static uint32_t next_page = 1;
/* Host functions by id. A free slot has the id of the next free one, times 2, plus 1. Written
   under the registry's lock, as are the next two. */
static wpy_func **chunks[CHUNKS];
static uint32_t host_count, free_host = NO_ID;

static uint32_t
pages_for(uint32_t functions)
{
    return functions ? (functions + (1u << PAGE_BITS) - 1) >> PAGE_BITS : 1;
}

/* The first of `count` free pages in a row, at or after `start`; 0: there are none. Under the
   registry's lock. */
static uint32_t
find_run(uint32_t start, uint32_t count)
{
    uint32_t page, length = 0;

    ASSERT_HAS_LOCK(WPY_REGISTRY_LOCK);
    for (page = start; page < PAGES; page++) {
        length = pages[page] ? 0 : length + 1;
        if (length == count)
            return page + 1 - count;
    }
    return 0;
}

bool
wpy_refs_allocate(wpy_instance *instance)
{
    uint32_t count = pages_for(instance->func_count), first, i;

    wpy_registry_lock();
    first = find_run(next_page, count);
    if (!first && !(first = find_run(1, count))) {
        wpy_registry_unlock();
        return false;
    }
    for (i = 0; i < count; i++)
        ATOMIC_STORE_RELEASE(&pages[first + i], instance);
    next_page = first + count;
    wpy_registry_unlock();
    instance->ref_base = first << PAGE_BITS;
    return true;
}

void
wpy_refs_free(wpy_instance *instance)
{
    uint32_t first = instance->ref_base >> PAGE_BITS, i;

    if (!first)
        return;
    wpy_registry_lock();
    for (i = 0; i < pages_for(instance->func_count); i++)
        ATOMIC_STORE_RELEASE(&pages[first + i], NULL);
    if (first < next_page)
        next_page = first;
    wpy_registry_unlock();
    instance->ref_base = 0;
}

bool
wpy_refs_allocate_host(wpy_func *func)
{
    uint32_t id;
    bool ok = true;

    wpy_registry_lock();
    if (free_host != NO_ID) {
        id = free_host;
        free_host = (uint32_t)((uintptr_t)chunks[id / CHUNK][id % CHUNK] >> 1);
    } else {
        id = host_count;
        if (id / CHUNK >= CHUNKS ||
            (!chunks[id / CHUNK] && !(chunks[id / CHUNK] = calloc(CHUNK, sizeof(wpy_func *)))))
            ok = false;
        else /* find_func reads it without the lock, and then the chunk */
            ATOMIC_STORE_RELEASE(&host_count, host_count + 1);
    }
    if (ok) {
        func->index = id;
        func->ref = HOST_BASE + id;
        ATOMIC_STORE_RELEASE(&chunks[id / CHUNK][id % CHUNK], func);
    }
    wpy_registry_unlock();
    return ok;
}

void
wpy_refs_free_host(wpy_func *func)
{
    wpy_registry_lock();
    ATOMIC_STORE_RELEASE(&chunks[func->index / CHUNK][func->index % CHUNK],
                         (wpy_func *)(((uintptr_t)free_host << 1) | 1));
    free_host = func->index;
    wpy_registry_unlock();
}

/* The function of a reference, borrowed. NULL: null, forged, or of a freed function. */
static wpy_func *
find_func(uint32_t ref)
{
    if (ref == WPY_NULL_REF)
        return NULL;
    if (ref >= HOST_BASE) {
        uint32_t id = ref - HOST_BASE;
        wpy_func *func;

        if (id >= ATOMIC_LOAD_ACQUIRE(&host_count))
            return NULL;
        func = ATOMIC_LOAD_ACQUIRE(&chunks[id / CHUNK][id % CHUNK]);
        return (uintptr_t)func & 1 ? NULL : func;
    } else {
        wpy_instance *instance = ATOMIC_LOAD_ACQUIRE(&pages[ref >> PAGE_BITS]);

        return instance ? wpy_func_borrow(instance, ref - instance->ref_base) : NULL;
    }
}

WASMFunctionInstance *
wpy_foreign_hook(WASMModuleInstance *from, uint32_t ref, WASMFuncType *expected)
{
    wpy_func *func = find_func(ref);

    (void)from;
    return func && wpy_same_type(func->type, expected) ? &func->proxy : NULL;
}

/* The function of a reference: a handle, or NULL: a null reference, or no such function. The caller
   must have a handle in the group that the reference came from. */
wpy_func *
wpy_func_of_ref(uint32_t ref)
{
    wpy_func *func = find_func(ref);

    if (func)
        wpy_retain(func);
    return func;
}

/* The reference to a function. */
uint32_t
wpy_func_ref(wpy_func *func)
{
    return func->instance ? func->instance->ref_base + func->index : func->ref;
}

/* Makes the function of a reference live as long as `object` (a table, a global, or an instance
   that is called with it), before the reference comes into that; a status. May wait for the locks
   of both groups, so not with the GIL. */
int
wpy_retain_reference(void *object, uint32_t ref)
{
    wpy_func *func = find_func(ref);

    if (!func)
        return ref == WPY_NULL_REF ? WPY_OK : WPY_RANGE;
    if (func->instance)
        return wpy_group_merge(object, &func->object);
    return wpy_group_retain_host_func(((wpy_object *)object)->group, &func->object) ? WPY_OK
                                                                                    : WPY_NO_MEMORY;
}

/* The same with the GIL, and the reference in *ref: see include/now.h. */
int
wpy_retain_reference_now(void *object, wpy_func *func, uint32_t *ref)
{
    wpy_group *group = ATOMIC_LOAD_ACQUIRE(&((wpy_object *)object)->group);

    *ref = wpy_func_ref(func);
    if (func->instance)
        return ATOMIC_LOAD_ACQUIRE(&func->object.group) == group ? WPY_OK : WPY_BUSY;
    return wpy_group_retain_host_func(group, &func->object) ? WPY_OK : WPY_NO_MEMORY;
}

void *
wpy_func_object(const wpy_func *func)
{
    return func->python_object;
}

void
wpy_func_set_object(wpy_func *func, void *object)
{
    func->python_object = object;
}

void *
wpy_ref_object(uint32_t ref)
{
    const wpy_func *func = find_func(ref);

    return func ? func->python_object : NULL;
}

const wpy_func *
wpy_ref_func(uint32_t ref)
{
    return find_func(ref);
}
