/* single_pass_addresses.h: single-pass loading: addresses of code that isn't emitted yet.
 *
 * Included by wasm_loader.c, after apply_label_patch(). See single_pass.h. */

/* Emits a placeholder for an address. The placeholders of a block are a linked
   list through the code, newest first. */
static void
wamrpy_emit_address(WASMLoaderContext *ctx, BranchBlock *block, uint8 patch_type)
{
    wasm_loader_emit_ptr(ctx, block->later[patch_type]);
    block->later[patch_type] =
        ctx->p_code_compiled && !ctx->restart ? ctx->p_code_compiled - sizeof(void *) : NULL;
}

/* Replaces the placeholders of a block by the current address. */
static void
wamrpy_apply_addresses(WASMLoaderContext *ctx, uint8 depth, uint8 patch_type)
{
    BranchBlock *block = ctx->frame_csp - depth;
    uint8 *place = block->later[patch_type], *before;

    block->later[patch_type] = NULL;
    if (!ctx->p_code_compiled || ctx->restart)
        return;
    for (; place; place = before) {
        memcpy(&before, place, sizeof(before));
        STORE_PTR(place, ctx->p_code_compiled);
        if (ctx->single_pass)
            wamrpy_note_jump(ctx, place);
    }
}
