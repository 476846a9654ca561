/* exception_loading.h: makes the handler table of a function while its code is loaded.
 *
 * exception_handlers.h tells what is in the table. The loader collects try
 * blocks and catch clauses in the order of the code, and copies them to the
 * function at its end. A clause whose target isn't known yet, since the block
 * that it leads to hasn't ended, is chained to that block through `target`.
 *
 * Included by wasm_loader.c, in front of wasm_loader_prepare_bytecode(). */

/* Where the next instruction goes, as an offset; 0 where the first of two
   passes only counts. */
static uint32
wamrpy_place(const WASMLoaderContext *ctx, const WASMFunction *func)
{
    if (!ctx->p_code_compiled || ctx->restart)
        return 0;
    return (uint32)(ctx->p_code_compiled -
                    (ctx->single_pass ? ctx->room + WAMRPY_RED : func->code_compiled));
}

/* Makes room for one more item; NULL: no memory, and the array stays. */
static void *
wamrpy_grow(void *array, uint32 num, uint32 *max, uint32 size, char *error_buf,
            uint32 error_buf_size)
{
    uint32 more = num * 2 + 16;
    void *grown;

    if (num < *max)
        return array;
    if (num > UINT32_MAX / 64 || !(grown = wasm_runtime_realloc(array, more * size))) {
        set_error_buf(error_buf, error_buf_size, "allocate memory failed");
        return NULL;
    }
    *max = more;
    return grown;
}

/* Begins the try block that the newest block is. */
static bool
wamrpy_begin_try(WASMLoaderContext *ctx, const WASMFunction *func, char *error_buf,
                 uint32 error_buf_size)
{
    BranchBlock *block = ctx->frame_csp - 1;
    WamrPyTryBlock *tries = wamrpy_grow(ctx->tries, ctx->try_num, &ctx->try_max, sizeof(*tries),
                                        error_buf, error_buf_size);

    if (!tries)
        return false;
    ctx->tries = tries;
    tries += ctx->try_num++;
    memset(tries, 0, sizeof(*tries));
    tries->start = wamrpy_place(ctx, func);
    tries->end = UINT32_MAX;
    tries->parent = tries->outer = ctx->in_try;
    ctx->in_try = block->in_try = block->own_try = ctx->try_num;
    return true;
}

/* Ends the code that a try block guards. */
static void
wamrpy_end_try(WASMLoaderContext *ctx, const WASMFunction *func, BranchBlock *block)
{
    WamrPyTryBlock *own = ctx->tries + block->own_try - 1;

    own->end = wamrpy_place(ctx, func);
    ctx->in_try = block->in_try = own->parent;
}

/* Adds a clause behind the last one of its try block; NULL: no memory. */
static WamrPyCatchClause *
wamrpy_add_clause(WASMLoaderContext *ctx, BranchBlock *block, char *error_buf,
                  uint32 error_buf_size)
{
    WamrPyCatchClause *clauses = wamrpy_grow(ctx->clauses, ctx->clause_num, &ctx->clause_max,
                                             sizeof(*clauses), error_buf, error_buf_size);

    if (!clauses)
        return NULL;
    ctx->clauses = clauses;
    clauses += ctx->clause_num++;
    memset(clauses, 0, sizeof(*clauses));
    clauses->ref_slot = -1;
    if (block->last_clause)
        ctx->clauses[block->last_clause - 1].next = ctx->clause_num;
    else
        ctx->tries[block->own_try - 1].clause = ctx->clause_num;
    block->last_clause = ctx->clause_num;
    return clauses;
}

/* Gives the clauses that lead to the end of a block their target: here. */
static void
wamrpy_apply_clauses(WASMLoaderContext *ctx, const WASMFunction *func, BranchBlock *block)
{
    uint32 i = block->waiting_clauses, place;

    if (!i)
        return;
    block->waiting_clauses = 0;
    place = wamrpy_place(ctx, func);
    while (i) {
        WamrPyCatchClause *clause = ctx->clauses + i - 1;

        i = clause->target;
        clause->target = place;
    }
}

/* Gives the function its table. */
static bool
wamrpy_keep_handlers(WASMLoaderContext *ctx, WASMFunction *func, char *error_buf,
                     uint32 error_buf_size)
{
    uint64 tries = (uint64)ctx->try_num * sizeof(WamrPyTryBlock);
    uint64 clauses = (uint64)ctx->clause_num * sizeof(WamrPyCatchClause);
    WamrPyHandlers *handlers;

    if (!ctx->try_num)
        return true;
    if (!(handlers = loader_malloc(sizeof(*handlers) + tries + clauses, error_buf, error_buf_size)))
        return false;
    handlers->try_num = ctx->try_num;
    handlers->clause_num = ctx->clause_num;
    memcpy(handlers->tries, ctx->tries, (size_t)tries);
    handlers->clauses = (WamrPyCatchClause *)(handlers->tries + ctx->try_num);
    if (clauses)
        memcpy(handlers->clauses, ctx->clauses, (size_t)clauses);
    func->handlers = handlers;
    return true;
}

