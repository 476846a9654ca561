/* snapshot_read.c: the state of a snapshot from bytes that snapshot_write.c has written.
 *
 * To load a snapshot is to take one of an instance that has not started, and to put the bytes in
 * its place.
 *
 * The bytes may be anybody's: every size, index and reference is checked here, so that code with
 * this state can do no more than code of the module could do by itself. The frames of a suspended
 * call are another matter. They say which instruction comes next and where its operands are, so
 * they are code, and only trusted bytes may have them.
 */
#include "runtime/saved_state.h"

typedef struct {
    const uint8_t *bytes;
    uint64_t left;
    const char *wrong; /* NULL: nothing so far */
} reader;

static const char no_memory[] = "no memory"; /* what is wrong is not in the bytes */

static const uint8_t *
get(reader *r, uint64_t size)
{
    const uint8_t *at = r->bytes;

    if (r->wrong || size > r->left) {
        r->wrong = r->wrong ? r->wrong : "it is too short";
        return NULL;
    }
    r->bytes += size;
    r->left -= size;
    return at;
}

static uint32_t
get_u32(reader *r)
{
    const uint8_t *at = get(r, sizeof(uint32_t));
    uint32_t value = 0;

    if (at)
        memcpy(&value, at, sizeof value);
    return value;
}

static uint64_t
get_u64(reader *r)
{
    const uint8_t *at = get(r, sizeof(uint64_t));
    uint64_t value = 0;

    if (at)
        memcpy(&value, at, sizeof value);
    return value;
}

/* A copy, owned by the caller; NULL: something is wrong. */
static void *
get_copy(reader *r, uint64_t size)
{
    const uint8_t *at = get(r, size);
    void *copy = at ? malloc((size_t)size + 1) : NULL;

    if (at && !copy)
        r->wrong = no_memory;
    if (copy && size)
        memcpy(copy, at, (size_t)size);
    return copy;
}

static void
expect(reader *r, bool condition, const char *otherwise)
{
    if (!condition && !r->wrong)
        r->wrong = otherwise;
}

/* A reference in tables and globals: an index of a function, or null. */
static bool
is_reference(const wpy_snapshot *s, uint8_t type, uint32_t index)
{
    return index == WPY_NULL_REF || (type == VALUE_TYPE_FUNCREF && index < s->func_count);
}

static bool
references_are_valid(const wpy_snapshot *s, const uint8_t *data)
{
    const wpy_extern *limits =
        s->module->spaces + s->module->table_count + (s->module->memory != NULL);
    uint32_t imported = s->module->wamr->import_global_count, i, index;

    for (i = 0; i < s->global_count; i++) {
        const WASMGlobalInstance *global = &s->shared->globals[i];
        bool has_cell = i < imported || (limits[i].flags & WPY_EXPORTED);

        if (global->type != VALUE_TYPE_FUNCREF && global->type != VALUE_TYPE_EXTERNREF &&
            global->type != VALUE_TYPE_EXNREF)
            continue;
        if (!has_cell || !global->is_mutable) { /* else its data are in the cell only */
            memcpy(&index, data + global->data_offset, sizeof index);
            if (!is_reference(s, global->type, index) || (i < imported && index != WPY_NULL_REF))
                return false;
        }
        if (has_cell) {
            memcpy(&index, s->cells[i], sizeof index);
            if (!is_reference(s, global->type, index) || (i < imported && index != WPY_NULL_REF))
                return false;
        }
    }
    return true;
}

static void
read_globals(reader *r, wpy_snapshot *s)
{
    uint32_t size = s->head - s->globals_at;
    const uint8_t *data = get(r, size), *cells;

    if (s->cells && (cells = get(r, s->global_count * sizeof *s->cells)))
        memcpy(s->cells, cells, s->global_count * sizeof *s->cells);
    if (r->wrong)
        return;
    memcpy((uint8_t *)s->block + s->globals_at, data, size);
    expect(r, references_are_valid(s, data), "a global has a wrong reference");
}

