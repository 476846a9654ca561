/* single_pass_emit.h: single-pass loading: emitting.
 *
 * Included by wasm_loader.c, after the functions that emit. See single_pass.h. */

#include "compiler.h"

/* There is no room for 8 bytes: in one pass, the function needs two; in the first
   of two, nothing is emitted. */
static NOINLINE void
wamrpy_no_room(WASMLoaderContext *ctx)
{
    if (ctx->single_pass) {
        ctx->restart = true;
        ctx->p_code_compiled = ctx->room + WAMRPY_RED;
    }
}

/* Records the place of the placeholder that was just written. */
static NOINLINE void
wamrpy_note_place(WASMLoaderContext *ctx)
{
    if (!ctx->single_pass)
        return;
    if (ctx->place_end == ctx->place_max) {
        uint32 num = (uint32)(ctx->place_end - ctx->places);
        uint8 **places = num > UINT32_MAX / 32
                             ? NULL
                             : wasm_runtime_realloc(ctx->places, num * 2 * sizeof(*places));
        if (!places) {
            ctx->restart = true;
            return;
        }
        ctx->places = places;
        ctx->place_end = places + num;
        ctx->place_max = places + num * 2;
    }
    *ctx->place_end++ = ctx->p_code_compiled - sizeof(int16);
}

/* Records the place of an address within the code, known or not. For a single pass
   only. */
static void
wamrpy_note_jump(WASMLoaderContext *ctx, uint8 *place)
{
    if (ctx->jump_num == ctx->jump_max) {
        uint32 max = ctx->jump_max ? ctx->jump_max * 2 : 64;
        uint8 **jumps =
            max > UINT32_MAX / 16 ? NULL : wasm_runtime_realloc(ctx->jumps, max * sizeof(*jumps));
        if (!jumps) {
            ctx->restart = true;
            return;
        }
        ctx->jumps = jumps;
        ctx->jump_max = max;
    }
    ctx->jumps[ctx->jump_num++] = place;
}

static inline void
wamrpy_need_room(WASMLoaderContext *ctx)
{
    if (ctx->p_code_compiled_end - ctx->p_code_compiled < 8)
        wamrpy_no_room(ctx);
}

static inline void
wasm_loader_emit_uint32(WASMLoaderContext *ctx, uint32 value)
{
    wamrpy_need_room(ctx);
    wasm_loader_write_uint32(ctx, value);
}

static inline void
wasm_loader_emit_uint8(WASMLoaderContext *ctx, uint8 value)
{
    wamrpy_need_room(ctx);
    wasm_loader_write_uint8(ctx, value);
#if WASM_CPU_SUPPORTS_UNALIGNED_ADDR_ACCESS == 0
    if (ctx->p_code_compiled)
        ctx->p_code_compiled[-1] = 0; /* the padding byte */
#endif
}

static inline void
wasm_loader_emit_ptr(WASMLoaderContext *ctx, void *value)
{
    wamrpy_need_room(ctx);
    wasm_loader_write_ptr(ctx, value);
}

/* Emits an operand: a slot of the frame, or a placeholder for one. */
static inline void
wasm_loader_emit_int16(WASMLoaderContext *ctx, int16 value)
{
    wamrpy_need_room(ctx);
    wasm_loader_write_int16(ctx, value);
    if ((uint16)value >= WAMRPY_KEPT)
        wamrpy_note_place(ctx);
}

static inline void
wasm_loader_emit_const(WASMLoaderContext *ctx, void *value, bool is_32_bit)
{
    wamrpy_need_room(ctx);
    wasm_loader_write_const(ctx, value, is_32_bit);
}

static inline void
wasm_loader_emit_backspace(WASMLoaderContext *ctx, uint32 size)
{
    wasm_loader_write_backspace(ctx, size);
    if (ctx->single_pass)
        while (ctx->place_end[-1] > ctx->p_code_compiled - sizeof(int16))
            ctx->place_end--;
}

/* Notes that the slot of a result is compared with another slot. If the other one
   preserves a local, its final number is above those of all dynamic slots. */
static inline void
wamrpy_compare(WASMLoaderContext *ctx, int32 slot, int32 with)
{
    if (with >= WAMRPY_KEPT && slot > ctx->compared)
        ctx->compared = slot;
}
