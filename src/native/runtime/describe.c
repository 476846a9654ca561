/* describe.c: the imports, exports and limits of a module, read from its bytes.
 *
 * One pass over the sections fills arrays of wpy_extern; finish_description.c does what needs all
 * of them. WAMR validates the module afterwards, so nothing is validated here, and what a malformed
 * module leaves behind is never used.
 */
#include "runtime/description.h"

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
add_index(wpy_description *d, wpy_index_list *list, uint32_t type)
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
add_space(wpy_description *d, const wpy_extern *item)
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
set_function_type(wpy_description *d, wpy_extern *item, uint32_t type)
{
    if (type < d->type_count) {
        wpy_signature *s = &d->types[type];
        item->params = d->bytes + s->params;
        item->results = d->bytes + s->results;
        item->param_count = s->param_count;
        item->result_count = s->result_count;
    }
}

/* ---- sections; false: out of memory, or malformed ---- */

/* Skips so many value types, and returns where they begin. */
static uint32_t
read_value_types(const wpy_description *d, wpy_reader *r, uint32_t count)
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
read_type_section(wpy_description *d, wpy_reader *r)
{
    uint32_t i, count = wpy_read_count(r);

    if (!(d->types = check_memory(d, calloc(count + 1, sizeof *d->types))))
        return false;
    d->long_types = may_have_long_types(r);
    for (i = 0; i < count && !r->failed; i++) {
        wpy_signature *s = &d->types[i];
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
read_import_section(wpy_description *d, wpy_reader *r)
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
read_function_section(wpy_description *d, wpy_reader *r)
{
    uint32_t i, count = wpy_read_count(r);

    for (i = 0; i < count && !r->failed; i++)
        if (!add_index(d, &d->functions, wpy_read_u32(r)))
            return false;
    return true;
}

static bool
read_tag_section(wpy_description *d, wpy_reader *r)
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
read_space_section(wpy_description *d, wpy_reader *r, void (*type)(wpy_reader *, wpy_extern *),
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
read_export_section(wpy_description *d, wpy_reader *r)
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

/* Reads a section, if there is something to describe in it. */
static bool
read_section(wpy_description *d, uint8_t id, wpy_reader *r)
{
    bool ok = true;

    switch (id) {
    case SECTION_TYPE_TYPE:
        ok = d->types ? false : read_type_section(d, r);
        break;
    case SECTION_TYPE_IMPORT:
        ok = d->module->imports ? false : read_import_section(d, r);
        break;
    case SECTION_TYPE_FUNC:
        ok = read_function_section(d, r);
        break;
    case SECTION_TYPE_TABLE:
        ok = read_space_section(d, r, read_table_type, IMPORT_KIND_TABLE);
        break;
    case SECTION_TYPE_MEMORY:
        ok = read_space_section(d, r, read_memory_type, IMPORT_KIND_MEMORY);
        break;
    case SECTION_TYPE_GLOBAL:
        ok = read_space_section(d, r, read_global_type, IMPORT_KIND_GLOBAL);
        break;
    case SECTION_TYPE_EXPORT:
        ok = d->module->exports ? false : read_export_section(d, r);
        break;
    case SECTION_TYPE_TAG:
        ok = read_tag_section(d, r);
        break;
    case SECTION_TYPE_START:
        d->module->start = (int32_t)wpy_read_u32(r);
        break;
    default:
        break;
    }
    return ok && !r->failed;
}

bool
wpy_describe(wpy_module *module, const uint8_t *bytes, uint32_t size)
{
    wpy_reader whole = {bytes + 8, bytes + size, false};
    wpy_description d = {.bytes = bytes, .end = bytes + size, .module = module};
    bool ok = true;

    module->start = module->initialize = -1;
    while (ok && !whole.failed && whole.at < whole.end) {
        uint8_t id = wpy_read_byte(&whole);
        uint32_t length = wpy_read_u32(&whole);
        const uint8_t *body = wpy_read_bytes(&whole, length);
        wpy_reader r = {body, whole.at, false};

        if (whole.failed)
            break;
        ok = read_section(&d, id, &r);
    }
    ok = ok && !whole.failed && wpy_finish_description(&d);
    free(d.types);
    free(d.functions.types);
    free(d.tags.types);
    return ok;
}
