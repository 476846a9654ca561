/* global.c: globals, the mutable ones that can be shared in cells of their own.
 *
 * A mutable global that is imported or exported lives in a 16-byte cell that every instance which
 * has it points at (a patch widens WAMR's offset so that it reaches any address). An immutable one
 * is a copy: nobody can tell the difference.
 */
#include "core/core.h"

static void
free_global(wpy_object *object)
{
    free(object);
}

const wpy_kind wpy_global_kind = {.free = free_global};

static size_t
size_of(uint8_t content)
{
    return (size_t)wasm_value_type_size(content);
}

/* A global of the host's, in a group of its own; a handle. NULL: out of memory. */
wpy_global *
wpy_global_new(uint8_t content, bool mutable_, const void *cells)
{
    wpy_global *global =
        calloc(1, sizeof *global); /* WAMR reads a v128 in halves: malloc's alignment will do */
    wpy_group *group = global ? wpy_group_new() : NULL;

    if (!group) {
        free(global);
        return NULL;
    }
    global->content = content;
    global->mutable_ = mutable_;
    memcpy(global->cell, cells, size_of(content));
    wpy_group_add(group, &global->object, &wpy_global_kind);
    return global;
}

int
wpy_global_get(wpy_global *global, void *cells)
{
    bool held;
    int status = wpy_group_enter(&global->object, &held);

    if (status == WPY_OK) {
        memcpy(cells, global->cell, size_of(global->content));
        wpy_group_leave(&global->object, held);
    }
    return status;
}

int
wpy_global_get_now(wpy_global *global, void *cells)
{
    bool held;

    if (UNLIKELY(!wpy_group_enter_now(&global->object, &held)))
        return WPY_BUSY;
    memcpy(cells, global->cell, sizeof global->cell);
    wpy_group_leave(&global->object, held);
    return WPY_OK;
}

int
wpy_global_set_now(wpy_global *global, const void *cells)
{
    bool held;

    if (UNLIKELY(!wpy_group_enter_now(&global->object, &held)))
        return WPY_BUSY;
    memcpy(global->cell, cells, size_of(global->content));
    wpy_group_leave(&global->object, held);
    return WPY_OK;
}

/* A reference must be of the global's group: see wpy_retain_reference. */
int
wpy_global_set(wpy_global *global, const void *cells)
{
    bool held;
    int status = wpy_group_enter(&global->object, &held);

    if (status == WPY_OK) {
        memcpy(global->cell, cells, size_of(global->content));
        wpy_group_leave(&global->object, held);
    }
    return status;
}
