/* operand_stack.h: the common cases of the loader's operand stack, inline.
 *
 * Included by wasm_loader.c, after the general functions that push and pop
 * operands. Each function here does the same as a general one where a value has
 * one or two cells and there is room. In all other cases it calls the general
 * function, and only that reports errors. */

/* Pops a value of the type, if it is one and belongs to the current block. */
static inline bool
wamrpy_pop_quickly(WASMLoaderContext *ctx, uint8 type)
{
    uint32 cells = wamrpy_cells[type];
    int16 slot;

    if (cells == 0 || cells > 2 ||
        (int32)(ctx->stack_cell_num - (ctx->frame_csp - 1)->stack_cell_num) < (int32)cells ||
        ctx->frame_ref[-1] != type || ctx->frame_ref[-(int32)cells] != type ||
        ctx->frame_offset - cells < ctx->frame_offset_bottom)
        return false;
    ctx->frame_ref -= cells;
    ctx->stack_cell_num -= cells;
    ctx->frame_offset -= cells;
    slot = *ctx->frame_offset;
    if (slot > ctx->start_dynamic_offset && slot < ctx->max_dynamic_offset &&
        ctx->dynamic_offset >= (int32)cells)
        ctx->dynamic_offset -= (int16)cells;
    emit_operand(ctx, slot);
    return true;
}

/* Pushes a value of one cell, with a new slot. */
static inline bool
wamrpy_push_quickly(WASMLoaderContext *ctx, uint8 type)
{
    if (wamrpy_cells[type] != 1 || ctx->frame_offset >= ctx->frame_offset_boundary ||
        ctx->frame_ref >= ctx->frame_ref_boundary ||
        ctx->stack_cell_num >= ctx->max_stack_cell_num ||
        ctx->dynamic_offset >= ctx->max_dynamic_offset ||
        ctx->dynamic_offset < ctx->start_dynamic_offset)
        return false;
    emit_operand(ctx, ctx->dynamic_offset);
    *ctx->frame_offset++ = ctx->dynamic_offset++;
    *ctx->frame_ref++ = type;
    wamrpy_note_reference(ctx, type);
    ctx->stack_cell_num++;
    return true;
}

/* Pushes a local, or a constant, of one cell: the slot that it has already. */
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
wamrpy_push_frame_ref(WASMLoaderContext *ctx, uint8 type, char *error_buf, uint32 error_buf_size)
{
    if (wamrpy_cells[type] != 1 || ctx->frame_ref >= ctx->frame_ref_boundary ||
        ctx->stack_cell_num >= ctx->max_stack_cell_num)
        return wasm_loader_push_frame_ref(ctx, type, error_buf, error_buf_size);
    *ctx->frame_ref++ = type;
    wamrpy_note_reference(ctx, type);
    ctx->stack_cell_num++;
    return true;
}

static bool
wamrpy_push_frame_offset(WASMLoaderContext *ctx, uint8 type, bool disable_emit,
                         int16 operand_offset, char *error_buf, uint32 error_buf_size)
{
    if (disable_emit && wamrpy_cells[type] == 1 && wamrpy_put_quickly(ctx, operand_offset))
        return true;
    return wasm_loader_push_frame_offset(ctx, type, disable_emit, operand_offset, error_buf,
                                         error_buf_size);
}

/* Pushes a local or a constant. */
static bool
wamrpy_put(WASMLoaderContext *ctx, uint8 type, int16 slot, char *error_buf, uint32 error_buf_size)
{
    if (wamrpy_cells[type] == 1 && ctx->frame_ref < ctx->frame_ref_boundary &&
        ctx->stack_cell_num < ctx->max_stack_cell_num && wamrpy_put_quickly(ctx, slot)) {
        *ctx->frame_ref++ = type;
        wamrpy_note_reference(ctx, type);
        ctx->stack_cell_num++;
        return true;
    }
    return wasm_loader_push_frame_offset(ctx, type, true, slot, error_buf, error_buf_size) &&
           wasm_loader_push_frame_ref(ctx, type, error_buf, error_buf_size);
}

static bool
wamrpy_push_frame_ref_offset(WASMLoaderContext *ctx, uint8 type, bool disable_emit,
                             int16 operand_offset, char *error_buf, uint32 error_buf_size)
{
    if (disable_emit)
        return wamrpy_put(ctx, type, operand_offset, error_buf, error_buf_size);
    return wamrpy_push_quickly(ctx, type) ||
           (wasm_loader_push_frame_offset(ctx, type, false, 0, error_buf, error_buf_size) &&
            wasm_loader_push_frame_ref(ctx, type, error_buf, error_buf_size));
}

static bool
wamrpy_pop_frame_ref_offset(WASMLoaderContext *ctx, uint8 type, char *error_buf,
                            uint32 error_buf_size)
{
    return wamrpy_pop_quickly(ctx, type) ||
           (wasm_loader_pop_frame_offset(ctx, type, error_buf, error_buf_size) &&
            wasm_loader_pop_frame_ref(ctx, type, error_buf, error_buf_size));
}

static bool
wamrpy_push_pop_frame_ref_offset(WASMLoaderContext *ctx, uint8 pop_cnt, uint8 type_push,
                                 uint8 type_pop, bool disable_emit, int16 operand_offset,
                                 char *error_buf, uint32 error_buf_size)
{
    for (; pop_cnt > 0; pop_cnt--)
        if (!wamrpy_pop_frame_ref_offset(ctx, type_pop, error_buf, error_buf_size))
            return false;
    return wamrpy_push_frame_ref_offset(ctx, type_push, disable_emit, operand_offset, error_buf,
                                        error_buf_size);
}
