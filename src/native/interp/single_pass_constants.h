/* single_pass_constants.h: single-pass loading: constants, and the end of a function.
 *
 * Included by wasm_loader.c, before wasm_loader_get_const_offset(). See
 * single_pass.h. */

/* Returns the placeholder for a constant, its number below zero. Also counts the
   constants that WAMR's first pass would have in its list, since WAMR emits other
   code once that list is full. */
static bool
wamrpy_get_const(WASMLoaderContext *ctx, bool is_64, int64 value, int16 *offset, char *error_buf,
                 uint32 error_buf_size)
{
    uint32 num = is_64 ? ctx->i64_const_num : ctx->i32_const_num, i = 0;
    uint32 *uses = is_64 ? &ctx->uses64 : &ctx->uses32;
    uint16 *seen =
        &(is_64 ? ctx->seen64 : ctx->seen32)[(uint64)value * 0x9E3779B97F4A7C15ull >> 56];

#define WAMRPY_CONST(i) (is_64 ? ctx->i64_consts[i] : ctx->i32_consts[i])
    if (*seen > 0 && WAMRPY_CONST(*seen - 1) == value)
        i = *seen - 1;
    else {
        if (*uses >= 10)
            i = num;
        while (i < num && WAMRPY_CONST(i) != value)
            i++;
        if (i == WAMRPY_CONSTS || ctx->uses64 * 2 + ctx->uses32 > INT16_MAX - 2) {
            ctx->restart = true;
            i = 0;
        } else if (i == num) {
            if (is_64) {
                if (num == ctx->i64_const_max_num) {
                    MEM_REALLOC(ctx->i64_consts, sizeof(int64) * num, sizeof(int64) * num * 2);
                    ctx->i64_const_max_num *= 2;
                }
                ctx->i64_consts[ctx->i64_const_num++] = value;
            } else {
                if (num == ctx->i32_const_max_num) {
                    MEM_REALLOC(ctx->i32_consts, sizeof(int32) * num, sizeof(int32) * num * 2);
                    ctx->i32_const_max_num *= 2;
                }
                ctx->i32_consts[ctx->i32_const_num++] = (int32)value;
            }
            if (*uses < 10)
                ++*uses;
        }
        *seen = (uint16)(i + 1);
    }
#undef WAMRPY_CONST
    if (*uses >= 10)
        ++*uses;
    *offset = (int16)((is_64 ? -WAMRPY_CONSTS : 0) - 1 - (int32)i);
    return true;
fail:
    return false;
}

static int
wamrpy_compare_consts(const void *one, const void *other)
{
    int64 x = ((const struct WamrpyConst *)one)->value;
    int64 y = ((const struct WamrpyConst *)other)->value;

    return x < y ? -1 : x > y;
}

/* Sorts the constants, and stores in `to` the index of each one among the
   different values. Returns the number of different values. */
static uint32
wamrpy_sort_consts(struct WamrpyConst *consts, uint32 num)
{
    uint32 i, j, k = 0;

    if (num > 24)
        qsort(consts, num, sizeof(*consts), wamrpy_compare_consts);
    else
        for (i = 1; i < num; i++) {
            struct WamrpyConst moved = consts[i];
            for (j = i; j > 0 && consts[j - 1].value > moved.value; j--)
                consts[j] = consts[j - 1];
            consts[j] = moved;
        }
    for (i = 0; i < num; i++) {
        k += i > 0 && consts[i].value != consts[i - 1].value;
        consts[consts[i].number].to = (uint16)k;
    }
    return num ? k + 1 : 0;
}

/* Ends a function: replaces the placeholders, and copies the code to its final
   place. False where there is no memory, or where two passes are needed. */
static bool
wamrpy_finish(WASMLoaderContext *ctx, WASMFunction *func)
{
    uint8 *begin = ctx->room + WAMRPY_RED, *code, **place;
    uint32 size = (uint32)(ctx->p_code_compiled - begin), i;
    uint32 all32 = ctx->i32_const_num, all64 = ctx->i64_const_num;
    uint32 num32, num64;
    int32 shift = ctx->max_dynamic_offset - WAMRPY_KEPT, slot;
    struct WamrpyConst *consts32, *consts64;

    if (ctx->restart || shift >= 0 || ctx->compared >= ctx->max_dynamic_offset ||
        ctx->preserved_local_offset + shift > INT16_MAX)
        return false;
    if (all32 + all64 > ctx->sorted_max) {
        if (ctx->sorted)
            wasm_runtime_free(ctx->sorted);
        ctx->sorted_max = (all32 + all64) * 2;
        if (!(ctx->sorted = wasm_runtime_malloc(ctx->sorted_max * sizeof(*ctx->sorted)))) {
            ctx->sorted_max = 0;
            return false;
        }
    }
    consts32 = ctx->sorted;
    consts64 = consts32 + all32;
    for (i = 0; i < all32; i++) {
        consts32[i].value = ctx->i32_consts[i];
        consts32[i].number = (uint16)i;
    }
    for (i = 0; i < all64; i++) {
        consts64[i].value = ctx->i64_consts[i];
        consts64[i].number = (uint16)i;
    }
    num32 = wamrpy_sort_consts(consts32, all32);
    num64 = wamrpy_sort_consts(consts64, all64);
    for (i = 0; i < all32; i++)
        ctx->i32_consts[consts32[consts32[i].number].to] = (int32)consts32[i].value;
    for (i = 0; i < all64; i++)
        ctx->i64_consts[consts64[consts64[i].number].to] = consts64[i].value;
    ctx->i32_const_num = num32;
    ctx->i64_const_num = num64;
    for (place = ctx->places + 1; place < ctx->place_end; place++) {
        slot = LOAD_I16(*place);
        if (slot >= WAMRPY_KEPT)
            slot += shift;
        else if (slot < -WAMRPY_CONSTS) {
            i = (uint32)(-WAMRPY_CONSTS - 1 - slot);
            if (i >= all64)
                return false; /* impossible, but would read beyond the array */
            slot = consts64[i].to * 2 - (int32)(num64 * 2 + num32);
        } else if (slot < 0) {
            i = (uint32)(-1 - slot);
            if (i >= all32)
                return false;
            slot = consts32[i].to - (int32)num32;
        }
        STORE_U16(*place, (uint16)slot);
    }
    if (!(code = wasm_runtime_malloc(size)))
        return false;
    memcpy(code, begin, size);
    for (i = 0; i < ctx->jump_num; i++) {
        uint8 *to;
        memcpy(&to, ctx->jumps[i], sizeof(to));
        to = code + (to - begin);
        memcpy(code + (ctx->jumps[i] - begin), &to, sizeof(to));
    }
    func->code_compiled = code;
    func->code_compiled_size = size;
    ctx->preserved_local_offset = (int16)(ctx->preserved_local_offset + shift);
    return true;
}
