"""Cures of WAMR's own faults, each found by a test or a fuzzer.

None of them changes what a correct program sees. They are independent of one another and of our
hooks, fit for a report upstream; drop one when the pinned commit has its own.
"""

from __future__ import annotations

from . import Cure

_LOADER = "core/iwasm/interpreter/wasm_loader.c"
_RUNTIME = "core/iwasm/interpreter/wasm_runtime.c"
_INTERPRETER = "core/iwasm/interpreter/wasm_interp_fast.c"
_EXEC_ENV = "core/iwasm/common/wasm_exec_env.c"
_TESTS = "tests/regressions/test_bugs.py::"

# What the loader takes memory for, by a number that the module claims.
_COUNTS = (
    "type_count",
    "import_count",
    "func_count",
    "table_count",
    "global_count",
    "export_count",
    "function_count",  # in an element segment
    "ref_count",
    "table_segment_count",
    "data_seg_count",
)

CURES: tuple[Cure, ...] = (
    Cure(
        name="const-expr-null",
        file=_LOADER,
        expect="""\
            if (is_expr_binary_op(ctx->stack[j].expr->init_expr_type)) {
                destroy_init_expr_recursive(ctx->stack[j].expr);
""",
        replace="""\
            if (ctx->stack[j].expr
                && is_expr_binary_op(ctx->stack[j].expr->init_expr_type)) {
                destroy_init_expr_recursive(ctx->stack[j].expr);
""",
        why="A malformed constant expression leaves operands without an expression on the stack; "
        "a module of 15 bytes killed the process.",
        test=_TESTS + "test_malformed_constant_expression",
    ),
    Cure(
        name="tail-call-import-entry",
        file=_INTERPRETER,
        expect="""\
                   so here we recover context from prev_frame */
                RECOVER_CONTEXT(prev_frame);
""",
        replace="""\
                   so here we recover context from prev_frame */
                if (!prev_frame->ip)
                    return; /* the caller is the host: nothing to recover */
                RECOVER_CONTEXT(prev_frame);
""",
        why="A function that the host calls and that tail-calls an import returns to a frame "
        "without code.",
        test=_TESTS + "test_exported_function_tail_calls_an_import",
    ),
    Cure(
        name="tail-call-v128",
        file=_INTERPRETER,
        expect="""\
        for (i = 0; i < cur_func->param_count; i++) {
            if (cur_func->param_types[i] == VALUE_TYPE_I64
                || cur_func->param_types[i] == VALUE_TYPE_F64) {
                PUT_I64_TO_ADDR(
                    lp, GET_OPERAND(uint64, I64,
""",
        replace="""\
        for (i = 0; i < cur_func->param_count; i++) {
            if (cur_func->param_types[i] == VALUE_TYPE_V128) {
                PUT_V128_TO_ADDR(
                    lp,
                    GET_OPERAND_V128(2 * (cur_func->param_count - i - 1)));
                lp += 4;
            }
            else if (cur_func->param_types[i] == VALUE_TYPE_I64
                     || cur_func->param_types[i] == VALUE_TYPE_F64) {
                PUT_I64_TO_ADDR(
                    lp, GET_OPERAND(uint64, I64,
""",
        why="A tail call copied a v128 parameter as 32 bits and shifted those after it.",
        test=_TESTS + "test_tail_call_with_v128_parameters",
    ),
    Cure(
        name="copy-v128",
        file=_INTERPRETER,
        expect="""\
            tmp_buf[buf_index + 1] = frame_lp[src + 1];
#if WASM_ENABLE_GC != 0
""",
        replace="""\
            tmp_buf[buf_index + 1] = frame_lp[src + 1];
            if (cell == 4) {
                tmp_buf[buf_index + 2] = frame_lp[src + 2];
                tmp_buf[buf_index + 3] = frame_lp[src + 3];
            }
#if WASM_ENABLE_GC != 0
""",
        why="Of a v128 among several results or block parameters only the lower half was copied.",
        test=_TESTS + "test_v128_among_several_results_and_parameters_of_blocks",
    ),
    Cure(
        name="copy-v128",
        file=_INTERPRETER,
        expect="""\
            frame_lp[dst + 1] = tmp_buf[buf_index + 1];
#if WASM_ENABLE_GC != 0
""",
        replace="""\
            frame_lp[dst + 1] = tmp_buf[buf_index + 1];
            if (cell == 4) {
                frame_lp[dst + 2] = tmp_buf[buf_index + 2];
                frame_lp[dst + 3] = tmp_buf[buf_index + 3];
            }
#if WASM_ENABLE_GC != 0
""",
        why="The other half of that copy.",
        test=_TESTS + "test_v128_among_several_results_and_parameters_of_blocks",
    ),
    Cure(
        name="elem-null",
        file=_RUNTIME,
        expect="""\
                case INIT_EXPR_TYPE_REFNULL_CONST:
                    ref = NULL;
""",
        replace="""\
                case INIT_EXPR_TYPE_REFNULL_CONST:
                    ref = (void *)(uintptr_t)NULL_REF;
""",
        why="A null in an active element segment became function 0: without GC, NULL_REF is null.",
        test=_TESTS + "test_null_in_an_active_element_segment",
    ),
    Cure(
        name="elem-global",
        file=_RUNTIME,
        expect="""\
#endif /* end of WASM_ENABLE_GC != 0 */
                    break;
                }
#if WASM_ENABLE_GC != 0
                case INIT_EXPR_TYPE_GET_GLOBAL:
""",
        replace="""\
#endif /* end of WASM_ENABLE_GC != 0 */
                    break;
                }
#if WASM_ENABLE_GC == 0
                case INIT_EXPR_TYPE_GET_GLOBAL:
                    ref = (void *)(uintptr_t)globals[init_expr->u.unary.v
                                                         .global_index]
                              .initial_value.u32;
                    break;
#endif
#if WASM_ENABLE_GC != 0
                case INIT_EXPR_TYPE_GET_GLOBAL:
""",
        why="`global.get` in an active element segment, which names an imported constant, became "
        "function 0.",
        test=_TESTS + "test_imported_constant_in_an_element_segment",
    ),
    Cure(
        name="elem-global",
        file=_INTERPRETER,
        expect="""\
                        for (i = 0; i < n; i++) {
                            /* UINT32_MAX indicates that it is a null ref */
                            bh_assert(init_values[i].init_expr_type
""",
        replace="""\
                        for (i = 0; i < n; i++) {
#if WASM_ENABLE_GC == 0
                            if (init_values[i].init_expr_type
                                == INIT_EXPR_TYPE_GET_GLOBAL) {
                                table_elems[i] =
                                    (table_elem_type_t)module->e
                                        ->globals[init_values[i]
                                                      .u.unary.v.global_index]
                                        .initial_value.u32;
                                continue;
                            }
#endif
                            /* UINT32_MAX indicates that it is a null ref */
                            bh_assert(init_values[i].init_expr_type
""",
        why="In a passive one it became the function with the number of the global.",
        test=_TESTS + "test_imported_constant_in_an_element_segment",
    ),
    Cure(
        name="const-expr-length",
        file=_LOADER,
        expect="""\
    while (flag != WASM_OP_END) {
        switch (flag) {
            /* i32.const */
            case INIT_EXPR_TYPE_I32_CONST:
""",
        replace="""\
    while (flag != WASM_OP_END) {
        if (p - *p_buf > 4096) {
            set_error_buf(error_buf, error_buf_size,
                          "constant expression too long");
            goto fail;
        }
        switch (flag) {
            /* i32.const */
            case INIT_EXPR_TYPE_I32_CONST:
""",
        why="Additions nest, and what computes and frees them calls itself: 100 000 of them "
        "overran the native stack.",
        test=_TESTS + "test_long_constant_expression",
    ),
    Cure(
        name="locals-count",
        file=_LOADER,
        expect="""\
                type = read_uint8(p_code);
                local_count += sub_local_count;
""",
        replace="""\
                type = read_uint8(p_code);
                local_count += sub_local_count;
                if (local_count > UINT16_MAX) {
                    set_error_buf(error_buf, error_buf_size,
                                  "local count too large");
                    return false;
                }
""",
        why="The number of locals was looked at after memory for them was taken, gigabytes, and "
        "their size in cells had been computed in 32 bits: 2**31 of type i64 were 0.",
        test=_TESTS + "test_billions_of_locals",
    ),
    Cure(
        name="counts",
        file=_LOADER,
        expect="""\
#define read_leb_int32(p, p_end, res)                                   \\
""",
        replace="""\
/* Each item takes a byte at least. */
#define CHECK_COUNT(p, p_end, count)                                  \\
    do {                                                              \\
        if ((count) > (uint64)((p_end) - (p))) {                      \\
            set_error_buf(error_buf, error_buf_size, "unexpected end"); \\
            goto fail;                                                \\
        }                                                             \\
    } while (0)

#define read_leb_int32(p, p_end, res)                                   \\
""",
        why="Memory for as many items as a section claims was taken and zeroed before the first "
        "was read: a module of 30 bytes took 4 GB.",
        test=_TESTS + "test_counts_without_items",
    ),
    *(
        Cure(
            name="counts",
            file=_LOADER,
            expect=f"    read_leb_uint32(p, p_end, {count});\n",
            replace=f"    read_leb_uint32(p, p_end, {count});\n"
            f"    CHECK_COUNT(p, p_end, {count});\n",
            why="See the macro.",
            test=_TESTS + "test_counts_without_items",
        )
        for count in _COUNTS
    ),
    Cure(
        name="memory-limits",
        file=_LOADER,
        expect="    if (!module->possible_memory_grow) {\n",
        replace="    if (false /* others may grow what this module does not */) {\n",
        why="A memory that its module never grows became one page of another size, without the "
        "declared maximum; an importer or the host may well grow it.",
        test=_TESTS + "test_memory_that_its_module_never_grows",
    ),
    Cure(
        name="spectest-name",
        file=_LOADER,
        expect="""\
    if (!strcmp("spectest", sub_module_name)) {
        const uint32 spectest_table_init_size = 10;
""",
        replace="""\
    if (false /* no module name is special */) {
        const uint32 spectest_table_init_size = 10;
""",
        why='A table imported from a module called "spectest" got other limits than declared.',
        test=_TESTS + "test_no_module_name_is_special",
    ),
    Cure(
        name="spectest-name",
        file=_LOADER,
        expect="""\
    if (!strcmp("spectest", sub_module_name)) {
        uint32 spectest_memory_init_page = 1;
""",
        replace="""\
    if (false /* no module name is special */) {
        uint32 spectest_memory_init_page = 1;
""",
        why="The same for a memory.",
        test=_TESTS + "test_no_module_name_is_special",
    ),
    Cure(
        name="exec-env-header-only",
        file=_EXEC_ENV,
        expect="    memset(exec_env, 0, (uint32)total_size);\n",
        replace="    memset(exec_env, 0, offsetof(WASMExecEnv, wasm_stack_u.bottom));\n",
        why="Zeroing the whole wasm stack costs 19-38 us and touches 1 MiB for every instance; the "
        "interpreter writes each frame before it reads it.",
        test=_TESTS + "test_instances_do_not_touch_their_stack",
    ),
    Cure(
        name="small-stack",
        file=_EXEC_ENV,
        expect="            stack_boundary ? stack_boundary + WASM_STACK_GUARD_SIZE : NULL;\n",
        replace="            stack_boundary ? stack_boundary + guard_size() : NULL;\n",
        why="In a thread whose stack is smaller than the guard, every call was an overflow.",
        test=_TESTS + "test_threads_with_small_stacks",
    ),
    Cure(
        name="small-stack",
        file=_EXEC_ENV,
        expect="""\
void
wasm_exec_env_set_thread_info(WASMExecEnv *exec_env)
{
""",
        replace="""\
/* At most half of this thread's stack. */
static uint32
guard_size(void)
{
    static os_thread_local_attribute uint32 known;
    size_t size = 0;

    if (known)
        return known;
#if defined(__linux__)
    pthread_attr_t attr;
    void *addr;
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        if (pthread_attr_getstack(&attr, &addr, &size) != 0)
            size = 0;
        pthread_attr_destroy(&attr);
    }
#elif defined(__APPLE__)
    size = pthread_get_stacksize_np(pthread_self());
#endif
    known = size && size / 2 < WASM_STACK_GUARD_SIZE ? (uint32)(size / 2)
                                                     : WASM_STACK_GUARD_SIZE;
    return known;
}

void
wasm_exec_env_set_thread_info(WASMExecEnv *exec_env)
{
""",
        why="See above.",
        test=_TESTS + "test_threads_with_small_stacks",
    ),
    Cure(
        name="slots-after-branch",
        file=_LOADER,
        expect="""\
                apply_label_patch(loader_ctx, 0, PATCH_END);
                free_label_patch_list(loader_ctx->frame_csp);
""",
        replace="""\
                /* results have slots, whoever writes to them, and the next is above */
                BranchBlock *block = loader_ctx->frame_csp;
                uint8 *types = NULL;
                uint32 num = block_type_get_result_types(&block->block_type, &types);
                int32 end = (int16)block->dynamic_offset;
                end = end < 0 ? 0 : end + (int32)wasm_get_cell_num(types, num);
                if (end >= INT16_MAX) {
                    set_error_buf(error_buf, error_buf_size,
                                  "fast interpreter offset overflow");
                    free_label_patch_list(block);
                    goto fail;
                }
                if (loader_ctx->dynamic_offset < end)
                    loader_ctx->dynamic_offset = (int16)end;
                if (loader_ctx->max_dynamic_offset < end)
                    loader_ctx->max_dynamic_offset = (int16)end;
                apply_label_patch(loader_ctx, 0, PATCH_END);
                free_label_patch_list(loader_ctx->frame_csp);
""",
        why="Behind a block that ends with a branch out of an outer one with a result, values were "
        "written over others; a vector that only a branch writes was beyond its frame.",
        test=_TESTS + "test_values_outlive_a_block_that_branches_further",
    ),
    Cure(
        name="refused-constant",
        file=_LOADER,
        expect="""\
    if (cur_value->type != type) {
        set_error_buf(error_buf, error_buf_size, "type mismatch");
        return false;
    }
#else
    if (!wasm_reftype_is_subtype_of(""",
        replace="""\
    if (cur_value->type != type) {
        ctx->sp++; /* who frees the stack frees it */
        set_error_buf(error_buf, error_buf_size, "type mismatch");
        return false;
    }
#else
    if (!wasm_reftype_is_subtype_of(""",
        why="A constant expression of the wrong type was never freed.",
        test="tests/stress/test_lifetimes.py::test_a_refused_constant_is_freed",
    ),
)
