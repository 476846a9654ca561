/* activation.c: a thread's calls that are under way: who runs, until when, and what stops them.
 *
 * Each entry of an instance has a record on the C stack (wpy_activation), chained from the thread.
 * What stops an outer call stops the inner ones, too, so all of them are looked at: by the
 * checkpoint, and by who waits for a lock.
 */
#include "core/stack_switch.h"

uint64_t
wpy_deadline(wpy_activation *activation, uint64_t now)
{
    uint64_t nearest;

    if (activation->deadline == WPY_UNCOUNTED) {
        wpy_activation *outer = wpy_outer(activation);

        nearest = outer ? wpy_deadline(outer, now) : UINT64_MAX;
        if (activation->timeout_ns && now + activation->timeout_ns < nearest)
            nearest = now + activation->timeout_ns;
        activation->deadline = nearest;
    }
    return activation->deadline;
}

/* All calls of this thread end with WPY_INTERRUPTED, soon, once any thread sets `stop` to 1; NULL:
   no more. Answers what was there before, for who has to put it back. */
const uint32_t *
wpy_thread_stop(const uint32_t *stop)
{
    const uint32_t *before = wpy_self.stop;

    wpy_self.stop = stop;
    return before;
}

/* What other threads and the clock say of this thread's calls: WPY_OK, WPY_INTERRUPTED or
 * WPY_TIMEOUT. */
int
wpy_stopped(const wpy_thread *me)
{
    wpy_activation *innermost = wpy_innermost(me), *activation;
    uint64_t now;

    if (wpy_stop_asked(me))
        return WPY_INTERRUPTED;
    for (activation = innermost; activation; activation = wpy_outer(activation))
        if (ATOMIC_LOAD(&activation->instance->stop_at) == activation->instance->generation)
            return WPY_INTERRUPTED;
    if (!innermost || innermost->deadline == UINT64_MAX)
        return WPY_OK;
    now = wpy_now();
    return now >= wpy_deadline(innermost, now) ? WPY_TIMEOUT : WPY_OK;
}

/* Python's name for the instance whose code called the host function that runs now; 0: Python
 * called it. */
uint64_t
wpy_caller(void)
{
    const wpy_activation *innermost = wpy_innermost(&wpy_self);

    return innermost ? innermost->instance->instance_id : 0;
}
