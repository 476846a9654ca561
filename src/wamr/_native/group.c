/* group.c: what is linked lives, is locked and dies together.
 *
 * A group is a list of objects (instances, memories, tables, globals, functions of instances), one lock and one count of
 * handles. Handles are Python's references to any object in it. At zero nobody can reach any of it, and all is freed at
 * once, so no pointer inside a group can dangle and no order of destruction is wrong. Linking an instance to things of
 * other groups merges the groups. A merged group's struct stays until the group that took it in goes, since a thread may
 * still wait on its lock; such a thread looks again which group its object is in.
 *
 * The lock is an owner word, free or a thread, taken with one compare-and-swap. A thread that finds it taken spins
 * shortly, then sleeps for at most 50 ms and lets Python run its signal handlers. Before it sleeps it looks whether the
 * owner waits, directly or through others, for a lock of this thread: then it would wait for ever, and is told so.
 */
#include "internal.h"

#define SPINS 200
#define WAIT_US 50000
#define ORPHANED ((uintptr_t)2) /* no thread is there */

static wpy_group *all_groups;       /* under the registry's lock */
static wpy_thread *waiting_threads; /* under the registry's lock, as wpy_thread.wants */

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

/* Only the thread that forked is left: what others were in stays as they left it, and nobody may come in. */
void
wpy_groups_forked(void)
{
    wpy_group *group;

    for (group = all_groups; group; group = group->next_group) {
        uintptr_t owner = group->owner & ~(uintptr_t)1;

        os_mutex_init(&group->mutex); /* somebody may have held it */
        os_cond_init(&group->cond);
        group->waiting = 0;
        group->orphaned = owner && owner != (uintptr_t)&wpy_self;
        if (group->orphaned)
            group->owner = ORPHANED; /* a new thread may get the address of the one that is no more */
    }
    waiting_threads = NULL;
}

static void
group_destroy(wpy_group *group)
{
    while (group) {
        wpy_group *next = group->absorbed;
        uint32_t i;

        for (i = 0; i < group->adopted_count; i++) {
            wpy_registry_lock();
            if (group->adopted[i]->adopter == group) /* the next group may have the same address */
                group->adopted[i]->adopter = NULL;
            wpy_registry_unlock();
            wpy_release(group->adopted[i]);
        }
        wpy_registry_lock();
        *group->link_group = group->next_group;
        if (group->next_group)
            group->next_group->link_group = group->link_group;
        wpy_registry_unlock();
        os_cond_destroy(&group->cond);
        os_mutex_destroy(&group->mutex);
        free(group->adopted);
        free(group);
        group = next;
    }
}

/* Instances first, while what they point at still stands. */
void
wpy_group_free(wpy_group *group)
{
    wpy_object *object, *next;

    for (object = group->objects; object; object = object->next)
        if (object->kind == WPY_INSTANCE)
            wpy_instance_shut((wpy_instance *)object);
    for (object = group->objects; object; object = next) {
        next = object->next;
        switch (object->kind) {
            case WPY_INSTANCE:
                wpy_instance_free((wpy_instance *)object);
                break;
            case WPY_MEMORY:
                wpy_memory_free((wpy_memory *)object);
                break;
            case WPY_TABLE:
                wpy_table_free((wpy_table *)object);
                break;
            case WPY_GLOBAL:
                wpy_global_free((wpy_global *)object);
                break;
            default:
                free(object);
        }
    }
    group_destroy(group);
}

/* Puts `object` into `group`, with one handle on it for the caller. */
void
wpy_group_add(wpy_group *group, wpy_object *object, uint32_t kind)
{
    object->kind = kind;
    wpy_registry_lock();
    object->group = group;
    object->next = group->objects;
    group->objects = object;
    group->handles++;
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
    else
        object->refs++;
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
        wpy_host_free((wpy_func *)object);
}

bool
wpy_same_group(void *a, void *b)
{
    bool same;

    wpy_registry_lock();
    same = ((wpy_object *)a)->group == ((wpy_object *)b)->group;
    wpy_registry_unlock();
    return same;
}

