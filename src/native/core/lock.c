/* lock.c: the lock of a group: one thread at a time is in what is linked.
 *
 * The lock is an owner word, free or a thread, taken with one compare-and-swap. A thread that finds
 * it taken spins shortly, then sleeps for at most 50 ms and lets Python run its signal handlers.
 * Before it sleeps it looks whether the owner waits, directly or through others, for a lock of this
 * thread: then it would wait for ever, and is told so. For that to be true, no thread sleeps with a
 * lock that it would give back by itself: see wpy_group_enter_both.
 *
 * What has to wait until nobody is in the group, the close of an instance of it, is done by whoever
 * gives the lock back.
 */
#include "core/core.h"

#define SPINS 200
#define WAIT_US 50000
#define TRIES 20                /* to get two locks */
#define ORPHANED ((uintptr_t)2) /* no thread is there */

static wpy_thread *waiting_threads; /* under the registry's lock, as wpy_thread.wants */

/* Under the registry's lock: does whoever has `group` wait for this thread, directly or through
 * others? */
static bool
would_deadlock(wpy_group *group, wpy_thread *me)
{
    uint32_t steps;

    ASSERT_HAS_LOCK(WPY_REGISTRY_LOCK);
    for (steps = 0; group && steps < 10000; steps++) {
        uintptr_t owner = ATOMIC_LOAD_SEQ(&group->owner) & ~(uintptr_t)1;
        wpy_thread *thread;

        if (owner == (uintptr_t)me)
            return true;
        for (thread = waiting_threads; thread && (uintptr_t)thread != owner;
             thread = thread->next_waiting)
            ;
        if (thread && thread->wants == group) /* it has just got it */
            return false;
        group = thread ? thread->wants : NULL;
    }
    return false;
}

static bool
start_waiting(wpy_group *group, wpy_thread *me)
{
    bool deadlock;

    wpy_registry_lock();
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

    ASSERT_NO_LOCKS();
    return ATOMIC_LOAD(&group->owner) == 0 && ATOMIC_SWAP_ACQUIRE(&group->owner, &free_, mine);
}

/* Sleeps for at most WAIT_US; true: the lock is ours. */
static bool
sleep_for_lock(wpy_group *group, uintptr_t mine)
{
    bool ours = false, slept = false;

    TAKES_LOCK(WPY_GROUP_MUTEX);
    os_mutex_lock(&group->mutex);
    group->waiting++;
    for (;;) {
        uintptr_t owner = ATOMIC_LOAD(&group->owner);
        if (owner == 0) {
            /* bit 0 stays set for those who wait with us */
            if (ATOMIC_SWAP_ACQUIRE(&group->owner, &owner, mine | (group->waiting > 1))) {
                ours = true;
                break;
            }
            continue;
        }
        if (!(owner & 1) && !ATOMIC_SWAP(&group->owner, &owner, owner | 1))
            continue;
        if (slept)
            break;
        slept = os_cond_reltimedwait(&group->cond, &group->mutex, WAIT_US) != 0;
    }
    group->waiting--;
    GIVES_LOCK(WPY_GROUP_MUTEX);
    os_mutex_unlock(&group->mutex);
    return ours;
}

void
wpy_group_unlock(wpy_group *group)
{
    ASSERT_IN_GROUP(group);
    if (ATOMIC_EXCHANGE_SEQ(&group->owner, 0) & 1)
        wpy_group_wake(group);
}

/* Closes what was to be closed when nobody is in the group any more: now, or whoever has the lock
 * does. */
static void
sweep(wpy_group *group)
{
    while (ATOMIC_LOAD_SEQ(&group->sweep)) {
        uintptr_t owner = ATOMIC_LOAD_SEQ(&group->owner);
        wpy_object *object;

        if (owner) { /* bit 0: it comes to wpy_group_wake */
            if (ATOMIC_SWAP_SEQ(&group->owner, &owner, owner | 1))
                return;
            continue;
        }
        if (!try_lock(group, (uintptr_t)&wpy_self))
            continue;
        wpy_registry_lock();
        group->sweep = false;
        object = group->objects;
        wpy_registry_unlock();
        for (; object; object = object->next) {
            const wpy_kind *kind = object->kind;
            if (kind->waits && kind->waits(object))
                kind->shut(object);
        }
        wpy_group_unlock(group);
    }
}

