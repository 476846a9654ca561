/* awaiting.c: questions of a caller that awaits executions without blocking its thread.
 *
 * An event loop must not wait for the lock of a group, has one call of a group at a time, and is
 * woken when an instance of a suspended call is closed or interrupted. Nothing here waits.
 */
#include "runtime/segments.h"

/* The address of the execution that an import may suspend now; 0: the call can't be suspended. */
uintptr_t
wpy_suspendable(void)
{
    return wpy_self.executions ? (uintptr_t)wpy_current_execution(&wpy_self) : 0;
}

/* A number of the function's group. It changes only when the group is merged into another one, and
   isn't used again while the group lives. Any thread. */
uintptr_t
wpy_func_group(wpy_func *func)
{
    return (uintptr_t)ATOMIC_LOAD_ACQUIRE(&func->object.group);
}

/* Whether starting or resuming the execution now would not wait for another thread, unless one
   comes first. */
bool
wpy_execution_is_free(const wpy_execution *execution)
{
    const wpy_group *group = ATOMIC_LOAD_ACQUIRE(&execution->func->object.group);
    uintptr_t owner = ATOMIC_LOAD(&group->owner);

    return execution->holds || !owner || (owner & ~(uintptr_t)1) == (uintptr_t)&wpy_self;
}

/* Writes the ids of the instances that a suspended execution has segments in, at most `room`, and
   returns how many there are; an instance may occur several times. */
uint32_t
wpy_execution_instances(const wpy_execution *execution, uint64_t *ids, uint32_t room)
{
    const wpy_segment *segment;
    uint32_t count = 0;

    for (segment = execution->innermost; segment; segment = segment->outer, count++)
        if (count < room)
            ids[count] = segment->func->instance->instance_id;
    return count;
}

/* Whether a suspended execution can only end: one of its instances was closed or interrupted. */
bool
wpy_execution_is_doomed(const wpy_execution *execution)
{
    const wpy_segment *segment;

    for (segment = execution->innermost; segment; segment = segment->outer) {
        wpy_instance *instance = segment->func->instance;

        if (ATOMIC_LOAD(&instance->attention) & (WPY_ATTN_CLOSED | WPY_ATTN_CLOSE_PENDING) ||
            segment->interrupts != ATOMIC_LOAD_SEQ(&instance->interrupts))
            return true;
    }
    return false;
}

/* Whether this thread has the lock of the function's group: it is in a call of the group. */
bool
wpy_func_is_entered(wpy_func *func)
{
    const wpy_group *group = ATOMIC_LOAD_ACQUIRE(&func->object.group);

    return (ATOMIC_LOAD(&group->owner) & ~(uintptr_t)1) == (uintptr_t)&wpy_self;
}
