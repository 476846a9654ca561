/* retain.c: the host functions that a group keeps alive.
 *
 * A host function belongs to no group and has a reference count of its own. wasm code does not say
 * when it drops a reference to a function, so each group holds one reference to each host function
 * that has come into one of its tables, globals or calls, until the group is freed. The references
 * are a hash set, since the same few functions may come in again and again. Everything here is
 * under the registry's lock.
 */
#include "core/core.h"

/* The slot of `host` in the group's set, or the empty slot for it: there is always one. */
static wpy_object **
find_slot(wpy_group *group, const wpy_object *host)
{
    uint32_t mask = group->retained_room - 1;
    uint32_t i = (uint32_t)((uint64_t)(uintptr_t)host * 0x9E3779B97F4A7C15u >> 32) & mask;

    ASSERT_HAS_LOCK(WPY_REGISTRY_LOCK);
    while (group->retained[i] && group->retained[i] != host)
        i = (i + 1) & mask;
    return &group->retained[i];
}

/* Makes room for `more` functions, so that at most three quarters of the slots are taken. False:
   out of memory. */
static bool
make_room(wpy_group *group, uint32_t more)
{
    uint64_t needed = (uint64_t)group->retained_count + more,
             room = group->retained_room ? group->retained_room : 8;
    wpy_object **old = group->retained;
    uint32_t old_room = group->retained_room, i;

    ASSERT_HAS_LOCK(WPY_REGISTRY_LOCK);
    while (needed > room / 4 * 3)
        room *= 2;
    if (room == old_room)
        return true;
    if (room > UINT32_MAX / 2 ||
        !(group->retained = calloc((size_t)room, sizeof *group->retained))) {
        group->retained = old;
        return false;
    }
    group->retained_room = (uint32_t)room;
    for (i = 0; i < old_room; i++)
        if (old[i])
            *find_slot(group, old[i]) = old[i];
    free(old);
    return true;
}

/* Without memory for it, the references stay with `from`, which is freed with `into`. */
void
wpy_group_move_retained(wpy_group *into, wpy_group *from)
{
    uint32_t i;

    ASSERT_HAS_LOCK(WPY_REGISTRY_LOCK);
    if (!from->retained_count || !make_room(into, from->retained_count))
        return;
    for (i = 0; i < from->retained_room; i++) {
        wpy_object *host = from->retained[i], **slot;
        if (!host)
            continue;
        slot = find_slot(into, host);
        if (*slot)
            host->refs--; /* not the last one: `into` has another */
        else {
            *slot = host;
            into->retained_count++;
        }
    }
    free(from->retained);
    from->retained = NULL;
    from->retained_count = from->retained_room = 0;
}

bool
wpy_group_retain_host_func(wpy_group *group, wpy_object *host_func)
{
    bool done;

    wpy_registry_lock();
    if ((done = make_room(group, 1))) {
        wpy_object **slot = find_slot(group, host_func);
        if (!*slot) {
            *slot = host_func;
            group->retained_count++;
            host_func->refs++;
        }
    }
    wpy_registry_unlock();
    return done;
}
