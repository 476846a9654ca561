/* snapshot_reset.c: takes an instance back to the state of a snapshot, in place.
 *
 * What Python and other instances have of the instance stays valid: functions, memories, tables and
 * globals keep their addresses. The memory can only be written to if no view shows it, since it may
 * become smaller.
 */
#include "runtime/saved_state.h"
#include "runtime/enter.h"
#include "runtime/wasm_stack.h"

static int
refuse_view(char *why)
{
    snprintf(why, WPY_REFUSAL, "view: a view shows the memory of the instance");
    return WPY_REFUSED;
}

static bool
is_shown(wpy_memory *memory)
{
    bool shown;

    wpy_registry_lock();
    shown = memory->pins > 0;
    wpy_registry_unlock();
    return shown;
}

/* Makes the memory as small as it was; false: a view shows it. A view that is made later is as
   small. */
static bool
shrink_memory(const wpy_snapshot *s, wpy_memory *memory, uint32_t *before)
{
    bool free_of_views;

    wpy_registry_lock(); /* wpy_memory_pin takes it */
    *before = memory->wamr.cur_page_count;
    if ((free_of_views = memory->pins == 0))
        ATOMIC_STORE(&memory->wamr.cur_page_count, s->memory.cur_page_count);
    wpy_registry_unlock();
    return free_of_views;
}

static int
reset_memory(const wpy_snapshot *s, wpy_memory *memory, char *why)
{
    uint8_t *bytes = memory->wamr.memory_data;
    uint32_t before;

    if (!shrink_memory(s, memory, &before))
        return refuse_view(why);
    if (!wpy_image_reset(s->image, bytes)) {
        ATOMIC_STORE(&memory->wamr.cur_page_count, before);
        return WPY_NO_MEMORY;
    }
    memory->wamr.memory_data_size = s->memory.memory_data_size;
    memory->wamr.memory_data_end = memory->wamr.heap_data = memory->wamr.heap_data_end =
        bytes + s->memory.memory_data_size;
    wasm_runtime_set_mem_bound_check_bytes(&memory->wamr, s->memory.memory_data_size);
    return WPY_OK;
}

static void
reset_tables(const wpy_snapshot *s, wpy_instance *instance)
{
    WASMModuleInstance *wamr = instance->wamr;
    uint32_t i;

    for (i = 0; i < s->table_count; i++) {
        const wpy_saved_table *saved = &s->tables[i];
        uint32_t excess = wamr->tables[i]->cur_size - saved->size;

        if (instance->tables[i])
            wpy_budget_refund(instance->tables[i]->budget, WPY_TABLE_ELEMENTS, excess);
        else {
            wpy_budget_refund(instance->budget, WPY_TABLE_ELEMENTS, excess);
            instance->inline_elements -= excess;
        }
        wpy_restore_table(saved, wamr->tables[i], instance->ref_base);
    }
}

static void
reset_globals(const wpy_snapshot *s, wpy_instance *instance)
{
    WASMModuleInstance *wamr = instance->wamr;
    uint32_t i;

    memcpy(wamr->global_data, (uint8_t *)s->block + s->globals_at, s->head - s->globals_at);
    for (i = s->module->wamr->import_global_count; s->cells && i < s->global_count; i++)
        if (instance->globals[i])
            memcpy(instance->globals[i]->cell, s->cells[i], sizeof s->cells[i]);
    wpy_restore_function_globals(s, wamr);
}

static void
reset_bitmap(const bh_bitmap *from, bh_bitmap *to)
{
    if (from)
        memcpy(to->map, from->map, (size_t)(from->end_index - from->begin_index + 7) / 8);
}

static int
reset(wpy_instance *instance, const wpy_snapshot *s, wpy_execution **execution, char *why)
{
    WASMModuleInstance *wamr = instance->wamr;
    uint32_t size = s->image ? (uint32_t)(wpy_image_size(s->image) / WPY_PAGE) : 0, i;
    int status;

    if (s->image && instance->wamr && is_shown(instance->memory)) /* before files are closed */
        return refuse_view(why);
    if (!wpy_can_reset(instance, why))
        return WPY_REFUSED;
    for (i = 0; i < s->table_count; i++)
        if (wamr->tables[i]->cur_size < s->tables[i].size)
            size = UINT32_MAX;
    if (s->module != instance->module || (s->image && size > wpy_memory_pages(instance->memory)) ||
        size == UINT32_MAX) {
        snprintf(why, WPY_REFUSAL, "no-snapshot: the snapshot is not of this instance");
        return WPY_REFUSED;
    }
    if (s->image && (status = reset_memory(s, instance->memory, why)) != WPY_OK)
        return status;
    wpy_stack_clear(instance->env);
    reset_tables(s, instance);
    reset_globals(s, instance);
    reset_bitmap(s->data_dropped, wamr->e->common.data_dropped);
    reset_bitmap(s->elem_dropped, wamr->e->common.elem_dropped);
    if (!s->frames)
        return WPY_OK;
    if (!(*execution = wpy_restore_frames(s, instance)))
        return WPY_NO_MEMORY;
    (*execution)->holds = s->frames->reason == WPY_REASON_SLICE;
    return WPY_OK;
}

static int
reset_now(wpy_instance *instance, const wpy_snapshot *s, wpy_made *out, wpy_stop *stop)
{
    wpy_execution *execution = NULL;
    bool acquired;
    int status = wpy_group_enter(&instance->object, &acquired);

    if (status != WPY_OK)
        return status;
    if (s->frames && s->frames->reason == WPY_REASON_SLICE && !acquired) {
        snprintf(out->why, WPY_REFUSAL, "busy: a call runs in what the instance is linked to");
        wpy_group_leave(&instance->object, acquired);
        return WPY_REFUSED;
    }
    status = reset(instance, s, &execution, out->why);
    if (execution)
        wpy_tell_stop(execution, stop);
    if (execution && execution->holds)
        wpy_group_hold(instance->object.group, execution);
    else
        wpy_group_leave(&instance->object, acquired);
    out->execution = execution;
    return status;
}

/* Takes an instance in which no code runs or is suspended back to the snapshot that was taken of it
   last, or that it was made of; a status. *stop and out->execution: as for wpy_snapshot_instance.
   Fuel, time limits and WASI's arguments stay as they are. Waits for the group's lock, so not with
   the GIL. */
int
wpy_instance_reset(wpy_instance *instance, wpy_snapshot *s, wpy_made *out, wpy_stop *stop)
{
    int status;

    out->execution = NULL;
    if (!wpy_snapshot_use(s))
        return WPY_CLOSED;
    status = reset_now(instance, s, out, stop);
    wpy_snapshot_unuse(s);
    return status;
}
