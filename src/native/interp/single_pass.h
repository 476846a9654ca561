/* single_pass.h: single-pass loading: the loader reads a function's code once, not twice.
 *
 * WAMR's first pass counts: how much code will be emitted, how many slots are
 * dynamic, and which constants there are. Only then are the slots of constants and
 * of preserved locals known, and the second pass emits. Here the loader emits in
 * its first pass, into a buffer that all functions of a module share, with
 * placeholders:
 *
 *   - for a constant, its number among the function's constants, below zero;
 *   - for a slot that preserves a local's old value, WAMRPY_KEPT plus its number;
 *   - for an address within the code, the address in the buffer; if that is not
 *     known yet, the address of the previous placeholder that waits for the same
 *     target.
 *
 * The places of all placeholders are recorded. At the end of the function the
 * constants are sorted, the placeholders are replaced by the values that WAMR
 * would have emitted, and the code is copied to its final place. All else is the
 * same, since the loader's decisions depend only on the sign of a slot and on the
 * order of dynamic slots. Where that is not certain (in very large functions, and
 * where the slot of a result is compared with that of a preserved local), and
 * after any error, the function is loaded again in two passes. So the same modules
 * are valid, with the same error texts.
 *
 * Included by wasm_loader.c, before wasm_loader_prepare_bytecode(). */

/* Resets the context of the previous function for the next one, or makes the
   first. Returns NULL where there is no memory. A context without `single_pass`
   loads the function in two passes. */
static WASMLoaderContext *
wamrpy_begin(WASMLoaderContext *ctx, WASMFunction *func, char *error_buf, uint32 error_buf_size)
{
    uint64 room_size = (uint64)func->code_size * 8 + 4096;

    if (!ctx) {
        if (!(ctx = wasm_loader_ctx_init(func, error_buf, error_buf_size)))
            return NULL;
        ctx->chain_max = (uint32)ctx->start_dynamic_offset;
    } else {
        uint32 cells = (uint32)func->param_cell_num + func->local_cell_num;
        uint32 size;

        if (cells >= INT16_MAX) {
            wasm_loader_ctx_destroy(ctx);
            return wasm_loader_ctx_init(func, error_buf, error_buf_size);
        }
        if (cells > ctx->chain_max) {
            wasm_runtime_free(ctx->alias_chains);
            if (!(ctx->alias_chains = loader_malloc(sizeof(uint32) * (uint64)cells * 2, error_buf,
                                                    error_buf_size))) {
                wasm_loader_ctx_destroy(ctx);
                return NULL;
            }
            ctx->chain_max = cells * 2;
        }
        ctx->start_dynamic_offset = ctx->dynamic_offset = ctx->max_dynamic_offset = (int16)cells;
        ctx->frame_ref = ctx->frame_ref_bottom;
        /* unreachable code may copy cells above the stack */
        size = ctx->max_stack_cell_num * (uint32)sizeof(int16);
        memset(ctx->frame_offset_bottom, 0,
               size < ctx->frame_offset_size ? size : ctx->frame_offset_size);
        ctx->stack_cell_num = ctx->max_stack_cell_num = 0;
        ctx->frame_csp = ctx->frame_csp_bottom;
        ctx->csp_num = ctx->max_csp_num = 0;
        ctx->frame_offset = ctx->frame_offset_bottom;
        if (ctx->i32_const_num > 0)
            memset(ctx->seen32, 0, sizeof(ctx->seen32));
        if (ctx->i64_const_num > 0)
            memset(ctx->seen64, 0, sizeof(ctx->seen64));
        ctx->i32_const_num = ctx->i64_const_num = ctx->v128_const_num = 0;
        ctx->uses32 = ctx->uses64 = 0;
        ctx->jump_num = 0;
        ctx->compared = 0;
        memset(ctx->wamrpy_labels, 0, sizeof(ctx->wamrpy_labels));
        ctx->wamrpy_pairs = 0;
    }
    if (room_size > ctx->room_size && room_size < UINT32_MAX / 2) {
        if (ctx->room)
            wasm_runtime_free(ctx->room);
        ctx->room_size = (uint32)room_size * 2;
        if (!(ctx->room = wasm_runtime_malloc(ctx->room_size)))
            ctx->room_size = 0;
    }
    if (!ctx->places && (ctx->places = wasm_runtime_malloc(64 * sizeof(*ctx->places)))) {
        ctx->places[0] = NULL;
        ctx->place_max = ctx->places + 64;
    }
    if (!ctx->places || room_size > ctx->room_size) {
        wasm_loader_ctx_destroy(ctx);
        return wasm_loader_ctx_init(func, error_buf, error_buf_size);
    }
    ctx->single_pass = true;
    ctx->place_end = ctx->places + 1;
    ctx->p_code_compiled = ctx->room + WAMRPY_RED;
    ctx->p_code_compiled_end = ctx->room + ctx->room_size - 16;
    return ctx;
}
