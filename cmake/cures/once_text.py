"""The C of ``once``: how a function is begun, and operands and addresses are noted."""

from __future__ import annotations

FIELDS = """\
    uint32 code_compiled_peak_size;

    /* one pass: see cmake/cures/once.py */
    bool once;  /* this function is loaded so */
    bool again; /* and it can't be */
    uint8 *room;
    uint32 room_size;
    uint8 **places, **place_end, **place_max; /* a NULL, then operands to fix */
    uint8 **jumps;                            /* addresses to move */
    uint32 jump_num, jump_max;
    int32 compared; /* the highest slot of a result beside a kept one */
    uint32 uses32, uses64; /* the constants that the first of two would have */
    uint16 seen32[256], seen64[256]; /* by hash: the number of one, and one */
    struct WamrpyConst {
        int64 value;
        uint16 number, to;
    } *sorted;
    uint32 sorted_max;
    uint32 chain_max;
} WASMLoaderContext;

#define WAMRPY_KEPT 0x4000 /* above it: slots that keep locals */
#define WAMRPY_CONSTS 16000
#define WAMRPY_RED 64 /* bytes in front of the room, for what is taken back */
"""

EMIT = """\
/* No room for 8 bytes, or nothing is emitted yet. */
static WAMRPY_NOINLINE void
wamrpy_no_room(WASMLoaderContext *ctx)
{
    if (ctx->once) {
        ctx->again = true;
        ctx->p_code_compiled = ctx->room + WAMRPY_RED;
    }
}

/* The operand that was just written is no slot yet. */
static WAMRPY_NOINLINE void
wamrpy_note_place(WASMLoaderContext *ctx)
{
    if (!ctx->once)
        return;
    if (ctx->place_end == ctx->place_max) {
        uint32 num = (uint32)(ctx->place_end - ctx->places);
        uint8 **places = num > UINT32_MAX / 32
                             ? NULL
                             : wasm_runtime_realloc(ctx->places,
                                                    num * 2 * sizeof(*places));
        if (!places) {
            ctx->again = true;
            return;
        }
        ctx->places = places;
        ctx->place_end = places + num;
        ctx->place_max = places + num * 2;
    }
    *ctx->place_end++ = ctx->p_code_compiled - sizeof(int16);
}

/* There will be, or is, an address within the code; only in one pass. */
static void
wamrpy_note_jump(WASMLoaderContext *ctx, uint8 *place)
{
    if (ctx->jump_num == ctx->jump_max) {
        uint32 max = ctx->jump_max ? ctx->jump_max * 2 : 64;
        uint8 **jumps = max > UINT32_MAX / 16
                            ? NULL
                            : wasm_runtime_realloc(ctx->jumps,
                                                   max * sizeof(*jumps));
        if (!jumps) {
            ctx->again = true;
            return;
        }
        ctx->jumps = jumps;
        ctx->jump_max = max;
    }
    ctx->jumps[ctx->jump_num++] = place;
}

#define WAMRPY_EMIT(name, type)                                       \\
    static inline void wamrpy_##name(WASMLoaderContext *ctx, type value) \\
    {                                                                 \\
        if (ctx->p_code_compiled_end - ctx->p_code_compiled < 8)      \\
            wamrpy_no_room(ctx);                                      \\
        wasm_loader_##name(ctx, value);                               \\
    }
WAMRPY_EMIT(emit_uint32, uint32)
WAMRPY_EMIT(emit_uint8, uint8)
WAMRPY_EMIT(emit_ptr, void *)
WAMRPY_EMIT(emit_int16, int16)

static inline void
wamrpy_emit_operand(WASMLoaderContext *ctx, int16 value)
{
    wamrpy_emit_int16(ctx, value);
    if ((uint16)value >= WAMRPY_KEPT)
        wamrpy_note_place(ctx);
}

static inline void
wamrpy_emit_const(WASMLoaderContext *ctx, void *value, bool is_32_bit)
{
    if (ctx->p_code_compiled_end - ctx->p_code_compiled < 8)
        wamrpy_no_room(ctx);
    wasm_loader_emit_const(ctx, value, is_32_bit);
}

static inline void
wamrpy_emit_backspace(WASMLoaderContext *ctx, uint32 size)
{
    wasm_loader_emit_backspace(ctx, size);
    if (ctx->once)
        while (ctx->place_end[-1] > ctx->p_code_compiled - sizeof(int16))
            ctx->place_end--;
}

#define wasm_loader_emit_uint32 wamrpy_emit_uint32
#if WASM_CPU_SUPPORTS_UNALIGNED_ADDR_ACCESS == 0
static inline void
wamrpy_emit_padded(WASMLoaderContext *ctx, uint8 value)
{
    wamrpy_emit_uint8(ctx, value);
    if (ctx->p_code_compiled)
        ctx->p_code_compiled[-1] = 0;
}
#define wasm_loader_emit_uint8 wamrpy_emit_padded
#else
#define wasm_loader_emit_uint8 wamrpy_emit_uint8
#endif
#define wasm_loader_emit_ptr wamrpy_emit_ptr
#define wasm_loader_emit_int16 wamrpy_emit_operand
#define wasm_loader_emit_const wamrpy_emit_const
#define wasm_loader_emit_backspace wamrpy_emit_backspace

/* A result's slot is compared with another: if that keeps a local, it will be
   another number, above all dynamic ones. */
static inline void
wamrpy_compare(WASMLoaderContext *ctx, int32 slot, int32 with)
{
    if (with >= WAMRPY_KEPT && slot > ctx->compared)
        ctx->compared = slot;
}

static bool
preserve_referenced_local(WASMLoaderContext *loader_ctx, uint8 opcode,
"""

