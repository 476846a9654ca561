/* describe.c: the imports, exports and limits of a module, read from its bytes.
 *
 * One pass over the sections fills arrays of wpy_extern. Names and types are then copied into one
 * arena. WAMR validates the module afterwards, so nothing is validated here, and what a malformed
 * module leaves behind is never used.
 */
#include "runtime/binary_reader.h"
#include "runtime/runtime.h"

typedef struct {
    uint32_t params, results; /* offsets into the bytes */
    uint32_t param_count, result_count;
} signature;

typedef struct {
    uint32_t *types;
    uint32_t count, room;
} index_list;

/* A description in progress. */
typedef struct {
    const uint8_t *bytes, *end;
    wpy_module *module;
    signature *types; /* the type section */
    uint32_t type_count;
    index_list functions, tags; /* the type of each, imported ones first */
    bool long_types;            /* some value types may take two bytes */
    uint32_t space_count, space_room;
} description;

/* Returns the block. NULL means out of memory, as opposed to a malformed module. */
static void *
check_memory(description *d, void *block)
{
    if (!block)
        d->module->no_memory = true;
    return block;
}

static void
read_limits(wpy_reader *r, wpy_extern *item)
{
    uint8_t flags = wpy_read_byte(r);

    item->min = wpy_read_u32(r);
    if (flags & 1) {
        item->max = wpy_read_u32(r);
        item->flags |= WPY_HAS_MAX;
    }
}

static inline bool
begins_long_type(uint8_t byte)
{
    return byte == 0x63 || byte == 0x64;
}

/* A value type; (ref exn) and (ref null exn) are exnref. */
static uint8_t
read_value_type(wpy_reader *r)
{
    uint8_t type = wpy_read_byte(r);

    if (begins_long_type(type) && r->at < r->end && *r->at == VALUE_TYPE_EXNREF)
        type = wpy_read_byte(r);
    return type;
}

static void
read_table_type(wpy_reader *r, wpy_extern *item)
{
    item->kind = IMPORT_KIND_TABLE;
    item->content = read_value_type(r);
    read_limits(r, item);
}

static void
read_memory_type(wpy_reader *r, wpy_extern *item)
{
    item->kind = IMPORT_KIND_MEMORY;
    read_limits(r, item);
}

static void
read_global_type(wpy_reader *r, wpy_extern *item)
{
    item->kind = IMPORT_KIND_GLOBAL;
    item->content = read_value_type(r);
    if (wpy_read_byte(r) & 1)
        item->flags |= WPY_MUTABLE;
}

/* Adds a function or tag with the type of this index. False: out of memory. */
static bool
add_index(description *d, index_list *list, uint32_t type)
{
    if (list->count == list->room) {
        uint32_t room = list->room ? list->room * 2 : 64;
        uint32_t *more = check_memory(d, realloc(list->types, room * sizeof *more));
        if (!more)
            return false;
        list->types = more;
        list->room = room;
    }
    list->types[list->count++] = type;
    return true;
}

/* Adds a table, memory or global. False: out of memory. */
static bool
add_space(description *d, const wpy_extern *item)
{
    wpy_module *module = d->module;

    if (d->space_count == d->space_room) {
        uint32_t room = d->space_room ? d->space_room * 2 : 16;
        wpy_extern *more = check_memory(d, realloc(module->spaces, room * sizeof *more));
        if (!more)
            return false;
        module->spaces = more;
        d->space_room = room;
    }
    module->spaces[d->space_count] = *item;
    module->spaces[d->space_count].module = module->spaces[d->space_count].name = NULL;
    d->space_count++;
    return true;
}

/* Points the item at the value types of a function type, in the caller's bytes. */
static void
set_function_type(description *d, wpy_extern *item, uint32_t type)
{
    if (type < d->type_count) {
        signature *s = &d->types[type];
        item->params = d->bytes + s->params;
        item->results = d->bytes + s->results;
        item->param_count = s->param_count;
        item->result_count = s->result_count;
    }
}

/* ---- sections; false: out of memory, or malformed ---- */

/* Skips so many value types, and returns where they begin. */
static uint32_t
read_value_types(const description *d, wpy_reader *r, uint32_t count)
{
    const uint8_t *start = r->at;
    uint32_t i;

    if (LIKELY(!d->long_types))
        start = wpy_read_bytes(r, count);
    else
        for (i = 0; i < count && !r->failed; i++)
            read_value_type(r);
    return (uint32_t)(start - d->bytes);
}

/* Whether a byte of the section may begin a value type of two bytes. */
static bool
may_have_long_types(const wpy_reader *r)
{
    size_t size = (size_t)(r->end - r->at);

    return size && (memchr(r->at, 0x63, size) || memchr(r->at, 0x64, size));
}

static bool
read_type_section(description *d, wpy_reader *r)
{
    uint32_t i, count = wpy_read_count(r);

    if (!(d->types = check_memory(d, calloc(count + 1, sizeof *d->types))))
        return false;
    d->long_types = may_have_long_types(r);
    for (i = 0; i < count && !r->failed; i++) {
        signature *s = &d->types[i];
        if (wpy_read_byte(r) != 0x60)
            return true; /* not a function type: WAMR refuses the module */
        s->param_count = wpy_read_u32(r);
        s->params = read_value_types(d, r, s->param_count);
        s->result_count = wpy_read_u32(r);
        s->results = read_value_types(d, r, s->result_count);
        d->type_count = i + 1;
    }
    return true;
}

