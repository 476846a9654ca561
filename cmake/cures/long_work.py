"""What takes long between two checks counts as more, so that no code comes late to a checkpoint.

A check stands at branches and calls (``checkpoint``), and 65 521 of them pass between two visits of
``wamrpy.checkpoint``. Three things can make one of them long, and a module may have them on
purpose: an instruction that works on any number of bytes, a function with tens of thousands of
locals or constants, which each call sets, and code without a branch, as long as a function may be.
"""

from __future__ import annotations

from . import Cure

_HEADER = "core/iwasm/interpreter/wasm.h"
_INTERPRETER = "core/iwasm/interpreter/wasm_interp_fast.c"
_LOADER = "core/iwasm/interpreter/wasm_loader.c"
_TESTS = "tests/regressions/test_long_work.py::"
_TEST_OF_BULK = _TESTS + "test_bulk_instructions_are_stopped"
_TEST_OF_FRAMES = _TESTS + "test_calls_of_functions_with_many_locals_are_stopped"
_TEST_OF_STRAIGHT_CODE = _TESTS + "test_long_code_without_a_branch_is_stopped"

CURES: tuple[Cure, ...] = (
    Cure(
        name="bulk",
        file=_INTERPRETER,
        expect="""\
                        if (offset + bytes > seg_len)
                            goto out_of_bounds;

""",
        replace="""\
                        if (offset + bytes > seg_len)
                            goto out_of_bounds;

                        WAMRPY_COUNT((int32)(bytes / 64));
                        maddr = memory->memory_data + (uint32)addr;
""",
        why="memory.init: one more check for each 64 bytes. A signal handler may have moved the "
        "memory.",
        test=_TEST_OF_BULK,
    ),
    Cure(
        name="bulk",
        file=_INTERPRETER,
        expect="""\
                        if (len && mdst != msrc) {
""",
        replace="""\
                        if (len && mdst != msrc) {
                            WAMRPY_COUNT((int32)(len / 64));
                            mdst = memory->memory_data + dst;
                            msrc = memory->memory_data + src;
""",
        why="memory.copy.",
        test=_TEST_OF_BULK,
    ),
    Cure(
        name="bulk",
        file=_INTERPRETER,
        expect="""\
                        memset(mdst, fill_val, len);
""",
        replace="""\
                        WAMRPY_COUNT((int32)(len / 64));
                        mdst = memory->memory_data + dst;
                        memset(mdst, fill_val, len);
""",
        why="memory.fill.",
        test=_TEST_OF_BULK,
    ),
    Cure(
        name="bulk",
        file=_INTERPRETER,
        expect="""\
                        table_elems = tbl_inst->elems + d;
                        init_values = tbl_seg_init_values + s;
""",
        replace="""\
                        WAMRPY_COUNT((int32)(n / 8));
                        table_elems = tbl_inst->elems + d;
                        init_values = tbl_seg_init_values + s;
""",
        why="table.init: elements are as long as 8 bytes.",
        test=_TEST_OF_BULK,
    ),
    Cure(
        name="bulk",
        file=_INTERPRETER,
        expect="""\
                        /* if s >= d, copy from front to back */
""",
        replace="""\
                        WAMRPY_COUNT((int32)(n / 8));
                        /* if s >= d, copy from front to back */
""",
        why="table.copy.",
        test=_TEST_OF_BULK,
    ),
    Cure(
        name="bulk",
        file=_INTERPRETER,
        expect="""\
                        for (; n != 0; i++, n--) {
                            tbl_inst->elems[i] = fill_val;
""",
        replace="""\
                        WAMRPY_COUNT((int32)(n / 8));
                        for (; n != 0; i++, n--) {
                            tbl_inst->elems[i] = fill_val;
""",
        why="table.fill.",
        test=_TEST_OF_BULK,
    ),
    Cure(
        name="large-frames",
        file=_INTERPRETER,
        expect="""\
            wasm_exec_env_set_cur_frame(exec_env, (WASMRuntimeFrame *)frame);
        }
#if WASM_ENABLE_THREAD_MGR != 0
        CHECK_SUSPEND_FLAGS();
#endif
        HANDLE_OP_END();
    }

    return_func:
""",
        replace="""\
            wasm_exec_env_set_cur_frame(exec_env, (WASMRuntimeFrame *)frame);
            /* the check below takes what this leaves below zero to its hook */
            exec_env->fuel -= WAMRPY_FRAME_CHECKS(all_cell_num);
        }
#if WASM_ENABLE_THREAD_MGR != 0
        CHECK_SUSPEND_FLAGS();
#endif
        HANDLE_OP_END();
    }

    return_func:
""",
        why="A call sets each local and each constant: one more check for each 64 cells.",
        test=_TEST_OF_FRAMES,
    ),
    Cure(
        name="large-frames",
        file=_HEADER,
        expect="""\
struct WASMFunction {
""",
        replace="""\
/* How many checks a frame of so many cells counts as, beside the call's own. */
#define WAMRPY_FRAME_CHECKS(cells) ((int32)((cells) / 64))

struct WASMFunction {
""",
        why="For calls of all kinds.",
        test=_TEST_OF_FRAMES,
    ),
    Cure(
        name="straight-code",
        file=_LOADER,
        expect="""\
    /* This is used to save params frame_offset of of if block */
""",
        replace="""\
    /* Of an if: bytes since the last check where its branches begin, and where
       the first of them ends */
    uint32 wamrpy_unchecked, wamrpy_unchecked_then;
    /* This is used to save params frame_offset of of if block */
""",
        why="Only one branch of an if runs, so a check in the other does not count.",
        test=_TEST_OF_STRAIGHT_CODE,
    ),
    Cure(
        name="straight-code",
        file=_LOADER,
        expect="""\
        p_org = p;
        disable_emit = false;
        emit_label(opcode);
#endif
        switch (opcode) {
            case WASM_OP_UNREACHABLE:
""",
        replace="""\
        if (opcode >= WASM_OP_BR && opcode <= WASM_OP_RETURN_CALL_REF)
            wamrpy_checked = p; /* has a check, or ends here */
        else if ((uint32)(p - wamrpy_checked) > WAMRPY_STRAIGHT
                 /* what is next must not belong to what was before */
                 && opcode != WASM_OP_ELSE && opcode != WASM_OP_END
                 && opcode != WASM_OP_DROP && opcode != WASM_OP_SET_LOCAL
                 && opcode != WASM_OP_TEE_LOCAL) {
            emit_label(WASM_OP_UNUSED_0x27);
            wamrpy_checked = p;
        }
        p_org = p;
        disable_emit = false;
        emit_label(opcode);
#endif
        switch (opcode) {
            case WASM_OP_UNREACHABLE:
""",
        why="A check on its own, where there would be none for long.",
        test=_TEST_OF_STRAIGHT_CODE,
    ),
    Cure(
        name="straight-code",
        file=_LOADER,
        expect="""\
    func->cost = func->code_size;
""",
        replace="""\
    wamrpy_checked = p;
    func->cost = func->code_size;
""",
        why="There is one where a function begins.",
        test=_TEST_OF_STRAIGHT_CODE,
    ),
    Cure(
        name="straight-code",
        file=_LOADER,
        expect="""\
    const bool traced = wamrpy_tracing;
""",
        replace="""\
    const bool traced = wamrpy_tracing;
    const uint8 *wamrpy_checked; /* the end of what had the last check */
""",
        why="How far code runs without one.",
        test=_TEST_OF_STRAIGHT_CODE,
    ),
    Cure(
        name="straight-code",
        file=_LOADER,
        expect="""\
                PUSH_CSP(LABEL_TYPE_BLOCK + (opcode - WASM_OP_BLOCK),
                         block_type, p);
""",
        replace="""\
                PUSH_CSP(LABEL_TYPE_BLOCK + (opcode - WASM_OP_BLOCK),
                         block_type, p);
                (loader_ctx->frame_csp - 1)->wamrpy_unchecked =
                    (uint32)(p - wamrpy_checked);
""",
        why="See above.",
        test=_TEST_OF_STRAIGHT_CODE,
    ),
    Cure(
        name="straight-code",
        file=_LOADER,
        expect="""\
                block->else_addr = p - 1;
                block_type = block->block_type;
""",
        replace="""\
                block->else_addr = p - 1;
                block_type = block->block_type;
                block->wamrpy_unchecked_then = (uint32)(p - wamrpy_checked);
                wamrpy_checked = p - block->wamrpy_unchecked;
""",
        why="An if without an else comes by here, too.",
        test=_TEST_OF_STRAIGHT_CODE,
    ),
    Cure(
        name="straight-code",
        file=_LOADER,
        expect="""\
                    goto handle_op_else;
                }

                POP_CSP();
""",
        replace="""\
                    goto handle_op_else;
                }
                if (cur_block->label_type == LABEL_TYPE_IF
                    && (uint32)(p - wamrpy_checked)
                           < cur_block->wamrpy_unchecked_then)
                    wamrpy_checked = p - cur_block->wamrpy_unchecked_then;

                POP_CSP();
""",
        why="The longer of the two.",
        test=_TEST_OF_STRAIGHT_CODE,
    ),
    Cure(
        name="straight-code",
        file=_LOADER,
        expect="""\
typedef struct BranchBlock {
""",
        replace="""\
/* How many bytes of code may run without a check. */
#define WAMRPY_STRAIGHT 256

typedef struct BranchBlock {
""",
        why="65 521 times so many are 10 to 20 ms.",
        test=_TEST_OF_STRAIGHT_CODE,
    ),
    Cure(
        name="straight-code",
        file=_INTERPRETER,
        expect="""\
        HANDLE_OP(WASM_OP_UNUSED_0x27)
""",
        replace="",
        why="The opcode for it.",
        test=_TEST_OF_STRAIGHT_CODE,
    ),
    Cure(
        name="straight-code",
        file=_INTERPRETER,
        expect="""\
#if WASM_ENABLE_LABELS_AS_VALUES == 0
            default:
                wasm_set_exception(module, "unsupported opcode");
""",
        replace="""\
            HANDLE_OP(WASM_OP_UNUSED_0x27)
            {
                CHECK_SUSPEND_FLAGS();
                HANDLE_OP_END();
            }

#if WASM_ENABLE_LABELS_AS_VALUES == 0
            default:
                wasm_set_exception(module, "unsupported opcode");
""",
        why="Its handler.",
        test=_TEST_OF_STRAIGHT_CODE,
    ),
)