/* The type of a tag; NULL: there is no such tag, and the error is set. */
static WASMFuncType *
wamrpy_tag_type(const WASMModule *module, uint32 index, char *error_buf, uint32 error_buf_size)
{
    if (index < module->import_tag_count)
        return module->import_tags[index].u.tag.tag_type;
    if (index - module->import_tag_count < module->tag_count)
        return module->tags[index - module->import_tag_count]->tag_type;
    set_error_buf_v(error_buf, error_buf_size, "unknown tag %u", index);
    return NULL;
}

/* Reads the catch clauses of a try_table, whose block is the newest one. Their
   labels count from outside of it. */
static bool
wamrpy_read_clauses(WASMLoaderContext *ctx, const WASMModule *module, const uint8 **p_buf,
                    const uint8 *buf_end, char *error_buf, uint32 error_buf_size)
{
    const uint8 *p = *p_buf, *p_end = buf_end;
    BranchBlock *own = ctx->frame_csp - 1;
    uint32 count, i;

    read_leb_uint32(p, p_end, count);
    for (i = 0; i < count; i++) {
        uint32 tag = UINT32_MAX, depth, arity, values = 0;
        uint8 kind, with_ref, *types = NULL;
        WASMFuncType *type = NULL;
        WamrPyCatchClause *clause;
        BranchBlock *block;
        bool loop;

        CHECK_BUF(p, p_end, 1);
        kind = read_uint8(p); /* catch, catch_ref, catch_all, catch_all_ref */
        if (kind > 3) {
            set_error_buf(error_buf, error_buf_size, "malformed catch clause");
            goto fail;
        }
        with_ref = kind & 1;
        if (kind < 2) {
            read_leb_uint32(p, p_end, tag);
            if (!(type = wamrpy_tag_type(module, tag, error_buf, error_buf_size)))
                goto fail;
            values = type->param_count;
        }
        read_leb_uint32(p, p_end, depth);
        if (depth >= ctx->csp_num - 1) {
            set_error_buf(error_buf, error_buf_size, "unknown label");
            goto fail;
        }
        block = own - 1 - depth;
        loop = block->label_type == LABEL_TYPE_LOOP;
        arity = loop ? block_type_get_param_types(&block->block_type, &types)
                     : block_type_get_result_types(&block->block_type, &types);
        if (arity != values + with_ref || (values && memcmp(types, type->types, values)) ||
            (with_ref && types[values] != VALUE_TYPE_EXNREF)) {
            set_error_buf(error_buf, error_buf_size, "type mismatch");
            goto fail;
        }
        if (!(clause = wamrpy_add_clause(ctx, own, error_buf, error_buf_size)))
            goto fail;
        clause->tag = tag;
        clause->slot = (int16)(loop ? block->start_dynamic_offset : block->dynamic_offset);
        if (clause->slot < 0)
            ctx->restart = ctx->single_pass;
        if (with_ref)
            clause->ref_slot =
                (int16)(clause->slot + (values ? wasm_get_cell_num(types, values) : 0));
        if (loop)
            clause->target = block->loop_place;
        else {
            clause->target = block->waiting_clauses;
            block->waiting_clauses = ctx->clause_num;
        }
    }
    *p_buf = p;
    return true;
fail:
    return false;
}

/* The legacy form: try, catch, catch_all, rethrow, delegate. A catch is a clause
   whose target is its own code, within the block; what was thrown is kept for
   rethrow in a slot of the block, if a rethrow asks for it. */

/* Reserves the slot of the newest block, a try, for the exception. */
static bool
wamrpy_reserve_caught(WASMLoaderContext *ctx, char *error_buf, uint32 error_buf_size)
{
    BranchBlock *block = ctx->frame_csp - 1;

    block->caught_slot = ctx->dynamic_offset++;
    if (ctx->dynamic_offset > ctx->max_dynamic_offset) {
        ctx->max_dynamic_offset = ctx->dynamic_offset;
        if (ctx->dynamic_offset >= INT16_MAX) {
            set_error_buf(error_buf, error_buf_size, "fast interpreter offset overflow");
            return false;
        }
    }
    block->start_dynamic_offset = ctx->dynamic_offset;
    return true;
}

/* Lets the catch clause whose code the block at `depth` is in keep its exnref. */
static bool
wamrpy_keep_caught(WASMLoaderContext *ctx, uint32 depth, char *error_buf, uint32 error_buf_size)
{
    BranchBlock *block;

    if (depth >= ctx->csp_num) {
        set_error_buf(error_buf, error_buf_size, "unknown label");
        return false;
    }
    block = ctx->frame_csp - 1 - depth;
    if (block->label_type != LABEL_TYPE_CATCH && block->label_type != LABEL_TYPE_CATCH_ALL) {
        set_error_buf(error_buf, error_buf_size, "invalid rethrow label");
        return false;
    }
    ctx->clauses[block->last_clause - 1].ref_slot = block->caught_slot;
    return true;
}
