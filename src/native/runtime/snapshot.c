/* snapshot.c: takes snapshots of instances.
 *
 * A snapshot has what code can have changed: the memory as an image, tables, globals, which
 * segments were dropped, and the frames of one suspended call. The arrays that no code changes are
 * shared (shared_code.c). All of it is counted, so instances, modules and snapshots may be freed in
 * any order.
 */
#include "runtime/saved_state.h"
#include "runtime/enter.h"

static bh_bitmap *
copy_bitmap(const bh_bitmap *from, bool *ok)
{
    uint32_t count;
    bh_bitmap *to;

    if (!from)
        return NULL;
    count = (uint32_t)(from->end_index - from->begin_index);
    if ((to = bh_bitmap_new(from->begin_index, count)))
        memcpy(to->map, from->map, ((size_t)count + 7) / 8);
    else
        *ok = false;
    return to;
}

static uint32_t
index_of(const wpy_instance *instance, uint32_t ref)
{
    return ref == WPY_NULL_REF ? ref : ref - instance->ref_base;
}

/* ---- parts ---- */

static bool
save_block(wpy_snapshot *s, wpy_instance *instance)
{
    WASMModuleInstance *wamr = instance->wamr;
    bool ok = true;
    uint32_t i;

    s->func_count = wamr->e->function_count;
    s->global_count = wamr->e->global_count;
    s->table_count = wamr->table_count;
    s->tag_count = wamr->e->tag_count;
    s->globals_at = (uint32_t)(wamr->global_data - (uint8_t *)wamr);
    s->head = s->globals_at + wamr->global_data_size;
    s->block_size = (uint32_t)((uint8_t *)wamr->e - (uint8_t *)wamr + sizeof *wamr->e);
    if (!(s->block = malloc(s->head)))
        return false;
    memcpy(s->block, wamr, s->head);
    s->extra = *wamr->e;
    if (!(s->tags = malloc((s->tag_count + 1) * sizeof *s->tags)))
        return false;
    if (s->tag_count)
        memcpy(s->tags, wamr->e->tags, s->tag_count * sizeof *s->tags);
    s->data_dropped = copy_bitmap(wamr->e->common.data_dropped, &ok);
    s->elem_dropped = copy_bitmap(wamr->e->common.elem_dropped, &ok);
    for (i = 0; i < s->global_count; i++) { /* references become indices */
        const WASMGlobalInstance *global = &wamr->e->globals[i];
        uint8_t *data = (uint8_t *)s->block + s->globals_at + global->data_offset;
        uint32_t ref;

        if (global->type != VALUE_TYPE_FUNCREF ||
            (instance->globals[i] && global->is_mutable)) /* in a cell */
            continue;
        memcpy(&ref, data, sizeof ref);
        ref = index_of(instance, ref);
        memcpy(data, &ref, sizeof ref);
    }
    return ok;
}

static bool
save_tables(wpy_snapshot *s, const wpy_instance *instance)
{
    WASMModuleInstance *wamr = instance->wamr;
    uint32_t i, j;

    if (!(s->tables = calloc((size_t)s->table_count + 1, sizeof *s->tables)))
        return false;
    for (i = 0; i < s->table_count; i++) {
        const WASMTableInstance *table = wamr->tables[i];
        wpy_saved_table *saved = &s->tables[i];

        saved->size = table->cur_size;
        memcpy(saved->header, table, sizeof saved->header);
        if (!instance->tables[i])
            saved->offset = (uint32_t)((uint8_t *)table - (uint8_t *)wamr);
        if (!(saved->elements = malloc(((size_t)saved->size + 1) * sizeof *saved->elements)))
            return false;
        for (j = 0; j < saved->size; j++)
            saved->elements[j] = index_of(instance, (uint32_t)table->elems[j]);
    }
    return true;
}

static bool
save_globals(wpy_snapshot *s, const wpy_instance *instance)
{
    WASMModuleInstance *wamr = instance->wamr;
    uint32_t i;

    for (i = 0; i < s->global_count; i++) {
        const wpy_global *global = instance->globals[i];

        if (!global)
            continue;
        if (!s->cells && !(s->cells = calloc(s->global_count, sizeof *s->cells)))
            return false;
        memcpy(s->cells[i], global->cell, sizeof s->cells[i]);
        if (global->content == VALUE_TYPE_FUNCREF) {
            uint32_t ref;

            memcpy(&ref, s->cells[i], sizeof ref);
            ref = index_of(instance, ref);
            memcpy(s->cells[i], &ref, sizeof ref);
        }
        if (wamr->e->globals[i].is_mutable)
            s->own_globals = true;
    }
    return true;
}

