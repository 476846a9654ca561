/* resume.c: going on with a suspended execution.
 *
 * The activations of its segments are opened again, outermost first, and the interpreter goes on in
 * the innermost segment as if the code called a function there: the import again (WASI), or the
 * resumer, which answers or fails. When a segment ends, its results or its exception are what the
 * resumer brings to the next outer one. So exceptions are caught where they would be without a
 * suspension. All of this is a loop: a chain may be longer than the native stack allows calls.
 */
#include "interp/stack_end.h"
#include "runtime/exception_types.h"
#include "runtime/segments.h"
#include "runtime/enter.h"

/* What the resumer does. */
enum wpy_mode {
    WPY_MODE_GO_ON, /* nothing: the code goes on between two instructions */
    WPY_MODE_ANSWER,
    WPY_MODE_RAISE, /* fails with a Python exception */
    WPY_MODE_FAIL   /* fails with the exception that the instance has already */
};

static bool
resume_import(WASMExecEnv *env, wpy_func *func, const uint32_t *args, uint32_t *results)
{
    wpy_execution *execution = wpy_current_execution(&wpy_self);
    wpy_instance *instance = wpy_instance_of(env);

    (void)func;
    (void)args;
    switch (execution->mode) {
    case WPY_MODE_GO_ON:
        return true;
    case WPY_MODE_ANSWER:
        if (execution->answer_count)
            memcpy(results, execution->answer, execution->answer_count * sizeof *results);
        return true;
    case WPY_MODE_RAISE:
        wpy_set_exception(instance->wamr, WPY_HOST, execution->number, "host function failed");
        if (execution->exception) {
            wpy_exception_throw(execution->exception, 0, execution->number);
            wpy_throw_raised(instance, 0, execution->number);
        }
        return false;
    default:
        return false;
    }
}

static WASMFuncType no_values;
static wpy_func resumer;

/* The hook `resumer`. Once per process. */
WASMFunctionInstance *
wpy_make_resumer(void)
{
    wpy_func_init(&resumer, &no_values);
    resumer.dispatch = resume_import;
    return &resumer.proxy;
}

/* Opens the activations of all segments, the outermost one first, at falling addresses as those of
   calls within each other (wpy_open_activation); a status. */
static int
enter_all(wpy_execution *execution, wpy_activation *activations, uint64_t timeout_ns)
{
    wpy_activation *activation = activations + execution->depth;
    wpy_segment *segment;
    int status = WPY_OK;

    for (segment = execution->outermost; segment && status == WPY_OK; segment = segment->inner) {
        --activation;
        status = wpy_enter(segment->func->instance, activation,
                           segment->outer ? WPY_NO_TIMEOUT : timeout_ns, segment->fuel_left);
        if (status == WPY_OK) {
            activation->base = (uint8_t *)segment->entry;
            segment->activation = activation;
            if (!segment->outer) /* the others copy it: wpy_deadline is recursive */
                wpy_deadline(activation, wpy_now());
        }
    }
    return status;
}

static void
leave_all(wpy_execution *execution)
{
    wpy_segment *segment;

    for (segment = execution->innermost; segment; segment = segment->outer)
        if (segment->activation)
            wpy_leave_segment(segment);
}

/* Opens the activations, and takes the segments out of the lists; a status. */
static int
take_up(wpy_execution *execution, wpy_activation *activations, uint64_t timeout_ns)
{
    wpy_group *group = execution->func->object.group;
    bool held = execution->holds;
    int status;

    if (held)
        wpy_group_take_over(group, execution);
    status = enter_all(execution, activations, timeout_ns);
    if (status == WPY_OK && !wpy_unlist_segments(execution))
        status = WPY_NOT_LAST;
    if (status == WPY_OK) {
        if (held)
            group->recursion--;
        execution->holds = false;
        return WPY_OK;
    }
    leave_all(execution);
    if (held)
        wpy_group_hold(group, execution);
    return status;
}

