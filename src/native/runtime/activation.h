/* activation.h: the calls that a thread has open.
 *
 * Each call that enters an instance has a record on the native stack, its activation. Greenlets may
 * move a native stack away while its calls are open, so the address of an activation may lead to
 * other data: everybody asks wpy_open_activation first. stack_switch.c tells more.
 */
#ifndef WPY_ACTIVATION_H
#define WPY_ACTIVATION_H

#include "runtime/runtime.h"

typedef struct wpy_activation {
    struct wpy_activation *self; /* this one; NULL: the call has ended */
    struct wpy_activation *prev;
    wpy_instance *instance;
    uint8_t *base;       /* where its first frame begins on the wasm stack */
    uint64_t deadline;   /* the nearest of this call and its outer calls, or an earlier time if one
                            was extended; UINT64_MAX: none; WPY_DEADLINE_UNSET: wpy_deadline
                            computes it */
    uint64_t timeout_ns; /* its own; 0: none. Then, also: */
    uint64_t own_deadline; /* without extensions; 0: it has not begun */
    uint64_t extended_us;  /* of the instance, when the call began */
    int64_t fuel_floor;    /* the call stops when the instance's fuel falls below this */
} wpy_activation;

/* A timeout counts from the first look at the clock, which comes within a slice, or before anything
   that takes time: most calls end without such a look. */
#define WPY_DEADLINE_UNSET (UINT64_MAX - 1)

/* The activation, if it is open and is on this native stack, in a frame that calls the frame of
   `from`; else NULL. */
static ALWAYS_INLINE wpy_activation *
wpy_open_activation(wpy_activation *activation, const void *from)
{
    return activation && (uintptr_t)activation > (uintptr_t)from && activation->self == activation
               ? activation
               : NULL;
}

/* The call within which this one was made, or NULL. */
static inline wpy_activation *
wpy_outer_activation(const wpy_activation *activation)
{
    return wpy_open_activation(activation->prev, activation);
}

/* The innermost call that is open on this native stack, or NULL. */
static inline wpy_activation *
wpy_innermost_activation(const wpy_thread *me)
{
    char here = 0; /* only its address counts, but clang asks for a value */

    return wpy_open_activation(me->top, &here);
}

/* Ends the slice: what is left of it returns to instance->fuel, and the next check comes to the
   checkpoint. */
static inline void
wpy_end_slice(wpy_instance *instance)
{
    ASSERT_ENTERED(instance);
    if (instance->env && instance->env->fuel > 0) {
        instance->fuel += instance->env->fuel;
        instance->env->fuel = 0;
    }
}

/* ---- activation.c ---- */

/* Whether the calls that `me` has open must end `now`: WPY_OK, WPY_INTERRUPTED or WPY_TIMEOUT. */
int wpy_check_stop(const wpy_thread *me, uint64_t now);
/* The nearest deadline of a call and its outer calls. Timeouts that haven't begun begin `now`. */
uint64_t wpy_deadline(wpy_activation *activation, uint64_t now);

/* Whether the flag of wpy_thread_set_stop is set. */
static inline bool
wpy_stop_requested(const wpy_thread *me)
{
    return me->stop && ATOMIC_LOAD(me->stop);
}

/* How often instances of this process were interrupted. */
extern uint32_t wpy_interruptions;

/* A thread with a stop flag looks at its event loop, too, at the checkpoint. That takes about as
   long as a quick host function, so the code comes there after each 16th only. */
#define WPY_RETURNS_MASK 15

/* Whether the checkpoint must look whether the thread's calls must end, since a host function has
   returned: an instance was interrupted since `seen`, the thread's `interruptions` before. */
static ALWAYS_INLINE bool
wpy_stop_may_be_due(wpy_thread *me, uint32_t seen)
{
    if (UNLIKELY(me->stop != NULL) &&
        (ATOMIC_LOAD(me->stop) || !(++me->returns & WPY_RETURNS_MASK)))
        return true;
    return UNLIKELY(ATOMIC_LOAD_SEQ(&wpy_interruptions) != seen);
}

/* ---- checkpoint.c: the slow paths of wpy_enter ---- */

/* wpy_enter's timeout for calls from wasm: an instance's own limit is for calls from Python. */
#define WPY_NO_TIMEOUT UINT64_MAX
/* Applies the limits to the new activation; a status. Under the group's lock. */
COLD int wpy_enter_slow(wpy_instance *instance, wpy_activation *activation, uint64_t timeout_ns,
                        int64_t fuel);
/* Tells the instance the bounds of this thread's native stack. Under the group's lock. */
COLD void wpy_switch_thread(wpy_instance *instance, wpy_thread *me);

#endif
