"""Cures of instructions on vectors: what SIMDe computes wrongly, and what the loader forgets.

SIMDe 0.8.2 comes from PyPI when the package is built and is not edited. Where one of its functions
is wrong, the interpreter has lines of plain C in place of the call.
"""

from __future__ import annotations

from . import Cure

_LOADER = "core/iwasm/interpreter/wasm_loader.c"
_INTERPRETER = "core/iwasm/interpreter/wasm_interp_fast.c"
_TESTS = "tests/regressions/test_vectors.py::"

CURES: tuple[Cure, ...] = (
    Cure(
        name="all-true-i64x2",
        file=_INTERPRETER,
        expect="""\
                        bool result = simde_wasm_i64x2_all_true(
                            SIMD_V128_TO_SIMDE_V128(v1));
""",
        replace="""\
                        bool result = v1.i64x2[0] != 0 && v1.i64x2[1] != 0;
""",
        why="A fault of SIMDe: for SSE2, simde_wasm_i64x2_all_true compares the lanes with zero as "
        "doubles (_mm_cmpeq_pd). The lane -2**63 is the double -0.0 and counts as zero; so does "
        "each lane below 2**52 where subnormals are taken for zero. Upstream: compare with "
        "_mm_cmpeq_epi32, `and` the result with its halves swapped within each lane "
        "(_mm_shuffle_epi32(m, _MM_SHUFFLE(2, 3, 0, 1))), and answer _mm_movemask_epi8(…) == 0.",
        test=_TESTS + "test_all_true_compares_integers",
    ),
    Cure(
        name="trunc-sat-u32x4",
        file=_INTERPRETER,
        expect="""\
                        SIMD_SINGLE_OP(simde_wasm_u32x4_trunc_sat_f32x4);
                        break;
""",
        replace="""\
                        V128 v1 = POP_V128();
                        V128 result;
                        int32 lane;

                        addr_ret = GET_OFFSET();
                        for (lane = 0; lane < 4; lane++) {
                            float32 real = v1.f32x4[lane];
                            result.i32x4[lane] =
                                real >= 4294967296.0f
                                    ? UINT32_MAX
                                    : real > -1.0f ? (uint32)(int64)real : 0;
                        }
                        PUT_V128_TO_ADDR(frame_lp + addr_ret, result);
                        break;
""",
        why="A fault of SIMDe: for SSE2, simde_wasm_u32x4_trunc_sat_f32x4 subtracts 2**32 from "
        "lanes that are not below 2**32. It has to be 2**31 in both places (`first_oob_high`): "
        "what _mm_cvttps_epi32 can't convert begins there. So each lane from 2**31 to 2**32 "
        "became 0x80000000. Upstream: SIMDE_FLOAT32_C(2147483648.0) in `first_oob_high`.",
        test=_TESTS + "test_lanes_beyond_the_signed_range_are_converted",
    ),
    Cure(
        name="select-v128",
        file=_LOADER,
        expect="""\
                    if (type == VALUE_TYPE_V128) {
#if WASM_ENABLE_SIMDE != 0
                        opcode_tmp = WASM_OP_SELECT_128;
#else
                        set_error_buf(error_buf, error_buf_size,
                                      "v128 value type requires simd feature");
#endif
                    }
                    else {
                        if (type == VALUE_TYPE_F64 || type == VALUE_TYPE_I64)
""",
        replace="""\
                    if (type == VALUE_TYPE_V128) {
#if WASM_ENABLE_SIMDE != 0
                        opcode_tmp = WASM_OP_SELECT_128;
#else
                        set_error_buf(error_buf, error_buf_size,
                                      "v128 value type requires simd feature");
                        goto fail;
#endif
                    }
                    { /* the opcode is written for every type */
                        if (type == VALUE_TYPE_F64 || type == VALUE_TYPE_I64)
""",
        why="The opcode of a select with the type v128 was chosen and not written: the code ran "
        "into `unsupported opcode`.",
        test=_TESTS + "test_select_with_the_type_v128",
    ),
)