static bool
was_interrupted(const wpy_execution *execution)
{
    const wpy_segment *segment;

    for (segment = execution->outermost; segment; segment = segment->inner)
        if (segment->interrupts != ATOMIC_LOAD(&segment->func->instance->interrupts))
            return true;
    return false;
}

/* Goes on in the innermost segment, whose frames are uppermost. */
static void
run_innermost(wpy_execution *execution)
{
    wpy_segment *segment = execution->innermost;
    wpy_instance *instance = segment->func->instance;
    WASMExecEnv *env = instance->env;
    WASMFunctionInstance *function = &resumer.proxy;
    WASMInterpFrame *frame = segment->at;

    wasm_exec_env_set_cur_frame(env, (WASMRuntimeFrame *)frame);
    env->wasm_stack.top = segment->top;
    if (frame->ip) { /* between two instructions, where nothing can be thrown */
        if (execution->mode != WPY_MODE_GO_ON) {
            instance->exception = NULL;
            wpy_trapped_hook(env);
            return;
        }
        env->fuel++; /* the check behind the call of the resumer isn't the code's */
    } else { /* an import's, which is called again at the same place: its arguments are there */
        if (execution->mode == WPY_MODE_GO_ON)
            function = frame->function;
        env->wasm_stack.top = (uint8_t *)frame;
        wasm_exec_env_set_cur_frame(env, (WASMRuntimeFrame *)frame->prev_frame);
    }
    wamrpy_resume(instance->wamr, env, function);
}

/* The innermost segment has ended: removes it, and prepares the next one. Returns it if it was not
   the outermost one; it has the answer until the next one has run. */
static wpy_segment *
pop_segment(wpy_execution *execution, bool failed)
{
    wpy_segment *segment = execution->innermost, *outer = segment->outer;
    wpy_instance *instance = segment->func->instance;
    uint32_t *results = segment->entry->lp, count = segment->func->result_cells;

    if (failed) {
        wpy_propagate_exception(instance, outer->func->instance->wamr);
        execution->mode = WPY_MODE_FAIL;
    } else {
        if (count)
            memcpy(segment->cells, results, count * sizeof *results);
        execution->answer = segment->cells;
        execution->answer_count = count;
        execution->mode = WPY_MODE_ANSWER;
    }
    wpy_switch_instance(execution, instance, outer->func->instance);
    wpy_drop_frames(segment);
    wpy_leave_segment(segment);
    execution->innermost = outer;
    outer->inner = NULL;
    execution->depth--;
    return segment;
}

/* The outermost segment has ended; a status. */
static int
finish(wpy_execution *execution, bool failed, uint32_t *cells)
{
    wpy_func *func = execution->func;
    wpy_segment *segment = execution->outermost;
    uint32_t *results = segment->entry->lp, i;
    int status = WPY_OK;

    if (failed)
        status = wpy_record_exception(func->instance, func);
    else {
        for (i = 0; i < func->result_cells; i++) {
            cells[i] = results[i];
            results[i] = 0; /* as in wasm_interp_call_wasm */
        }
        wpy_exnrefs_hold(func->object.group, func->type->types + func->type->param_count,
                         func->type->result_count, cells);
    }
    wpy_drop_frames(segment);
    wpy_leave_segment(segment);
    return wpy_end_running(execution, status);
}

static int
run(wpy_execution *execution, uint32_t *cells)
{
    wpy_segment *answered = NULL;

    for (;;) {
        wpy_segment *segment = execution->innermost;
        wpy_instance *instance = segment->func->instance;
        bool failed;

        run_innermost(execution);
        free(answered);
        failed = instance->wamr->cur_exception[0] != 0;
        if (failed && instance->status == WPY_SUSPENDED) {
            wpy_hold_arguments(execution);
            return wpy_stop_running(execution, segment);
        }
        if (!segment->outer)
            return finish(execution, failed, cells);
        answered = pop_segment(execution, failed);
    }
}

