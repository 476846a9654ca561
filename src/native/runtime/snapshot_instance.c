/* snapshot_instance.c: makes instances of a snapshot.
 *
 * The instance's struct of WAMR is copied, with its pointers moved. Nothing is initialized and no
 * code runs. The instance is in the group of its imports, has its own reference numbers, tags and
 * WASI, and counts in its own budget: a memory with its whole size, although pages are shared.
 */
#include "runtime/saved_state.h"
#include "runtime/enter.h"
#include "runtime/wasm_stack.h"

/* ---- parts ---- */

static uint32_t
reference(uint32_t index, uint32_t base)
{
    return index == WPY_NULL_REF ? index : index + base;
}

void
wpy_restore_table(const wpy_saved_table *saved, WASMTableInstance *table, uint32_t base)
{
    uint32_t i;

    for (i = 0; i < saved->size; i++)
        table->elems[i] = (table_elem_type_t)reference(saved->elements[i], base);
    ATOMIC_STORE(&table->cur_size, saved->size);
}

void
wpy_restore_function_globals(const wpy_snapshot *s, WASMModuleInstance *wamr)
{
    const wpy_instance *instance = wamr->custom_data;
    uint32_t i, index; /* imported ones are null */

    for (i = s->module->wamr->import_global_count; i < s->global_count; i++) {
        const WASMGlobalInstance *global = &wamr->e->globals[i];
        uint8_t *data = wamr->global_data + global->data_offset;

        if (global->type != VALUE_TYPE_FUNCREF)
            continue;
        memcpy(&index, data, sizeof index);
        index = reference(index, instance->ref_base);
        memcpy(data, &index, sizeof index);
        if (instance->globals[i])
            memcpy(instance->globals[i]->cell, &index, sizeof index);
    }
}

static bool
copy_bitmaps(const wpy_snapshot *s, WASMModuleInstance *wamr)
{
    const bh_bitmap *from[2] = {s->data_dropped, s->elem_dropped};
    bh_bitmap **to[2] = {&wamr->e->common.data_dropped, &wamr->e->common.elem_dropped};
    uint32_t i;

    for (i = 0; i < 2; i++) {
        uint32_t count;

        if (!from[i])
            continue;
        count = (uint32_t)(from[i]->end_index - from[i]->begin_index);
        if (!(*to[i] = bh_bitmap_new(from[i]->begin_index, count)))
            return false;
        memcpy((*to[i])->map, from[i]->map, ((size_t)count + 7) / 8);
    }
    return true;
}

/* WAMR's struct, with nothing in it that WAMR would free; NULL: out of memory. */
static WASMModuleInstance *
copy_block(const wpy_snapshot *s, wpy_instance *instance)
{
    WASMModuleInstance *wamr = wasm_runtime_malloc(s->block_size);
    uint32_t base = instance->ref_base;
    WASMModuleInstanceExtra *e;

    if (!wamr)
        return NULL;
    memcpy(wamr, s->block, s->head);
    wamr->e = e = (WASMModuleInstanceExtra *)((uint8_t *)wamr + s->block_size - sizeof *e);
    *e = s->extra;
    memset(e->common.contexts, 0, sizeof e->common.contexts);
    e->common.data_dropped = e->common.elem_dropped = NULL;
    e->tags = NULL;
    e->export_tags = NULL;
    e->import_tag_ptrs = NULL;
    e->export_tag_count = 0;
    wamr->global_data = (uint8_t *)wamr + s->globals_at;
    wamr->memories = NULL;
    wamr->tables = NULL;
    wamr->exec_env_singleton = wamr->cur_exec_env = NULL;
    if ((wamr->frames = wasm_runtime_malloc(sizeof *wamr->frames)))
        memset(wamr->frames, 0, sizeof *wamr->frames);
    wamr->c_api_func_imports = NULL;
    wamr->cur_exception[0] = 0;
    wamr->custom_data = instance;
    wamr->reserved[0] = base;
    return wamr;
}

static void
add(wpy_instance *instance, wpy_object *object, const wpy_object_ops *ops)
{
    wpy_group_add(instance->object.group, object, ops);
    wpy_release(object); /* not the last one: the instance has a handle */
}

static bool
copy_tables(const wpy_snapshot *s, wpy_instance *instance, WASMModuleInstance *wamr)
{
    uint32_t i;

    if (!s->table_count)
        return true;
    if (!(wamr->tables = wasm_runtime_malloc((uint32)(s->table_count * sizeof *wamr->tables))) ||
        !(instance->tables = calloc(s->table_count, sizeof *instance->tables)))
        return false;
    for (i = 0; i < s->table_count; i++) {
        const wpy_extern *limits = &s->module->spaces[i];
        const wpy_saved_table *saved = &s->tables[i];

        if (saved->offset) {
            if (!wpy_budget_charge(instance->budget, WPY_TABLE_ELEMENTS, saved->size))
                return false;
            instance->inline_elements += saved->size;
            wamr->tables[i] = (WASMTableInstance *)((uint8_t *)wamr + saved->offset);
            memcpy(wamr->tables[i], saved->header, sizeof saved->header);
        } else {
            wpy_table *table = wpy_table_map(limits->content, saved->size, limits->max,
                                             limits->flags & WPY_HAS_MAX, instance->budget);

            if (!table)
                return false;
            add(instance, &table->object, &wpy_table_ops);
            instance->tables[i] = table;
            wamr->tables[i] = table->wamr;
        }
        wpy_restore_table(saved, wamr->tables[i], instance->ref_base);
    }
    return true;
}

