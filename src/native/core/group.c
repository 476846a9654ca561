/* group.c: what is linked lives, is locked and dies together.
 *
 * A group is a list of objects (instances, memories, tables, globals, functions of instances), one
 * lock and one count of handles. Handles are Python's references to any object in it. At zero
 * nobody can reach any of it, and all is freed at once, so no pointer inside a group can dangle and
 * no order of destruction is wrong. Linking an instance to things of other groups merges the
 * groups. A merged group's struct stays until the group that took it in goes, since a thread may
 * still wait on its lock; such a thread looks again which group its object is in.
 */
#include "core/core.h"

static wpy_group *all_groups; /* under the registry's lock */

wpy_group *
wpy_group_new(void)
{
    wpy_group *group = calloc(1, sizeof *group);

    if (!group)
        return NULL;
    if (os_mutex_init(&group->mutex) != 0) {
        free(group);
        return NULL;
    }
    if (os_cond_init(&group->cond) != 0) {
        os_mutex_destroy(&group->mutex);
        free(group);
        return NULL;
    }
    wpy_registry_lock();
    group->next_group = all_groups;
    group->link_group = &all_groups;
    if (all_groups)
        all_groups->link_group = &group->next_group;
    all_groups = group;
    wpy_registry_unlock();
    return group;
}

/* Only the thread that forked is left. */
void
wpy_groups_forked(void)
{
    wpy_group *group;

    ASSERT_HAS_LOCK(WPY_REGISTRY_LOCK);
    for (group = all_groups; group; group = group->next_group)
        wpy_group_forked(group);
    wpy_waiting_forked();
}

static void
group_destroy(wpy_group *group)
{
    while (group) {
        wpy_group *next = group->absorbed;
        uint32_t i;

        for (i = 0; i < group->retained_room; i++)
            if (group->retained[i])
                wpy_release(group->retained[i]);
        wpy_registry_lock();
        *group->link_group = group->next_group;
        if (group->next_group)
            group->next_group->link_group = group->link_group;
        wpy_registry_unlock();
        os_cond_destroy(&group->cond);
        os_mutex_destroy(&group->mutex);
        free(group->retained);
        free(group);
        group = next;
    }
}

/* All are shut before the first is freed, so that what they point at still stands. */
void
wpy_group_free(wpy_group *group)
{
    wpy_object *object, *next;

    WPY_ASSERT(group->handles == 0);
    for (object = group->objects; object; object = object->next)
        if (object->kind->shut)
            object->kind->shut(object);
    for (object = group->objects; object; object = next) {
        next = object->next;
        object->kind->free(object);
    }
    group_destroy(group);
}

/* Puts `object` into `group`, with one handle on it for the caller. */
void
wpy_group_add(wpy_group *group, wpy_object *object, const wpy_kind *kind)
{
    object->kind = kind;
    wpy_registry_lock();
    object->group = group;
    object->next = group->objects;
    ATOMIC_STORE_RELEASE(&group->objects, object);
    group->handles++;
    wpy_registry_unlock();
}

/* Frees an object that nobody has seen yet; near the head of its group's list. */
void
wpy_group_discard(wpy_object *object)
{
    wpy_object **link;

    wpy_registry_lock();
    for (link = &object->group->objects; *link != object; link = &(*link)->next)
        ;
    *link = object->next;
    wpy_registry_unlock();
    object->kind->free(object);
}

void
wpy_group_forget_handle(wpy_group *group)
{
    wpy_registry_lock();
    group->handles--;
    wpy_registry_unlock();
}

/* One handle more on any object. */
void
wpy_retain(void *pointer)
{
    wpy_object *object = pointer;

    wpy_registry_lock();
    if (object->group)
        object->group->handles++;
    else if (object->refs++ == 0 && object->kind->first_handle)
        object->kind->first_handle(object);
    wpy_registry_unlock();
}

/* One handle less; with the last one on its group everything in the group is freed. */
void
wpy_release(void *pointer)
{
    wpy_object *object = pointer;
    wpy_group *group;
    bool last;

    wpy_registry_lock();
    group = object->group;
    last = group ? --group->handles == 0 : --object->refs == 0;
    wpy_registry_unlock();
    if (!last)
        return;
    if (group)
        wpy_group_free(group);
    else
        object->kind->free(object);
}

