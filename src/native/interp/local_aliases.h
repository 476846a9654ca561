/* local_aliases.h: local aliases: operands on the stack that stand for a local.
 *
 * Included by wasm_loader.c, after check_dynamic_offset_pop(). `local.get` emits no
 * copy; it pushes the slot of the local itself. So `local.set` must first copy the
 * old value for all operands that stand for the local. The aliases of a local are
 * chained, so that it finds them without a search through the operand stack. */

/* Removes the aliases at a cell and above it. */
static inline void
wamrpy_forget_aliases(WASMLoaderContext *ctx, uint32 cell)
{
    while (ctx->alias_num > 0 && ctx->aliases[ctx->alias_num - 1].cell >= cell) {
        struct WamrpyAlias *alias = &ctx->aliases[--ctx->alias_num];
        if (!alias->done)
            ctx->alias_chains[alias->local] = alias->before;
    }
}

/* Adds an alias. There must be room for it, and no alias at the cell or above. */
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

/* Adds an alias in place of those at the cell and above. */
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

/* Adds the aliases among `count` values that were pushed again, from frame_offset
   on. */
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