static wpy_global *
copy_global(const wpy_snapshot *s, wpy_instance *instance, uint32_t index)
{
    const WASMGlobalInstance *own = &s->shared->globals[index];
    wpy_global *global = calloc(1, sizeof *global);

    if (!global)
        return NULL;
    global->content = own->type;
    global->mutable_ = own->is_mutable;
    memcpy(global->cell, s->cells[index], sizeof global->cell);
    add(instance, &global->object, &wpy_global_ops);
    return global;
}

static bool
copy_globals(const wpy_snapshot *s, wpy_instance *instance, WASMModuleInstance *wamr)
{
    uint32_t imported = s->module->wamr->import_global_count, i;
    const wpy_extern *limits =
        s->module->spaces + s->module->table_count + (s->module->memory != NULL);
    WASMGlobalInstance *globals;

    if (!s->global_count)
        return true;
    if (!(instance->globals = calloc(s->global_count, sizeof *instance->globals)))
        return false;
    if (s->own_globals) {
        size_t size = s->global_count * sizeof *globals;

        if (!(globals = wasm_runtime_malloc((uint32)size)))
            return false;
        wamr->e->globals = memcpy(globals, s->shared->globals, size);
    }
    for (i = 0; s->cells && i < s->global_count; i++) {
        if (i < imported)
            instance->globals[i] = instance->imports->globals[i];
        else if (limits[i].flags & WPY_EXPORTED) {
            if (!(instance->globals[i] = copy_global(s, instance, i)))
                return false;
            if (wamr->e->globals[i].is_mutable)
                wamr->e->globals[i].data_offset =
                    (uint8_t *)instance->globals[i]->cell - wamr->global_data;
        }
    }
    return true;
}

static bool
copy_memory(const wpy_snapshot *s, wpy_instance *instance, WASMModuleInstance *wamr)
{
    wpy_memory *memory;
    WASMMemoryInstance *own;

    if (!s->has_memory)
        return true;
    if (!(wamr->memories = wasm_runtime_malloc(sizeof *wamr->memories)))
        return false;
    wamr->memories[0] = NULL;
    if (!(memory = calloc(1, sizeof *memory)))
        return false;
    memory->users = 1;
    memory->has_max = s->has_max;
    memory->declared_max = s->declared_max;
    own = &memory->wamr;
    *own = s->memory;
    if (!(own->memory_data = wpy_image_region(s->image, instance->budget))) {
        free(memory);
        return false;
    }
    own->memory_data_end = own->heap_data = own->heap_data_end =
        own->memory_data + own->memory_data_size;
    add(instance, &memory->object, &wpy_memory_ops);
    instance->memory = memory;
    wamr->memories[0] = own;
    return true;
}

static bool
copy_tags(const wpy_snapshot *s, wpy_instance *instance, WASMModuleInstance *wamr)
{
    size_t size = s->tag_count * sizeof *wamr->e->tags;

    if (!s->tag_count)
        return true;
    if (!(wamr->e->tags = wasm_runtime_malloc((uint32)size)))
        return false;
    memcpy(wamr->e->tags, s->tags, size);
    return wpy_link_tags(instance, wamr);
}

/* ---- the whole ---- */

typedef struct {
    wpy_maker maker;
    wpy_snapshot *snapshot;
    wpy_execution *execution;
    char *why;
} maker_of_snapshot;

/* What differs from the imports of the snapshot's instance; NULL: nothing. */
static const char *
imports_differ(const wpy_snapshot *s, const wpy_instance *instance, const wpy_imports *imports)
{
    const WASMModule *module = s->module->wamr;
    uint32_t i;

    for (i = 0; i < module->import_function_count; i++) {
        if (s->host_imports[i] != (instance->imported[i] != NULL))
            return s->host_imports[i] ? "a function that was the host's is WASI's now"
                                      : "a function that was WASI's is the host's now";
        if (instance->imported[i] && instance->imported[i]->instance)
            return "a function of another instance is given for one of the host";
    }
    for (i = 0; i < module->import_global_count; i++)
        if (memcmp(imports->globals[i]->cell, s->cells[i],
                   wasm_value_type_size(imports->globals[i]->content)))
            return "an imported global has another value";
    return NULL;
}

static int
fail(const wpy_instance *instance, int status, const char *text)
{
    wpy_push_error(instance->module, status, 0, text, false);
    return status;
}

