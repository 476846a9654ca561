/* Single-pass loading: addresses of code that isn't emitted yet.
 *
 * Included by wasm_loader.c, behind apply_label_patch(). See single_pass.h. */

/* An address that is not known yet: a block's places are a chain through the
   code, the last one first. */
static void
wamrpy_emit_address(WASMLoaderContext *ctx, BranchBlock *block, uint8 patch_type)
{
    wasm_loader_emit_ptr(ctx, block->later[patch_type]);
    block->later[patch_type] =
        ctx->p_code_compiled && !ctx->restart ? ctx->p_code_compiled - sizeof(void *) : NULL;
}

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