static bool
read_import_section(description *d, wpy_reader *r)
{
    wpy_module *module = d->module;
    uint32_t i, count = wpy_read_count(r), indices[5] = {0};

    if (!(module->imports = check_memory(d, calloc(count + 1, sizeof *module->imports))))
        return false;
    for (i = 0; i < count && !r->failed; i++) {
        wpy_extern *item = &module->imports[i];
        uint32_t type;

        item->module_size = wpy_read_u32(r);
        item->module = wpy_read_bytes(r, item->module_size);
        item->name_size = wpy_read_u32(r);
        item->name = wpy_read_bytes(r, item->name_size);
        switch (item->kind = wpy_read_byte(r)) {
        case IMPORT_KIND_FUNC:
            type = wpy_read_u32(r);
            set_function_type(d, item, type);
            if (!add_index(d, &d->functions, type))
                return false;
            break;
        case IMPORT_KIND_TAG:
            wpy_read_byte(r); /* the attribute */
            type = wpy_read_u32(r);
            set_function_type(d, item, type);
            if (!add_index(d, &d->tags, type))
                return false;
            break;
        case IMPORT_KIND_TABLE:
            read_table_type(r, item);
            break;
        case IMPORT_KIND_MEMORY:
            read_memory_type(r, item);
            break;
        case IMPORT_KIND_GLOBAL:
            read_global_type(r, item);
            break;
        default:
            r->failed = true;
            return true;
        }
        item->index = indices[item->kind]++;
        if (item->kind != IMPORT_KIND_FUNC && item->kind != IMPORT_KIND_TAG && !add_space(d, item))
            return false;
        module->import_count = i + 1;
    }
    return true;
}

static bool
read_function_section(description *d, wpy_reader *r)
{
    uint32_t i, count = wpy_read_count(r);

    for (i = 0; i < count && !r->failed; i++)
        if (!add_index(d, &d->functions, wpy_read_u32(r)))
            return false;
    return true;
}

static bool
read_tag_section(description *d, wpy_reader *r)
{
    uint32_t i, count = wpy_read_count(r);

    for (i = 0; i < count && !r->failed; i++) {
        wpy_read_byte(r); /* the attribute */
        if (!add_index(d, &d->tags, wpy_read_u32(r)))
            return false;
    }
    return true;
}

/* A section of tables, memories or globals. Their indices follow those of the imported ones. */
static bool
read_space_section(description *d, wpy_reader *r, void (*type)(wpy_reader *, wpy_extern *),
                   uint32_t kind)
{
    uint32_t i, index = 0, count = wpy_read_count(r);

    for (i = 0; i < d->space_count; i++)
        index += d->module->spaces[i].kind == kind;
    for (i = 0; i < count && !r->failed; i++) {
        wpy_extern item = {0};

        type(r, &item);
        if (kind == IMPORT_KIND_GLOBAL)
            wpy_skip_expression(r);
        item.index = index++;
        if (!add_space(d, &item))
            return false;
    }
    return true;
}

static bool
read_export_section(description *d, wpy_reader *r)
{
    wpy_module *module = d->module;
    uint32_t i, count = wpy_read_count(r);

    if (!(module->exports = check_memory(d, calloc(count + 1, sizeof *module->exports))))
        return false;
    for (i = 0; i < count && !r->failed; i++) {
        wpy_extern *item = &module->exports[i];

        item->name_size = wpy_read_u32(r);
        item->name = wpy_read_bytes(r, item->name_size);
        item->kind = wpy_read_byte(r);
        item->index = wpy_read_u32(r);
        if (item->kind == EXPORT_KIND_FUNC) {
            if (item->index < d->functions.count)
                set_function_type(d, item, d->functions.types[item->index]);
            if (item->name_size == 11 && !memcmp(item->name, "_initialize", 11) &&
                item->param_count == 0 && item->result_count == 0)
                module->initialize = (int32_t)item->index;
        } else if (item->kind == EXPORT_KIND_TAG && item->index < d->tags.count)
            set_function_type(d, item, d->tags.types[item->index]);
        module->export_count = i + 1;
    }
    return true;
}

/* ---- the whole module ---- */

/* Sorts the spaces by kind, stably: tables, the memory, globals. */
static bool
sort_spaces(description *d)
{
    wpy_module *module = d->module;
    wpy_extern *sorted = check_memory(d, calloc(d->space_count + 1, sizeof *sorted));
    uint32_t kind, i, n = 0;

    if (!sorted)
        return false;
    for (kind = IMPORT_KIND_TABLE; kind <= IMPORT_KIND_GLOBAL; kind++)
        for (i = 0; i < d->space_count; i++)
            if (module->spaces[i].kind == kind) {
                if (kind == IMPORT_KIND_TABLE)
                    module->table_count++;
                else if (kind == IMPORT_KIND_GLOBAL)
                    module->global_count++;
                else if (!module->memory)
                    module->memory = &sorted[n];
                sorted[n++] = module->spaces[i];
            }
    free(module->spaces);
    module->spaces = sorted;
    return true;
}

