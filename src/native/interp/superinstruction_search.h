/* superinstruction_search.h: how the loader finds superinstructions.
 *
 * Included by wasm_loader.c, before emit_label(). Before the label of an instruction
 * is emitted, the loader checks whether the two instructions before it are a pair.
 * By then all their operands are known. If they are, the label of the first one is
 * replaced by that of the pair's handler. */

#include "compiler.h"

enum {
#define PAIR(first, second) WAMRPY_PAIR_##first##_##second,
    WAMRPY_PAIRS(PAIR)
#undef PAIR
};

static const struct {
    uint8 first, second, where, length;
} wamrpy_pairs[] = {
#define PAIR(one, two) {WAMRPY_FIRST_##one, WAMRPY_SECOND_##two},
    WAMRPY_PAIRS(PAIR)
#undef PAIR
};

/* By opcode of a first instruction: the index of its last pair, plus one; 0 where it
   has none. The pairs of an opcode are consecutive. */
static const uint8 wamrpy_last_pair[256] = {
#define PAIR(one, two) [WAMRPY_FIRST_##one] = WAMRPY_PAIR_##one##_##two + 1,
    WAMRPY_PAIRS(PAIR)
#undef PAIR
};

extern const void **wamrpy_get_pair_table(void);

/* Replaces the label of the second last instruction if it and the last one are a
   pair. */
static NOINLINE void
wamrpy_find_pair(WASMLoaderContext *ctx)
{
    uint8 *first = ctx->wamrpy_labels[1], *second = ctx->wamrpy_labels[2];
    uint8 *operands = second + sizeof(void *);
    uint32 i = first ? wamrpy_last_pair[ctx->wamrpy_opcodes[1]] : 0;

    for (; i > 0 && wamrpy_pairs[i - 1].first == ctx->wamrpy_opcodes[1]; i--)
        if (wamrpy_pairs[i - 1].second == ctx->wamrpy_opcodes[2] &&
            ctx->p_code_compiled - operands == wamrpy_pairs[i - 1].length &&
            (wamrpy_pairs[i - 1].where == WAMRPY_ANY ||
             *(int16 *)(operands + wamrpy_pairs[i - 1].where) ==
                 *(int16 *)(second - sizeof(int16)))) {
            STORE_PTR(first, (void *)wamrpy_get_pair_table()[i - 1]);
            ctx->wamrpy_labels[1] = NULL; /* not to be looked at again */
            ctx->wamrpy_pairs++;
            break;
        }
}

/* Called before a label is emitted. */
static inline void
wamrpy_before_label(WASMLoaderContext *ctx, uint8 opcode)
{
    if (ctx->wamrpy_labels[1] && wamrpy_last_pair[ctx->wamrpy_opcodes[1]])
        wamrpy_find_pair(ctx);
    ctx->wamrpy_labels[0] = ctx->wamrpy_labels[1];
    ctx->wamrpy_labels[1] = ctx->wamrpy_labels[2];
    ctx->wamrpy_labels[2] = ctx->p_code_compiled;
    ctx->wamrpy_opcodes[0] = ctx->wamrpy_opcodes[1];
    ctx->wamrpy_opcodes[1] = ctx->wamrpy_opcodes[2];
    ctx->wamrpy_opcodes[2] = opcode;
}

/* Called when the newest label is removed. */
static void
wamrpy_without_label(WASMLoaderContext *ctx)
{
    ctx->wamrpy_labels[2] = ctx->wamrpy_labels[1];
    ctx->wamrpy_labels[1] = ctx->wamrpy_labels[0];
    ctx->wamrpy_labels[0] = NULL;
    ctx->wamrpy_opcodes[2] = ctx->wamrpy_opcodes[1];
    ctx->wamrpy_opcodes[1] = ctx->wamrpy_opcodes[0];
}