/* The same if it takes no time: false, and nothing is done, for the last one. */
bool
wpy_release_soon(void *pointer)
{
    wpy_object *object = pointer;
    uint32_t *count;
    bool last;

    wpy_registry_lock();
    count = object->group ? &object->group->handles : &object->refs;
    if (!(last = *count == 1))
        --*count;
    wpy_registry_unlock();
    return !last;
}

/* ---- handles that are given back later ---- */

static void **late; /* under the registry's lock */
static uint32_t late_count, late_room;
static bool late_wait;

/* wpy_release, now or when nothing has to wait any more (_backend/handles.py). Out of memory:
 * never. */
void
wpy_give(void *object)
{
    bool wait;

    wpy_registry_lock();
    if ((wait = late_wait)) {
        if (late_count == late_room) {
            void **more = realloc(late, (2 * (size_t)late_room + 64) * sizeof *late);
            if (more) {
                late = more;
                late_room = 2 * late_room + 64;
            }
        }
        if (late_count < late_room)
            late[late_count++] = object;
    }
    wpy_registry_unlock();
    if (!wait)
        wpy_release(object);
}

/* From now on all that is given waits, or none does. */
void
wpy_give_later(bool wait)
{
    void **list = NULL;
    uint32_t count = 0;

    wpy_registry_lock();
    if (!(late_wait = wait)) {
        list = late;
        count = late_count;
        late = NULL;
        late_count = late_room = 0;
    }
    wpy_registry_unlock();
    while (count)
        wpy_release(list[--count]);
    free(list);
}

/* ---- merging ---- */

/* Puts the objects and handles of `from` into `into`; both locks are ours. */
static void
absorb(wpy_group *into, wpy_group *from)
{
    wpy_object *object, *last = NULL;
    wpy_exception_heap **heaps;
    wpy_group *merged;

    ASSERT_IN_GROUP(into);
    ASSERT_IN_GROUP(from);
    wpy_registry_lock();
    for (object = from->objects; object; last = object, object = object->next)
        ATOMIC_STORE_RELEASE(&object->group, into);
    if (last) {
        last->next = into->objects;
        into->objects = from->objects;
        from->objects = NULL;
    }
    into->handles += from->handles;
    from->handles = 0;
    for (merged = from; merged->absorbed; merged = merged->absorbed)
        ;
    merged->absorbed = into->absorbed;
    into->absorbed = from;
    wpy_group_hand_on(into, from);
    for (heaps = &into->exceptions; *heaps; heaps = &(*heaps)->next)
        ;
    *heaps = from->exceptions;
    from->exceptions = NULL;
    if (from->sweep) {
        ATOMIC_STORE_SEQ(&into->sweep, true);
        ATOMIC_SET_BITS_SEQ(&into->owner, 1);
    }
    wpy_registry_unlock();
}

/* Makes one group of those of the two objects; a status. Waits for locks that are not this
   thread's; afterwards the lock is held if, and only if, a call of this thread into one of the two
   goes on. */
int
wpy_group_merge(wpy_object *a, wpy_object *b)
{
    bool held_a, held_b;
    wpy_group *into, *from;
    uint32_t calls; /* of this thread that go on */
    int status;

    if (ATOMIC_LOAD_ACQUIRE(&a->group) == ATOMIC_LOAD_ACQUIRE(&b->group))
        return WPY_OK;
    if ((status = wpy_group_enter_both(a, b, &held_a, &held_b)) != WPY_OK)
        return status;
    into = a->group;
    from = b->group;
    if (into == from) { /* another thread has made one of them meanwhile */
        wpy_group_leave(a, held_a || held_b);
        return status;
    }
    calls = (held_a ? 0 : into->recursion + 1) + (held_b ? 0 : from->recursion + 1);
    from->recursion = 0;
    absorb(into, from);
    wpy_group_unlock(from);
    if (calls)
        into->recursion = calls - 1;
    else
        wpy_group_unlock(into);
    return status;
}
