"""Two things that make the interpreter faster: pairs of instructions, and short ways for calls.

**Pairs.** Half of what an instruction costs is getting to the next one. Where two that follow each
other are a pair (``pairs``), the label of the first is replaced by that of a handler which does the
work of both. The code keeps its layout: the second has its label still, so a branch may lead to it,
sizes and offsets (src/wamr/_native/locate.c) stay what they were, and the first still writes its
result down, so nothing has to be proved about who reads that. In most pairs the second works with
the first's result, which then needs no trip through memory. What did not help is in
docs/internals.md.

Only where labels are addresses and code need not be aligned: GCC and Clang on x86 and 64-bit ARM.

**Calls.** Values of one cell are passed and returned without a look at their types, and locals are
searched for references only in functions that have some.
"""

from __future__ import annotations

from . import Cure
from .pairs import HANDLERS, LIST

_HEADER = "core/iwasm/interpreter/wasm.h"
_OPCODES = "core/iwasm/interpreter/wasm_opcode.h"
_INTERPRETER = "core/iwasm/interpreter/wasm_interp_fast.c"
_LOADER = "core/iwasm/interpreter/wasm_loader.c"
_TEST = "tests/regressions/test_speed.py::test_two_that_are_a_pair_run_as_one"
_TEST_OF_RESULTS = "tests/regressions/test_speed.py::test_pairs_do_what_their_instructions_do"
_TEST_OF_CALLS = "tests/regressions/test_speed.py::test_calls_of_all_shapes"

