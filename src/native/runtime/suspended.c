/* suspended.c: the suspended segments of each instance.
 *
 * An instance has one wasm stack, so the calls that are suspended in it are resumed in the order of
 * that stack, the last one first. Its suspended segments are a list, uppermost first. Calls that
 * begin meanwhile have their frames above, and end before. A segment that no execution has any more
 * stays in the list until its frames are uppermost.
 */
#include "runtime/segments.h"

static void
set_stack(wpy_instance *instance, WASMInterpFrame *frame, uint8_t *top)
{
    wasm_exec_env_set_cur_frame(instance->env, (WASMRuntimeFrame *)frame);
    instance->env->wasm_stack.top = top;
}

void
wpy_list_segments(wpy_execution *execution)
{
    wpy_segment *segment;

    ASSERT_ENTERED(execution->func->instance);
    wpy_registry_lock();
    for (segment = execution->outermost; segment; segment = segment->inner) {
        wpy_instance *instance = segment->func->instance;

        segment->below = instance->suspended;
        segment->listed = true;
        instance->suspended = segment;
    }
    wpy_registry_unlock();
}

/* Takes a segment out of its list if it is uppermost and on top of the stack. */
static bool
take(wpy_segment *segment)
{
    wpy_instance *instance = segment->func->instance;

    if (instance->suspended != segment || instance->env->wasm_stack.top != segment->top)
        return false;
    instance->suspended = segment->below;
    segment->listed = false;
    return true;
}

/* What is uppermost now, and abandoned, goes, too. */
void
wpy_drop_abandoned(wpy_instance *instance)
{
    wpy_segment *segment;

    ASSERT_ENTERED_OR_DYING(instance);
    wpy_registry_lock();
    while ((segment = instance->suspended) && segment->abandoned && take(segment)) {
        set_stack(instance, segment->entry->prev_frame, (uint8_t *)segment->entry);
        free(segment);
    }
    wpy_registry_unlock();
}

void
wpy_drop_frames(wpy_segment *segment)
{
    wpy_instance *instance = segment->func->instance;

    ASSERT_ENTERED(instance);
    set_stack(instance, segment->entry->prev_frame, (uint8_t *)segment->entry);
    wpy_drop_abandoned(instance);
}

/* Each segment is taken from the top of its stack as if the inner ones had ended, since an instance
   may have several of them. Afterwards the stacks are as before. */
bool
wpy_unlist_segments(wpy_execution *execution)
{
    wpy_segment *segment;
    bool all;

    ASSERT_ENTERED(execution->func->instance);
    for (segment = execution->innermost; segment; segment = segment->outer)
        wpy_drop_abandoned(segment->func->instance);
    wpy_registry_lock();
    for (segment = execution->innermost; segment && take(segment); segment = segment->outer)
        set_stack(segment->func->instance, segment->entry->prev_frame, (uint8_t *)segment->entry);
    all = !segment;
    for (segment = all ? execution->outermost : segment->inner; segment; segment = segment->inner) {
        wpy_instance *instance = segment->func->instance;

        set_stack(instance, segment->at, segment->top);
        if (!all) {
            segment->listed = true;
            instance->suspended = segment;
        }
    }
    wpy_registry_unlock();
    return all;
}

void
wpy_abandon_segments(wpy_execution *execution, bool locked)
{
    wpy_segment *segment, *outer;

    for (segment = execution->innermost; segment; segment = outer) {
        wpy_instance *instance = segment->func->instance;
        bool listed;

        outer = segment->outer;
        wpy_registry_lock();
        listed = segment->listed;
        segment->abandoned = true;
        if (!listed) /* the instance was closed */
            free(segment);
        else if (!locked)
            ATOMIC_SET_BITS_SEQ(&instance->attention, WPY_ATTN_ABANDONED);
        wpy_registry_unlock();
        if (listed && locked)
            wpy_drop_abandoned(instance);
    }
    execution->outermost = execution->innermost = NULL;
}

/* The instance is closed: its frames are gone. Executions keep their segments, which are in no list
   any more. Under the group's lock, or when the group dies. */
void
wpy_forget_suspended(wpy_instance *instance)
{
    wpy_segment *segment;

    ASSERT_ENTERED_OR_DYING(instance);
    wpy_registry_lock();
    while ((segment = instance->suspended)) {
        instance->suspended = segment->below;
        segment->listed = false;
        if (segment->abandoned)
            free(segment);
    }
    wpy_registry_unlock();
}

/* Calls have ended out of order, and no call is open in the instance: only suspended segments have
   frames. */
void
wpy_reset_stack(wpy_instance *instance)
{
    const wpy_segment *uppermost = instance->suspended;

    ASSERT_ENTERED(instance);
    if (uppermost)
        set_stack(instance, uppermost->at, uppermost->top);
    else
        set_stack(instance, NULL, instance->env->wasm_stack.bottom);
}