static bool
save_memory(wpy_snapshot *s, const wpy_instance *instance, uint32_t keep)
{
    const wpy_memory *memory = instance->memory;

    if (!memory)
        return true;
    s->has_memory = true;
    s->has_max = memory->has_max;
    s->declared_max = memory->declared_max;
    s->memory = memory->wamr;
    if (keep == WPY_NO_IMAGE)
        return true;
    s->image = wpy_image_of(s->memory.memory_data, wpy_memory_size(instance->memory), keep);
    return s->image != NULL;
}

static bool
save_imports(wpy_snapshot *s, const wpy_instance *instance)
{
    uint32_t count = s->module->wamr->import_function_count, i;

    if (!(s->host_imports = calloc((size_t)count + 1, sizeof *s->host_imports)))
        return false;
    for (i = 0; i < count; i++)
        s->host_imports[i] = instance->imported[i] != NULL;
    if (!instance->wasi)
        return true;
    s->has_wasi = true;
    s->preopens = wpy_wasi_ops_of(instance->wasi)->preopens(instance->wasi, &s->preopens_size);
    return s->preopens != NULL;
}

/* ---- the whole ---- */

static void
free_contents(wpy_snapshot *s)
{
    uint32_t i;

    for (i = 0; s->tables && i < s->table_count; i++)
        free(s->tables[i].elements);
    free(s->tables);
    free(s->tags);
    wpy_wipe_and_free(s->cells, s->global_count * sizeof *s->cells);
    wpy_wipe_and_free(s->block, s->head);
    free(s->host_imports);
    free(s->preopens);
    bh_bitmap_delete(s->data_dropped);
    bh_bitmap_delete(s->elem_dropped);
    if (s->frames)
        wpy_saved_frames_free(s->frames);
    wpy_image_release(s->image);
    wpy_shared_code_release(s->shared);
    wpy_module_release(s->module);
}

/* Gives back a handle. Python has closed the snapshot before. */
void
wpy_snapshot_release(wpy_snapshot *s)
{
    if (REFS_DOWN(&s->handles) == 0)
        free(s);
}

/* Begins a use of the contents, which stay until wpy_snapshot_unuse. False: they are gone. Any
   thread. */
bool
wpy_snapshot_use(wpy_snapshot *s)
{
    uint32_t users = ATOMIC_LOAD(&s->users);

    while (users)
        if (ATOMIC_SWAP_ACQUIRE(&s->users, &users, users + 1))
            return true;
    return false;
}

/* Ends a use. The last one frees the contents, which may take a while: not with the GIL. */
void
wpy_snapshot_unuse(wpy_snapshot *s)
{
    if (REFS_DOWN(&s->users) != 0)
        return;
    free_contents(s);
    wpy_snapshot_release(s);
}

static wpy_snapshot *
take(wpy_instance *instance, wpy_execution *execution, uint32_t keep)
{
    wpy_snapshot *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->handles = 2;
    s->users = 1;
    s->module = instance->module;
    REFS_UP(&s->module->refs);
    s->stack_bytes = instance->env->wasm_stack_size;
    if (save_block(s, instance) && save_tables(s, instance) && save_globals(s, instance) &&
        save_memory(s, instance, keep) && save_imports(s, instance) &&
        (s->shared = wpy_share_code(instance)) &&
        (!execution || (s->frames = wpy_save_frames(instance, execution))))
        return s;
    wpy_snapshot_unuse(s);
    wpy_snapshot_release(s);
    return NULL;
}

/* Takes a snapshot with the lock of the group. */
static int
take_now(wpy_instance *instance, wpy_execution *execution, uint32_t keep, wpy_snapshot **out,
         char *why)
{
    if (!wpy_can_snapshot(instance, execution, why))
        return WPY_REFUSED;
    *out = take(instance, execution, keep);
    return *out ? WPY_OK : WPY_NO_MEMORY;
}

/* Takes a snapshot of an instance in which no code runs; a status. `execution`: the suspended call
   that belongs to it, or NULL. `keep`: the most memories of closed instances that are kept for the
   next ones; WPY_NO_IMAGE: the memory is left out, for wpy_snapshot_read. WPY_REFUSED: `why`, 256
   bytes, has the reason, ": " and a sentence. *out: a handle, for wpy_snapshot_close and then
   wpy_snapshot_release. Waits for the group's lock, so not with the GIL. */
