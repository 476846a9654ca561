/* relaxed_simd.h: the relaxed SIMD instructions that no other instruction can stand for.
 *
 * Included by wasm_interp_fast.c, before the interpreter's function. The results are the same
 * on all processors: a product is rounded before the sum (the build turns contraction off), and
 * dot products are of signed integers. */

#include "compiler.h"
#include "relaxed_opcodes.h"

#if WASM_ENABLE_SIMDE != 0
static inline V128
wamrpy_madd_f32x4(const V128 *x, const V128 *y, const V128 *z, bool negated)
{
    V128 result;
    int32 lane;

    for (lane = 0; lane < 4; lane++) {
        float32 factor = negated ? -x->f32x4[lane] : x->f32x4[lane];
        float32 product = factor * y->f32x4[lane];

        result.f32x4[lane] = product + z->f32x4[lane];
    }
    return result;
}

static inline V128
wamrpy_madd_f64x2(const V128 *x, const V128 *y, const V128 *z, bool negated)
{
    V128 result;
    int32 lane;

    for (lane = 0; lane < 2; lane++) {
        float64 factor = negated ? -x->f64x2[lane] : x->f64x2[lane];
        float64 product = factor * y->f64x2[lane];

        result.f64x2[lane] = product + z->f64x2[lane];
    }
    return result;
}

/* The sums of two products each, which wrap around. */
static inline V128
wamrpy_dot_i8x16(const V128 *x, const V128 *y)
{
    V128 result;
    int32 lane;

    for (lane = 0; lane < 8; lane++)
        result.i16x8[lane] = (int16)(x->i8x16[2 * lane] * y->i8x16[2 * lane] +
                                     x->i8x16[2 * lane + 1] * y->i8x16[2 * lane + 1]);
    return result;
}

/* The sums of four products each, and of the third operand. Only the last sum can wrap around. */
static inline V128
wamrpy_dot_add_i8x16(const V128 *x, const V128 *y, const V128 *z)
{
    V128 result;
    int32 lane, at;

    for (lane = 0; lane < 4; lane++) {
        int32 sum = 0;

        for (at = 4 * lane; at < 4 * lane + 4; at++)
            sum += x->i8x16[at] * y->i8x16[at];
        result.i32x4[lane] = (int32)((uint32)z->i32x4[lane] + (uint32)sum);
    }
    return result;
}

/* Executes an instruction. `ip` is behind its opcode. Returns where the next instruction
   begins. */
static NOINLINE uint8 *
wamrpy_relaxed_simd(uint8 opcode, uint8 *ip, uint32 *lp)
{
    const int16 *slots = (const int16 *)ip; /* the last operand comes first */
    bool two = opcode == WAMRPY_I16X8_DOT_I8X16;
    V128 x = GET_V128_FROM_ADDR(lp + slots[two ? 1 : 2]);
    V128 y = GET_V128_FROM_ADDR(lp + slots[two ? 0 : 1]);
    V128 z = GET_V128_FROM_ADDR(lp + slots[0]), result;

    switch (opcode) {
    case WAMRPY_F32X4_MADD:
        result = wamrpy_madd_f32x4(&x, &y, &z, false);
        break;
    case WAMRPY_F32X4_NMADD:
        result = wamrpy_madd_f32x4(&x, &y, &z, true);
        break;
    case WAMRPY_F64X2_MADD:
        result = wamrpy_madd_f64x2(&x, &y, &z, false);
        break;
    case WAMRPY_F64X2_NMADD:
        result = wamrpy_madd_f64x2(&x, &y, &z, true);
        break;
    case WAMRPY_I16X8_DOT_I8X16:
        result = wamrpy_dot_i8x16(&x, &y);
        break;
    default: /* WAMRPY_I32X4_DOT_ADD_I8X16 */
        result = wamrpy_dot_add_i8x16(&x, &y, &z);
    }
    PUT_V128_TO_ADDR(lp + slots[two ? 2 : 3], result);
    return ip + (two ? 3 : 4) * sizeof(int16);
}
#endif
