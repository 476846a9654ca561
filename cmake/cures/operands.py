"""What makes operands cheap: pushing and popping one as it mostly is takes a few instructions.

Mostly, that is: a pop finds a value of the type that it wants, within its block; a push finds room
on the loader's stacks. All else goes the long way, which is WAMR's. And an instruction that emits
nothing (``local.get``, constants, the end of a block) writes no label to take it back at once.
"""

from __future__ import annotations

from . import Cure

_LOADER = "core/iwasm/interpreter/wasm_loader.c"
_TEST = "tests/ratchet/test_ratchet.py::test_no_path_takes_more_instructions_than_recorded"


def _cure(expect: str, replace: str, why: str) -> Cure:
    return Cure(name="operands", file=_LOADER, expect=expect, replace=replace, why=why, test=_TEST)


_FAST = """\
/* A value whose type, and whose block, are right is popped; others are not. */
static inline bool
wamrpy_pop_quickly(WASMLoaderContext *ctx, uint8 type)
{
    uint32 cells = wamrpy_cells[type];
    int16 slot;

    if (cells == 0 || cells > 2
        || (int32)(ctx->stack_cell_num - (ctx->frame_csp - 1)->stack_cell_num)
               < (int32)cells
        || ctx->frame_ref[-1] != type
        || ctx->frame_ref[-(int32)cells] != type
        || ctx->frame_offset - cells < ctx->frame_offset_bottom)
        return false;
    ctx->frame_ref -= cells;
    ctx->stack_cell_num -= cells;
    ctx->frame_offset -= cells;
    slot = *ctx->frame_offset;
    if (slot > ctx->start_dynamic_offset && slot < ctx->max_dynamic_offset
        && ctx->dynamic_offset >= (int32)cells)
        ctx->dynamic_offset -= (int16)cells;
    emit_operand(ctx, slot);
    return true;
}

/* A new slot for a value of one cell. */
static inline bool
wamrpy_push_quickly(WASMLoaderContext *ctx, uint8 type)
{
    if (wamrpy_cells[type] != 1 || ctx->frame_offset >= ctx->frame_offset_boundary
        || ctx->frame_ref >= ctx->frame_ref_boundary
        || ctx->stack_cell_num >= ctx->max_stack_cell_num
        || ctx->dynamic_offset >= ctx->max_dynamic_offset
        || ctx->dynamic_offset < ctx->start_dynamic_offset)
        return false;
    emit_operand(ctx, ctx->dynamic_offset);
    *ctx->frame_offset++ = ctx->dynamic_offset++;
    *ctx->frame_ref++ = type;
    ctx->stack_cell_num++;
    return true;
}

/* A local, or a constant, of one cell. */
static inline bool
wamrpy_put_quickly(WASMLoaderContext *ctx, int16 slot)
{
    if (ctx->frame_offset >= ctx->frame_offset_boundary)
        return false;
    if (slot >= 0 && slot < ctx->start_dynamic_offset) {
        uint32 cell = (uint32)(ctx->frame_offset - ctx->frame_offset_bottom);

        wamrpy_forget_aliases(ctx, cell);
        if (ctx->alias_num >= ctx->alias_max)
            return false;
        wamrpy_add_alias(ctx, cell, (uint16)slot);
    }
    *ctx->frame_offset++ = slot;
    return true;
}

static bool
wamrpy_push_ref(WASMLoaderContext *ctx, uint8 type, char *error_buf,
                uint32 error_buf_size)
{
    if (wamrpy_cells[type] != 1 || ctx->frame_ref >= ctx->frame_ref_boundary
        || ctx->stack_cell_num >= ctx->max_stack_cell_num)
        return wasm_loader_push_frame_ref(ctx, type, error_buf, error_buf_size);
    *ctx->frame_ref++ = type;
    ctx->stack_cell_num++;
    return true;
}

static bool
wamrpy_push_offset(WASMLoaderContext *ctx, uint8 type, bool disable_emit,
                   int16 operand_offset, char *error_buf, uint32 error_buf_size)
{
    if (disable_emit && wamrpy_cells[type] == 1
        && wamrpy_put_quickly(ctx, operand_offset))
        return true;
    return wasm_loader_push_frame_offset(ctx, type, disable_emit,
                                         operand_offset, error_buf,
                                         error_buf_size);
}

/* A local, or a constant. */
static bool
wamrpy_put(WASMLoaderContext *ctx, uint8 type, int16 slot, char *error_buf,
           uint32 error_buf_size)
{
    if (wamrpy_cells[type] == 1 && ctx->frame_ref < ctx->frame_ref_boundary
        && ctx->stack_cell_num < ctx->max_stack_cell_num
        && wamrpy_put_quickly(ctx, slot)) {
        *ctx->frame_ref++ = type;
        ctx->stack_cell_num++;
        return true;
    }
    return wasm_loader_push_frame_offset(ctx, type, true, slot, error_buf,
                                         error_buf_size)
           && wasm_loader_push_frame_ref(ctx, type, error_buf, error_buf_size);
}

static bool
wamrpy_push(WASMLoaderContext *ctx, uint8 type, bool disable_emit,
            int16 operand_offset, char *error_buf, uint32 error_buf_size)
{
    if (disable_emit)
        return wamrpy_put(ctx, type, operand_offset, error_buf, error_buf_size);
    return wamrpy_push_quickly(ctx, type)
           || (wasm_loader_push_frame_offset(ctx, type, false, 0, error_buf,
                                             error_buf_size)
               && wasm_loader_push_frame_ref(ctx, type, error_buf,
                                             error_buf_size));
}

static bool
wamrpy_pop(WASMLoaderContext *ctx, uint8 type, char *error_buf,
           uint32 error_buf_size)
{
    return wamrpy_pop_quickly(ctx, type)
           || (wasm_loader_pop_frame_offset(ctx, type, error_buf,
                                            error_buf_size)
               && wasm_loader_pop_frame_ref(ctx, type, error_buf,
                                            error_buf_size));
}

static bool
wamrpy_push_pop(WASMLoaderContext *ctx, uint8 pop_cnt, uint8 type_push,
                uint8 type_pop, bool disable_emit, int16 operand_offset,
                char *error_buf, uint32 error_buf_size)
{
    for (; pop_cnt > 0; pop_cnt--)
        if (!wamrpy_pop(ctx, type_pop, error_buf, error_buf_size))
            return false;
    return wamrpy_push(ctx, type_push, disable_emit, operand_offset, error_buf,
                       error_buf_size);
}

#define wasm_loader_push_frame_ref wamrpy_push_ref
#define wasm_loader_push_frame_offset wamrpy_push_offset
#define wasm_loader_push_frame_ref_offset wamrpy_push
#define wasm_loader_pop_frame_ref_offset wamrpy_pop
#define wasm_loader_push_pop_frame_ref_offset wamrpy_push_pop

static int
cmp_i64_const(const void *p_i64_const1, const void *p_i64_const2)
{
"""

