/* lock.c: the lock of a group, which one thread has at a time.
 *
 * The lock is a word that holds its owner, acquired with one compare-and-swap. A thread that finds
 * an owner spins shortly, then sleeps for at most 50 ms and returns WPY_BUSY, so that Python can
 * run its signal handlers and call again. Before it sleeps, the thread checks whether the owner
 * waits, directly or through other threads, for a lock of this thread: that is a deadlock, and the
 * thread returns WPY_DEADLOCK. For this to be exact, no thread sleeps while it has a lock that it
 * would release without waiting for anything: see wpy_group_enter_both.
 *
 * Who gives the lock back may acquire it again at once, before a thread that sleeps has woken up.
 * This is fast, but a thread that calls in a loop would keep the others waiting. So a thread that
 * has waited for FAIR_NS gets the lock from who gives it back, in the order of waiting.
 *
 * An instance that can't be closed while a thread is in its group is closed by the thread that
 * gives the lock back.
 */
#include "core/core.h"

#define SPINS 200
#define WAIT_US 50000
#define FAIR_NS 1000000u
#define TRIES 20                /* to acquire two locks */
#define ORPHANED ((uintptr_t)2) /* an owner that is no thread */
#define HELD ((uintptr_t)4)     /* a bit of an owner that is no thread */
_Static_assert(_Alignof(wpy_thread) > 4, "the address of a thread has no such bit");

int (*wpy_check_stop_hook)(const wpy_thread *me, uint64_t now);

static wpy_thread *waiting_threads; /* under the registry's lock */

/* Whether the owner of `group` waits for this thread, directly or through others. Under the
   registry's lock. */
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
        if (thread && thread->waits_for == group) /* the thread has just acquired it */
            return false;
        group = thread ? thread->waits_for : NULL;
    }
    return false;
}

