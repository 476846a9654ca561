/* suspend.c: suspending the code that runs in an execution.
 *
 * WAMR's exception is set, with the status WPY_SUSPENDED. The interpreter then returns from each
 * segment as for a trap, but the frames stay (backtrace.c). No code may run between wpy_suspend and
 * the return of the outermost call.
 *
 * A thread may run several executions: one starts another from a host function, or greenlets
 * switch. The current one is the one whose innermost activation is that of the thread, so a plain
 * call within an execution can't be suspended. Greenlets run at the same addresses by turns, so an
 * activation of another greenlet may have the same address as the execution's. Its frames begin
 * elsewhere, though, since the wasm stacks have the frames of all open calls.
 */
#include "include/python_functions.h"
#include "runtime/segments.h"

wpy_execution *
wpy_current_execution(const wpy_thread *me)
{
    wpy_execution *execution;

    for (execution = me->executions; execution; execution = execution->next)
        if (me->top && execution->innermost->activation == me->top &&
            (uint8_t *)execution->innermost->entry == me->top->base)
            return execution;
    return NULL;
}

/* Whether an import that runs now may suspend the code that has called it. */
bool
wpy_may_suspend(void)
{
    return wpy_self.executions && wpy_current_execution(&wpy_self);
}

/* Whether this thread runs an execution, with other calls between or not. */
bool
wpy_in_execution(void)
{
    return wpy_self.executions != NULL;
}

static bool
suspend(WASMExecEnv *env, wpy_execution *execution, uint32_t reason, uint64_t until)
{
    execution->reason = reason;
    execution->until = until;
    execution->back = 0;
    wpy_set_exception((WASMModuleInstance *)env->module_inst, WPY_SUSPENDED, 0, "suspended");
    return false;
}

static bool
no_memory(WASMExecEnv *env)
{
    wpy_set_exception((WASMModuleInstance *)env->module_inst, WPY_TRAP, 0, "out of memory");
    return false;
}

bool
wpy_suspend(WASMExecEnv *env, uint32_t reason, uint64_t until)
{
    wpy_execution *execution = wpy_current_execution(&wpy_self);

    execution->descriptor_count = 0;
    return suspend(env, execution, reason, until);
}

bool
wpy_suspend_call(WASMExecEnv *env, const wpy_func *func, const uint32_t *args)
{
    wpy_execution *execution = wpy_current_execution(&wpy_self);
    uint32_t count = func->param_cells;
    uint32_t *copy = execution ? execution->args : NULL;

    if (!execution) {
        wpy_set_exception((WASMModuleInstance *)env->module_inst, WPY_HOST,
                          wpy_py_cannot_suspend((int)func->index), "host function failed");
        return false;
    }
    if (!copy || execution->arg_count != count) {
        if (!(copy = malloc((count + 1) * sizeof *copy)))
            return no_memory(env);
        /* realloc could leave a copy, which may have secrets */
        wpy_wipe_and_free(execution->args, execution->arg_count * sizeof *copy);
        execution->args = copy;
        execution->arg_count = count;
    }
    if (count)
        memcpy(copy, args, count * sizeof *copy);
    execution->host = func;
    execution->host_id = func->index;
    return suspend(env, execution, WPY_REASON_CALL, 0);
}

bool
wpy_suspend_poll(WASMExecEnv *env, const wpy_descriptor *descriptors, uint32_t count,
                 uint64_t until)
{
    wpy_execution *execution = wpy_current_execution(&wpy_self);
    wpy_descriptor *copy = realloc(execution->descriptors, (count + 1) * sizeof *copy);

    if (!copy)
        return no_memory(env);
    memcpy(copy, descriptors, count * sizeof *copy);
    execution->descriptors = copy;
    execution->descriptor_count = count;
    return suspend(env, execution, copy[0].output ? WPY_REASON_WRITE : WPY_REASON_READ, until);
}

uint64_t
wpy_called_at(uint64_t now)
{
    wpy_execution *execution = wpy_current_execution(&wpy_self);

    if (execution && execution->called_at)
        now = execution->called_at;
    wpy_keep_called_at(0);
    return now;
}

void
wpy_keep_called_at(uint64_t time)
{
    wpy_execution *execution = wpy_current_execution(&wpy_self);

    if (execution)
        execution->called_at = time;
}

void
wpy_keep_pending(void *pending, void (*drop)(void *pending))
{
    wpy_execution *execution = wpy_current_execution(&wpy_self);

    execution->pending = pending;
    execution->drop_pending = drop;
}

void *
wpy_take_pending(void)
{
    wpy_execution *execution = wpy_current_execution(&wpy_self);
    void *pending = execution ? execution->pending : NULL;

    if (pending)
        execution->pending = NULL;
    return pending;
}

void
wpy_drop_pending(wpy_execution *execution)
{
    void *pending = execution->pending;

    execution->pending = NULL;
    if (pending)
        execution->drop_pending(pending);
}