_LABELS = """\
/* These emit nothing, or their label with what they emit; an end in dead code
   leaves parts of it behind. */
static const bool wamrpy_silent[256] = {
    [WASM_OP_NOP] = true,       [WASM_OP_GET_LOCAL] = true,
    [WASM_OP_I32_CONST] = true, [WASM_OP_I64_CONST] = true,
    [WASM_OP_F32_CONST] = true, [WASM_OP_F64_CONST] = true,
    [WASM_OP_END] = true,
};

"""

CURES: tuple[Cure, ...] = (
    _cure(
        """\
static int
cmp_i64_const(const void *p_i64_const1, const void *p_i64_const2)
{
""",
        _FAST,
        "The quick ways.",
    ),
    _cure(
        """\
                GET_LOCAL_INDEX_TYPE_AND_OFFSET();
                PUSH_TYPE(local_type);

#if WASM_ENABLE_GC != 0
                /* Cannot get""",
        """\
                GET_LOCAL_INDEX_TYPE_AND_OFFSET();
                if (!wamrpy_put(loader_ctx, local_type, (int16)local_offset,
                                error_buf, error_buf_size))
                    goto fail;

#if WASM_ENABLE_GC != 0
                /* Cannot get""",
        "A local.",
    ),
    _cure(
        """\
                /* Get Local is optimized out */
                skip_label();
                disable_emit = true;
                operand_offset = local_offset;
                PUSH_OFFSET_TYPE(local_type);
""",
        "",
        "The same.",
    ),
    _cure(
        """\
        disable_emit = false;
        emit_label(opcode);
#endif
        switch (opcode) {
""",
        """\
        disable_emit = false;
        if (!wamrpy_silent[opcode]
            || (opcode == WASM_OP_END
                && (loader_ctx->frame_csp - 1)->is_stack_polymorphic))
            emit_label(opcode);
#endif
        switch (opcode) {
""",
        "No label that is taken back.",
    ),
    _cure(
        """\
            case WASM_OP_NOP:
#if WASM_ENABLE_FAST_INTERP != 0
                skip_label();
#endif
""",
        """\
            case WASM_OP_NOP:
""",
        "The same.",
    ),
    _cure(
        """\
#if WASM_ENABLE_FAST_INTERP != 0
                    p_org = p;
                    skip_label();
                    disable_emit = false;
                    emit_label(opcode);
""",
        """\
#if WASM_ENABLE_FAST_INTERP != 0
                    p_org = p;
                    if (cur_block->is_stack_polymorphic)
                        skip_label();
                    disable_emit = false;
                    emit_label(opcode);
""",
        "The same.",
    ),
    _cure(
        """\
                skip_label();
                /* copy the result to the block return address */
""",
        """\
                if (cur_block->is_stack_polymorphic)
                    skip_label();
                /* copy the result to the block return address */
""",
        "The same.",
    ),
    *(
        _cure(
            """\
                skip_label();
                disable_emit = true;
"""
            + rest,
            """\
                disable_emit = true;
"""
            + rest,
            "The same.",
        )
        for rest in (
            "                GET_CONST_OFFSET(VALUE_TYPE_I32, i32_const);\n",
            "                GET_CONST_OFFSET(VALUE_TYPE_I64, i64_const);\n",
            "                bh_memcpy_s((uint8 *)&f32_const,",
            "                /* Some MCU may require 8-byte align */\n",
        )
    ),
    _cure(
        """\
static bool
wasm_loader_prepare_bytecode(WASMModule *module, WASMFunction *func,
                             uint32 cur_func_idx, char *error_buf,
                             uint32 error_buf_size,
                             struct WASMLoaderContext **kept)
{
""",
        _LABELS
        + """\
static bool
wasm_loader_prepare_bytecode(WASMModule *module, WASMFunction *func,
                             uint32 cur_func_idx, char *error_buf,
                             uint32 error_buf_size,
                             struct WASMLoaderContext **kept)
{
""",
        "Which these are.",
    ),
    *(
        _cure(
            f"""\
            case WASM_OP_{name}:
            {{
{before}                if (!(frame_csp_tmp =
                          check_branch_block(loader_ctx, &p, p_end, opcode,
                                             error_buf, error_buf_size)))
                    goto fail;
""",
            f"""\
            case WASM_OP_{name}:
            {{
                uint8 *at = p;
{before}                if (!(frame_csp_tmp =
                          check_branch_block(loader_ctx, &at, p_end, opcode,
                                             error_buf, error_buf_size)))
                    goto fail;
                p = at;
""",
            "The pointer into the code may be in a register.",
        )
        for name, before in (("BR", ""), ("BR_IF", "                POP_I32();\n\n"))
    ),
    _cure(
        """\
                    if (!(frame_csp_tmp =
                              check_branch_block(loader_ctx, &p, p_end, opcode,
                                                 error_buf, error_buf_size))) {
                        goto fail;
                    }

#if WASM_ENABLE_FAST_INTERP == 0
                    if (br_table_cache) {
""",
        """\
                    if (!(frame_csp_tmp =
                              check_branch_block(loader_ctx, &p_org, p_end,
                                                 opcode, error_buf,
                                                 error_buf_size))) {
                        goto fail;
                    }
                    p = p_org;

#if WASM_ENABLE_FAST_INTERP == 0
                    if (br_table_cache) {
""",
        "The same.",
    ),
)