/* ---- the lock ---- */

/* Under the registry's lock: does whoever has `group` wait for this thread, directly or through others? */
static bool
would_deadlock(wpy_group *group, wpy_thread *me)
{
    uint32_t steps;

    for (steps = 0; group && steps < 10000; steps++) {
        uintptr_t owner = __atomic_load_n(&group->owner, __ATOMIC_SEQ_CST) & ~(uintptr_t)1;
        wpy_thread *thread;

        if (owner == (uintptr_t)me)
            return true;
        for (thread = waiting_threads; thread && (uintptr_t)thread != owner; thread = thread->next_waiting)
            ;
        group = thread ? thread->wants : NULL;
    }
    return false;
}

static bool
start_waiting(wpy_group *group, wpy_thread *me)
{
    bool deadlock = false;

    wpy_registry_lock();
    if (me->top) /* one that is in no call has no lock that another could wait for */
        deadlock = would_deadlock(group, me);
    if (!deadlock) {
        me->wants = group;
        me->next_waiting = waiting_threads;
        waiting_threads = me;
    }
    wpy_registry_unlock();
    return !deadlock;
}

static void
stop_waiting(wpy_thread *me)
{
    wpy_thread **link;

    wpy_registry_lock();
    for (link = &waiting_threads; *link != me; link = &(*link)->next_waiting)
        ;
    *link = me->next_waiting;
    me->wants = NULL;
    wpy_registry_unlock();
}

