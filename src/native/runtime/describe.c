/* describe.c: imports, exports and true limits, read from the bytes of a module.
 *
 * One walk over the sections fills arrays of wpy_extern. All names and types are copied into one
 * arena, sized by a first count. WAMR validates the module afterwards: here nothing needs to be
 * judged, only nothing may be read outside the bytes, so every read goes through a cursor that
 * turns failed at the end and stays so.
 */
#include "core/core.h"

typedef struct {
    const uint8_t *at, *end;
    bool failed;
} cursor;

typedef struct {
    uint32_t params, results; /* where they lie, offsets into the bytes */
    uint32_t param_count, result_count;
} signature;

typedef struct {
    uint32_t *types;
    uint32_t count, room;
} indices;

typedef struct {
    const uint8_t *bytes, *end;
    wpy_module *module;
    signature *types;
    uint32_t type_count;
    indices functions, tags; /* the type of each, imported ones first */
    bool long_types;         /* some value types take two bytes */
    uint32_t space_count, space_room;
} walk;

/* The block; its lack is told apart from what is malformed. */
static void *
need(walk *w, void *block)
{
    if (!block)
        w->module->no_memory = true;
    return block;
}

bool wpy_describe(wpy_module *module, const uint8_t *bytes, uint32_t size);

static uint8_t
byte_(cursor *c)
{
    if (c->at >= c->end) {
        c->failed = true;
        return 0;
    }
    return *c->at++;
}

static uint32_t
leb(cursor *c)
{
    uint32_t value = 0, shift = 0;
    uint8_t next;

    do {
        next = byte_(c);
        if (shift < 32)
            value |= (uint32_t)(next & 0x7F) << shift;
        shift += 7;
    } while ((next & 0x80) && shift < 70 && !c->failed);
    return value;
}

static const uint8_t *
take(cursor *c, uint32_t size)
{
    const uint8_t *start = c->at;

    if (size > (uint64_t)(c->end - c->at)) {
        c->failed = true;
        c->at = c->end;
        return start;
    }
    c->at += size;
    return start;
}

/* A count can't be larger than what is left: each item takes a byte at least. */
static uint32_t
count_of(cursor *c)
{
    uint32_t count = leb(c);

    if (count > (uint64_t)(c->end - c->at)) {
        c->failed = true;
        return 0;
    }
    return count;
}

static void
limits(cursor *c, wpy_extern *item)
{
    uint8_t flags = byte_(c);

    item->min = leb(c);
    if (flags & 1) {
        item->max = leb(c);
        item->flags |= 2;
    }
}

/* A value type: (ref exn) and (ref null exn) are exnref. */
static uint8_t
value_type(cursor *c)
{
    uint8_t type = byte_(c);

    if ((type == 0x63 || type == 0x64) && c->at < c->end && *c->at == VALUE_TYPE_EXNREF)
        type = byte_(c);
    return type;
}

static void
table_type(cursor *c, wpy_extern *item)
{
    item->kind = 1;
    item->content = value_type(c);
    limits(c, item);
}

static void
memory_type(cursor *c, wpy_extern *item)
{
    item->kind = 2;
    limits(c, item);
}

static void
global_type(cursor *c, wpy_extern *item)
{
    item->kind = 3;
    item->content = value_type(c);
    if (byte_(c) & 1)
        item->flags |= 1;
}

static bool
add_index(walk *w, indices *of, uint32_t type)
{
    if (of->count == of->room) {
        uint32_t room = of->room ? of->room * 2 : 64;
        uint32_t *more = need(w, realloc(of->types, room * sizeof *more));
        if (!more)
            return false;
        of->types = more;
        of->room = room;
    }
    of->types[of->count++] = type;
    return true;
}

static bool
add_space(walk *w, const wpy_extern *item)
{
    wpy_module *module = w->module;

    if (w->space_count == w->space_room) {
        uint32_t room = w->space_room ? w->space_room * 2 : 16;
        wpy_extern *more = need(w, realloc(module->spaces, room * sizeof *more));
        if (!more)
            return false;
        module->spaces = more;
        w->space_room = room;
    }
    module->spaces[w->space_count] = *item;
    module->spaces[w->space_count].module = module->spaces[w->space_count].name = NULL;
    w->space_count++;
    return true;
}

static void
function_type(walk *w, wpy_extern *item, uint32_t type)
{
    if (type < w->type_count) {
        signature *s = &w->types[type];
        item->params = w->bytes + s->params;
        item->results = w->bytes + s->results;
        item->param_count = s->param_count;
        item->result_count = s->result_count;
    }
}

/* Where so many value types begin. */
static uint32_t
value_types(walk *w, cursor *c, uint32_t count)
{
    uint32_t start = (uint32_t)(c->at - w->bytes), i;
    const uint8_t *at = take(c, count);

    for (i = 0; i < count && !c->failed; i++)
        if (UNLIKELY(at[i] == 0x63 || at[i] == 0x64)) { /* begin again, type by type */
            w->long_types = true;
            c->at = at;
            for (i = 0; i < count && !c->failed; i++)
                value_type(c);
        }
    return start;
}

