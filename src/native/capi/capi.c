/* capi.c: replacements for functions of wasm_c_api.c: engines, traps, values and calls.
 *
 * The folder's other files are modules.c (loading), externs.c (memories, tables and globals of the
 * host), instance.c (imports) and refs.c (references, casts, vectors). A function named `wasm_…` is
 * one that WAMR declares without defining it; one named `wpy_api_…` replaces WAMR's function of
 * that name (capi.h redirects to it). All other functions are WAMR's own, with the patches of
 * cmake/patches/capi/.
 *
 * Contracts are those of wasm_c_api.h. Pointers are not checked beyond NULL; Python knows which
 * objects are alive (src/wamr/_capi/handles.py). No function here needs the GIL.
 */
#include "capi/internal.h"
#include "capi/python_functions.h"

/* ---- engines ---- */

/* The C API and the object API share one runtime, and so one allocator. The object API's memories
 * need ours. NULL for a configuration that asks for another allocator. */
wasm_engine_t *
wpy_api_engine_new_with_config(wasm_config_t *config)
{
    wasm_config_t shared = {0};
    wasm_engine_t *engine;

    if (config && config->mem_alloc_type != Alloc_With_System_Allocator)
        return NULL;
    if (config)
        shared = *config;
    shared.mem_alloc_type = Alloc_With_System_Allocator;
    if (!wpy_runtime_start())
        return NULL;
    engine = wasm_engine_new_with_config(&shared);
    if (!engine)
        wpy_runtime_stop();
    return engine;
}

wasm_engine_t *
wpy_api_engine_new(void)
{
    return wpy_api_engine_new_with_config(NULL);
}

wasm_engine_t *
wpy_api_engine_new_with_args(mem_alloc_type_t type, const MemAllocOption *options)
{
    (void)options;
    return type == Alloc_With_System_Allocator ? wpy_api_engine_new_with_config(NULL) : NULL;
}

void
wpy_api_engine_delete(wasm_engine_t *engine)
{
    if (!engine)
        return;
    wasm_engine_delete(engine);
    wpy_runtime_stop();
}

/* ---- traps ---- */

wasm_trap_t *
wpy_api_trap(wasm_store_t *store, const char *text)
{
    return wasm_trap_new_internal(store, NULL, text, NULL);
}

wasm_trap_t *
wasm_trap_copy(const wasm_trap_t *trap)
{
    if (trap)
        ((wasm_trap_t *)trap)->more_handles++;
    return (wasm_trap_t *)trap;
}

bool
wasm_trap_same(const wasm_trap_t *a, const wasm_trap_t *b)
{
    return a == b;
}

/* WAMR's function leaves `out` uninitialized where there is no message. */
void
wpy_api_trap_message(const wasm_trap_t *trap, wasm_message_t *out)
{
    if (!out)
        return;
    memset(out, 0, sizeof *out);
    if (trap && trap->message)
        wasm_byte_vec_copy(out, trap->message);
}

/* ---- values and calls ---- */

/* WAMR's function frees the struct, which belongs to the caller. A reference in the value isn't
 * deleted, since WAMR's values don't own theirs. */
void
wpy_api_val_delete(wasm_val_t *value)
{
    if (value)
        memset(&value->of, 0, sizeof value->of);
}

size_t
wpy_api_func_param_arity(const wasm_func_t *func)
{
    return func ? wasm_func_param_arity(func) : 0;
}

size_t
wpy_api_func_result_arity(const wasm_func_t *func)
{
    return func ? wasm_func_result_arity(func) : 0;
}

static const char *
kind_name(wasm_valkind_t kind)
{
    switch (kind) {
    case WASM_I32:
        return "i32";
    case WASM_I64:
        return "i64";
    case WASM_F32:
        return "f32";
    case WASM_F64:
        return "f64";
    case WASM_V128:
        return "v128";
    case WASM_EXTERNREF:
        return "externref";
    case WASM_FUNCREF:
        return "funcref";
    default:
        return "no kind";
    }
}