static bool
try_lock(wpy_group *group, uintptr_t mine)
{
    uintptr_t free_ = 0;

    return ATOMIC_LOAD(&group->owner) == 0
           && __atomic_compare_exchange_n(&group->owner, &free_, mine, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Sleeps for at most WAIT_US; true: the lock is ours. */
static bool
sleep_for_lock(wpy_group *group, uintptr_t mine)
{
    bool ours = false, slept = false;

    os_mutex_lock(&group->mutex);
    group->waiting++;
    for (;;) {
        uintptr_t owner = __atomic_load_n(&group->owner, __ATOMIC_RELAXED);
        if (owner == 0) {
            /* bit 0 stays set for those who wait with us */
            if (__atomic_compare_exchange_n(&group->owner, &owner, mine | (group->waiting > 1), false,
                                            __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
                ours = true;
                break;
            }
            continue;
        }
        if (!(owner & 1)
            && !__atomic_compare_exchange_n(&group->owner, &owner, owner | 1, false, __ATOMIC_RELAXED,
                                            __ATOMIC_RELAXED))
            continue;
        if (slept)
            break;
        slept = os_cond_reltimedwait(&group->cond, &group->mutex, WAIT_US) != 0;
    }
    group->waiting--;
    os_mutex_unlock(&group->mutex);
    return ours;
}

COLD void
wpy_group_wake(wpy_group *group)
{
    os_mutex_lock(&group->mutex);
    os_cond_signal(&group->cond);
    os_mutex_unlock(&group->mutex);
}

static void
unlock(wpy_group *group)
{
    if (__atomic_exchange_n(&group->owner, 0, __ATOMIC_SEQ_CST) & 1)
        wpy_group_wake(group);
}

/* Waits for the lock of the group that `object` is in; a status: also what stops the calls that
   the thread is in already. The thread does not own it yet. */
COLD int
wpy_group_wait(wpy_object *object, wpy_thread *me)
{
    uintptr_t mine = (uintptr_t)me;
    int spin;

    for (;;) {
        wpy_group *group = __atomic_load_n(&object->group, __ATOMIC_ACQUIRE);
        bool ours = false;

        if (UNLIKELY(group->orphaned))
            return WPY_FORKED;
        for (spin = 0; spin < SPINS && !ours; spin++)
            ours = try_lock(group, mine);
        if (!ours) {
            if (!start_waiting(group, me))
                return WPY_DEADLOCK;
            ours = sleep_for_lock(group, mine);
            stop_waiting(me);
        }
        if (!ours) {
            int status = wpy_stopped(me);
            return status != WPY_OK ? status : WPY_BUSY;
        }
        if (__atomic_load_n(&object->group, __ATOMIC_ACQUIRE) == group)
            return WPY_OK;
        unlock(group); /* merged meanwhile */
    }
}

static bool
is_ours(wpy_group *group)
{
    return (ATOMIC_LOAD(&group->owner) & ~(uintptr_t)1) == (uintptr_t)&wpy_self;
}

/* Takes the lock for short work outside of calls; a status. */
int
wpy_group_enter(wpy_object *object, bool *held)
{
    wpy_group *group = __atomic_load_n(&object->group, __ATOMIC_ACQUIRE);

    *held = false;
    if (is_ours(group))
        return WPY_OK;
    *held = true;
    return wpy_group_wait(object, &wpy_self);
}

void
wpy_group_leave(wpy_object *object, bool held)
{
    if (held)
        unlock(__atomic_load_n(&object->group, __ATOMIC_ACQUIRE));
}

/* ---- merging ---- */

/* After a merge: of this thread's calls into `group` only the outermost one gives the lock back. True: there is one. */
static bool
settle_activations(wpy_group *group)
{
    wpy_activation *activation, *outermost = NULL;

    for (activation = wpy_self.top; activation; activation = activation->prev)
        if (activation->instance->object.group == group) {
            activation->outermost = false;
            outermost = activation;
        }
    if (outermost)
        outermost->outermost = true;
    return outermost != NULL;
}

/* Puts the objects and handles of `from` into `into`; both locks are ours. */
static void
absorb(wpy_group *into, wpy_group *from)
{
    wpy_object *object, *last = NULL;
    wpy_group *husk;

    wpy_registry_lock();
    for (object = from->objects; object; last = object, object = object->next)
        __atomic_store_n(&object->group, into, __ATOMIC_RELEASE);
    if (last) {
        last->next = into->objects;
        into->objects = from->objects;
        from->objects = NULL;
    }
    into->handles += from->handles;
    from->handles = 0;
    for (husk = from; husk->absorbed; husk = husk->absorbed)
        ;
    husk->absorbed = into->absorbed;
    into->absorbed = from;
    wpy_registry_unlock();
}

/* Makes one group of those of the two objects; a status. Waits for locks that are not this thread's; afterwards the lock
   is held if, and only if, a call of this thread into one of the two goes on. */
int
wpy_group_merge(wpy_object *a, wpy_object *b)
{
    bool held_a, held_b;
    wpy_group *into, *from;
    int status;

    if (a->group == b->group)
        return WPY_OK;
    if ((status = wpy_group_enter(a, &held_a)) != WPY_OK)
        return status;
    if ((status = wpy_group_enter(b, &held_b)) != WPY_OK) {
        wpy_group_leave(a, held_a);
        return status;
    }
    into = a->group;
    from = b->group;
    if (into != from) {
        absorb(into, from); /* what `from` has adopted stays on its husk */
        unlock(from);
    }
    if (!settle_activations(into))
        unlock(into);
    return status;
}

/* The group keeps the host function alive, whose reference has come into one of its tables, globals or calls. */
bool
wpy_group_adopt(wpy_group *group, wpy_func *host)
{
    bool done = true;

    wpy_registry_lock();
    if (host->adopter == group)
        goto out;
    if (group->adopted_count == group->adopted_room) {
        uint32_t room = group->adopted_room ? group->adopted_room * 2 : 8;
        wpy_func **more = realloc(group->adopted, room * sizeof *more);
        if (!more) {
            done = false;
            goto out;
        }
        group->adopted = more;
        group->adopted_room = room;
    }
    group->adopted[group->adopted_count++] = host;
    host->object.refs++;
    host->adopter = group; /* only spares the common repetition; another group may adopt it, too */
out:
    wpy_registry_unlock();
    return done;
}