static void
read_tables(reader *r, wpy_snapshot *s)
{
    uint32_t i, j;

    for (i = 0; i < s->table_count && !r->wrong; i++) {
        wpy_saved_table *table = &s->tables[i];
        const WASMTableInstance *header = (const WASMTableInstance *)(const void *)table->header;
        uint32_t size = get_u32(r), *elements;

        expect(r, size <= header->max_size, "a table is too large");
        if (r->wrong || !(elements = get_copy(r, (uint64_t)size * sizeof *elements)))
            return;
        free(table->elements);
        table->elements = elements;
        table->size = size;
        for (j = 0; j < size; j++)
            if (!is_reference(s, header->elem_type, elements[j])) {
                expect(r, false, "a table has a wrong reference");
                return;
            }
    }
}

static void
read_bitmap(reader *r, bh_bitmap *map)
{
    uint32_t size = map ? (uint32_t)(map->end_index - map->begin_index + 7) / 8 : 0;
    const uint8_t *at = get(r, size);

    if (at && size)
        memcpy(map->map, at, size);
}

static void
read_memory(reader *r, wpy_snapshot *s, wpy_image *image)
{
    uint32_t pages = get_u32(r);
    uint64_t size = (uint64_t)pages * WPY_PAGE;

    expect(r, s->has_memory ? pages <= s->memory.max_page_count : !pages,
           "the memory is too large");
    expect(r, (image != NULL) == s->has_memory && (!image || wpy_image_size(image) == size),
           "the memory has another size");
    if (r->wrong || !image)
        return;
    s->memory.cur_page_count = pages;
    s->memory.memory_data_size = size;
    wasm_runtime_set_mem_bound_check_bytes(&s->memory, size);
    wpy_image_release(s->image);
    s->image = wpy_image_retain(image);
}

static void
read_preopens(reader *r, wpy_snapshot *s)
{
    uint32_t size = get_u32(r);
    char *paths = get_copy(r, size);

    expect(r, s->has_wasi || !size, "it has directories without WASI");
    expect(r, !size || !paths || !paths[size - 1], "a path doesn't end");
    if (r->wrong) {
        free(paths);
        return;
    }
    free(s->preopens);
    s->preopens = paths;
    s->preopens_size = size;
}

/* Where a frame goes on; NULL with *ok false: there is no such place. */
static uint8_t *
instruction(const wpy_snapshot *s, uint32_t function, uint32_t ip, bool *ok)
{
    const WASMFunction *code;

    if (ip == UINT32_MAX)
        return NULL;
    if (function >= s->func_count || s->shared->functions[function].is_import_func) {
        *ok = false;
        return NULL;
    }
    code = s->shared->functions[function].u.func;
    *ok = *ok && ip <= code->code_compiled_size;
    return code->code_compiled + ip;
}

/* Reads the frames, innermost first, whose places are checked, but not their contents. */
static void
read_chain(reader *r, const wpy_snapshot *s, wpy_saved_frames *frames, const uint8_t *records,
           uint32_t count)
{
    const uint32_t least = (uint32_t)offsetof(WASMInterpFrame, operand);
    uint32_t above = frames->size, i;
    WASMInterpFrame *inner = NULL;

    for (i = 0; i < count && !r->wrong; i++) {
        uint32_t record[4]; /* at, lp, function, ip */
        WASMInterpFrame *frame;
        bool ok;

        memcpy(record, records + i * sizeof record, sizeof record);
        ok = record[0] % 4 == 0 && record[0] < above && above - record[0] >= least &&
             record[1] % 4 == 0 && record[1] >= record[0] + least && record[1] <= above &&
             (record[2] == UINT32_MAX || record[2] < s->func_count);
        if (ok) {
            frame = (WASMInterpFrame *)(frames->stack + record[0]);
            frame->lp = (uint32_t *)(frames->stack + record[1]);
            frame->function = record[2] == UINT32_MAX ? NULL : s->shared->functions + record[2];
            frame->ip = instruction(s, record[2], record[3], &ok);
            frame->prev_frame = NULL;
            if (inner)
                inner->prev_frame = frame;
            else
                frames->at = record[0];
            inner = frame;
            frames->entry = above = record[0];
            /* code between, an import or code innermost, and the entry frame outermost */
            ok = ok && (i == count - 1 ? !frame->function && !frame->ip
                        : i || frames->reason == WPY_REASON_SLICE
                            ? frame->ip != NULL
                            : !frame->ip && frame->function && frame->function->is_import_func);
        }
        expect(r, ok, "a frame is wrong");
    }
    expect(r, count >= 2 && frames->entry == 0, "the frames don't end");
}

