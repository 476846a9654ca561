/* exception_unwinding.h: throwing and catching, the slow path of the interpreter.
 *
 * Included by wasm_interp_fast.c, in front of the interpreter's function. All
 * of this runs only once something was thrown, or a trap was set: the
 * interpreter calls wamrpy_catch() where it would return with an exception. */

#include "compiler.h"

/* Throws an exception with the operands of `throw`; frame->ip is behind its
   label. On return the instance has the exception, or a trap is set. */
static COLD void
wamrpy_throw(WASMModuleInstance *module, WASMExecEnv *exec_env, WASMInterpFrame *frame)
{
    const uint8 *operands = frame->ip + sizeof(uint32);
    uint32 index = LOAD_U32_WITH_2U16S(frame->ip), *to, i;
    const WASMTagInstance *tag = module->e->tags + index;
    const WASMFuncType *type =
        tag->is_import_tag ? tag->u.tag_import->tag_type : tag->u.tag->tag_type;
    WamrPyException *exception;

    if (!wamrpy.new_exception || !module->custom_data) {
        wasm_set_exception(module, "unsupported opcode");
        return;
    }
    if (!(exception = wamrpy.new_exception(exec_env, tag->identity, type->param_cell_num)))
        return;
    to = exception->cells;
    for (i = 0; i < type->param_count; i++) {
        uint32 cells = wasm_value_type_cell_num(type->types[i]);
        int16 slot;

        memcpy(&slot, operands + sizeof(slot) * (type->param_count - 1 - i), sizeof(slot));
        memcpy(to, frame->lp + slot, cells * sizeof(*to));
        to += cells;
    }
    wamrpy.throw_exception(module, exception);
}

/* The same for `throw_ref`. */
static COLD void
wamrpy_throw_ref(WASMModuleInstance *module, WASMInterpFrame *frame)
{
    WamrPyException *exception;
    uint32 ref;
    int16 slot;

    memcpy(&slot, frame->ip, sizeof(slot));
    ref = frame->lp[slot];
    if (ref == NULL_REF)
        wasm_set_exception(module, "null exception reference");
    else if (!wamrpy.find_exception || !module->custom_data ||
             !(exception = wamrpy.find_exception(module, ref)))
        wasm_set_exception(module, "unknown exception reference");
    else
        wamrpy.throw_exception(module, exception);
}

/* The innermost try block around a place, plus 1; 0: none. *looked counts the
   blocks that were looked at. */
static uint32
wamrpy_find_try(const WamrPyHandlers *handlers, uint32 place, uint32 *looked)
{
    uint32 low = 0, high = handlers->try_num;

    while (low < high) { /* how many begin before the place */
        uint32 middle = (low + high) / 2;
        if (handlers->tries[middle].start < place)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low && handlers->tries[low - 1].end < place; ++*looked)
        low = handlers->tries[low - 1].parent;
    return low;
}

/* Finds the clause of this frame that catches an exception; NULL: none does. */
static const WamrPyCatchClause *
wamrpy_find_clause(const WASMModuleInstance *module, const WASMInterpFrame *frame,
                   const WamrPyException *exception, uint32 *looked)
{
    const WASMFunction *func = frame->function->u.func;
    const WamrPyHandlers *handlers = func->handlers;
    uint32 at = wamrpy_find_try(handlers, (uint32)(frame->ip - func->code_compiled), looked), i;

    for (; at; at = handlers->tries[at - 1].outer, ++*looked)
        for (i = handlers->tries[at - 1].clause; i; i = handlers->clauses[i - 1].next, ++*looked) {
            const WamrPyCatchClause *clause = handlers->clauses + i - 1;

            if (clause->tag == UINT32_MAX ||
                module->e->tags[clause->tag].identity == exception->tag)
                return clause;
        }
    return NULL;
}

/* Where the exception on its way goes on: the frame whose clause catches it,
   ready to run. NULL: out of this activation of the interpreter. A trap always
   leaves: nothing here looks at which traps there are.

   Work in proportion to the depth is paid for with fuel, as loops are. */
static COLD WASMInterpFrame *
wamrpy_catch(WASMModuleInstance *module, WASMExecEnv *exec_env, WASMInterpFrame *frame)
{
    const WamrPyCatchClause *clause = NULL;
    WamrPyException *exception;
    WASMInterpFrame *above;
    uint32 looked = 0, ref = 0;

    if (!wamrpy.thrown_exception || !module->custom_data ||
        !(exception = wamrpy.thrown_exception(module)))
        return NULL;
    /* the frame that the activation began with has neither function nor ip */
    for (; frame && frame->function && frame->ip; frame = frame->prev_frame, looked++)
        if (frame->function->u.func->handlers &&
            (clause = wamrpy_find_clause(module, frame, exception, &looked)))
            break;
    exec_env->fuel -= (int32)(looked / 16);
    if (!clause) {
        wamrpy.uncaught_exception(module);
        return NULL;
    }
    if (clause->ref_slot >= 0 && !(ref = wamrpy.exception_ref(module, exception)))
        return NULL; /* a trap is set */
    for (above = wasm_exec_env_get_cur_frame(exec_env); above != frame; above = above->prev_frame)
        FREE_FRAME(exec_env, above);
    wasm_exec_env_set_cur_frame(exec_env, (WASMRuntimeFrame *)frame);
    if (clause->tag != UINT32_MAX)
        memcpy(frame->lp + clause->slot, exception->cells, exception->cell_num * sizeof(uint32));
    if (clause->ref_slot >= 0)
        frame->lp[clause->ref_slot] = ref;
    frame->ip = frame->function->u.func->code_compiled + clause->target;
    wamrpy.caught_exception(module, exception);
    return frame;
}
