/* retain.c: host functions that sit in tables or globals of a group, or were passed to its code.
 *
 * A host function belongs to no group and counts its references. wasm code does not say when it
 * drops a function, so each group holds one reference on each host function that has come into it,
 * until the group goes: a hash set, since the same few may come in again and again, and into
 * several groups by turns. All here under the registry's lock.
 */
#include "core/core.h"

/* Where `host` is in the group's set, or would be; there is always an empty place. */
static wpy_object **
place_of(wpy_group *group, const wpy_object *host)
{
    uint32_t mask = group->retained_room - 1;
    uint32_t i = (uint32_t)((uint64_t)(uintptr_t)host * 0x9E3779B97F4A7C15u >> 32) & mask;

    ASSERT_HAS_LOCK(WPY_REGISTRY_LOCK);
    while (group->retained[i] && group->retained[i] != host)
        i = (i + 1) & mask;
    return &group->retained[i];
}

/* Makes room for `more` of them: at most three quarters of the places are taken. False: out of
 * memory. */
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
            *place_of(group, old[i]) = old[i];
    free(old);
    return true;
}

/* Under the registry's lock: what `from` has retained, `into` has. Without memory for it, it stays
 * on the merged group. */
void
wpy_group_hand_on(wpy_group *into, wpy_group *from)
{
    uint32_t i;

    ASSERT_HAS_LOCK(WPY_REGISTRY_LOCK);
    if (!from->retained_count || !make_room(into, from->retained_count))
        return;
    for (i = 0; i < from->retained_room; i++) {
        wpy_object *host = from->retained[i], **place;
        if (!host)
            continue;
        place = place_of(into, host);
        if (*place)
            host->refs--; /* it is there already, and not the last */
        else {
            *place = host;
            into->retained_count++;
        }
    }
    free(from->retained);
    from->retained = NULL;
    from->retained_count = from->retained_room = 0;
}

/* The group keeps the host function alive, whose reference has come into one of its tables, globals
   or calls: once, however often that happens. False: out of memory. */
bool
wpy_group_adopt(wpy_group *group, wpy_object *host)
{
    bool done;

    wpy_registry_lock();
    if ((done = make_room(group, 1))) {
        wpy_object **place = place_of(group, host);
        if (!*place) {
            *place = host;
            group->retained_count++;
            host->refs++;
        }
    }
    wpy_registry_unlock();
    return done;
}
