/* execution.c: executions: calls that are started, suspended, resumed in any thread, and ended.
 *
 * An execution is a chain of segments, outermost first, one for each instance that the call has
 * entered. A suspended one has its frames on the wasm stacks, and nothing else: no activation, no
 * lock, no native frame. suspend.c and running.c suspend it, resume.c resumes it. To end an
 * execution runs no code: its frames are dropped.
 */
#include "runtime/exception_types.h"
#include "runtime/segments.h"
#include "runtime/enter.h"

/* Prepares a new execution of a function of an instance, without running code. The caller owns it.
   NULL: out of memory. */
wpy_execution *
wpy_execution_new(wpy_func *func)
{
    wpy_execution *execution = calloc(1, sizeof *execution);
    wpy_segment *segment = calloc(1, sizeof *segment);

    if (!execution || !segment) {
        free(execution);
        free(segment);
        return NULL;
    }
    wpy_retain(func);
    execution->func = segment->func = func;
    execution->outermost = execution->innermost = segment;
    execution->depth = 1;
    return execution;
}

bool
wpy_change_state(wpy_execution *execution, uint32_t from, uint32_t to)
{
    return ATOMIC_SWAP_SEQ(&execution->state, &from, to);
}

void
wpy_hold_arguments(const wpy_execution *execution)
{
    const wpy_func *host = execution->host;

    if (execution->reason == WPY_REASON_CALL)
        wpy_exnrefs_hold(execution->func->object.group, host->type->types, host->type->param_count,
                         execution->args);
}

void
wpy_tell_stop(const wpy_execution *execution, wpy_stop *out)
{
    out->reason = (int32_t)execution->reason;
    out->host_id = execution->host_id;
    out->args = execution->args;
    out->until = execution->until;
    out->descriptors = execution->descriptors;
    out->descriptor_count = execution->descriptor_count;
    out->slice_fuel = execution->slice_fuel;
    out->instance_id = execution->innermost->func->instance->instance_id;
}

/* ---- starting ---- */

static int
start(wpy_execution *execution, uint32_t *cells, uint64_t timeout_ns, int64_t fuel,
      uint64_t slice_ns, int64_t slice_fuel)
{
    wpy_segment *segment = execution->outermost;
    wpy_func *func = execution->func;
    wpy_instance *instance = func->instance;
    wpy_activation activation;
    int status = wpy_enter(instance, &activation, timeout_ns, fuel);

    if (status != WPY_OK)
        return status;
    wpy_drop_abandoned(instance);
    activation.base = instance->env->wasm_stack.top;
    segment->activation = &activation;
    segment->entry = (WASMInterpFrame *)activation.base;
    wpy_begin_running(execution, slice_ns, slice_fuel);
    wasm_interp_call_wasm(instance->wamr, instance->env, func->wamr, func->param_cells, cells);
    if (instance->wamr->cur_exception[0]) {
        if (instance->status == WPY_SUSPENDED) {
            wpy_hold_arguments(execution);
            return wpy_stop_running(execution, segment);
        }
        status = wpy_record_exception(instance, func);
    } else
        wpy_exnrefs_hold(func->object.group, func->type->types + func->type->param_count,
                         func->type->result_count, cells);
    wpy_leave_segment(segment);
    return wpy_end_running(execution, status);
}

/* Runs the function with its arguments in `cells` until it ends or is suspended; a status.
   WPY_SUSPENDED: *stop tells why; nobody may use the execution meanwhile. WPY_OK: `cells` has the
   results, and exnrefs have handles as those of wpy_call_cells_held; the buffer is as for
   wpy_call_cells. WPY_RUNS_ALREADY: it isn't new. WPY_BUSY, WPY_DEADLOCK, WPY_HELD: nothing was
   done, the execution is still new. Otherwise it has ended, with an error record of its function.
   Waits for the group's lock, so not with the GIL. */
int
wpy_execution_start(wpy_execution *execution, uint32_t *cells, uint64_t timeout_ns, int64_t fuel,
                    uint64_t slice_ns, int64_t slice_fuel, wpy_stop *stop)
{
    int status;

    if (!wpy_change_state(execution, WPY_NEW, WPY_RUNNING))
        return WPY_RUNS_ALREADY;
    status = start(execution, cells, timeout_ns, fuel, slice_ns, slice_fuel);
    if (status == WPY_SUSPENDED)
        wpy_tell_stop(execution, stop);
    if (ATOMIC_LOAD(&execution->state) != WPY_RUNNING)
        return status;
    ATOMIC_STORE_SEQ(&execution->state, WPY_NEW);
    return status == WPY_BUSY || status == WPY_DEADLOCK || status == WPY_HELD
               ? status
               : wpy_end_unrun(execution, status, "");
}

/* ---- asking and ending ---- */

/* enum wpy_execution_state. Any thread. */
uint32_t
wpy_execution_state(const wpy_execution *execution)
{
    return ATOMIC_LOAD_SEQ(&execution->state);
}

/* The function that was called, borrowed. */
wpy_func *
wpy_execution_func(const wpy_execution *execution)
{
    return execution->func;
}

/* Ends an execution that isn't running: its frames are dropped, now or when nothing is above them,
   and no code runs. False: it runs. Never waits; not with the GIL. */
bool
wpy_execution_close(wpy_execution *execution)
{
    wpy_object *object = &execution->func->object;
    bool acquired = false, locked;

    if (ATOMIC_LOAD_SEQ(&execution->state) == WPY_ENDED)
        return true;
    if (wpy_change_state(execution, WPY_NEW, WPY_ENDED))
        locked = false;
    else if (!wpy_change_state(execution, WPY_STOPPED, WPY_ENDED))
        return ATOMIC_LOAD_SEQ(&execution->state) == WPY_ENDED;
    else if (execution->holds) {
        wpy_group_take_over(object->group, execution);
        locked = acquired = true;
        execution->holds = false;
    } else
        locked = wpy_group_enter_now(object, &acquired);
    wpy_abandon_segments(execution, locked);
    wpy_group_leave(object, acquired);
    wpy_drop_pending(execution);
    return true;
}

/* Closes the execution and frees it. One that runs, in a greenlet that nobody resumes, stays. */
void
wpy_execution_free(wpy_execution *execution)
{
    if (!wpy_execution_close(execution))
        return;
    wpy_release(execution->func);
    wpy_wipe_and_free(execution->args, execution->arg_count * sizeof *execution->args);
    free(execution->descriptors);
    free(execution);
}

int
wpy_end_unrun(wpy_execution *execution, int status, const char *text)
{
    wpy_push_error(execution->func, status, 0, text, false);
    wpy_execution_close(execution);
    return status;
}