/* Adds this thread to those that wait. False: that would be a deadlock. */
static bool
start_waiting(wpy_group *group, wpy_thread *me)
{
    bool deadlock;

    wpy_registry_lock();
    deadlock = would_deadlock(group, me);
    if (!deadlock) {
        me->waits_for = group;
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
    me->waits_for = NULL;
    wpy_registry_unlock();
}

static bool
try_lock(wpy_group *group, uintptr_t mine)
{
    uintptr_t free_ = 0;

    ASSERT_NO_LOCKS();
    return ATOMIC_LOAD(&group->owner) == 0 && ATOMIC_SWAP_ACQUIRE(&group->owner, &free_, mine);
}

/* Adds this thread to those that sleep for the lock, the one that has waited longest first. Under
   the group's mutex, as are the next two. */
static void
add_sleeper(wpy_group *group, wpy_thread *me)
{
    wpy_thread **link;

    if (me->sleeps_for != group) { /* else it waits on after WPY_BUSY */
        me->sleeps_for = group;
        me->sleeps_since = wpy_now();
    }
    for (link = &group->sleepers; *link && (*link)->sleeps_since <= me->sleeps_since;
         link = &(*link)->next_sleeper)
        ;
    me->next_sleeper = *link;
    *link = me;
}

static void
remove_sleeper(wpy_group *group, const wpy_thread *me)
{
    wpy_thread **link;

    for (link = &group->sleepers; *link != me; link = &(*link)->next_sleeper)
        ;
    *link = me->next_sleeper;
}

/* Gives the lock, which is free, to the thread that has waited longest, if it has waited for
   FAIR_NS. False: it has not, or another thread has the lock, and wakes one when it gives the lock
   back. */
static bool
hand_over(wpy_group *group)
{
    const wpy_thread *first = group->sleepers;
    uintptr_t owner = 0;

    if (!first || wpy_now() - first->sleeps_since < FAIR_NS)
        return false;
    while (!ATOMIC_SWAP_ACQUIRE(&group->owner, &owner, (uintptr_t)first | 1)) {
        if (owner && ((owner & 1) || ATOMIC_SWAP(&group->owner, &owner, owner | 1)))
            return false;
        owner = 0;
    }
    return true;
}

/* Sleeps for at most WAIT_US. True: this thread has acquired the lock. */
static bool
sleep_for_lock(wpy_group *group, wpy_thread *me)
{
    uintptr_t mine = (uintptr_t)me;
    uint64_t until = wpy_now() + WAIT_US * 1000u;
    bool acquired = false;

    ACQUIRES_LOCK(WPY_GROUP_MUTEX);
    os_mutex_lock(&group->mutex);
    add_sleeper(group, me);
    for (;;) {
        uintptr_t owner = ATOMIC_LOAD(&group->owner);
        uint64_t now;
        if ((acquired = (owner & ~(uintptr_t)1) == mine)) /* handed over */
            break;
        if (owner == 0) {
            /* bit 0 stays set for the other threads that wait */
            bool others = group->sleepers != me || me->next_sleeper;
            if ((acquired = ATOMIC_SWAP_ACQUIRE(&group->owner, &owner, mine | others)))
                break;
            continue;
        }
        if (!(owner & 1) && !ATOMIC_SWAP(&group->owner, &owner, owner | 1))
            continue;
        if ((now = wpy_now()) >= until)
            break;
        os_cond_reltimedwait(&group->cond, &group->mutex, (until - now) / 1000 + 1);
    }
    remove_sleeper(group, me);
    if (acquired)
        me->sleeps_for = NULL;
    RELEASES_LOCK(WPY_GROUP_MUTEX);
    os_mutex_unlock(&group->mutex);
    return acquired;
}

void
wpy_group_unlock(wpy_group *group)
{
    ASSERT_IN_GROUP(group);
    if (ATOMIC_EXCHANGE_SEQ(&group->owner, 0) & 1)
        wpy_group_wake(group);
}

static void
change_owner(wpy_group *group, uintptr_t to)
{
    uintptr_t owner = ATOMIC_LOAD_SEQ(&group->owner);

    while (!ATOMIC_SWAP_SEQ(&group->owner, &owner, to | (owner & 1)))
        ;
}

void
wpy_group_hold(wpy_group *group, const void *holder)
{
    ASSERT_IN_GROUP(group);
    WPY_ASSERT(group->recursion == 0);
    change_owner(group, (uintptr_t)holder | HELD);
}

void
wpy_group_take_over(wpy_group *group, const void *holder)
{
    WPY_ASSERT((ATOMIC_LOAD(&group->owner) & ~(uintptr_t)1) == ((uintptr_t)holder | HELD));
    (void)holder;
    change_owner(group, (uintptr_t)&wpy_self);
}

/* Closes the objects whose close is pending; if a thread has the lock, that thread does so when it
   gives the lock back. */
static void
close_pending(wpy_group *group)
{
    while (ATOMIC_LOAD_SEQ(&group->close_pending)) {
        uintptr_t owner = ATOMIC_LOAD_SEQ(&group->owner);
        wpy_object *object;

        if (owner) { /* bit 0 makes it call wpy_group_wake */
            if (ATOMIC_SWAP_SEQ(&group->owner, &owner, owner | 1))
                return;
            continue;
        }
        if (!try_lock(group, (uintptr_t)&wpy_self))
            continue;
        wpy_registry_lock();
        ATOMIC_STORE_SEQ(&group->close_pending, false);
        object = group->objects;
        wpy_registry_unlock();
        for (; object; object = object->next) {
            const wpy_object_ops *ops = object->ops;
            if (ops->close_pending && ops->close_pending(object))
                ops->close(object);
        }
        wpy_group_unlock(group);
    }
}

COLD void
wpy_group_wake(wpy_group *group)
{
    ACQUIRES_LOCK(WPY_GROUP_MUTEX);
    os_mutex_lock(&group->mutex);
    if (hand_over(group))
        os_cond_broadcast(&group->cond); /* a signal may wake another one */
    else
        os_cond_signal(&group->cond);
    RELEASES_LOCK(WPY_GROUP_MUTEX);
    os_mutex_unlock(&group->mutex);
    close_pending(group);
}

void
wpy_group_close_pending(wpy_object *object)
{
    wpy_group *group;

    wpy_registry_lock(); /* a merge copies the flag, or has happened already */
    group = object->group;
    ATOMIC_STORE_SEQ(&group->close_pending, true);
    wpy_registry_unlock();
    close_pending(group);
}

/* The status is also what stops the calls that this thread has open. */
COLD int
wpy_group_wait(wpy_object *object, wpy_thread *me)
{
    uintptr_t mine = (uintptr_t)me;
    int spin;

    ASSERT_NO_LOCKS();
    for (;;) {
        wpy_group *group = ATOMIC_LOAD_ACQUIRE(&object->group);
        bool acquired = false;

        if (UNLIKELY(group->orphaned))
            return WPY_FORKED;
        for (spin = 0; spin < SPINS && !acquired; spin++)
            acquired = try_lock(group, mine);
        if (!acquired) {
            if (ATOMIC_LOAD(&group->owner) & HELD)
                return WPY_HELD;
            if (!start_waiting(group, me))
                return WPY_DEADLOCK;
            acquired = sleep_for_lock(group, me);
            stop_waiting(me);
        }
        if (!acquired) {
            int status = wpy_check_stop_hook(me, wpy_now());
            return status != WPY_OK ? status : WPY_BUSY;
        }
        if (ATOMIC_LOAD_ACQUIRE(&object->group) == group)
            return WPY_OK;
        wpy_group_unlock(group); /* merged meanwhile */
    }
}

static bool
is_owner(wpy_group *group)
{
    return (ATOMIC_LOAD(&group->owner) & ~(uintptr_t)1) == (uintptr_t)&wpy_self;
}

int
wpy_group_enter(wpy_object *object, bool *acquired)
{
    wpy_group *group = ATOMIC_LOAD_ACQUIRE(&object->group);

    *acquired = false;
    if (is_owner(group))
        return WPY_OK;
    *acquired = true;
    return wpy_group_wait(object, &wpy_self);
}

void
wpy_group_leave(wpy_object *object, bool acquired)
{
    if (acquired)
        wpy_group_unlock(ATOMIC_LOAD_ACQUIRE(&object->group));
}

bool
wpy_group_enter_now(wpy_object *object, bool *acquired)
{
    for (;;) {
        wpy_group *group = ATOMIC_LOAD_ACQUIRE(&object->group);
        int spin;

        *acquired = false;
        if (is_owner(group))
            return true;
        for (spin = 0; spin < SPINS && !*acquired; spin++)
            *acquired = try_lock(group, (uintptr_t)&wpy_self);
        if (!*acquired || ATOMIC_LOAD_ACQUIRE(&object->group) == group)
            return *acquired;
        wpy_group_unlock(group); /* merged meanwhile */
    }
}

/* Sleeps for one lock only while this thread has no other than those of its open calls: a thread
   that waits for the other lock would take that for a deadlock. */
int
wpy_group_enter_both(wpy_object *a, wpy_object *b, bool *acquired_a, bool *acquired_b)
{
    wpy_object *other;
    bool *acquired_other;
    int tries, status;

    for (tries = 0; tries < TRIES; tries++) {
        if ((status = wpy_group_enter(a, acquired_a)) != WPY_OK)
            return status;
        if (wpy_group_enter_now(b, acquired_b))
            return WPY_OK;
        if (!*acquired_a) /* an open call of this thread has it */
            return wpy_group_enter(b, acquired_b);
        wpy_group_leave(a, true);
        other = a; /* next time, first the lock that another thread had */
        acquired_other = acquired_a;
        a = b;
        acquired_a = acquired_b;
        b = other;
        acquired_b = acquired_other;
    }
    return WPY_BUSY;
}

/* A group whose owner is a thread of the parent stays as that thread left it, and no thread may
   enter it. */
void
wpy_group_reset_after_fork(wpy_group *group)
{
    uintptr_t owner = group->owner & ~(uintptr_t)1;

    ASSERT_HAS_LOCK(WPY_REGISTRY_LOCK);
    os_mutex_init(&group->mutex); /* a thread of the parent may have it */
    os_cond_init(&group->cond);
    group->sleepers = NULL;
    group->orphaned = owner && owner != (uintptr_t)&wpy_self && !(owner & HELD);
    if (group->orphaned)
        group->owner = ORPHANED; /* a new thread may get the address of that one */
}

void
wpy_waiting_reset_after_fork(void)
{
    ASSERT_HAS_LOCK(WPY_REGISTRY_LOCK);
    waiting_threads = NULL;
}