/* Copies the types of exported tables, memories and globals to the exports, and marks the originals
   as exported. */
static void
describe_exports(wpy_module *module, uint32_t space_count)
{
    uint32_t first[4] = {0, 0, module->table_count, space_count - module->global_count}, i;
    uint32_t counts[4] = {0, module->table_count, first[3] - first[2], module->global_count};

    for (i = 0; i < module->export_count; i++) {
        wpy_extern *item = &module->exports[i], *space;

        if (item->kind == EXPORT_KIND_FUNC || item->kind > EXPORT_KIND_GLOBAL ||
            item->index >= counts[item->kind])
            continue; /* a function, or malformed: WAMR refuses the module */
        space = &module->spaces[first[item->kind] + item->index];
        item->content = space->content;
        item->flags = space->flags & (WPY_MUTABLE | WPY_HAS_MAX);
        item->min = space->min;
        item->max = space->max;
        space->flags |= WPY_EXPORTED;
    }
}

/* Copies `size` bytes at *text to `room`, and points *text there. Returns the room after them. */
static uint8_t *
move_text(uint8_t *room, const uint8_t **text, uint32_t size)
{
    if (!*text)
        return room;
    memcpy(room, *text, size);
    *text = room;
    return room + size;
}

/* The same for value types, which become one byte each. */
static uint8_t *
move_types(const description *d, uint8_t *room, const uint8_t **types, uint32_t count)
{
    wpy_reader r = {*types, d->end, false};
    uint32_t i;

    if (!*types || !d->long_types)
        return move_text(room, types, count);
    *types = room;
    for (i = 0; i < count; i++)
        *room++ = read_value_type(&r);
    return room;
}

/* Moves the names and types, which point into the caller's bytes, into the module's arena. */
static bool
move_texts(description *d)
{
    wpy_module *module = d->module;
    wpy_extern *lists[2] = {module->imports, module->exports};
    uint32_t counts[2] = {module->import_count, module->export_count}, k, i;
    uint64_t size = 1;
    uint8_t *room;

    for (k = 0; k < 2; k++)
        for (i = 0; i < counts[k]; i++)
            size += (uint64_t)lists[k][i].module_size + lists[k][i].name_size +
                    lists[k][i].param_count + lists[k][i].result_count;
    if (!(room = module->arena = check_memory(d, malloc(size))))
        return false;
    for (k = 0; k < 2; k++)
        for (i = 0; i < counts[k]; i++) {
            wpy_extern *item = &lists[k][i];
            room = move_text(room, &item->module, item->module_size);
            room = move_text(room, &item->name, item->name_size);
            room = move_types(d, room, &item->params, item->param_count);
            room = move_types(d, room, &item->results, item->result_count);
        }
    return true;
}

bool
wpy_describe(wpy_module *module, const uint8_t *bytes, uint32_t size)
{
    wpy_reader whole = {bytes + 8, bytes + size, false};
    description d = {.bytes = bytes, .end = bytes + size, .module = module};
    bool ok = true;

    module->start = module->initialize = -1;
    while (ok && !whole.failed && whole.at < whole.end) {
        uint8_t id = wpy_read_byte(&whole);
        uint32_t length = wpy_read_u32(&whole);
        const uint8_t *body = wpy_read_bytes(&whole, length);
        wpy_reader r = {body, whole.at, false};

        if (whole.failed)
            break;
        switch (id) {
        case SECTION_TYPE_TYPE:
            ok = d.types ? false : read_type_section(&d, &r);
            break;
        case SECTION_TYPE_IMPORT:
            ok = module->imports ? false : read_import_section(&d, &r);
            break;
        case SECTION_TYPE_FUNC:
            ok = read_function_section(&d, &r);
            break;
        case SECTION_TYPE_TABLE:
            ok = read_space_section(&d, &r, read_table_type, IMPORT_KIND_TABLE);
            break;
        case SECTION_TYPE_MEMORY:
            ok = read_space_section(&d, &r, read_memory_type, IMPORT_KIND_MEMORY);
            break;
        case SECTION_TYPE_GLOBAL:
            ok = read_space_section(&d, &r, read_global_type, IMPORT_KIND_GLOBAL);
            break;
        case SECTION_TYPE_EXPORT:
            ok = module->exports ? false : read_export_section(&d, &r);
            break;
        case SECTION_TYPE_TAG:
            ok = read_tag_section(&d, &r);
            break;
        case SECTION_TYPE_START:
            module->start = (int32_t)wpy_read_u32(&r);
            break;
        default:
            break;
        }
        ok = ok && !r.failed;
    }
    ok = ok && !whole.failed && sort_spaces(&d) && move_texts(&d);
    if (ok)
        describe_exports(module, d.space_count);
    free(d.types);
    free(d.functions.types);
    free(d.tags.types);
    return ok;
}