/* Whether the native stack has room for that many bytes more, and for the code that then runs. */
static bool
has_room(size_t size)
{
    uint8_t *end = wpy_stack_end(), *here = (uint8_t *)&size;

    return !end || (here > end && (size_t)(here - end) > size + 2 * WASM_STACK_GUARD_SIZE);
}

/* Sets what the resumer does, and the exception of the innermost instance if it fails. */
static void
set_mode(wpy_execution *execution, const wpy_resumption *how)
{
    wpy_instance *instance = execution->innermost->func->instance;
    int status = how->status;

    if (was_interrupted(execution))
        status = WPY_INTERRUPTED;
    execution->mode = WPY_MODE_GO_ON;
    execution->answer = how->answer;
    execution->answer_count = how->answer_count;
    execution->number = how->number;
    execution->exception = how->exception;
    if (status == WPY_HOST && !execution->innermost->at->ip)
        execution->mode = WPY_MODE_RAISE; /* by the import, so that code can catch it */
    else if (status != WPY_OK) {
        execution->mode = WPY_MODE_FAIL;
        wpy_set_exception(instance->wamr, status, how->number,
                          status == WPY_TIMEOUT       ? "timeout"
                          : status == WPY_INTERRUPTED ? "interrupted"
                                                      : "thrown in");
    } else if (execution->reason == WPY_REASON_CALL)
        execution->mode = WPY_MODE_ANSWER;
    if (execution->mode != WPY_MODE_GO_ON) {
        execution->called_at = 0;
        wpy_drop_pending(execution);
    }
}

/* The slice is used up by what the code has to pay: it stays where it is. */
static int
stop_again(wpy_execution *execution)
{
    bool fresh = execution->fresh;
    int status;

    execution->back = 0;
    status = wpy_stop_running(execution, execution->innermost);
    execution->fresh = fresh;
    return status;
}

/* In a function of its own, since alloca() keeps its bytes until the function returns. */
static COLD int
resume(wpy_execution *execution, const wpy_resumption *how, uint32_t *cells)
{
    size_t size = execution->depth * sizeof(wpy_activation);
    wpy_activation *activations;
    int status;

    if (!has_room(size))
        return WPY_TRAP;
    activations = alloca(size);
    status = take_up(execution, activations, how->timeout_ns);
    if (status != WPY_OK)
        return status;
    wpy_begin_running(execution, how->slice_ns, how->slice_fuel);
    set_mode(execution, how);
    if (execution->owed && execution->mode == WPY_MODE_GO_ON)
        return stop_again(execution);
    return run(execution, cells);
}

/* Goes on with a suspended execution; as wpy_execution_start. WPY_NOT_LAST: others were suspended
   later in one of its instances, and nothing was done. If it was suspended by a host function, that
   function returns the answer; other places go on as they are, WASI functions are executed again.
   Unless how->status is WPY_OK: WPY_HOST raises the pending exception with that number in the place
   where it stopped, WPY_TIMEOUT and WPY_INTERRUPTED end the call. */
int
wpy_execution_resume(wpy_execution *execution, const wpy_resumption *how, uint32_t *cells,
                     wpy_stop *stop)
{
    int status;

    if (!wpy_change_state(execution, WPY_STOPPED, WPY_RUNNING))
        return WPY_RUNS_ALREADY;
    status = resume(execution, how, cells);
    if (status == WPY_SUSPENDED)
        wpy_tell_stop(execution, stop);
    if (ATOMIC_LOAD(&execution->state) != WPY_RUNNING)
        return status;
    ATOMIC_STORE_SEQ(&execution->state, WPY_STOPPED);
    switch (status) {
    case WPY_CLOSED:
        return wpy_end_unrun(execution, status, "");
    case WPY_TRAP:
        return wpy_end_unrun(execution, status, "native stack overflow");
    default:
        return status;
    }
}
