"""A short way for calls: of functions of the same module whose values all have one cell.

A call takes longer than most of what it calls: it finds out whether the function is imported, how
wide each value is, how large the frame, and how it will return. The loader knows. So it puts the
label of a handler without these questions in the place of ``call``'s, and of ``return``'s where
there is one result of one cell. The code keeps its layout, so nothing else need know.

Only where labels are addresses and code need not be aligned, as for pairs (``speed``).
"""

from __future__ import annotations

from . import Cure

_HEADER = "core/iwasm/interpreter/wasm.h"
_INTERPRETER = "core/iwasm/interpreter/wasm_interp_fast.c"
_LOADER = "core/iwasm/interpreter/wasm_loader.c"
_TEST = (
    "tests/regressions/test_short_calls.py::test_the_check_of_a_call_is_that_of_the_function_entry"
)

CURES: tuple[Cure, ...] = (
    Cure(
        name="short-calls",
        file=_HEADER,
        expect="""\
    bool calls_imports;
""",
        replace="""\
    bool calls_imports;
    /* of a call: the frame's size, more than any stack's where it can't be a
       short one; and how many checks it counts as */
    uint32 short_frame;
    int32 short_checks;
""",
        why="What each call would work out anew.",
        test=_TEST,
    ),
    Cure(
        name="short-calls",
        file=_LOADER,
        expect="""\
    func->max_block_num = loader_ctx->max_csp_num;
    return_value = true;
""",
        replace="""\
    func->max_block_num = loader_ctx->max_csp_num;
#if WASM_ENABLE_FAST_INTERP != 0
    i = func->const_cell_num + func->param_cell_num + func->local_cell_num
        + func->max_stack_cell_num;
    func->short_checks = 2 + WAMRPY_FRAME_CHECKS(i);
    func->short_frame =
        func->has_ref_locals ? 1 << 30 : wasm_interp_interp_frame_size(i);
#endif
    return_value = true;
""",
        why="The same sum as for other calls; references begin as null, which is not zero.",
        test=_TEST,
    ),
    Cure(
        name="short-calls",
        file=_LOADER,
        expect="""\
                                            - module->import_function_count]
                                ->func_type;
                }
""",
        replace="""\
                                            - module->import_function_count]
                                ->func_type;
                }
#if WAMRPY_SHORT_CALLS
                if (opcode == WASM_OP_CALL && loader_ctx->p_code_compiled
                    && func_idx >= module->import_function_count
                    && func_type->param_cell_num == func_type->param_count
                    && func_type->ret_cell_num <= 1)
                    STORE_PTR((loader_ctx->p_code_compiled - sizeof(uint32)
                               - sizeof(void *)),
                              handle_table[WASM_OP_UNUSED_0x16]);
#endif
""",
        why="Which calls.",
        test=_TEST,
    ),
    Cure(
        name="short-calls",
        file=_LOADER,
        expect="""\
                    emit_label(WASM_OP_RETURN);
                    for (idx = (int32)func->func_type->result_count - 1;
""",
        replace="""\
                    emit_label(WASM_OP_RETURN);
                    SHORTEN_RETURN();
                    for (idx = (int32)func->func_type->result_count - 1;
""",
        why="At the end of a function.",
        test=_TEST,
    ),
    Cure(
        name="short-calls",
        file=_LOADER,
        expect="""\
            case WASM_OP_RETURN:
            {
                WASMFuncType *func_type = func->func_type;
""",
        replace="""\
            case WASM_OP_RETURN:
            {
                WASMFuncType *func_type = func->func_type;
#if WASM_ENABLE_FAST_INTERP != 0
                SHORTEN_RETURN();
#endif
""",
        why="Anywhere else.",
        test=_TEST,
    ),
    Cure(
        name="short-calls",
        file=_LOADER,
        expect="""\
/* What calls func_idx costs this function. */
""",
        replace="""\
#if WASM_ENABLE_FAST_INTERP != 0
#include "wasm_interp.h"
#define WAMRPY_SHORT_CALLS               \\
    (WASM_ENABLE_LABELS_AS_VALUES != 0   \\
     && WASM_CPU_SUPPORTS_UNALIGNED_ADDR_ACCESS != 0)
#if WAMRPY_SHORT_CALLS
/* The newest label is that of a return. */
#define SHORTEN_RETURN()                                             \\
    do {                                                             \\
        if (loader_ctx->p_code_compiled                              \\
            && func->func_type->ret_cell_num == 1)                   \\
            STORE_PTR((loader_ctx->p_code_compiled - sizeof(void *)), \\
                      handle_table[WASM_OP_UNUSED_0x17]);            \\
    } while (0)
#else
#define SHORTEN_RETURN() (void)0
#endif
#endif

/* What calls func_idx costs this function. */
""",
        why="In one place.",
        test=_TEST,
    ),
    Cure(
        name="short-calls",
        file=_INTERPRETER,
        expect="""\
        HANDLE_OP(WASM_OP_UNUSED_0x16)
        HANDLE_OP(WASM_OP_UNUSED_0x17)
""",
        replace="",
        why="The opcodes for them.",
        test=_TEST,
    ),
    Cure(
        name="short-calls",
        file=_INTERPRETER,
        expect="""\
            HANDLE_OP(WASM_OP_UNUSED_0x27)
            {
""",
        replace="""\
            HANDLE_OP(WASM_OP_UNUSED_0x16)
            {
                WASMFunctionInstance *callee =
                    module->e->functions + read_uint32(frame_ip);
                WASMFunction *func = callee->u.func;
                WASMInterpFrame *next = wasm_exec_env_wasm_stack_top(exec_env);
                uint32 *to = next->operand, *from = (uint32 *)func->consts, left;

                if (func->short_frame * 2
                    > (uint32)(uintptr_t)(exec_env->wasm_stack.top_boundary
                                          - (uint8 *)next)) {
                    CHECK_SUSPEND_FLAGS();
                    cur_func = callee;
                    goto call_func_from_interp;
                }
                for (left = func->const_cell_num; left > 0; left--) {
                    *to++ = *from++;
                    WAMRPY_PLAIN_LOOP();
                }
                next->lp = to;
                for (left = callee->param_count; left > 0; left--) {
                    *to++ = GET_OPERAND(uint32, I32, 2 * (left - 1));
                    WAMRPY_PLAIN_LOOP();
                }
                frame_ip += 2 * callee->param_count;
                if (callee->ret_cell_num)
                    frame->ret_offset = GET_OFFSET();
                frame->ip = frame_ip;
                if (callee->local_cell_num)
                    memset(to, 0, 4 * callee->local_cell_num);
                next->prev_frame = frame;
                next->function = callee;
                exec_env->wasm_stack.top = (uint8 *)next + func->short_frame;
                wasm_exec_env_set_cur_frame(exec_env, (WASMRuntimeFrame *)next);
                prev_frame = frame;
                frame = next;
                cur_func = callee;
                frame_lp = next->lp;
                frame_ip = func->code_compiled;
                WAMRPY_COUNT(func->short_checks);
                HANDLE_OP_END();
            }
            HANDLE_OP(WASM_OP_UNUSED_0x17)
            {
                prev_frame->lp[prev_frame->ret_offset] =
                    GET_OPERAND(uint32, I32, 0);
                FREE_FRAME(exec_env, frame);
                wasm_exec_env_set_cur_frame(exec_env,
                                            (WASMRuntimeFrame *)prev_frame);
                if (!prev_frame->ip)
                    return; /* called from native */
                RECOVER_CONTEXT(prev_frame);
                HANDLE_OP_END();
            }

            HANDLE_OP(WASM_OP_UNUSED_0x27)
            {
""",
        why="Their handlers.",
        test=_TEST,
    ),
)
