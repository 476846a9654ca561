/* relaxed_opcodes.h: the opcodes that the interpreter has for relaxed SIMD instructions.
 *
 * Included by wasm_loader.c and by relaxed_simd.h. The specification allows several results
 * for these instructions, of which an engine chooses one for good. The first choice is always
 * the result of an instruction of fixed-width SIMD, if there is one, so the loader emits that
 * instruction. The other six have opcodes that no module can contain. */
#ifndef WAMRPY_RELAXED_OPCODES_H
#define WAMRPY_RELAXED_OPCODES_H

#if WASM_ENABLE_SIMD != 0
/* Between those of WASMSimdEXTOpcode. */
enum {
    WAMRPY_F32X4_MADD = 0x9a,
    WAMRPY_F32X4_NMADD = 0xa2,
    WAMRPY_F64X2_MADD = 0xa5,
    WAMRPY_F64X2_NMADD = 0xa6,
    WAMRPY_I16X8_DOT_I8X16 = 0xaf,
    WAMRPY_I32X4_DOT_ADD_I8X16 = 0xb0,
};

/* After the prefix 0xfd. */
enum {
    WAMRPY_RELAXED_SWIZZLE = 0x100,
    WAMRPY_RELAXED_TRUNC_F32X4_S,
    WAMRPY_RELAXED_TRUNC_F32X4_U,
    WAMRPY_RELAXED_TRUNC_F64X2_S,
    WAMRPY_RELAXED_TRUNC_F64X2_U,
    WAMRPY_RELAXED_F32X4_MADD,
    WAMRPY_RELAXED_F32X4_NMADD,
    WAMRPY_RELAXED_F64X2_MADD,
    WAMRPY_RELAXED_F64X2_NMADD,
    WAMRPY_RELAXED_I8X16_LANESELECT,
    WAMRPY_RELAXED_I16X8_LANESELECT,
    WAMRPY_RELAXED_I32X4_LANESELECT,
    WAMRPY_RELAXED_I64X2_LANESELECT,
    WAMRPY_RELAXED_F32X4_MIN,
    WAMRPY_RELAXED_F32X4_MAX,
    WAMRPY_RELAXED_F64X2_MIN,
    WAMRPY_RELAXED_F64X2_MAX,
    WAMRPY_RELAXED_Q15MULR,
    WAMRPY_RELAXED_DOT,
    WAMRPY_RELAXED_DOT_ADD,
};

static const uint8 wamrpy_relaxed_opcodes[] = {
    SIMD_v8x16_swizzle,
    SIMD_i32x4_trunc_sat_f32x4_s,
    SIMD_i32x4_trunc_sat_f32x4_u,
    SIMD_i32x4_trunc_sat_f64x2_s_zero,
    SIMD_i32x4_trunc_sat_f64x2_u_zero,
    WAMRPY_F32X4_MADD,
    WAMRPY_F32X4_NMADD,
    WAMRPY_F64X2_MADD,
    WAMRPY_F64X2_NMADD,
    SIMD_v128_bitselect,
    SIMD_v128_bitselect,
    SIMD_v128_bitselect,
    SIMD_v128_bitselect,
    SIMD_f32x4_min,
    SIMD_f32x4_max,
    SIMD_f64x2_min,
    SIMD_f64x2_max,
    SIMD_i16x8_q15mulr_sat_s,
    WAMRPY_I16X8_DOT_I8X16,
    WAMRPY_I32X4_DOT_ADD_I8X16,
};

/* The opcode to emit for an instruction. The loader refuses an unknown one later. */
static inline uint8
wamrpy_simd_opcode(uint32 opcode)
{
    if (opcode < WAMRPY_RELAXED_SWIZZLE || opcode > WAMRPY_RELAXED_DOT_ADD)
        return (uint8)opcode;
    return wamrpy_relaxed_opcodes[opcode - WAMRPY_RELAXED_SWIZZLE];
}
#endif
#endif