int
wpy_snapshot_new(wpy_instance *instance, wpy_execution *execution, uint32_t keep,
                 wpy_snapshot **out, char *why)
{
    bool acquired = false;
    int status;

    *out = NULL;
    if (!execution) {
        if ((status = wpy_group_enter(&instance->object, &acquired)) != WPY_OK)
            return status;
        status = take_now(instance, NULL, keep, out, why);
        wpy_group_leave(&instance->object, acquired);
        return status;
    }
    if (!wpy_change_state(execution, WPY_STOPPED, WPY_RUNNING)) {
        snprintf(why, WPY_REFUSAL, "busy: the execution is not suspended");
        return WPY_REFUSED;
    }
    if (execution->holds) {
        wpy_group *group = execution->func->object.group;

        if (ATOMIC_LOAD_ACQUIRE(&instance->object.group) == group) {
            wpy_group_take_over(group, execution);
            status = take_now(instance, execution, keep, out, why);
            wpy_group_hold(group, execution);
        } else { /* whose lock this thread doesn't have */
            snprintf(why, WPY_REFUSAL, "busy: the execution is of another instance");
            status = WPY_REFUSED;
        }
    } else if ((status = wpy_group_enter(&instance->object, &acquired)) == WPY_OK) {
        status = take_now(instance, execution, keep, out, why);
        wpy_group_leave(&instance->object, acquired);
    }
    ATOMIC_STORE_SEQ(&execution->state, WPY_STOPPED);
    return status;
}

/* An instance is closed. */
static void
leave(wpy_snapshot *s)
{
    (void)ATOMIC_SUB(&s->alive, 1);
    wpy_snapshot_unuse(s);
}

void
wpy_join_snapshot(wpy_instance *instance, wpy_snapshot *s)
{
    REFS_UP(&s->users);
    (void)ATOMIC_ADD(&s->alive, 1);
    instance->snapshot = s;
    instance->leave_snapshot = leave;
}

/* ---- asking; any thread. The contents are there as long as somebody uses them ---- */

uint64_t
wpy_snapshot_memory_bytes(const wpy_snapshot *s)
{
    return s->image ? wpy_image_size(s->image) : 0;
}

/* What the snapshot itself has: the pages of the memory that are not zeros, and the rest. */
uint64_t
wpy_snapshot_image_bytes(const wpy_snapshot *s)
{
    uint64_t size = s->head + sizeof s->extra + (s->frames ? s->frames->size : 0);
    uint32_t i;

    for (i = 0; i < s->table_count; i++)
        size += (uint64_t)s->tables[i].size * sizeof *s->tables[i].elements;
    return size + (s->image ? wpy_image_pages(s->image) * 4096 : 0);
}

uint32_t
wpy_snapshot_alive(const wpy_snapshot *s)
{
    return ATOMIC_LOAD(&s->alive);
}

/* How many memories are kept for the next instances. */
uint32_t
wpy_snapshot_slots(const wpy_snapshot *s)
{
    return s->image ? wpy_image_slots(s->image) : 0;
}

/* The guest paths of the program's directories, with a 0 behind each; -1: it has no WASI. */
int64_t
wpy_snapshot_preopens(const wpy_snapshot *s, const char **out)
{
    *out = s->preopens;
    return s->has_wasi ? (int64_t)s->preopens_size : -1;
}

bool
wpy_snapshot_has_memory(const wpy_snapshot *s)
{
    return s->has_memory;
}

/* Whether a suspended call is in it. */
bool
wpy_snapshot_suspended(const wpy_snapshot *s)
{
    return s->frames != NULL;
}

bool
wpy_snapshot_is_host(const wpy_snapshot *s, uint32_t import)
{
    return s->host_imports[import];
}

/* The bytes of the memory, read-only, as long as the snapshot is open; NULL: there are none. */
const uint8_t *
wpy_snapshot_bytes(const wpy_snapshot *s)
{
    return s->image ? wpy_image_bytes(s->image) : NULL;
}

/* Copies the value of an imported global, 16 bytes. */
void
wpy_snapshot_imported_global(const wpy_snapshot *s, uint32_t index, uint8_t *cell)
{
    memcpy(cell, s->cells[index], sizeof s->cells[index]);
}

/* Ends Python's use, once: the contents go with the last instance, the memories that are kept go
   now. The handle stays. */
void
wpy_snapshot_close(wpy_snapshot *s)
{
    if (s->image)
        wpy_image_keep(s->image, 0);
    wpy_snapshot_unuse(s);
}
