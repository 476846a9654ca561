/* enter.h: the way of every call into an instance and out of it: the few lines that are inlined.
 *
 * An instance is entered through `wpy_enter` and left through `wpy_leave`; between the two the
 * thread owns the lock of the instance's group, and an activation record on the C stack says who is
 * running and until when. Nested calls, also those into other instances of the thread, chain their
 * records: the checkpoint looks at all of them, so that what stops the outer call stops the inner
 * one, too. What is rare is a call away: core/lock.c (the wait), checkpoint.c (limits),
 * core/stack_switch.c (a close that waited, greenlets), core/backtrace.c (errors).
 */
#ifndef WPY_ENTER_H
#define WPY_ENTER_H

#include "core/stack_switch.h"

/* Takes the group's lock, once more if this thread has it; a status: if not `wait`, WPY_BUSY
 * instead of waiting. */
static ALWAYS_INLINE int
wpy_lock(wpy_instance *instance, wpy_thread *me, bool wait)
{
    uintptr_t mine = (uintptr_t)me;
    wpy_group *group = ATOMIC_LOAD_ACQUIRE(&instance->object.group);
    uintptr_t owner = ATOMIC_LOAD(&group->owner);

    ASSERT_NO_LOCKS();
    if (owner != 0 || !ATOMIC_SWAP_ACQUIRE(&group->owner, &owner, mine)) {
        if (LIKELY((owner & ~(uintptr_t)1) == mine)) {
            group->recursion++;
            return WPY_OK;
        }
        return wait ? wpy_group_wait(&instance->object, me) : WPY_BUSY;
    }
    if (UNLIKELY(ATOMIC_LOAD(&instance->object.group) != group)) {
        /* the group was merged into another before we had its lock */
        if (ATOMIC_EXCHANGE_SEQ(&group->owner, 0) & 1)
            wpy_group_wake(group);
        return wait ? wpy_group_wait(&instance->object, me) : WPY_BUSY;
    }
    return WPY_OK;
}

/* One call less is open in the group, which is this thread's: the last one gives the lock back,
 * which need not be the one that took it. */
static ALWAYS_INLINE void
wpy_unlock(wpy_group *group)
{
    if (group->recursion)
        group->recursion--;
    else if (UNLIKELY(ATOMIC_EXCHANGE_SEQ(&group->owner, 0) & 1))
        wpy_group_wake(group);
}

/* Opens an activation of this thread, which has the lock; a status. If it is not WPY_OK, the lock
 * is given back. */
static ALWAYS_INLINE int
wpy_activate(wpy_instance *instance, wpy_thread *me, wpy_activation *activation,
             uint64_t timeout_ns, int64_t fuel)
{
    wpy_activation *outer = wpy_open_at(me->top, activation);
    int status;

    ASSERT_ENTERED(instance);
    if (UNLIKELY(instance->thread != me->serial))
        wpy_thread_arrived(instance, me);
    activation->prev = outer;
    activation->instance = instance;
    activation->deadline = outer ? outer->deadline : UINT64_MAX;
    activation->timeout_ns = 0;
    activation->fuel_floor = INT64_MIN;
    if (ATOMIC_LOAD(&instance->depth) == 0)
        ATOMIC_STORE(&instance->generation, instance->generation + 1);
    if (UNLIKELY(ATOMIC_LOAD(&instance->attention) | ((timeout_ns + 1) > 1) | (fuel >= 0))) {
        status = wpy_enter_slow(instance, activation, timeout_ns, fuel);
        if (status != WPY_OK) {
            wpy_unlock(instance->object.group);
            return status;
        }
    }
    activation->base = instance->env->wasm_stack.top;
    ATOMIC_STORE(&instance->depth, instance->depth + 1);
    activation->self = activation;
    me->top = activation;
    return WPY_OK;
}

/* Takes the lock, waiting for it if need be, and opens an activation; a status. */
static ALWAYS_INLINE int
wpy_enter(wpy_instance *instance, wpy_activation *activation, uint64_t timeout_ns, int64_t fuel)
{
    wpy_thread *me = &wpy_self;
    int status = wpy_lock(instance, me, true);

    return UNLIKELY(status != WPY_OK) ? status
                                      : wpy_activate(instance, me, activation, timeout_ns, fuel);
}

/* The same without limits and without waiting: WPY_BUSY. */
static ALWAYS_INLINE int
wpy_enter_now(wpy_instance *instance, wpy_activation *activation)
{
    wpy_thread *me = &wpy_self;
    int status = wpy_lock(instance, me, false);

    return UNLIKELY(status != WPY_OK) ? status : wpy_activate(instance, me, activation, 0, -1);
}

static ALWAYS_INLINE void
wpy_leave(wpy_activation *activation)
{
    wpy_instance *instance = activation->instance;

    ASSERT_ENTERED(instance);
    WPY_ASSERT(wpy_self.top == activation);
    wpy_self.top = activation->prev;
    ATOMIC_STORE(&activation->self, NULL); /* somebody may have its address still */
    ATOMIC_STORE(&instance->depth, instance->depth - 1);
    if (UNLIKELY(ATOMIC_LOAD(&instance->attention) &
                 (WPY_ATTN_CLOSE_PENDING | WPY_ATTN_OUT_OF_ORDER)))
        wpy_leave_slow(instance);
    wpy_unlock(instance->object.group); /* which may have changed: see wpy_group_merge */
}

/* Runs `func` with its cells in `argv`; WPY_OK or the status of the error that was recorded. The
 * instance is entered. */
static ALWAYS_INLINE int
wpy_run(wpy_func *func, uint32_t *argv)
{
    wpy_instance *instance = func->instance;

    ASSERT_ENTERED(instance);
    ASSERT_NO_LOCKS();
    wasm_interp_call_wasm(instance->wamr, instance->env, func->wamr, func->param_cells, argv);
    if (UNLIKELY(instance->wamr->cur_exception[0]))
        return wpy_after_exception(func);
    return WPY_OK;
}

#endif
