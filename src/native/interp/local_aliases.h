/* Local aliases: operands on the stack that stand for a local.
 *
 * Included by wasm_loader.c, behind check_dynamic_offset_pop(). `local.get` pushes
 * no value but the local's own slot, so `local.set` must first copy the old value
 * for all operands that stand for it. The aliases of a local are chained, so that
 * these are found at once. */

/* Nothing at a cell, or above it, is an alias. */
static inline void
wamrpy_forget_aliases(WASMLoaderContext *ctx, uint32 cell)
{
    while (ctx->alias_num > 0 && ctx->aliases[ctx->alias_num - 1].cell >= cell) {
        struct WamrpyAlias *alias = &ctx->aliases[--ctx->alias_num];
        if (!alias->done)
            ctx->alias_chains[alias->local] = alias->before;
    }
}

/* There is room for it, and nothing at the cell or above. */
static inline void
wamrpy_add_alias(WASMLoaderContext *ctx, uint32 cell, uint16 local)
{
    struct WamrpyAlias *alias = &ctx->aliases[ctx->alias_num++];

    alias->cell = cell;
    alias->local = local;
    alias->done = false;
    alias->before = ctx->alias_chains[local];
    ctx->alias_chains[local] = ctx->alias_num;
}

static bool
wamrpy_note_alias(WASMLoaderContext *ctx, uint32 cell, uint16 local, char *error_buf,
                  uint32 error_buf_size)
{
    wamrpy_forget_aliases(ctx, cell);
    if (ctx->alias_num == ctx->alias_max) {
        uint32 max = ctx->alias_max ? ctx->alias_max * 2 : 32;
        uint32 size = (uint32)sizeof(*ctx->aliases);
        if (ctx->aliases)
            MEM_REALLOC(ctx->aliases, ctx->alias_max * size, max * size);
        else if (!(ctx->aliases = loader_malloc((uint64)max * size, error_buf, error_buf_size)))
            goto fail;
        ctx->alias_max = max;
    }
    wamrpy_add_alias(ctx, cell, local);
    return true;
fail:
    return false;
}

/* Some values that were written to the stack, from frame_offset on. */
static bool
wamrpy_note_again(WASMLoaderContext *ctx, const int16 *frame_offset, const uint8 *types,
                  uint32 count, char *error_buf, uint32 error_buf_size)
{
    uint32 cell = (uint32)(frame_offset - ctx->frame_offset_bottom), i;

    wamrpy_forget_aliases(ctx, cell);
    for (i = 0; i < count; i++) {
        uint32 local = (uint32)ctx->frame_offset_bottom[cell];
        if (local < (uint32)ctx->start_dynamic_offset &&
            !wamrpy_note_alias(ctx, cell, (uint16)local, error_buf, error_buf_size))
            return false;
        cell += wasm_value_type_cell_num(types[i]);
    }
    return true;
}