static bool
type_section(walk *w, cursor *c)
{
    uint32_t i, count = count_of(c);

    if (!(w->types = need(w, calloc(count + 1, sizeof *w->types))))
        return false;
    for (i = 0; i < count && !c->failed; i++) {
        signature *s = &w->types[i];
        if (byte_(c) != 0x60)
            return true; /* not a function type: WAMR will say so */
        s->param_count = leb(c);
        s->params = value_types(w, c, s->param_count);
        s->result_count = leb(c);
        s->results = value_types(w, c, s->result_count);
        w->type_count = i + 1;
    }
    return true;
}

static bool
import_section(walk *w, cursor *c)
{
    wpy_module *module = w->module;
    uint32_t i, count = count_of(c), numbers[5] = {0};

    if (!(module->imports = need(w, calloc(count + 1, sizeof *module->imports))))
        return false;
    for (i = 0; i < count && !c->failed; i++) {
        wpy_extern *item = &module->imports[i];
        uint32_t type;

        item->module_size = leb(c);
        item->module = take(c, item->module_size);
        item->name_size = leb(c);
        item->name = take(c, item->name_size);
        switch (item->kind = byte_(c)) {
        case 0:
            type = leb(c);
            function_type(w, item, type);
            if (!add_index(w, &w->functions, type))
                return false;
            break;
        case 1:
            table_type(c, item);
            break;
        case 2:
            memory_type(c, item);
            break;
        case 3:
            global_type(c, item);
            break;
        case 4:
            byte_(c); /* the attribute */
            type = leb(c);
            function_type(w, item, type);
            if (!add_index(w, &w->tags, type))
                return false;
            break;
        default:
            c->failed = true;
            return true;
        }
        item->index = numbers[item->kind]++;
        if (item->kind >= 1 && item->kind <= 3 && !add_space(w, item))
            return false;
        module->import_count = i + 1;
    }
    return true;
}

static bool
function_section(walk *w, cursor *c)
{
    uint32_t i, count = count_of(c);

    for (i = 0; i < count && !c->failed; i++)
        if (!add_index(w, &w->functions, leb(c)))
            return false;
    return true;
}

static bool
tag_section(walk *w, cursor *c)
{
    uint32_t i, count = count_of(c);

    for (i = 0; i < count && !c->failed; i++) {
        byte_(c); /* the attribute */
        if (!add_index(w, &w->tags, leb(c)))
            return false;
    }
    return true;
}

/* The initialiser of a global: a constant expression up to its end. */
static void
skip_expression(cursor *c)
{
    uint8_t opcode;

    while (!c->failed && (opcode = byte_(c)) != 0x0B) {
        switch (opcode) {
        case 0x41: /* i32.const, i64.const, global.get, ref.func: LEB128 */
        case 0x42:
        case 0x23:
        case 0xD2:
            leb(c);
            break;
        case 0xD0: /* ref.null */
            byte_(c);
            break;
        case 0x43: /* f32.const */
            take(c, 4);
            break;
        case 0x44: /* f64.const */
            take(c, 8);
            break;
        case 0xFD: /* v128.const */
            leb(c);
            take(c, 16);
            break;
        default: /* arithmetic of extended constant expressions: no operand */
            break;
        }
    }
}

/* Tables, memories or globals, after the imported ones of their kind. */
static bool
space_section(walk *w, cursor *c, void (*type)(cursor *, wpy_extern *), uint32_t kind)
{
    uint32_t i, index = 0, count = count_of(c);

    for (i = 0; i < w->space_count; i++)
        index += w->module->spaces[i].kind == kind;
    for (i = 0; i < count && !c->failed; i++) {
        wpy_extern item = {0};

        type(c, &item);
        if (kind == 3)
            skip_expression(c);
        item.index = index++;
        if (!add_space(w, &item))
            return false;
    }
    return true;
}

static bool
export_section(walk *w, cursor *c)
{
    wpy_module *module = w->module;
    uint32_t i, count = count_of(c);

    if (!(module->exports = need(w, calloc(count + 1, sizeof *module->exports))))
        return false;
    for (i = 0; i < count && !c->failed; i++) {
        wpy_extern *item = &module->exports[i];

        item->name_size = leb(c);
        item->name = take(c, item->name_size);
        item->kind = byte_(c);
        item->index = leb(c);
        if (item->kind == 0) {
            if (item->index < w->functions.count)
                function_type(w, item, w->functions.types[item->index]);
            if (item->name_size == 11 && !memcmp(item->name, "_initialize", 11) &&
                item->param_count == 0 && item->result_count == 0)
                module->initialize = (int32_t)item->index;
        } else if (item->kind == 4 && item->index < w->tags.count)
            function_type(w, item, w->tags.types[item->index]);
        module->export_count = i + 1;
    }
    return true;
}

