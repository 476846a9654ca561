"""What makes ``local.set`` and blocks cheap on a deep stack: who has a local's value is known.

A ``local.get`` emits nothing: the operand's place on the stack is the local itself, an alias. When
the local is written, and at each block, its aliases get a copy; the loader looked for them through
the whole stack, each time. A function of 200 KB took seconds, and nothing can interrupt loading.

Here each alias is noted when it is pushed. As aliases come and go with the stack, the notes are a
stack as well, lowest cell first, and a chain of those of each local leads through it. Popping
leaves notes behind: one counts while its cell is on the stack and has the local still, and those at
or above a cell are dropped when an alias, or a value of several cells, is pushed there. Each note
is dropped once, and looked at once or twice, so all of it takes in proportion to the code.
"""

from __future__ import annotations

from . import Cure

_LOADER = "core/iwasm/interpreter/wasm_loader.c"
_TESTS = "tests/regressions/test_loading.py::"
_TEST = _TESTS + "test_locals_keep_their_old_value_on_a_deep_stack"
_GROWTH = "tests/ratchet/test_growth.py::test_loading_takes_in_proportion"

CURES: tuple[Cure, ...] = (
    Cure(
        name="aliases",
        file=_LOADER,
        expect="""\
    /* preserved local offset */
    int16 preserved_local_offset;
""",
        replace="""\
    /* preserved local offset */
    int16 preserved_local_offset;

    /* the aliases of locals on the stack, lowest cell first */
    struct WamrpyAlias {
        uint32 cell;
        uint32 before; /* the last one of the same local before it, and one */
        uint16 local;
        bool done; /* it has a copy, and is in no chain */
    } *aliases;
    uint32 alias_num, alias_max;
    /* by local: its last alias, and one, or none */
    uint32 *alias_chains;
""",
        why="Room for the notes.",
        test=_TEST,
    ),
    Cure(
        name="aliases",
        file=_LOADER,
        expect="""\
static void
free_label_patch_list(BranchBlock *frame_csp)
{
""",
        replace="""\
/* Nothing at a cell, or above it, is an alias. */
static inline void
wamrpy_forget_aliases(WASMLoaderContext *ctx, uint32 cell)
{
    while (ctx->alias_num > 0
           && ctx->aliases[ctx->alias_num - 1].cell >= cell) {
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
wamrpy_note_alias(WASMLoaderContext *ctx, uint32 cell, uint16 local,
                  char *error_buf, uint32 error_buf_size)
{
    wamrpy_forget_aliases(ctx, cell);
    if (ctx->alias_num == ctx->alias_max) {
        uint32 max = ctx->alias_max ? ctx->alias_max * 2 : 32;
        uint32 size = (uint32)sizeof(*ctx->aliases);
        if (ctx->aliases)
            MEM_REALLOC(ctx->aliases, ctx->alias_max * size, max * size);
        else if (!(ctx->aliases = loader_malloc((uint64)max * size, error_buf,
                                                error_buf_size)))
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
wamrpy_note_again(WASMLoaderContext *ctx, const int16 *frame_offset,
                  const uint8 *types, uint32 count, char *error_buf,
                  uint32 error_buf_size)
{
    uint32 cell = (uint32)(frame_offset - ctx->frame_offset_bottom), i;

    wamrpy_forget_aliases(ctx, cell);
    for (i = 0; i < count; i++) {
        uint32 local = (uint32)ctx->frame_offset_bottom[cell];
        if (local < (uint32)ctx->start_dynamic_offset
            && !wamrpy_note_alias(ctx, cell, (uint16)local, error_buf,
                                  error_buf_size))
            return false;
        cell += wasm_value_type_cell_num(types[i]);
    }
    return true;
}

static void
free_label_patch_list(BranchBlock *frame_csp)
{
""",
        why="Notes are made, and dropped.",
        test=_TEST,
    ),
    Cure(
        name="aliases",
        file=_LOADER,
        expect="""\
        if (ctx->frame_offset_bottom)
            wasm_runtime_free(ctx->frame_offset_bottom);
""",
        replace="""\
        if (ctx->frame_offset_bottom)
            wasm_runtime_free(ctx->frame_offset_bottom);
        if (ctx->aliases)
            wasm_runtime_free(ctx->aliases);
        if (ctx->alias_chains)
            wasm_runtime_free(ctx->alias_chains);
""",
        why="Freed with the rest.",
        test=_TEST,
    ),
    Cure(
        name="aliases",
        file=_LOADER,
        expect="""\
            func->param_cell_num + func->local_cell_num;
#endif
    return loader_ctx;
""",
        replace="""\
            func->param_cell_num + func->local_cell_num;
    if (loader_ctx->start_dynamic_offset > 0
        && !(loader_ctx->alias_chains = loader_malloc(
                 sizeof(uint32) * (uint64)loader_ctx->start_dynamic_offset,
                 error_buf, error_buf_size)))
        goto fail;
#endif
    return loader_ctx;
""",
        why="A chain for each local.",
        test=_TEST,
    ),
    Cure(
        name="aliases",
        file=_LOADER,
        expect="""\
    /* clean up frame offset */
    memset(ctx->frame_offset_bottom, 0, ctx->frame_offset_size);
""",
        replace="""\
    wamrpy_forget_aliases(ctx, 0);
    /* clean up frame offset */
    memset(ctx->frame_offset_bottom, 0, ctx->frame_offset_size);
""",
        why="The second pass begins with none.",
        test=_TEST,
    ),
    Cure(
        name="aliases",
        file=_LOADER,
        expect="""\
    if (disable_emit)
        *(ctx->frame_offset)++ = operand_offset;
    else {
""",
        replace="""\
    if (!is_32bit_type(type))
        wamrpy_forget_aliases(
            ctx, (uint32)(ctx->frame_offset - ctx->frame_offset_bottom));
    /* behind a branch, what is pushed may seem to be a local as well */
    i = (uint32)(disable_emit ? operand_offset : ctx->dynamic_offset);
    if (i < (uint32)ctx->start_dynamic_offset
        && !wamrpy_note_alias(
            ctx, (uint32)(ctx->frame_offset - ctx->frame_offset_bottom),
            (uint16)i, error_buf, error_buf_size))
        return false;
    if (disable_emit)
        *(ctx->frame_offset)++ = operand_offset;
    else {
""",
        why="Where aliases come from. A value of several cells leaves no note within it.",
        test=_TEST,
    ),
    Cure(
        name="aliases",
        file=_LOADER,
        expect="""\
                    bh_memcpy_s(loader_ctx->frame_offset, size,
                                block->param_frame_offsets, size);
""",
        replace="""\
                    bh_memcpy_s(loader_ctx->frame_offset, size,
                                block->param_frame_offsets, size);
                    if (!wamrpy_note_again(
                            loader_ctx, loader_ctx->frame_offset,
                            block_type.u.type->types,
                            block_type.u.type->param_count, error_buf,
                            error_buf_size))
                        goto fail;
""",
        why="An else begins with the parameters that the if had.",
        test=_TEST,
    ),
    Cure(
        name="aliases",
        file=_LOADER,
        expect="""\
        bh_assert(j == value_count);

""",
        replace="""\
        bh_assert(j == value_count);
        if (!wamrpy_note_again(loader_ctx, frame_offset, return_types,
                               return_count, error_buf, error_buf_size)) {
            wasm_runtime_free(emit_data);
            goto fail;
        }

""",
        why="A block's results are written last to first.",
        test=_TEST,
    ),
    Cure(
        name="aliases",
        file=_LOADER,
        expect="""\
    uint32 i = 0;
    int16 preserved_offset = (int16)local_index;

    *preserved = false;
    while (i < loader_ctx->stack_cell_num) {
        uint8 cur_type = loader_ctx->frame_ref_bottom[i];

        /* move previous""",
        replace="""\
    uint32 i, at = loader_ctx->alias_chains[local_index];
    int16 preserved_offset = (int16)local_index;

    *preserved = false;
    loader_ctx->alias_chains[local_index] = 0;
    for (; at > 0; at = loader_ctx->aliases[at - 1].before) {
        loader_ctx->aliases[at - 1].done = true;
        i = loader_ctx->aliases[at - 1].cell;
        if (i >= loader_ctx->stack_cell_num)
            continue;

        /* move previous""",
        why="The local's aliases, in place of all that is on the stack.",
        test=_GROWTH,
    ),
    Cure(
        name="aliases",
        file=_LOADER,
        expect="""\
            loader_ctx->frame_offset_bottom[i] = preserved_offset;
        }

        if (cur_type == VALUE_TYPE_V128) {
            i += 4;
        }
        else if (is_32bit_type(cur_type)) {
            i++;
        }
        else {
            i += 2;
        }
    }
""",
        replace="""\
            loader_ctx->frame_offset_bottom[i] = preserved_offset;
        }
    }
""",
        why="The same.",
        test=_GROWTH,
    ),
    Cure(
        name="aliases",
        file=_LOADER,
        expect="""\
    while (i < loader_ctx->stack_cell_num) {
        int16 cur_offset = loader_ctx->frame_offset_bottom[i];
        uint8 cur_type = loader_ctx->frame_ref_bottom[i];

        if ((cur_offset < loader_ctx->start_dynamic_offset)
            && (cur_offset >= 0)) {
            if (!(preserve_referenced_local(loader_ctx, opcode, cur_offset,
                                            cur_type, &preserve_local,
                                            error_buf, error_buf_size)))
                return false;
        }

        if (cur_type == VALUE_TYPE_V128) {
            i += 4;
        }
        else if (is_32bit_type(cur_type)) {
            i++;
        }
        else {
            i += 2;
        }
    }
""",
        replace="""\
    for (; i < loader_ctx->alias_num; i++) {
        struct WamrpyAlias alias = loader_ctx->aliases[i];

        if (!alias.done && alias.cell < loader_ctx->stack_cell_num
            && loader_ctx->frame_offset_bottom[alias.cell] == alias.local
            && !preserve_referenced_local(
                loader_ctx, opcode, alias.local,
                loader_ctx->frame_ref_bottom[alias.cell], &preserve_local,
                error_buf, error_buf_size))
            return false;
    }
    wamrpy_forget_aliases(loader_ctx, 0);
""",
        why="A block needs a copy of each local that has an alias.",
        test=_GROWTH,
    ),
    Cure(
        name="aliases",
        file=_LOADER,
        expect="""\
        MEM_REALLOC(ctx->frame_offset_bottom, ctx->frame_offset_size,
                    ctx->frame_offset_size + 16);
        ctx->frame_offset_size += 16;
""",
        replace="""\
        MEM_REALLOC(ctx->frame_offset_bottom, ctx->frame_offset_size,
                    ctx->frame_offset_size * 2);
        ctx->frame_offset_size *= 2;
""",
        why="A deep stack was moved at each eighth value.",
        test=_GROWTH,
    ),
    Cure(
        name="aliases",
        file=_LOADER,
        expect="""\
        MEM_REALLOC(ctx->frame_ref_bottom, ctx->frame_ref_size,
                    ctx->frame_ref_size + 16);
        ctx->frame_ref_size += 16;
""",
        replace="""\
        MEM_REALLOC(ctx->frame_ref_bottom, ctx->frame_ref_size,
                    ctx->frame_ref_size * 2);
        ctx->frame_ref_size *= 2;
""",
        why="The same.",
        test=_GROWTH,
    ),
)
