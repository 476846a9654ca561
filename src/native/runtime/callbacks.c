/* callbacks.c: from wasm out of an instance: into Python, or into another instance.
 *
 * An imported function's slot points at a wpy_func (imports.c), and the interpreter hands us the
 * argument cells and the place for the results. If the function belongs to an instance, that one is
 * called on its own wasm stack, in the same thread and without Python. If it is a host function,
 * Python is called: by cpython/callbacks.c, or, if the type has references, by callbacks.py. A
 * Python exception stays on the Python side; wasm unwinds with the status WPY_HOST until a caller
 * in Python takes it out again (callbacks.py, take_pending).
 */
#include "include/entry.h"
#include "runtime/enter.h"
#include "runtime/exceptions.h"

#if defined(_MSC_VER)
#include <malloc.h>
#else
#include <alloca.h>
#endif

/* Python's side, declared in build_ffi.py. Answers 0, or the number of the exception that waits. */
extern int wpy_py_cells(int host_id, uint32_t *args, uint32_t *results);
extern void wpy_py_forget(int number);

static wpy_host_entry host_entry; /* NULL: Python is called through cells only */
static wpy_host_forget host_forget;

void
wpy_host_set_entry(wpy_host_entry entry, wpy_host_forget forget)
{
    host_entry = entry;
    host_forget = forget;
}

/* wasm code has caught the exception that waits under that number. */
void
wpy_forget_raised(int number)
{
    if (!host_forget || !host_forget(number))
        wpy_py_forget(number);
}

static COLD bool
host_failed(WASMExecEnv *env, int raised)
{
    wpy_stop((WASMModuleInstance *)env->module_inst, WPY_HOST, raised, "host function failed");
    wpy_instance_of(env)->exception = wpy_exception_thrown(raised);
    return false;
}

static bool
dispatch_cells(WASMExecEnv *env, wpy_func *func, const uint32_t *args, uint32_t *results)
{
    int raised;

    ASSERT_NO_LOCKS();
    raised = wpy_py_cells((int)func->index, (uint32_t *)args, results);
    return LIKELY(raised == 0) || host_failed(env, raised);
}

static bool
dispatch_values(WASMExecEnv *env, wpy_func *func, const uint32_t *args, uint32_t *results)
{
    const WASMFuncType *type = func->type;
    int raised;

    ASSERT_NO_LOCKS();
    raised =
        host_entry(func->index, type->types, type->param_count, type->result_count, args, results);
    return LIKELY(raised == 0) || host_failed(env, raised);
}

/* Cells of a call that may lie on the native stack: more could jump over its guard. */
#define MOST_ON_STACK 256

/* Into another instance: its results, or its exception, become the caller's. */
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
        wpy_stop(caller, WPY_TRAP, 0, "out of memory");
        return false;
    }
    memcpy(cells, args, func->param_cells * sizeof *cells);
    status = wpy_enter(instance, &activation, WPY_NO_TIMEOUT, -1);
    if (UNLIKELY(status != WPY_OK)) {
        wpy_stop(caller, status, 0, "it called a function of an instance that is closed");
        free(heap);
        return false;
    }
    wasm_interp_call_wasm(instance->wamr, instance->env, func->wamr, func->param_cells, cells);
    if (UNLIKELY(instance->wamr->cur_exception[0])) {
        wpy_exception_move(instance, caller);
        wpy_leave(&activation);
        free(heap);
        return false;
    }
    wpy_leave(&activation);
    memcpy(results, cells, func->result_cells * sizeof *cells);
    free(heap);
    return true;
}

/* The interpreter's call of an import that imports.c has bound. */
bool
wpy_call_hook(WASMExecEnv *env, WASMFunctionInstance *current, uint32_t *args, uint32_t *results)
{
    wpy_func *func = current->u.func_import->attachment;
    wpy_outside outside = wpy_go_out(env);
    bool done;

    if (!func->dispatch) {
        done = call_instance(env, func, args, results);
        return wpy_come_back(env, &outside) && done;
    }
    if (UNLIKELY(outside.top->deadline == WPY_UNCOUNTED))
        wpy_deadline(outside.top, wpy_now());
    done = func->dispatch(env, func, args, results);
    if (UNLIKELY(!wpy_come_back(env, &outside)) || !done)
        return false;
    /* time has passed that the checkpoint does not count: let it look at the clock now */
    if (UNLIKELY(outside.top->deadline != UINT64_MAX))
        wpy_fuel_settle(wpy_instance_of(env));
    return true;
}

static bool
has_references(const WASMFuncType *type)
{
    uint32_t i;

    for (i = 0; i < (uint32_t)type->param_count + type->result_count; i++)
        if (type->types[i] < VALUE_TYPE_V128)
            return true;
    return false;
}

static uint32_t
cells_of(const uint8_t *kinds, uint32_t count)
{
    uint32_t i, cells = 0;

    for (i = 0; i < count; i++)
        cells += kinds[i] == VALUE_TYPE_V128                                ? 4
                 : kinds[i] == VALUE_TYPE_I64 || kinds[i] == VALUE_TYPE_F64 ? 2
                                                                            : 1;
    return cells;
}

/* The last handle is gone, and no instance or group has it. */
static void
free_host(wpy_object *object)
{
    wpy_refs_give_host((wpy_func *)object);
    free(object);
}

const wpy_kind wpy_host_kind = {.free = free_host};

/* A host function of this type (a byte of the binary format per value); a handle. Its id
   (wpy_func_host_id) is what Python is called with; ids of freed functions are used again.
   `by_cells`: Python takes its values from cells itself. NULL: out of memory, or too many cells. */
wpy_func *
wpy_host_new(const uint8_t *kinds, uint32_t param_count, uint32_t result_count, bool by_cells)
{
    size_t size = sizeof(WASMFuncType) + param_count + result_count;
    uint32_t param_cells = cells_of(kinds, param_count),
             result_cells = cells_of(kinds + param_count, result_count);
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
    func->dispatch =
        host_entry && !by_cells && !has_references(type) ? dispatch_values : dispatch_cells;
    func->object.kind = &wpy_host_kind;
    func->object.refs = 1;
    if (!wpy_refs_take_host(func)) {
        free(func);
        return NULL;
    }
    return func;
}
