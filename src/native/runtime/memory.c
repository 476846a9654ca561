/* memory.c: linear memories, whose bytes never move.
 *
 * The bytes are a region (core/region.c), which grows in place. So a Python view of them stays
 * valid while the memory grows, and WAMR may keep their address in a register. A memory has
 * `users`, the open instances that have it, and the host if it made the memory; and `pins`,
 * Python's views. The region is freed when both are 0, the struct with its group.
 */
#include "runtime/runtime.h"

/* No view is left: each has a handle. */
static void
free_memory(wpy_object *object)
{
    wpy_memory *memory = (wpy_memory *)object;

    if (memory->wamr.memory_data)
        wpy_region_free(memory->wamr.memory_data);
    free(memory);
}

const wpy_object_ops wpy_memory_ops = {.free = free_memory};

static wpy_memory *
memory_new(void)
{
    wpy_memory *memory = calloc(1, sizeof *memory);

    if (memory)
        memory->users = 1;
    return memory;
}

wpy_memory *
wpy_memory_from_wamr(WASMMemoryInstance *defined, const wpy_extern *limits)
{
    wpy_memory *memory = memory_new();

    if (!memory)
        return NULL;
    memory->wamr = *defined;
    if (!memory->wamr.memory_data) { /* no pages: WAMR allocates nothing, but we need an address */
        uint8_t *base = wpy_region_alloc(0, wpy_region_budget);
        if (!base) {
            free(memory);
            return NULL;
        }
        memory->wamr.memory_data = memory->wamr.memory_data_end = base;
        memory->wamr.heap_data = memory->wamr.heap_data_end = base;
    }
    memory->has_max = limits->flags & WPY_HAS_MAX;
    memory->declared_max = memory->has_max ? limits->max : WPY_PAGE;
    return memory;
}

/* Makes a memory of the host, in a group of its own. Returns a handle, or NULL: no room, or beyond
   the budget (wpy_take_refusal). */
wpy_memory *
wpy_memory_new(uint32_t min, uint32_t max, bool has_max, wpy_budget *budget)
{
    wpy_memory *memory = memory_new();
    wpy_group *group = memory ? wpy_group_new() : NULL;
    uint64_t size = (uint64_t)min * WPY_PAGE;
    WASMMemoryInstance *wamr;

    wpy_clear_refusal();
    if (!group || !(memory->wamr.memory_data = wpy_region_alloc(size, budget))) {
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
    wpy_group_add(group, &memory->object, &wpy_memory_ops);
    return memory;
}

static void
free_region_if_unused(wpy_memory *memory)
{
    uint8_t *data = NULL;

    wpy_registry_lock(); /* so that a thread that pins the memory now does not find the bytes */
    if (!memory->users && !memory->pins) {
        data = memory->wamr.memory_data;
        memory->wamr.memory_data = NULL;
    }
    wpy_registry_unlock();
    if (data)
        wpy_region_free(data);
}

void
wpy_memory_remove_user(wpy_memory *memory)
{
    wpy_registry_lock();
    memory->users--;
    wpy_registry_unlock();
    free_region_if_unused(memory);
}

/* Ends the host's use of a memory that it made. May be called twice. */
void
wpy_memory_close(wpy_memory *memory)
{
    bool first;

    wpy_registry_lock();
    first = memory->host;
    memory->host = false;
    wpy_registry_unlock();
    if (first)
        wpy_memory_remove_user(memory);
}

/* Keeps the bytes for a view, also when the memory is closed. A pin has a handle, too, since
   Python's collector finalizes views and handles in any order. */
void
wpy_memory_pin(wpy_memory *memory)
{
    wpy_retain(memory);
    wpy_registry_lock();
    memory->pins++;
    wpy_registry_unlock();
}

/* Ends a pin, and gives its handle back. */
void
wpy_memory_unpin(wpy_memory *memory)
{
    wpy_registry_lock();
    memory->pins--;
    wpy_registry_unlock();
    free_region_if_unused(memory);
    wpy_release(memory);
}

bool
wpy_memory_closed(wpy_memory *memory)
{
    return ATOMIC_LOAD(&memory->users) == 0;
}

/* The address stays the same while the memory is open or pinned. */
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

/* Grows the memory; a status. WPY_NO_MEMORY: beyond the maximum or the budget, or no room
   (wpy_take_refusal). Waits for the group's lock, so not with the GIL. */
int
wpy_memory_grow(wpy_memory *memory, uint32_t delta, uint32_t *old_pages)
{
    bool acquired, grown = true;
    int status = wpy_group_enter(&memory->object, &acquired);

    if (status != WPY_OK)
        return status;
    ASSERT_ENTERED(memory);
    wpy_memory_pin(memory); /* so that a thread that closes it now does not free the bytes */
    if (wpy_memory_closed(memory)) {
        wpy_group_leave(&memory->object, acquired);
        wpy_memory_unpin(memory);
        return WPY_CLOSED;
    }
    *old_pages = memory->wamr.cur_page_count;
    wpy_clear_refusal();
    if (delta)
        grown = wasm_memory_enlarge(&memory->wamr, delta);
    wpy_group_leave(&memory->object, acquired);
    wpy_memory_unpin(memory);
    return grown ? WPY_OK : WPY_NO_MEMORY;
}
