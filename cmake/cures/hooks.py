"""The hooks that real linking and direct host calls need.

A struct of function pointers, ``wamrpy``, which our C fills in (src/wamr/_native/runtime.c). All of
them look only at instances that our C has made, those with ``custom_data``; wasm-c-api's behave as
WAMR makes them. The other edits are what the hooks stand on: function references as numbers of a
process-wide space, globals that may live anywhere, imports bound per instance.
"""

from __future__ import annotations

from . import Cure

_HEADER = "core/iwasm/interpreter/wasm_runtime.h"
_COMMON = "core/iwasm/common/wasm_runtime_common.c"
_LOADER = "core/iwasm/interpreter/wasm_loader.c"
_RUNTIME = "core/iwasm/interpreter/wasm_runtime.c"
_INTERPRETER = "core/iwasm/interpreter/wasm_interp_fast.c"
_TESTS = "tests/regressions/test_hooks.py::"

CURES: tuple[Cure, ...] = (
    Cure(
        name="hooks",
        file=_HEADER,
        expect="typedef struct WASMExportFuncInstance {",
        replace="""\
/* Set by the host before any module is loaded; NULL: as without it. */
typedef struct WamrPyHooks {
    /* Memories, tables, globals and functions exist; segments and code come
       after. False: instantiation fails with the text. */
    bool (*link)(struct WASMModuleInstanceCommon *, char *, uint32);
    /* First thing when an instance goes, also one that failed. True: leave it
       alone. */
    bool (*unlink)(struct WASMModuleInstanceCommon *);
    /* What a table's element that is not the instance's own stands for; NULL:
       nothing, or of another type. */
    WASMFunctionInstance *(*foreign)(WASMModuleInstance *, uint32,
                                     WASMFuncType *);
    /* The direct convention: argument cells in, result cells out. False: the
       exception is set. */
    bool (*call)(struct WASMExecEnv *, WASMFunctionInstance *, uint32 *,
                 uint32 *);
    /* An exception leaves the interpreter; the frames still stand. */
    void (*trapped)(struct WASMExecEnv *);
    /* The exec_env's fuel is below zero. False: the exception is set. */
    bool (*checkpoint)(struct WASMExecEnv *);
    /* A table is about to grow within its maximum. False: it must not. */
    bool (*enlarge)(WASMModuleInstance *, WASMTableInstance *, uint32);
    /* While wamrpy_tracing: an instruction, where it is in the module's bytes,
       and where in its function's compiled code. */
    void (*trace)(uint32 function, const uint8 *at, uint32 compiled);
} WamrPyHooks;
extern WamrPyHooks wamrpy;
extern os_thread_local_attribute bool wamrpy_tracing;

/* What is added to the index of a function to make a reference of it. */
#define WAMRPY_BASE(inst) ((inst)->reserved[0])
#define WAMRPY_REF(inst, index) \\
    ((index) == UINT32_MAX ? UINT32_MAX : (index) + WAMRPY_BASE(inst))

typedef struct WASMExportFuncInstance {""",
        why="One struct says what our C is asked, and when.",
        test=_TESTS + "test_host_functions_are_bound_per_instance",
    ),
    Cure(
        name="hooks",
        file=_COMMON,
        expect="""\
static void
set_error_buf(char *error_buf, uint32 error_buf_size, const char *string)
{""",
        replace="""\
WamrPyHooks wamrpy;
os_thread_local_attribute bool wamrpy_tracing;

static void
set_error_buf(char *error_buf, uint32 error_buf_size, const char *string)
{""",
        why="The struct's one definition.",
        test=_TESTS + "test_host_functions_are_bound_per_instance",
    ),
    Cure(
        name="link",
        file=_RUNTIME,
        expect="    if (!check_linked_symbol(module_inst, error_buf, error_buf_size)) {",
        replace="""\
    if (wamrpy.link && module_inst->custom_data
            ? !wamrpy.link((WASMModuleInstanceCommon *)module_inst, error_buf,
                           error_buf_size)
            : !check_linked_symbol(module_inst, error_buf, error_buf_size)) {""",
        why="Imports are bound per instance, before segments are written and code runs.",
        test=_TESTS + "test_start_function_calls_a_host_function",
    ),
    Cure(
        name="link",
        file=_RUNTIME,
        expect="""\
    if (!module_inst)
        return;

    if (module_inst->exec_env_singleton) {""",
        replace="""\
    if (!module_inst)
        return;

    if (wamrpy.unlink && module_inst->custom_data
        && wamrpy.unlink((WASMModuleInstanceCommon *)module_inst))
        return;

    if (module_inst->exec_env_singleton) {""",
        why="What is shared must not be freed with one of those who share it.",
        test=_TESTS + "test_shared_memory_outlives_its_maker",
    ),
    Cure(
        name="link",
        file=_RUNTIME,
        expect="    wasm_externref_cleanup((WASMModuleInstanceCommon *)module_inst);\n",
        replace="""\
    if (!module_inst->custom_data)
        wasm_externref_cleanup((WASMModuleInstanceCommon *)module_inst);
""",
        why="Our instances have nothing in the process-wide map of externrefs; each one's end went "
        "through all of it, under a lock that a fork in another thread leaves locked for ever.",
        test=_TESTS + "test_shared_memory_outlives_its_maker",
    ),
    Cure(
        name="start-is-ours",
        file=_RUNTIME,
        expect="""\
    if (!execute_post_instantiate_functions(module_inst, is_sub_inst,
                                            exec_env_main)) {""",
        replace="""\
    if (!(wamrpy.link && module_inst->custom_data)
        && !execute_post_instantiate_functions(module_inst, is_sub_inst,
                                               exec_env_main)) {""",
        why="We run the start function ourselves: also one that is imported, under the limits of "
        "a call, and not `__wasm_call_ctors`, which no specification asks for.",
        test=_TESTS + "test_start_function_may_be_an_import",
    ),
    Cure(
        name="global-anywhere",
        file=_HEADER,
        expect="""\
     * WASMMemoryInstance(start of WASMGlobalInstance)*/
    uint32 data_offset;""",
        replace="""\
     * WASMMemoryInstance(start of WASMGlobalInstance)*/
    intptr_t data_offset;""",
        why="A shared mutable global lives outside of every instance.",
        test=_TESTS + "test_mutable_global_is_shared",
    ),
    Cure(
        name="direct-call",
        file=_INTERPRETER,
        expect="""\
    cur_func_index = (uint32)(cur_func - module_inst->e->functions);
    bh_assert(cur_func_index < module_inst->module->import_function_count);
    if (!func_import->call_conv_wasm_c_api) {""",
        replace="""\
    if (func_import->call_conv_raw && func_import->call_conv_wasm_c_api) {
        if ((uintptr_t)cur_func < (uintptr_t)module_inst->e->functions
            || (uintptr_t)cur_func
                   >= (uintptr_t)(module_inst->e->functions
                                  + module_inst->e->function_count))
            frame->function = NULL; /* a stand-in: it has no index */
        if (!wamrpy.call(exec_env, cur_func, frame->lp,
                         prev_frame->lp + prev_frame->ret_offset))
            return;
        FREE_FRAME(exec_env, frame);
        wasm_exec_env_set_cur_frame(exec_env, prev_frame);
        return;
    }

    cur_func_index = (uint32)(cur_func - module_inst->e->functions);
    bh_assert(cur_func_index < module_inst->module->import_function_count);
    if (!func_import->call_conv_wasm_c_api) {""",
        why="Any types and any number of them, without marshalling; WAMR's own conventions lose "
        "references, vectors and all results but one. Both flags at once mean this one.",
        test=_TESTS + "test_host_function_of_every_type",
    ),
    Cure(
        name="func-refs",
        file=_INTERPRETER,
        expect="""\
                PUSH_I32(func_idx);
#else
                SYNC_ALL_TO_FRAME();""",
        replace="""\
                PUSH_I32(WAMRPY_REF(module, func_idx));
#else
                SYNC_ALL_TO_FRAME();""",
        why="ref.func makes a reference that means the same function everywhere.",
        test=_TESTS + "test_funcref_is_the_same_function_in_another_instance",
    ),
    Cure(
        name="func-refs",
        file=_INTERPRETER,
        expect="""\
                            table_elems[i] = (table_elem_type_t)init_values[i]
                                                 .u.unary.v.ref_index;""",
        replace="""\
                            table_elems[i] = (table_elem_type_t)WAMRPY_REF(
                                module, init_values[i].u.unary.v.ref_index);""",
        why="table.init does, too.",
        test=_TESTS + "test_table_init_into_a_shared_table",
    ),
    Cure(
        name="func-refs",
        file=_RUNTIME,
        expect="""\
                    ref = (void *)(uintptr_t)init_expr->u.unary.v.ref_index;""",
        replace="""\
                    ref = (void *)(uintptr_t)WAMRPY_REF(
                        module_inst, init_expr->u.unary.v.ref_index);""",
        why="And so does an active element segment.",
        test=_TESTS + "test_element_segment_into_a_shared_table",
    ),
    Cure(
        name="foreign-functions",
        file=_INTERPRETER,
        expect="""\
                if (fidx >= module->e->function_count) {
                    wasm_set_exception(module, "unknown function");
                    goto got_exception;
                }

                /* always call module own functions */
                cur_func = module->e->functions + fidx;
""",
        replace="""\
                if (fidx - WAMRPY_BASE(module) >= module->e->function_count) {
                    if (!wamrpy.foreign || !module->custom_data) {
                        wasm_set_exception(module, "unknown function");
                        goto got_exception;
                    }
                    cur_func = wamrpy.foreign(module, fidx, cur_type);
                    if (!cur_func) {
                        wasm_set_exception(module,
                                           "indirect call type mismatch");
                        goto got_exception;
                    }
                    goto wamrpy_call_checked;
                }

                cur_func =
                    module->e->functions + (fidx - WAMRPY_BASE(module));
""",
        why="A table may hold functions of other instances and of the host.",
        test=_TESTS + "test_call_indirect_reaches_another_instance",
    ),
    Cure(
        name="foreign-functions",
        file=_INTERPRETER,
        expect="""\
                    wasm_set_exception(module, "indirect call type mismatch");
                    goto got_exception;
                }
#endif
                /* clang-format on */

#if WASM_ENABLE_TAIL_CALL != 0
                if (opcode == WASM_OP_RETURN_CALL_INDIRECT)""",
        replace="""\
                    wasm_set_exception(module, "indirect call type mismatch");
                    goto got_exception;
                }
#endif
                /* clang-format on */

            wamrpy_call_checked:
#if WASM_ENABLE_TAIL_CALL != 0
                if (opcode == WASM_OP_RETURN_CALL_INDIRECT)""",
        why="Such a function's type has been checked already.",
        test=_TESTS + "test_call_indirect_reaches_another_instance",
    ),
    Cure(
        name="table-limits",
        file=_RUNTIME,
        expect="""\
    if (total_size > table_inst->max_size) {
        return false;
    }
""",
        replace="""\
    if (total_size > table_inst->max_size) {
        return false;
    }
    if (wamrpy.enlarge && module_inst->custom_data
        && !wamrpy.enlarge(module_inst, table_inst, inc_size)) {
        return false;
    }
""",
        why="A limit on table elements holds for table.grow, too.",
        test=_TESTS + "test_table_grow_stops_at_the_limit",
    ),
    Cure(
        name="offsets",
        file=_LOADER,
        expect="""\
    bool return_value = false;
    WASMLoaderContext *loader_ctx;
    BranchBlock *frame_csp_tmp;
#if WASM_ENABLE_GC != 0
    WASMRefTypeMap *param_reftype_maps, *local_reftype_maps;""",
        replace="""\
    bool return_value = false;
    const bool traced = wamrpy_tracing;
    WASMLoaderContext *loader_ctx;
    BranchBlock *frame_csp_tmp;
#if WASM_ENABLE_GC != 0
    WASMRefTypeMap *param_reftype_maps, *local_reftype_maps;""",
        why="The fast interpreter's code has no way back to the bytes it was made of; a module "
        "that is loaded once more, with this on, tells it.",
        test=_TESTS + "test_frames_have_offsets",
    ),
    Cure(
        name="offsets",
        file=_LOADER,
        expect="""\
    while (p < p_end) {
        opcode = *p++;
#if WASM_ENABLE_FAST_INTERP != 0
        p_org = p;
        disable_emit = false;
""",
        replace="""\
    while (p < p_end) {
        opcode = *p++;
#if WASM_ENABLE_FAST_INTERP != 0
        if (traced && loader_ctx->p_code_compiled)
            wamrpy.trace(cur_func_idx, p - 1,
                         (uint32)(loader_ctx->p_code_compiled
                                  - func->code_compiled));
        p_org = p;
        disable_emit = false;
""",
        why="Each instruction, in the pass that writes code.",
        test=_TESTS + "test_frames_have_offsets",
    ),
    Cure(
        name="trap-frames",
        file=_INTERPRETER,
        expect="""\
        if (wasm_interp_create_call_stack(exec_env)) {
            wasm_interp_dump_call_stack(exec_env, true, NULL, 0);
        }""",
        replace="""\
        if (wamrpy.trapped && module_inst->custom_data)
            wamrpy.trapped(exec_env);
        else if (wasm_interp_create_call_stack(exec_env)) {
            wasm_interp_dump_call_stack(exec_env, true, NULL, 0);
        }""",
        why="WAMR copies the locals of every frame and formats a text that nobody reads.",
        test=_TESTS + "test_trap_tells_its_frames",
    ),
)
