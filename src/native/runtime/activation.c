/* activation.c: the deadlines of a thread's open calls, and what else stops them.
 *
 * What stops an outer call stops its inner calls, too, so the checkpoint and a thread that waits
 * for a group's lock look at all activations of the thread.
 */
#include "runtime/activation.h"

uint32_t wpy_interruptions;

uint64_t
wpy_deadline(wpy_activation *activation, uint64_t now)
{
    uint64_t nearest;

    if (activation->deadline == WPY_DEADLINE_UNSET) {
        wpy_activation *outer = wpy_outer_activation(activation);

        nearest = outer ? wpy_deadline(outer, now) : UINT64_MAX;
        if (activation->timeout_ns) {
            activation->own_deadline = now + activation->timeout_ns;
            if (activation->own_deadline < nearest)
                nearest = activation->own_deadline;
        }
        activation->deadline = nearest;
    }
    return activation->deadline;
}

/* The nearest deadline of a call and its outer calls, extensions included. */
static COLD uint64_t
extended_deadline(wpy_activation *innermost)
{
    uint64_t nearest = UINT64_MAX;
    wpy_activation *activation;

    for (activation = innermost; activation; activation = wpy_outer_activation(activation))
        if (activation->timeout_ns) {
            uint64_t us = ATOMIC_LOAD(&activation->instance->extended_us) - activation->extended_us,
                     room = UINT64_MAX - activation->own_deadline,
                     ns = us < room / 1000 ? us * 1000 : room;

            if (activation->own_deadline + ns < nearest)
                nearest = activation->own_deadline + ns;
        }
    return nearest;
}

/* Sets the stop flag of this thread: once any thread stores 1 there, all calls of this thread end
   with WPY_INTERRUPTED. Returns the flag before, for the caller to restore. The caller keeps the
   flag alive until it has set another; NULL: none. */
const uint32_t *
wpy_thread_set_stop(const uint32_t *stop)
{
    const uint32_t *before = wpy_self.stop;

    wpy_self.stop = stop;
    return before;
}

int
wpy_check_stop(const wpy_thread *me, uint64_t now)
{
    wpy_activation *innermost = wpy_innermost_activation(me), *activation;

    if (wpy_stop_requested(me))
        return WPY_INTERRUPTED;
    for (activation = innermost; activation; activation = wpy_outer_activation(activation))
        if (ATOMIC_LOAD(&activation->instance->stop_at) == activation->instance->generation)
            return WPY_INTERRUPTED;
    if (!innermost || innermost->deadline == UINT64_MAX)
        return WPY_OK;
    if (now < wpy_deadline(innermost, now))
        return WPY_OK;
    innermost->deadline = extended_deadline(innermost);
    return now >= innermost->deadline ? WPY_TIMEOUT : WPY_OK;
}

/* The id of the instance whose code called the host function that runs now; 0: Python called it. */
uint64_t
wpy_calling_instance_id(void)
{
    const wpy_activation *innermost = wpy_innermost_activation(&wpy_self);

    return innermost ? innermost->instance->instance_id : 0;
}
