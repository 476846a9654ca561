/* Single-pass loading: a function's code is gone through once, not twice.
 *
 * WAMR goes through the code a first time to count: how much it will emit, how
 * many slots are dynamic, which constants there are. Only then it knows where
 * constants and kept locals are, and emits. Here the loader emits at once, into a
 * buffer that all functions of a module share, and writes for now
 *
 *   - a constant as its number among the function's constants, below zero;
 *   - a slot that keeps a local's old value as WAMRPY_KEPT plus its number;
 *   - an address within the code as one in that buffer; one that is not known
 *     yet, as the address of the previous place that waits for the same one.
 *
 * Each of these places is noted. At the end constants are sorted, the places get
 * what WAMR would have written, and the code is copied to where it stays. Nothing
 * else differs: what is decided on the way depends on a slot's sign and on its
 * order among dynamic ones, and these are the same. Where that is not sure (very
 * large functions, a result's slot compared with a kept one), and for all that is
 * refused, the function is begun again in WAMR's own way. So what is valid, and
 * what an error says, is as it was.
 *
 * Included by wasm_loader.c, in front of wasm_loader_prepare_bytecode(). */

/* What the function before has left, for this one. */
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
        /* dead code may copy what is above the stack */
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