static void
read_frames(reader *r, wpy_snapshot *s)
{
    wpy_saved_frames *frames = calloc(1, sizeof *frames);
    const WASMModule *module = s->module->wamr;
    const uint8_t *records;
    uint32_t count, i;

    if (!frames) {
        r->wrong = no_memory;
        return;
    }
    s->frames = frames;
    frames->size = get_u32(r);
    frames->func = get_u32(r);
    frames->reason = get_u32(r);
    frames->host = get_u32(r);
    frames->fresh = get_u32(r) != 0;
    frames->sleeps = get_u64(r);
    frames->called_ago = get_u64(r);
    frames->fuel_left = (int64_t)get_u64(r);
    frames->slice_fuel = (int64_t)get_u64(r);
    frames->owed = (int64_t)get_u64(r);
    frames->arg_count = get_u32(r);
    frames->args = get_copy(r, (uint64_t)frames->arg_count * sizeof *frames->args);
    frames->descriptor_count = get_u32(r);
    expect(r, frames->descriptor_count <= r->left / 8, "it is too short");
    if (r->wrong)
        frames->descriptor_count = 0;
    frames->descriptors = calloc(frames->descriptor_count + 1, sizeof *frames->descriptors);
    expect(r, frames->descriptors != NULL, no_memory);
    for (i = 0; i < frames->descriptor_count && !r->wrong; i++) {
        frames->descriptors[i].fd = (int32_t)get_u32(r);
        frames->descriptors[i].output = get_u32(r) != 0;
    }
    count = get_u32(r);
    records = get(r, (uint64_t)count * 16);
    frames->stack = get_copy(r, frames->size);
    frames->was = frames->stack;
    expect(r, frames->size % 4 == 0 && frames->size <= s->stack_bytes, "the stack is too large");
    expect(r, frames->func >= module->import_function_count && frames->func < s->func_count,
           "there is no such function");
    expect(r, frames->reason <= WPY_REASON_SLICE, "there is no such event");
    expect(r,
           frames->reason != WPY_REASON_CALL ||
               (frames->host < module->import_function_count && s->host_imports[frames->host] &&
                frames->arg_count ==
                    module->import_functions[frames->host].u.function.func_type->param_cell_num),
           "there is no such host function");
    expect(r, frames->sleeps == UINT64_MAX || frames->sleeps >> 62 == 0, "a wrong time");
    expect(r, frames->fuel_left >= -1 && frames->fuel_left < WPY_FUEL_ENDLESS, "wrong fuel");
    expect(r, frames->slice_fuel >= 0 && frames->slice_fuel < WPY_FUEL_ENDLESS, "wrong fuel");
    expect(r, frames->owed >= 0 && frames->owed < WPY_FUEL_ENDLESS, "wrong fuel");
    if (!r->wrong)
        read_chain(r, s, frames, records, count);
}

/* Puts the state that wpy_snapshot_write has written into a snapshot of a new instance of the same
   module, which no other thread knows; `image`: its memory, or NULL. A status; WPY_REFUSED: it is
   damaged, `why` as for wpy_snapshot_new, and the snapshot can't be used. `trusted`: it may have
   frames. */
int
wpy_snapshot_read(wpy_snapshot *s, const uint8_t *bytes, uint64_t size, wpy_image *image,
                  bool trusted, char *why)
{
    reader r = {.bytes = bytes, .left = size};
    bool suspended;

    s->stack_bytes = get_u32(&r);
    expect(&r, s->stack_bytes >= 4096 && s->stack_bytes <= 1u << 30, "the stack has a wrong size");
    read_preopens(&r, s);
    read_memory(&r, s, image);
    read_globals(&r, s);
    read_tables(&r, s);
    read_bitmap(&r, s->data_dropped);
    read_bitmap(&r, s->elem_dropped);
    suspended = get_u32(&r) != 0;
    if (!r.wrong && suspended && !trusted) {
        snprintf(why, WPY_REFUSAL,
                 "untrusted: the file has a suspended call, which is code, and may be anybody's");
        return WPY_REFUSED;
    }
    if (!r.wrong && suspended)
        read_frames(&r, s);
    expect(&r, !r.left, "it is too long");
    if (!r.wrong)
        return WPY_OK;
    if (r.wrong == no_memory)
        return WPY_NO_MEMORY;
    snprintf(why, WPY_REFUSAL, "damaged: the file is no whole snapshot: %s", r.wrong);
    return WPY_REFUSED;
}