LATER = """\
/* An address that is not known yet: a block's places are a chain through the
   code, the last one first. */
static void
wamrpy_emit_later(WASMLoaderContext *ctx, BranchBlock *block, uint8 patch_type)
{
    wasm_loader_emit_ptr(ctx, block->later[patch_type]);
    block->later[patch_type] = ctx->p_code_compiled && !ctx->again
                                   ? ctx->p_code_compiled - sizeof(void *)
                                   : NULL;
}

static void
wamrpy_apply_later(WASMLoaderContext *ctx, uint8 depth, uint8 patch_type)
{
    BranchBlock *block = ctx->frame_csp - depth;
    uint8 *place = block->later[patch_type], *before;

    block->later[patch_type] = NULL;
    if (!ctx->p_code_compiled || ctx->again)
        return;
    for (; place; place = before) {
        memcpy(&before, place, sizeof(before));
        STORE_PTR(place, ctx->p_code_compiled);
        if (ctx->once)
            wamrpy_note_jump(ctx, place);
    }
}
#define apply_label_patch wamrpy_apply_later

static bool
wasm_loader_emit_br_info(WASMLoaderContext *ctx, BranchBlock *frame_csp,
"""

BEGIN = """\
/* What the function before has left, for this one. */
static WASMLoaderContext *
wamrpy_begin(WASMLoaderContext *ctx, WASMFunction *func, char *error_buf,
             uint32 error_buf_size)
{
    uint64 room_size = (uint64)func->code_size * 8 + 4096;

    if (!ctx) {
        if (!(ctx = wasm_loader_ctx_init(func, error_buf, error_buf_size)))
            return NULL;
        ctx->chain_max = (uint32)ctx->start_dynamic_offset;
    }
    else {
        uint32 cells = (uint32)func->param_cell_num + func->local_cell_num;
        uint32 size;

        if (cells >= INT16_MAX) {
            wasm_loader_ctx_destroy(ctx);
            return wasm_loader_ctx_init(func, error_buf, error_buf_size);
        }
        if (cells > ctx->chain_max) {
            wasm_runtime_free(ctx->alias_chains);
            if (!(ctx->alias_chains = loader_malloc(
                      sizeof(uint32) * (uint64)cells * 2, error_buf,
                      error_buf_size))) {
                wasm_loader_ctx_destroy(ctx);
                return NULL;
            }
            ctx->chain_max = cells * 2;
        }
        ctx->start_dynamic_offset = ctx->dynamic_offset =
            ctx->max_dynamic_offset = (int16)cells;
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
    if (!ctx->places
        && (ctx->places = wasm_runtime_malloc(64 * sizeof(*ctx->places)))) {
        ctx->places[0] = NULL;
        ctx->place_max = ctx->places + 64;
    }
    if (!ctx->places || room_size > ctx->room_size) {
        wasm_loader_ctx_destroy(ctx);
        return wasm_loader_ctx_init(func, error_buf, error_buf_size);
    }
    ctx->once = true;
    ctx->place_end = ctx->places + 1;
    ctx->p_code_compiled = ctx->room + WAMRPY_RED;
    ctx->p_code_compiled_end = ctx->room + ctx->room_size - 16;
    return ctx;
}

static bool
wasm_loader_prepare_bytecode(WASMModule *module, WASMFunction *func,
                             uint32 cur_func_idx, char *error_buf,
                             uint32 error_buf_size,
                             struct WASMLoaderContext **kept)
{
"""
