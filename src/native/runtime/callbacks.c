/* callbacks.c: calls from wasm to an imported function: to Python, or to another instance.
 *
 * The slot of an imported function points at a wpy_func (imports.c), and the interpreter passes the
 * argument cells and the room for the results. A function of an instance is called on the wasm
 * stack of that instance, in the same thread and without Python. A host function calls Python:
 * through cpython/callbacks.c or, if its type has references, callbacks.py. A Python exception
 * stays on the Python side. wasm unwinds with the status WPY_HOST until the call from Python
 * returns, and callbacks.py (take_pending) raises the exception there.
 */
#include "include/entry.h"
#include "include/python_functions.h"
#include "runtime/enter.h"
#include "runtime/exception_types.h"
#include "runtime/segments.h"

static wpy_host_entry host_entry; /* NULL: all calls go through wpy_py_cells */

/* Once per process, before the first host function. */
void
wpy_host_set_entry(wpy_host_entry entry, wpy_host_forget forget)
{
    host_entry = entry;
    wpy_host_set_forget(forget);
}

/* The host function has failed, or suspends the call: then wpy_call_hook does so, when the thread's
   activation is the caller's again. */
static COLD bool
not_returned(WASMExecEnv *env, const wpy_func *func, int raised)
{
    wpy_self.host_suspends = raised == WPY_SUSPENDS;
    if (wpy_self.host_suspends)
        return false;
    wpy_set_exception((WASMModuleInstance *)env->module_inst, WPY_HOST, raised,
                      "host function failed");
    wpy_throw_raised(wpy_instance_of(env), func->store_id, raised);
    return false;
}

static bool
dispatch_cells(WASMExecEnv *env, wpy_func *func, const uint32_t *args, uint32_t *results)
{
    int raised;

    ASSERT_NO_LOCKS();
    raised = wpy_py_cells((int)func->index, (uint32_t *)args, results);
    return LIKELY(raised == 0) || not_returned(env, func, raised);
}

static bool
dispatch_values(WASMExecEnv *env, wpy_func *func, const uint32_t *args, uint32_t *results)
{
    const WASMFuncType *type = func->type;
    int raised;

    ASSERT_NO_LOCKS();
    raised =
        host_entry(func->index, type->types, type->param_count, type->result_count, args, results);
    return LIKELY(raised == 0) || not_returned(env, func, raised);
}

/* The most cells of a call on the native stack: more could skip its guard page. */
#define MOST_ON_STACK 256

/* Calls a function of another instance, whose exception becomes the caller's. */
static bool
call_instance(WASMExecEnv *env, wpy_func *func, const uint32_t *args, uint32_t *results)
{
    WASMModuleInstance *caller = (WASMModuleInstance *)env->module_inst;
    uint32_t count =
        func->param_cells > func->result_cells ? func->param_cells : func->result_cells;
    uint32_t *heap = NULL, *cells;
    wpy_instance *instance = func->instance;
    wpy_activation activation;
    int status;

    if (count <= MOST_ON_STACK)
        cells = alloca((count + 2) * sizeof *cells);
    else if (!(cells = heap = malloc((count + 2) * sizeof *cells))) {
        wpy_set_exception(caller, WPY_TRAP, 0, "out of memory");
        return false;
    }
    memcpy(cells, args, func->param_cells * sizeof *cells);
    status = wpy_enter(instance, &activation, WPY_NO_TIMEOUT, -1);
    if (UNLIKELY(status != WPY_OK)) {
        wpy_set_exception(caller, status, 0, "it called a function of an instance that is closed");
        free(heap);
        return false;
    }
    wasm_interp_call_wasm(instance->wamr, instance->env, func->wamr, func->param_cells, cells);
    if (UNLIKELY(instance->wamr->cur_exception[0])) {
        wpy_propagate_exception(instance, caller);
        wpy_leave(&activation);
        free(heap);
        return false;
    }
    wpy_leave(&activation);
    memcpy(results, cells, func->result_cells * sizeof *cells);
    free(heap);
    return true;
}

/* A host function has not returned: suspends the call if that is why. False. */
static COLD bool
suspended(WASMExecEnv *env, const wpy_func *func, WASMInterpFrame *frame)
{
    bool suspends = wpy_self.host_suspends;

    wpy_self.host_suspends = false;
    wpy_restore_frame(env, frame);
    if (suspends && !((WASMModuleInstance *)env->module_inst)->cur_exception[0])
        wpy_suspend_call(env, func, frame->lp);
    return false;
}

