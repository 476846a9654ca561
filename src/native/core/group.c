/* group.c: groups of objects that are linked: they share a lock and are freed together.
 *
 * A group is a list of objects (instances, memories, tables, globals, functions of instances), one
 * lock (lock.c) and one count of handles. A handle is a reference from Python to any object of the
 * group. At zero handles, nobody can reach any of the objects, and all of them are freed at once:
 * no pointer inside a group can dangle, and no order of destruction is wrong.
 *
 * Linking an instance to objects of other groups merges the groups. The struct of a merged group is
 * freed with the group that it was merged into, since a thread may still wait for its lock. Such a
 * thread then finds that its object has another group.
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

void
wpy_groups_reset_after_fork(void)
{
    wpy_group *group;

    ASSERT_HAS_LOCK(WPY_REGISTRY_LOCK);
    for (group = all_groups; group; group = group->next_group)
        wpy_group_reset_after_fork(group);
    wpy_waiting_reset_after_fork();
}

/* Frees the structs of the group and of the groups that were merged into it. */
static void
free_structs(wpy_group *group)
{
    while (group) {
        wpy_group *next = group->merged;
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

/* All objects are closed before the first one is freed, since they point at each other. */
void
wpy_group_free(wpy_group *group)
{
    wpy_object *object, *next;

    WPY_ASSERT(group->handles == 0);
    for (object = group->objects; object; object = object->next)
        if (object->ops->close)
            object->ops->close(object);
    for (object = group->objects; object; object = next) {
        next = object->next;
        object->ops->free(object);
    }
    free_structs(group);
}

void
wpy_group_add(wpy_group *group, wpy_object *object, const wpy_object_ops *ops)
{
    object->ops = ops;
    wpy_registry_lock();
    object->group = group;
    object->next = group->objects;
    ATOMIC_STORE_RELEASE(&group->objects, object);
    group->handles++;
    wpy_registry_unlock();
}

/* One walk for all of them, since a module decides how many there are. */
void
wpy_group_discard(wpy_object *oldest,
                  bool (*belongs)(const wpy_object *object, const wpy_object *oldest))
{
    wpy_object **link, *object, *discarded = NULL, **end = &discarded;

    ASSERT_IN_GROUP(oldest->group);
    wpy_registry_lock();
    link = &oldest->group->objects;
    do {
        object = *link;
        if (object != oldest && !belongs(object, oldest)) {
            link = &object->next;
            continue;
        }
        *link = object->next;
        *end = object;
        end = &object->next;
    } while (object != oldest);
    *end = NULL;
    oldest->group->handles--;
    wpy_registry_unlock();
    while ((object = discarded)) {
        discarded = object->next;
        object->ops->free(object);
    }
}

/* Adds a handle on an object, which has one already. With or without the GIL. */
void
wpy_retain(void *pointer)
{
    wpy_object *object = pointer;

    wpy_registry_lock();
    if (object->group)
        object->group->handles++;
    else {
        if (object->refs == 0 && object->ops->keeper)
            object->ops->keeper(object)->group->handles++;
        ATOMIC_STORE(&object->refs, object->refs + 1);
    }
    wpy_registry_unlock();
}

/* Gives back a handle. The last one of a group frees the group and all its objects, which may take
   a while: not with the GIL. */
void
wpy_release(void *pointer)
{
    wpy_object *object = pointer;
    wpy_group *group;
    bool last;

    wpy_registry_lock();
    group = object->group;
    if (!group) {
        last = object->refs == 1;
        if (last && object->ops->keeper)
            group = object->ops->keeper(object)->group;
        /* where another thread reads 0, it may free the object (exception_collector.c) */
        ATOMIC_STORE_RELEASE(&object->refs, object->refs - 1);
    }
    if (group)
        last = --group->handles == 0;
    wpy_registry_unlock();
    if (!last)
        return;
    if (group)
        wpy_group_free(group);
    else
        object->ops->free(object);
}

/* Gives back a handle unless it is the last one of its group: false, and nothing is done. With or
   without the GIL. */
bool
wpy_release_unless_last(void *pointer)
{
    wpy_object *object = pointer;
    uint32_t *count;
    bool last;

    wpy_registry_lock();
    count = object->group ? &object->group->handles : &object->refs;
    if (!(last = *count == 1))
        ATOMIC_STORE_RELEASE(count, *count - 1);
    wpy_registry_unlock();
    return !last;
}

/* ---- deferred releases ---- */

/* Handles to give back when nothing defers releases any more. Under the registry's lock. */
static void **deferred;
static uint32_t deferred_count, deferred_room;
static const wpy_thread *deferring; /* in this thread releases are deferred; NULL: in none */
static bool deferring_all;          /* in all threads, for good */

/* Gives back a handle, now or when releases aren't deferred any more (_backend/handles.py). A
   handle that can't be deferred, out of memory, is never given back. */
void
wpy_release_or_defer(void *object)
{
    bool defer;

    wpy_registry_lock();
    if ((defer = deferring_all || deferring == &wpy_self)) {
        if (deferred_count == deferred_room) {
            void **more = realloc(deferred, (2 * (size_t)deferred_room + 64) * sizeof *deferred);
            if (more) {
                deferred = more;
                deferred_room = 2 * deferred_room + 64;
            }
        }
        if (deferred_count < deferred_room)
            deferred[deferred_count++] = object;
    }
    wpy_registry_unlock();
    if (!defer)
        wpy_release(object);
}

/* Turns the deferring of wpy_release_or_defer on or off, for this thread. Off: releases what was
   deferred. Other threads release meanwhile: where address space is short, what they free is
   needed. */
void
wpy_defer_releases(bool defer)
{
    void **list = NULL;
    uint32_t count = 0;

    wpy_registry_lock();
    deferring = defer ? &wpy_self : NULL;
    if (!defer && !deferring_all) {
        list = deferred;
        count = deferred_count;
        deferred = NULL;
        deferred_count = deferred_room = 0;
    }
    wpy_registry_unlock();
    while (count)
        wpy_release(list[--count]);
    free(list);
}

/* The process ends: no handle is given back any more. */
void
wpy_defer_all_releases(void)
{
    wpy_registry_lock();
    deferring_all = true;
    wpy_registry_unlock();
}

/* ---- merging ---- */

/* Moves the objects and handles of `from` to `into`. This thread has both locks. */
static void
move_objects(wpy_group *into, wpy_group *from)
{
    wpy_object *object, *last = NULL;
    wpy_exception_heap **heaps;
    wpy_group *last_merged;

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
    for (last_merged = from; last_merged->merged; last_merged = last_merged->merged)
        ;
    last_merged->merged = into->merged;
    into->merged = from;
    wpy_group_move_retained(into, from);
    for (heaps = &into->exceptions; *heaps; heaps = &(*heaps)->next)
        ;
    *heaps = from->exceptions;
    from->exceptions = NULL;
    if (from->close_pending) {
        ATOMIC_STORE_SEQ(&into->close_pending, true);
        ATOMIC_SET_BITS_SEQ(&into->owner, 1);
    }
    wpy_registry_unlock();
}

/* Afterwards, this thread has the lock of the merged group if, and only if, a call of this thread
   is open in one of the two. */
int
wpy_group_merge(wpy_object *a, wpy_object *b)
{
    bool acquired_a, acquired_b;
    wpy_group *into, *from;
    uint32_t calls; /* of this thread that are open in the two */
    int status;

    if (ATOMIC_LOAD_ACQUIRE(&a->group) == ATOMIC_LOAD_ACQUIRE(&b->group))
        return WPY_OK;
    if ((status = wpy_group_enter_both(a, b, &acquired_a, &acquired_b)) != WPY_OK)
        return status;
    into = a->group;
    from = b->group;
    if (into == from) { /* another thread has merged them meanwhile */
        wpy_group_leave(a, acquired_a || acquired_b);
        return status;
    }
    calls = (acquired_a ? 0 : into->recursion + 1) + (acquired_b ? 0 : from->recursion + 1);
    from->recursion = 0;
    move_objects(into, from);
    wpy_group_unlock(from);
    if (calls)
        into->recursion = calls - 1;
    else
        wpy_group_unlock(into);
    return status;
}