bool
wpy_api_func_index(const wasm_ref_t *ref, const WASMModuleInstanceCommon *instance, uint32 *out)
{
    *out = NULL_REF;
    if (!ref)
        return true;
    if (ref->kind != WASM_REF_func || !instance || ref->inst_comm_rt != instance)
        return false;
    *out = ref->ref_idx_rt;
    return true;
}

/* Converts arguments to cells, and counts these. False where they don't fit the function's type;
 * `text` tells why. */
static bool
to_cells(const wasm_func_t *func, const wasm_val_vec_t *args, uint32 *cells, uint32 *count,
         char *text, size_t size)
{
    const wasm_valtype_vec_t *types = func->type->params;
    uint32 at = 0;
    size_t i;

    if ((args ? args->size : 0) != types->num_elems || (types->num_elems && !args->data)) {
        snprintf(text, size, "%zu arguments are expected, not %zu", types->num_elems,
                 args && args->data ? args->size : 0);
        return false;
    }
    for (i = 0; i < types->num_elems; i++) {
        const wasm_val_t *value = &args->data[i];
        wasm_valkind_t kind = types->data[i]->kind;

        if (value->kind != kind) {
            snprintf(text, size, "argument %zu must be of kind %s, not %s", i, kind_name(kind),
                     kind_name(value->kind));
            return false;
        }
        switch (kind) {
        case WASM_I32:
        case WASM_F32:
            memcpy(&cells[at], &value->of, 4);
            at += 1;
            break;
        case WASM_I64:
        case WASM_F64:
            memcpy(&cells[at], &value->of, 8);
            at += 2;
            break;
        case WASM_EXTERNREF: /* wasm_runtime_call_wasm converts the pointer to one cell */
            memcpy(&cells[at], &value->of.ref, sizeof(void *));
            at += sizeof(void *) / sizeof(uint32);
            break;
        case WASM_FUNCREF:
            if (!wpy_api_func_index(value->of.ref, func->inst_comm_rt, &cells[at])) {
                snprintf(text, size, "argument %zu must be a function of the same instance", i);
                return false;
            }
            at += 1;
            break;
        default:
            snprintf(text, size, "argument %zu is of kind %s, which wasm_val_t has no room for", i,
                     kind_name(kind));
            return false;
        }
    }
    *count = at;
    return true;
}

/* Converts cells to results, whose vector has room for them. */
static void
from_cells(const wasm_func_t *func, const uint32 *cells, wasm_val_vec_t *results)
{
    const wasm_valtype_vec_t *types = func->type->results;
    size_t i;

    for (i = 0; i < types->num_elems; i++) {
        wasm_val_t *value = &results->data[i];

        memset(value, 0, sizeof *value);
        value->kind = types->data[i]->kind;
        switch (value->kind) {
        case WASM_I32:
        case WASM_F32:
            memcpy(&value->of, cells, 4);
            cells += 1;
            break;
        case WASM_EXTERNREF:
            memcpy(&value->of.ref, cells, sizeof(void *));
            cells += sizeof(void *) / sizeof(uint32);
            break;
        case WASM_FUNCREF:
            if (*cells != NULL_REF)
                value->of.ref =
                    wasm_ref_new_internal(func->store, WASM_REF_func, *cells, func->inst_comm_rt);
            cells += 1;
            break;
        default:
            memcpy(&value->of, cells, 8);
            cells += 2;
            break;
        }
    }
    results->num_elems = results->size = types->num_elems;
}

static WASMFunctionInstanceCommon *
runtime_function(const wasm_func_t *func)
{
    if (func->inst_comm_rt->module_type == Wasm_Module_Bytecode)
        return ((WASMModuleInstance *)func->inst_comm_rt)->e->functions + func->func_idx_rt;
    return aot_lookup_function_with_idx((AOTModuleInstance *)func->inst_comm_rt, func->func_idx_rt);
}