/* Sorts the spaces by kind, stably: tables, the memory, globals. */
static bool
sort_spaces(walk *w)
{
    wpy_module *module = w->module;
    wpy_extern *sorted = need(w, calloc(w->space_count + 1, sizeof *sorted));
    uint32_t kind, i, n = 0;

    if (!sorted)
        return false;
    for (kind = 1; kind <= 3; kind++)
        for (i = 0; i < w->space_count; i++)
            if (module->spaces[i].kind == kind) {
                if (kind == 1)
                    module->table_count++;
                else if (kind == 3)
                    module->global_count++;
                else if (!module->memory)
                    module->memory = &sorted[n];
                sorted[n++] = module->spaces[i];
            }
    free(module->spaces);
    module->spaces = sorted;
    return true;
}

/* An exported table, memory or global is told by what it is, and marked as exported. */
static void
describe_exported_spaces(wpy_module *module, uint32_t space_count)
{
    uint32_t first[4] = {0, 0, module->table_count, space_count - module->global_count}, i;
    uint32_t counts[4] = {0, module->table_count, first[3] - first[2], module->global_count};

    for (i = 0; i < module->export_count; i++) {
        wpy_extern *item = &module->exports[i], *space;

        if (item->kind == 0 || item->kind > 3 || item->index >= counts[item->kind])
            continue; /* WAMR says what is wrong with it */
        space = &module->spaces[first[item->kind] + item->index];
        item->content = space->content;
        item->flags = space->flags & 3;
        item->min = space->min;
        item->max = space->max;
        space->flags |= WPY_EXPORTED;
    }
}

static uint8_t *
move(uint8_t *room, const uint8_t **text, uint32_t size)
{
    if (!*text)
        return room;
    memcpy(room, *text, size);
    *text = room;
    return room + size;
}

/* The same for value types, of which some may have their long form there. */
static uint8_t *
move_types(const walk *w, uint8_t *room, const uint8_t **types, uint32_t count)
{
    cursor c = {*types, w->end, false};
    uint32_t i;

    if (!*types || !w->long_types)
        return move(room, types, count);
    *types = room;
    for (i = 0; i < count; i++)
        *room++ = value_type(&c);
    return room;
}

/* Copies names and types, which point into the caller's bytes, into the module's arena. */
static bool
keep_texts(walk *w)
{
    wpy_module *module = w->module;
    wpy_extern *lists[2] = {module->imports, module->exports};
    uint32_t counts[2] = {module->import_count, module->export_count}, k, i;
    uint64_t size = 1;
    uint8_t *room;

    for (k = 0; k < 2; k++)
        for (i = 0; i < counts[k]; i++)
            size += (uint64_t)lists[k][i].module_size + lists[k][i].name_size +
                    lists[k][i].param_count + lists[k][i].result_count;
    if (!(room = module->arena = need(w, malloc(size))))
        return false;
    for (k = 0; k < 2; k++)
        for (i = 0; i < counts[k]; i++) {
            wpy_extern *item = &lists[k][i];
            room = move(room, &item->module, item->module_size);
            room = move(room, &item->name, item->name_size);
            room = move_types(w, room, &item->params, item->param_count);
            room = move_types(w, room, &item->results, item->result_count);
        }
    return true;
}

/* Fills in what the module says about itself. False: out of memory, or a module that WAMR is going
 * to refuse. */
bool
wpy_describe(wpy_module *module, const uint8_t *bytes, uint32_t size)
{
    cursor whole = {bytes + 8, bytes + size, false};
    walk w = {.bytes = bytes, .end = bytes + size, .module = module};
    bool ok = true;

    module->start = module->initialize = -1;
    while (ok && !whole.failed && whole.at < whole.end) {
        uint8_t id = byte_(&whole);
        uint32_t length = leb(&whole);
        const uint8_t *body = take(&whole, length);
        cursor c = {body, whole.at, false};

        if (whole.failed)
            break;
        switch (id) {
        case 1:
            ok = w.types ? false : type_section(&w, &c);
            break;
        case 2:
            ok = module->imports ? false : import_section(&w, &c);
            break;
        case 3:
            ok = function_section(&w, &c);
            break;
        case 4:
            ok = space_section(&w, &c, table_type, 1);
            break;
        case 5:
            ok = space_section(&w, &c, memory_type, 2);
            break;
        case 6:
            ok = space_section(&w, &c, global_type, 3);
            break;
        case 7:
            ok = module->exports ? false : export_section(&w, &c);
            break;
        case 13:
            ok = tag_section(&w, &c);
            break;
        case 8:
            module->start = (int32_t)leb(&c);
            break;
        default:
            break;
        }
        ok = ok && !c.failed;
    }
    ok = ok && !whole.failed && sort_spaces(&w) && keep_texts(&w);
    if (ok)
        describe_exported_spaces(module, w.space_count);
    free(w.types);
    free(w.functions.types);
    free(w.tags.types);
    return ok;
}
