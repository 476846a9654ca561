/* enter.h: the inline functions through which every call enters and leaves an instance.
 *
 * Between wpy_enter and wpy_leave, the thread has the lock of the instance's group, and an
 * activation on the native stack describes the call. Nested calls, also those into other instances,
 * chain their activations: the checkpoint looks at all of them, so what stops an outer call stops
 * its inner calls. The slow paths are elsewhere: waiting for the lock in core/lock.c, limits in
 * checkpoint.c, pending closes and greenlets in stack_switch.c, errors in backtrace.c.
 */
#ifndef WPY_ENTER_H
#define WPY_ENTER_H

#include "runtime/stack_switch.h"

/* Acquires the group's lock, once more if this thread has it; a status. Without `wait`, WPY_BUSY
   where it would have to wait. */
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
        /* the group was merged into another one before this thread had its lock */
        if (ATOMIC_EXCHANGE_SEQ(&group->owner, 0) & 1)
            wpy_group_wake(group);
        return wait ? wpy_group_wait(&instance->object, me) : WPY_BUSY;
    }
    return WPY_OK;
}

/* Ends a call in a group whose lock this thread has. The last call to end releases the lock; it
   need not be the one that acquired it. */
static ALWAYS_INLINE void
wpy_unlock(wpy_group *group)
{
    ASSERT_IN_GROUP(group);
    if (group->recursion)
        group->recursion--;
    else if (UNLIKELY(ATOMIC_EXCHANGE_SEQ(&group->owner, 0) & 1))
        wpy_group_wake(group);
}

/* Opens an activation of this thread, which has the lock; a status. The lock is released unless it
   is WPY_OK. */
static ALWAYS_INLINE int
wpy_activate(wpy_instance *instance, wpy_thread *me, wpy_activation *activation,
             uint64_t timeout_ns, int64_t fuel)
{
    wpy_activation *outer = wpy_open_activation(me->top, activation);
    int status;

    ASSERT_ENTERED(instance);
    if (UNLIKELY(instance->thread != me->serial))
        wpy_switch_thread(instance, me);
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

/* Acquires the lock and opens an activation, which is the caller's memory and must stay where it is
   until wpy_leave; a status. Waits for the lock, so not with the GIL. */
static ALWAYS_INLINE int
wpy_enter(wpy_instance *instance, wpy_activation *activation, uint64_t timeout_ns, int64_t fuel)
{
    wpy_thread *me = &wpy_self;
    int status = wpy_lock(instance, me, true);

    return UNLIKELY(status != WPY_OK) ? status
                                      : wpy_activate(instance, me, activation, timeout_ns, fuel);
}

/* The same without limits, and with WPY_BUSY instead of waiting: also with the GIL. */
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
    ATOMIC_STORE(&activation->self, NULL); /* a greenlet may still have its address */
    ATOMIC_STORE(&instance->depth, instance->depth - 1);
    if (UNLIKELY(ATOMIC_LOAD(&instance->attention) &
                 (WPY_ATTN_CLOSE_PENDING | WPY_ATTN_OUT_OF_ORDER | WPY_ATTN_ABANDONED)))
        wpy_leave_slow(instance);
    wpy_unlock(instance->object.group); /* another group than before, if it was merged */
}

/* Runs `func`, whose instance this thread has entered, with its cells in `argv`; a status, with an
   error record of `owner`. */
static ALWAYS_INLINE int
wpy_run(wpy_func *func, uint32_t *argv, const void *owner)
{
    wpy_instance *instance = func->instance;

    ASSERT_ENTERED(instance);
    ASSERT_NO_LOCKS();
    wasm_interp_call_wasm(instance->wamr, instance->env, func->wamr, func->param_cells, argv);
    if (UNLIKELY(instance->wamr->cur_exception[0]))
        return wpy_record_exception(instance, owner);
    return WPY_OK;
}

#endif
