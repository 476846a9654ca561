/* finish_description.c: completes the description of a module, once all sections are read.
 *
 * Names and types point into the caller's bytes until then, and are copied into one arena.
 */
#include "runtime/description.h"

/* Sorts the spaces by kind, stably: tables, the memory, globals. */
static bool
sort_spaces(wpy_description *d)
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
move_types(const wpy_description *d, uint8_t *room, const uint8_t **types, uint32_t count)
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
move_texts(wpy_description *d)
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
wpy_finish_description(wpy_description *d)
{
    if (!sort_spaces(d) || !move_texts(d))
        return false;
    describe_exports(d->module, d->space_count);
    return true;
}