CURES: tuple[Cure, ...] = (
    Cure(
        name="speed",
        file=_OPCODES,
        expect="""\
#define DEFINE_GOTO_TABLE(type, _name)                          \\
""",
        replace=LIST
        + """
#define DEFINE_GOTO_TABLE(type, _name)                          \\
""",
        why="Which pairs there are, for the loader and the interpreter.",
        test=_TEST,
    ),
    Cure(
        name="speed",
        file=_INTERPRETER,
        expect="""\
static inline uint8 *
get_global_addr(""",
        replace=HANDLERS
        + """\
static const void **wamrpy_pair_table;

const void **
wamrpy_get_pair_table(void)
{
    return wamrpy_pair_table;
}
#endif

/* in a loop of few rounds: don't make vectors of it */
#ifdef __GNUC__
#define WAMRPY_PLAIN_LOOP() __asm__ volatile("")
#else
#define WAMRPY_PLAIN_LOOP() (void)0
#endif

static inline uint8 *
get_global_addr(""",
        why="What they do.",
        test=_TEST_OF_RESULTS,
    ),
    Cure(
        name="speed",
        file=_INTERPRETER,
        expect="""\
    if (exec_env == NULL) {
        global_handle_table = (void **)handle_table;
""",
        replace="""\
#if WASM_CPU_SUPPORTS_UNALIGNED_ADDR_ACCESS != 0
    static const void *pair_table[] = { WAMRPY_PAIRS(PAIR_LABEL) };
#endif
    if (exec_env == NULL) {
#if WASM_CPU_SUPPORTS_UNALIGNED_ADDR_ACCESS != 0
        wamrpy_pair_table = pair_table;
#endif
        global_handle_table = (void **)handle_table;
""",
        why="The loader learns their labels as it learns all others.",
        test=_TEST,
    ),
    Cure(
        name="speed",
        file=_INTERPRETER,
        expect="""\
#if WASM_ENABLE_LABELS_AS_VALUES != 0
        HANDLE_OP(WASM_OP_UNUSED_0x0a)
""",
        replace="""\
#if WASM_ENABLE_LABELS_AS_VALUES != 0
#if WASM_CPU_SUPPORTS_UNALIGNED_ADDR_ACCESS != 0
        WAMRPY_PAIRS(HANDLE_PAIR)
#endif
        HANDLE_OP(WASM_OP_UNUSED_0x0a)
""",
        why="Their handlers.",
        test=_TEST,
    ),
    Cure(
        name="speed",
        file=_HEADER,
        expect="""\
    /* cell num of local variables */
    uint16 local_cell_num;
    /* offset of each local, including""",
        replace="""\
    /* cell num of local variables */
    uint16 local_cell_num;
    /* whether there are references among the locals, which begin as null */
    bool has_ref_locals;
    /* how many pairs of instructions run as one */
    uint32 pairs;
    /* offset of each local, including""",
        why="Room for what the loader knows; the number is for tests.",
        test=_TEST,
    ),
    Cure(
        name="speed",
        file=_LOADER,
        expect="""\
    uint8 *p_code_compiled;
    uint8 *p_code_compiled_end;
""",
        replace="""\
    uint8 *p_code_compiled;
    /* the last labels, the newest at the end, and their opcodes */
    uint8 *wamrpy_labels[3];
    uint8 wamrpy_opcodes[3];
    uint32 wamrpy_pairs;
    uint8 *p_code_compiled_end;
""",
        why="A pair is known when the instruction behind it begins, so three are remembered.",
        test=_TEST,
    ),
    Cure(
        name="speed",
        file=_LOADER,
        expect="""\
#if WASM_CPU_SUPPORTS_UNALIGNED_ADDR_ACCESS != 0
#define emit_label(opcode)                                      \\
    do {                                                        \\
        wasm_loader_emit_ptr(loader_ctx, handle_table[opcode]); \\
        LOG_OP("\\nemit_op [%02x]\\t", opcode);                   \\
    } while (0)
#define skip_label()                                            \\
    do {                                                        \\
        wasm_loader_emit_backspace(loader_ctx, sizeof(void *)); \\
""",
        replace="""\
#if WASM_CPU_SUPPORTS_UNALIGNED_ADDR_ACCESS != 0
enum {
#define PAIR(first, second) WAMRPY_PAIR_##first##_##second,
    WAMRPY_PAIRS(PAIR)
#undef PAIR
};

static const struct {
    uint8 first, second, where, length;
} wamrpy_pairs[] = {
#define PAIR(one, two) { WAMRPY_FIRST_##one, WAMRPY_SECOND_##two },
    WAMRPY_PAIRS(PAIR)
#undef PAIR
};

/* the last of a first's pairs, which stand together; 0 where there is none */
static const uint8 wamrpy_last_pair[256] = {
#define PAIR(one, two) [WAMRPY_FIRST_##one] = WAMRPY_PAIR_##one##_##two + 1,
    WAMRPY_PAIRS(PAIR)
#undef PAIR
};

extern const void **
wamrpy_get_pair_table(void);

/* Before a label is written: are the two instructions before it a pair? Then all
   that they read and write is known. */
static void
wamrpy_before_label(WASMLoaderContext *ctx, uint8 opcode)
{
    uint8 *first = ctx->wamrpy_labels[1], *second = ctx->wamrpy_labels[2];
    uint8 *operands = second + sizeof(void *);
    uint32 i = first ? wamrpy_last_pair[ctx->wamrpy_opcodes[1]] : 0;

    for (; i > 0 && wamrpy_pairs[i - 1].first == ctx->wamrpy_opcodes[1]; i--)
        if (wamrpy_pairs[i - 1].second == ctx->wamrpy_opcodes[2]
            && ctx->p_code_compiled - operands == wamrpy_pairs[i - 1].length
            && (wamrpy_pairs[i - 1].where == WAMRPY_ANY
                || *(int16 *)(operands + wamrpy_pairs[i - 1].where)
                       == *(int16 *)(second - sizeof(int16)))) {
            STORE_PTR(first, (void *)wamrpy_get_pair_table()[i - 1]);
            ctx->wamrpy_labels[1] = NULL; /* done, if it comes by once more */
            ctx->wamrpy_pairs++;
            break;
        }
    ctx->wamrpy_labels[0] = ctx->wamrpy_labels[1];
    ctx->wamrpy_labels[1] = ctx->wamrpy_labels[2];
    ctx->wamrpy_labels[2] = ctx->p_code_compiled;
    ctx->wamrpy_opcodes[0] = ctx->wamrpy_opcodes[1];
    ctx->wamrpy_opcodes[1] = ctx->wamrpy_opcodes[2];
    ctx->wamrpy_opcodes[2] = opcode;
}

/* The newest is taken back. */
static void
wamrpy_without_label(WASMLoaderContext *ctx)
{
    ctx->wamrpy_labels[2] = ctx->wamrpy_labels[1];
    ctx->wamrpy_labels[1] = ctx->wamrpy_labels[0];
    ctx->wamrpy_labels[0] = NULL;
    ctx->wamrpy_opcodes[2] = ctx->wamrpy_opcodes[1];
    ctx->wamrpy_opcodes[1] = ctx->wamrpy_opcodes[0];
}

#define emit_label(opcode)                                      \\
    do {                                                        \\
        if (loader_ctx->p_code_compiled)                        \\
            wamrpy_before_label(loader_ctx, opcode);            \\
        wasm_loader_emit_ptr(loader_ctx, handle_table[opcode]); \\
        LOG_OP("\\nemit_op [%02x]\\t", opcode);                   \\
    } while (0)
#define skip_label()                                            \\
    do {                                                        \\
        wamrpy_without_label(loader_ctx);                       \\
        wasm_loader_emit_backspace(loader_ctx, sizeof(void *)); \\
""",
        why="Puts a pair's label in the place of its first's.",
        test=_TEST,
    ),
    Cure(
        name="speed",
        file=_LOADER,
        expect="""\
    func->cost = func->code_size;
    while (p < p_end) {
""",
        replace="""\
    func->cost = func->code_size;
    func->has_ref_locals = false;
    for (i = 0; i < func->local_count; i++)
        if (func->local_types[i] == VALUE_TYPE_EXTERNREF
            || func->local_types[i] == VALUE_TYPE_FUNCREF)
            func->has_ref_locals = true;
    while (p < p_end) {
""",
        why="So that a call need not look.",
        test=_TEST_OF_CALLS,
    ),
    Cure(
        name="speed",
        file=_LOADER,
        expect="""\
    if (loader_ctx->p_code_compiled == NULL)
        goto re_scan;

""",
        replace="""\
    if (loader_ctx->p_code_compiled == NULL)
        goto re_scan;

    func->pairs = loader_ctx->wamrpy_pairs;
""",
        why="The number is for tests.",
        test=_TEST,
    ),
    Cure(
        name="speed",
        file=_INTERPRETER,
        expect="""\
            local_cell_idx = cur_func->param_cell_num;
            for (i = 0; i < cur_wasm_func->local_count; i++) {
""",
        replace="""\
            local_cell_idx = cur_func->param_cell_num;
            for (i = 0; cur_wasm_func->has_ref_locals
                        && i < cur_wasm_func->local_count;
                 i++) {
""",
        why="Looking at each local's type at each call costs more than the call.",
        test=_TEST_OF_CALLS,
    ),
    Cure(
        name="speed",
        file=_INTERPRETER,
        expect="""\
            memset(frame_lp + cur_func->param_cell_num, 0,
                   (uint32)(cur_func->local_cell_num * 4));
""",
        replace="""\
            if (cur_func->local_cell_num > 0)
                memset(frame_lp + cur_func->param_cell_num, 0,
                       (uint32)(cur_func->local_cell_num * 4));
""",
        why="Many small functions have no locals.",
        test=_TEST_OF_CALLS,
    ),
    Cure(
        name="speed",
        file=_INTERPRETER,
        expect="""\
                word_copy(frame->operand, (uint32 *)cur_wasm_func->consts,
                          cur_wasm_func->const_cell_num);
""",
        replace="""\
                uint32 *from = (uint32 *)cur_wasm_func->consts;
                uint32 *to = frame->operand;
                uint32 left = cur_wasm_func->const_cell_num;
                do {
                    *to++ = *from++;
                    WAMRPY_PLAIN_LOOP();
                } while (--left);
""",
        why="Few constants: vectors take longer to set up than the loop runs.",
        test=_TEST_OF_CALLS,
    ),
    Cure(
        name="speed",
        file=_INTERPRETER,
        expect="""\
        for (i = 0; i < cur_func->param_count; i++) {
            if (cur_func->param_types[i] == VALUE_TYPE_V128) {
                PUT_V128_TO_ADDR(
                    outs_area->lp,
""",
        replace="""\
        if (cur_func->param_cell_num == cur_func->param_count) {
            /* each has one cell */
            uint32 *to = outs_area->lp;
            for (i = cur_func->param_count; i > 0; i--) {
                *to++ = GET_OPERAND(uint32, I32, 2 * (i - 1));
                WAMRPY_PLAIN_LOOP();
            }
        }
        else for (i = 0; i < cur_func->param_count; i++) {
            if (cur_func->param_types[i] == VALUE_TYPE_V128) {
                PUT_V128_TO_ADDR(
                    outs_area->lp,
""",
        why="Nothing is wider than a cell, so nobody needs to know the types.",
        test=_TEST_OF_CALLS,
    ),
    Cure(
        name="speed",
        file=_INTERPRETER,
        expect="""\
        if (cur_func->ret_cell_num != 0) {
            /* Get the first return""",
        replace="""\
        if (cur_func->ret_cell_num == 1) {
            frame->ret_offset = GET_OFFSET();
        }
        else if (cur_func->ret_cell_num != 0) {
            /* Get the first return""",
        why="One result of one cell: no others to skip.",
        test=_TEST_OF_CALLS,
    ),
    Cure(
        name="speed",
        file=_INTERPRETER,
        expect="""\
                uint8 *ret_types;
                if (cur_func->is_import_func)
""",
        replace="""\
                uint8 *ret_types;

                if (cur_func->ret_cell_num <= 1) {
                    if (cur_func->ret_cell_num == 1)
                        prev_frame->lp[prev_frame->ret_offset] =
                            GET_OPERAND(uint32, I32, 0);
                    goto return_func;
                }
                if (cur_func->is_import_func)
""",
        why="No result, or one of one cell.",
        test=_TEST_OF_CALLS,
    ),
)