/* The lock was given back with bit 0 set. */
COLD void
wpy_group_wake(wpy_group *group)
{
    TAKES_LOCK(WPY_GROUP_MUTEX);
    os_mutex_lock(&group->mutex);
    os_cond_signal(&group->cond);
    GIVES_LOCK(WPY_GROUP_MUTEX);
    os_mutex_unlock(&group->mutex);
    sweep(group);
}

/* Another thread is in the group of `object`: when it has left, instances that wait for their close
 * are closed. */
void
wpy_group_sweep(wpy_object *object)
{
    wpy_group *group;

    wpy_registry_lock(); /* a merge hands the wish on, or has happened already */
    group = object->group;
    ATOMIC_STORE_SEQ(&group->sweep, true);
    wpy_registry_unlock();
    sweep(group);
}

/* Waits for the lock of the group that `object` is in; a status: also what stops the calls that
   the thread is in already. The thread does not own it yet. */
COLD int
wpy_group_wait(wpy_object *object, wpy_thread *me)
{
    uintptr_t mine = (uintptr_t)me;
    int spin;

    ASSERT_NO_LOCKS();
    for (;;) {
        wpy_group *group = ATOMIC_LOAD_ACQUIRE(&object->group);
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
        if (ATOMIC_LOAD_ACQUIRE(&object->group) == group)
            return WPY_OK;
        wpy_group_unlock(group); /* merged meanwhile */
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
    wpy_group *group = ATOMIC_LOAD_ACQUIRE(&object->group);

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
        wpy_group_unlock(ATOMIC_LOAD_ACQUIRE(&object->group));
}

/* Takes the lock of the group of `object` without waiting; *held: it was taken by this call. False:
 * another thread has it. */
bool
wpy_group_enter_now(wpy_object *object, bool *held)
{
    for (;;) {
        wpy_group *group = ATOMIC_LOAD_ACQUIRE(&object->group);
        int spin;

        *held = false;
        if (is_ours(group))
            return true;
        for (spin = 0; spin < SPINS && !*held; spin++)
            *held = try_lock(group, (uintptr_t)&wpy_self);
        if (!*held || ATOMIC_LOAD_ACQUIRE(&object->group) == group)
            return *held;
        wpy_group_unlock(group); /* merged meanwhile */
    }
}

/* Takes the locks of both; a status. This thread sleeps for one only while it has none but those of
   its own calls: with another that somebody waits for, the two would be told of a deadlock that
   there is none. */
int
wpy_group_enter_both(wpy_object *a, wpy_object *b, bool *held_a, bool *held_b)
{
    wpy_object *other;
    bool *held_other;
    int tries, status;

    for (tries = 0; tries < TRIES; tries++) {
        if ((status = wpy_group_enter(a, held_a)) != WPY_OK)
            return status;
        if (wpy_group_enter_now(b, held_b))
            return WPY_OK;
        if (!*held_a) /* of a call that this thread is in */
            return wpy_group_enter(b, held_b);
        wpy_group_leave(a, true);
        other = a; /* next time first the one that was in the way */
        held_other = held_a;
        a = b;
        held_a = held_b;
        b = other;
        held_b = held_other;
    }
    return WPY_BUSY;
}

/* In a child, under the registry's lock: what others were in stays as they left it, and nobody may
 * come in. */
void
wpy_group_forked(wpy_group *group)
{
    uintptr_t owner = group->owner & ~(uintptr_t)1;

    ASSERT_HAS_LOCK(WPY_REGISTRY_LOCK);
    os_mutex_init(&group->mutex); /* somebody may have held it */
    os_cond_init(&group->cond);
    group->waiting = 0;
    group->orphaned = owner && owner != (uintptr_t)&wpy_self;
    if (group->orphaned)
        group->owner = ORPHANED; /* a new thread may get the address of the one that is no more */
}

void
wpy_waiting_forked(void)
{
    ASSERT_HAS_LOCK(WPY_REGISTRY_LOCK);
    waiting_threads = NULL;
}
