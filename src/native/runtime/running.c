/* running.c: executions that run: their list in the thread, calls between instances, and
 * suspension.
 *
 * In an execution, the room of a call from one instance into another is a segment on the heap. If
 * the call is suspended, the segment stays, while the native frames of the call unwind.
 */
#include "runtime/enter.h"
#include "runtime/segments.h"

void
wpy_begin_running(wpy_execution *execution, uint64_t slice_ns, int64_t slice_fuel)
{
    execution->next = wpy_self.executions;
    wpy_self.executions = execution;
    wpy_begin_slice(execution, slice_ns, slice_fuel);
}

/* Greenlets may end in another order than they began. */
int
wpy_end_running(wpy_execution *execution, int status)
{
    wpy_execution **link = &wpy_self.executions;

    while (*link != execution)
        link = &(*link)->next;
    *link = execution->next;
    if (status != WPY_SUSPENDED) {
        wpy_segment *segment = execution->outermost;

        execution->outermost = execution->innermost = NULL;
        free(segment);
    }
    ATOMIC_STORE_SEQ(&execution->state, status == WPY_SUSPENDED ? WPY_STOPPED : WPY_ENDED);
    return status;
}

void
wpy_leave_segment(wpy_segment *segment)
{
    wpy_activation *activation = segment->activation;

    segment->activation = NULL;
    wpy_leave(activation);
}

/* The frames of an outer segment were noted when its code called the inner one's: both may be on
   the same stack. The interpreter has stored its ip again on its way out, so `back` is applied
   here. */
static void
note_suspended(const wpy_execution *execution, wpy_segment *segment)
{
    wpy_instance *instance = segment->func->instance;
    WASMExecEnv *env = instance->env;

    if (segment == execution->innermost) {
        segment->at = (WASMInterpFrame *)wasm_exec_env_get_cur_frame(env);
        segment->top = env->wasm_stack.top;
        segment->at->ip -= execution->back;
    }
    segment->interrupts = ATOMIC_LOAD_SEQ(&instance->interrupts);
    if (ATOMIC_LOAD_SEQ(&instance->stop_at) == instance->generation)
        segment->interrupts--; /* an interruption that the code has not seen yet */
    segment->fuel_left = -1;
    if (segment->activation->fuel_floor != INT64_MIN) {
        /* other calls may use the instance's fuel meanwhile */
        int64_t floor = segment->activation->fuel_floor;

        wpy_end_slice(instance);
        segment->fuel_left = instance->fuel > floor ? instance->fuel - floor : 0;
    }
}

int
wpy_stop_running(wpy_execution *execution, wpy_segment *segment)
{
    wpy_group *group = execution->func->object.group;
    wpy_segment *each;

    note_suspended(execution, segment);
    for (each = segment->outer; each; each = each->outer)
        note_suspended(execution, each);
    segment->func->instance->wamr->cur_exception[0] = 0;
    segment->func->instance->status = WPY_OK;
    execution->fresh = execution->back > 0;
    wpy_list_segments(execution);
    execution->holds = execution->reason == WPY_REASON_SLICE;
    if (execution->holds)
        group->recursion++; /* the last wpy_leave keeps the lock */
    for (each = segment; each; each = each->outer)
        wpy_leave_segment(each);
    if (execution->holds)
        wpy_group_hold(group, execution);
    return wpy_end_running(execution, WPY_SUSPENDED);
}

static wpy_segment *
add_segment(wpy_execution *execution, wpy_func *func, const uint32_t *args)
{
    uint32_t count =
        func->param_cells > func->result_cells ? func->param_cells : func->result_cells;
    wpy_segment *segment = calloc(1, sizeof *segment + (count + 2) * sizeof(uint32_t));

    if (!segment)
        return NULL;
    segment->func = func;
    segment->outer = execution->innermost;
    if (func->param_cells)
        memcpy(segment->cells, args, func->param_cells * sizeof *args);
    return segment;
}

/* The room of the call is on the heap, where it stays if the call is suspended. */
bool
wpy_call_in_execution(wpy_execution *execution, WASMExecEnv *env, wpy_func *func,
                      const uint32_t *args, uint32_t *results)
{
    WASMModuleInstance *caller = (WASMModuleInstance *)env->module_inst;
    wpy_instance *instance = func->instance;
    wpy_segment *segment = add_segment(execution, func, args), *outer = execution->innermost;
    wpy_activation activation;
    int status;
    bool returned, suspended = false;

    if (!segment) {
        wpy_set_exception(caller, WPY_TRAP, 0, "out of memory");
        return false;
    }
    status = wpy_enter(instance, &activation, WPY_NO_TIMEOUT, -1);
    if (UNLIKELY(status != WPY_OK)) {
        wpy_set_exception(caller, status, 0, "it called a function of an instance that is closed");
        free(segment);
        return false;
    }
    segment->activation = &activation;
    segment->entry = (WASMInterpFrame *)activation.base;
    outer->at = (WASMInterpFrame *)wasm_exec_env_get_cur_frame(env);
    outer->top = env->wasm_stack.top;
    outer->inner = segment;
    execution->innermost = segment;
    execution->depth++;
    if (execution->slice_end)
        wpy_end_slice(instance);
    wpy_switch_instance(execution, outer->func->instance, instance);
    wasm_interp_call_wasm(instance->wamr, instance->env, func->wamr, func->param_cells,
                          segment->cells);
    returned = !instance->wamr->cur_exception[0];
    if (!returned) {
        suspended = instance->status == WPY_SUSPENDED;
        if (suspended)
            note_suspended(execution, segment);
        wpy_propagate_exception(instance, caller);
    }
    if (!suspended)
        wpy_switch_instance(execution, instance, outer->func->instance);
    segment->activation = NULL;
    wpy_leave(&activation);
    if (suspended)
        return false;
    outer->inner = NULL;
    execution->innermost = outer;
    execution->depth--;
    if (returned)
        memcpy(results, segment->cells, func->result_cells * sizeof *results);
    free(segment);
    return returned;
}