/* Python took time that the checkpoint doesn't count: the next check comes to it, also one behind a
   handler that catches what the host function has thrown. */
static void
visit_checkpoint(WASMExecEnv *env, const WASMFunctionInstance *current)
{
    if (current != wamrpy.resumer && !wpy_self.host_suspends) {
        wpy_self.interruptions = ATOMIC_LOAD_SEQ(&wpy_interruptions);
        wpy_end_slice(wpy_instance_of(env));
    }
}

bool
wpy_call_hook(WASMExecEnv *env, WASMFunctionInstance *current, uint32_t *args, uint32_t *results)
{
    wpy_func *func = current->u.func_import->attachment;
    wpy_saved_stack saved = wpy_save_stack(env);
    uint32_t seen = wpy_self.interruptions;
    bool done;

    ASSERT_ENTERED(wpy_instance_of(env));
    if (UNLIKELY(!func)) { /* shared_code.c */
        const wpy_instance *instance = wpy_instance_of(env);

        func = instance->imported[current - instance->wamr->e->functions];
    }
    if (!func->dispatch) {
        wpy_execution *execution =
            UNLIKELY(wpy_self.executions != NULL) ? wpy_current_execution(&wpy_self) : NULL;
        if (execution)
            return wpy_call_in_execution(execution, env, func, args, results);
        done = call_instance(env, func, args, results);
        return wpy_restore_stack(env, &saved) && done;
    }
    if (UNLIKELY(saved.top->deadline == WPY_DEADLINE_UNSET))
        wpy_deadline(saved.top, wpy_now());
    done = func->dispatch(env, func, args, results);
    if (UNLIKELY(!wpy_restore_stack(env, &saved)))
        done = false;
    if (UNLIKELY(saved.top->deadline != UINT64_MAX) || wpy_stop_may_be_due(&wpy_self, seen))
        visit_checkpoint(env, current);
    return LIKELY(done) || suspended(env, func, saved.frame);
}

static uint32_t
count_cells(const uint8_t *kinds, uint32_t count)
{
    uint32_t i, cells = 0;

    for (i = 0; i < count; i++)
        cells += kinds[i] == VALUE_TYPE_V128                                ? 4
                 : kinds[i] == VALUE_TYPE_I64 || kinds[i] == VALUE_TYPE_F64 ? 2
                                                                            : 1;
    return cells;
}

/* No handle and no group or instance has a reference any more. */
static void
free_host_func(wpy_object *object)
{
    wpy_refs_free_host((wpy_func *)object);
    free(object);
}

static const wpy_object_ops host_func_ops = {.free = free_host_func};

/* Makes a host function of this type, a byte of the binary format for each value. Returns a handle,
   or NULL: out of memory, or too many cells. Python is called with its id (wpy_func_host_id); ids
   of freed functions are used again. `by_cells`: Python converts the cells itself. `store_id`:
   tells stores apart. */
wpy_func *
wpy_host_func_new(const uint8_t *kinds, uint32_t param_count, uint32_t result_count, bool by_cells,
                  uint64_t store_id)
{
    size_t size = sizeof(WASMFuncType) + param_count + result_count;
    uint32_t param_cells = count_cells(kinds, param_count),
             result_cells = count_cells(kinds + param_count, result_count);
    wpy_func *func;
    WASMFuncType *type;

    if (param_count > UINT16_MAX || result_count > UINT16_MAX || param_cells > UINT16_MAX ||
        result_cells > UINT16_MAX)
        return NULL;
    if (!(func = calloc(1, sizeof *func + size)))
        return NULL;
    type = (WASMFuncType *)(func + 1);
    type->param_count = (uint16)param_count;
    type->result_count = (uint16)result_count;
    type->param_cell_num = (uint16)param_cells;
    type->ret_cell_num = (uint16)result_cells;
    memcpy(type->types, kinds, (size_t)param_count + result_count);
    wpy_func_init(func, type);
    func->dispatch = host_entry && !by_cells && !wpy_type_has_references(type) ? dispatch_values
                                                                               : dispatch_cells;
    func->object.ops = &host_func_ops;
    func->object.refs = 1;
    func->store_id = store_id;
    if (!wpy_refs_allocate_host(func)) {
        free(func);
        return NULL;
    }
    return func;
}