static int
fill(wpy_instance *instance, const wpy_imports *imports, maker_of_snapshot *m, char *error,
     uint32_t size)
{
    wpy_snapshot *s = m->snapshot;
    WASMModuleInstance *wamr;

    if (!(instance->funcs = wpy_funcs_new(s->func_count)))
        return WPY_NO_MEMORY;
    instance->func_count = s->func_count;
    if (!wpy_refs_allocate(instance))
        return WPY_NO_MEMORY;
    if (!(wamr = copy_block(s, instance)))
        return WPY_NO_MEMORY;
    instance->wamr = wamr;
    wamr->default_wasm_stack_size = imports->stack_bytes;
    wpy_use_shared_code(instance, s->shared);
    wpy_clear_refusal();
    if (!wamr->frames || !copy_bitmaps(s, wamr) || !copy_globals(s, instance, wamr) ||
        !copy_tags(s, instance, wamr))
        return WPY_NO_MEMORY;
    if (!copy_memory(s, instance, wamr)) {
        snprintf(error, size, "allocate linear memory failed");
        return WPY_LINK;
    }
    if (!copy_tables(s, instance, wamr)) {
        snprintf(error, size, "too many table elements");
        return WPY_LINK;
    }
    wpy_restore_function_globals(s, wamr);
    if (instance->wasi &&
        !wpy_wasi_ops_of(instance->wasi)->link(instance->wasi, instance, error, size))
        return WPY_LINK;
    if (!(instance->env = wpy_stack_new(wamr, imports->stack_bytes)))
        return WPY_NO_MEMORY;
    wamr->cur_exec_env = instance->env;
    if (!s->frames)
        return WPY_OK;
    if (!(m->execution = wpy_restore_frames(s, instance)))
        return WPY_NO_MEMORY;
    if (s->frames->reason == WPY_REASON_SLICE) {
        m->execution->holds = true;
        m->maker.holder = m->execution;
    }
    return WPY_OK;
}

static int
make(wpy_instance *instance, const wpy_imports *imports, wpy_maker *maker)
{
    maker_of_snapshot *m = (maker_of_snapshot *)maker;
    const wpy_snapshot *s = m->snapshot;
    char error[EXCEPTION_BUF_LEN] = "out of memory";
    const char *differs = imports_differ(s, instance, imports);
    int status;

    if (differs) {
        snprintf(m->why, WPY_REFUSAL, "imports-differ: %s", differs);
        return WPY_REFUSED;
    }
    if (s->frames && s->frames->size > imports->stack_bytes) {
        snprintf(m->why, WPY_REFUSAL,
                 "stack: the suspended call has %u bytes on the stack, which has %u (stack_bytes)",
                 s->frames->size, imports->stack_bytes);
        return WPY_REFUSED;
    }
    if (s->frames && s->frames->reason == WPY_REASON_SLICE && !maker->may_hold) {
        snprintf(m->why, WPY_REFUSAL,
                 "busy: a call that has stopped at the end of a slice can't be copied within a "
                 "call of what it is linked to");
        return WPY_REFUSED;
    }
    instance->imports = imports;
    status = fill(instance, imports, m, error, sizeof error);
    instance->imports = NULL;
    if (status == WPY_OK) {
        instance->linked = true;
        wpy_join_snapshot(instance, m->snapshot);
        return WPY_OK;
    }
    if (instance->wamr) {
        instance->instantiating = true; /* the unlink hook undoes all */
        wasm_runtime_deinstantiate((WASMModuleInstanceCommon *)instance->wamr);
        instance->instantiating = false;
    }
    return fail(instance, status, error);
}

/* Makes an instance of the snapshot; a status. `imports`: as for wpy_instance_new; stack_bytes 0:
   as the snapshot's instance had. WPY_CLOSED: the snapshot is closed. *stop: why its execution was
   suspended, if there is one. Errors but WPY_REFUSED are records of the module. Waits for the locks
   of the imports' groups, so not with the GIL. */
int
wpy_snapshot_instance(wpy_snapshot *s, const wpy_imports *imports, wpy_made *out, wpy_stop *stop)
{
    maker_of_snapshot m = {.maker = {.make = make}, .snapshot = s, .why = out->why};
    wpy_imports given = *imports;
    int status;

    out->instance = NULL;
    out->execution = NULL;
    if (!wpy_snapshot_use(s))
        return WPY_CLOSED;
    if (!given.stack_bytes)
        given.stack_bytes = s->stack_bytes;
    status = wpy_instance_make(s->module, &given, &m.maker, &out->instance);
    wpy_snapshot_unuse(s);
    out->execution = m.execution;
    if (m.execution)
        wpy_tell_stop(m.execution, stop);
    return status;
}

/* The same for a snapshot without imports and without a suspended call: a handle, or NULL, with an
   error record of the module. Waits for no lock of a group. */
wpy_instance *
wpy_snapshot_instance_alone(wpy_snapshot *s, uint64_t instance_id, wpy_budget *budget,
                            uint32_t stack_bytes, uint64_t timeout_ns, int64_t fuel)
{
    const wpy_imports none = {.instance_id = instance_id,
                              .budget = budget,
                              .stack_bytes = stack_bytes,
                              .timeout_ns = timeout_ns,
                              .fuel = fuel};
    wpy_made made;

    wpy_snapshot_instance(s, &none, &made, NULL);
    return made.instance;
}
