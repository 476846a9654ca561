/* global.c: globals that are imported, exported, or made by the host.
 *
 * A mutable global that can be shared is in a 16-byte cell of its own, at which every instance that
 * has the global points (a patch widens WAMR's offset so that it reaches any address). An immutable
 * global is copied, which code can't observe.
 */
#include "runtime/runtime.h"

static void
free_global(wpy_object *object)
{
    wpy_wipe_and_free(object, sizeof(wpy_global));
}

const wpy_object_ops wpy_global_ops = {.free = free_global};

static size_t
size_of(uint8_t content)
{
    return (size_t)wasm_value_type_size(content);
}

/* Makes a global of the host, in a group of its own. Returns a handle, or NULL: out of memory. */
wpy_global *
wpy_global_new(uint8_t content, bool mutable_, const void *cells)
{
    /* WAMR reads a v128 in halves, so malloc's alignment is enough */
    wpy_global *global = calloc(1, sizeof *global);
    wpy_group *group = global ? wpy_group_new() : NULL;

    if (!group) {
        free(global);
        return NULL;
    }
    global->content = content;
    global->mutable_ = mutable_;
    memcpy(global->cell, cells, size_of(content));
    wpy_group_add(group, &global->object, &wpy_global_ops);
    return global;
}

/* Copies the value; a status. Waits for the group's lock, so not with the GIL. */
int
wpy_global_get(wpy_global *global, void *cells)
{
    bool acquired;
    int status = wpy_group_enter(&global->object, &acquired);

    if (status == WPY_OK) {
        memcpy(cells, global->cell, size_of(global->content));
        wpy_group_leave(&global->object, acquired);
    }
    return status;
}

int
wpy_global_get_now(wpy_global *global, void *cells)
{
    bool acquired;

    if (UNLIKELY(!wpy_group_enter_now(&global->object, &acquired)))
        return WPY_BUSY;
    memcpy(cells, global->cell, sizeof global->cell);
    wpy_group_leave(&global->object, acquired);
    return WPY_OK;
}

int
wpy_global_set_now(wpy_global *global, const void *cells)
{
    bool acquired;

    if (UNLIKELY(!wpy_group_enter_now(&global->object, &acquired)))
        return WPY_BUSY;
    memcpy(global->cell, cells, size_of(global->content));
    wpy_group_leave(&global->object, acquired);
    return WPY_OK;
}

/* Sets the value; a status. Waits as wpy_global_get does. wpy_retain_reference first, if it is a
   reference to a function. */
int
wpy_global_set(wpy_global *global, const void *cells)
{
    bool acquired;
    int status = wpy_group_enter(&global->object, &acquired);

    if (status == WPY_OK) {
        memcpy(global->cell, cells, size_of(global->content));
        wpy_group_leave(&global->object, acquired);
    }
    return status;
}