static void
clear_frames(Vector *frames)
{
    size_t i;

    for (i = 0; i < frames->num_elems; i++)
        wasm_runtime_free(((WASMCApiFrame *)frames->data)[i].lp);
    bh_vector_destroy(frames);
}

wasm_trap_t *
wpy_api_func_call(const wasm_func_t *func, const wasm_val_vec_t *args, wasm_val_vec_t *results)
{
    uint32 room[32], *cells = room, count = 0;
    size_t needed, i;
    char text[128];
    WASMModuleInstance *instance;
    WASMExecEnv *env;
    wasm_trap_t *trap = NULL;

    if (!func)
        return wpy_api_trap(NULL, "there is no function to call");
    if (!func->type || !func->inst_comm_rt)
        return wpy_api_trap(func->store, "failed to call unlinked function");
    needed = func->type->results->num_elems;
    if (needed && (!results || results->size < needed || !results->data)) {
        snprintf(text, sizeof text, "room for %zu results is needed, not %zu", needed,
                 results && results->data ? results->size : 0);
        return wpy_api_trap(func->store, text);
    }
    for (i = 0; i < needed; i++) {
        if (func->type->results->data[i]->kind == WASM_V128)
            return wpy_api_trap(func->store,
                                "a result is of kind v128, which wasm_val_t has no room for");
    }
    if (needed < func->type->params->num_elems)
        needed = func->type->params->num_elems;
    if (needed > sizeof room / 8 && !(cells = calloc(needed, 8)))
        return wpy_api_trap(func->store, "out of memory");
    if (!to_cells(func, args, cells, &count, text, sizeof text)) {
        trap = wpy_api_trap(func->store, text);
        goto done;
    }

    instance = (WASMModuleInstance *)func->inst_comm_rt;
    if (!(env = wasm_runtime_get_exec_env_singleton(func->inst_comm_rt))) {
        trap = wpy_api_trap(func->store, "out of memory");
        goto done;
    }
    if (env->handle != os_self_thread())
        wasm_exec_env_set_thread_info(env); /* it has the stack limits of another thread */
    wasm_runtime_set_exception(func->inst_comm_rt, NULL);
    if (instance->frames && instance->frames->num_elems)
        clear_frames(instance->frames); /* of an earlier trap, since a call may fail before it has
                                           any */
    if (wasm_runtime_call_wasm(env, runtime_function(func), count, cells)) {
        if (func->type->results->num_elems)
            from_cells(func, cells, results);
    } else {
        const char *exception = wasm_runtime_get_exception(func->inst_comm_rt);

        trap = wasm_trap_new_internal(func->store, func->inst_comm_rt,
                                      exception ? exception : "the call failed", NULL);
        /* the caller may be a callback that goes on in the same instance */
        wasm_runtime_set_exception(func->inst_comm_rt, NULL);
    }

done:
    if (cells != room)
        free(cells);
    return trap;
}

wasm_trap_t *
wpy_api_call(const uintptr_t *prepared)
{
    const wasm_val_vec_t *args = (const wasm_val_vec_t *)prepared[1];
    wasm_val_vec_t *results = (wasm_val_vec_t *)prepared[2];

    if ((args && ((uintptr_t)args->data != prepared[3] || args->size > prepared[4])) ||
        (results && ((uintptr_t)results->data != prepared[5] || results->size > prepared[6])))
        return (wasm_trap_t *)prepared;
    return wpy_api_func_call((const wasm_func_t *)prepared[0], args, results);
}

wasm_trap_t *
wpy_api_forward(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results)
{
    return wpy_api_func_call(env, args, results);
}

wasm_trap_t *
wpy_api_callback(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results)
{
    wasm_trap_t *trap = NULL;

    if (wpy_py_api_callback(env, args, results, &trap) != 0)
        return wpy_api_trap(NULL, "a host function failed where Python could make no trap");
    return trap;
}
