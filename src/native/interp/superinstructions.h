/* superinstructions.h: the handlers of the superinstructions.
 *
 * Included by wasm_interp_fast.c, before the interpreter's function, which expands
 * HANDLE_PAIR for each row of superinstructions.def. A handler consists of two
 * halves: WAMRPY_DO_… of the first instruction, which leaves its result in `r`, and
 * WAMRPY_THEN_… of the second, which uses `r`.
 *
 * At a branch, a trap and a checkpoint, frame_ip is behind the label of the
 * instruction that causes it, so the offset in a backtrace is right. */

#include "compiler.h"

#if WASM_ENABLE_LABELS_AS_VALUES != 0 && WASM_CPU_SUPPORTS_UNALIGNED_ADDR_ACCESS != 0
#define WAMRPY_BINARY(type, kind, rtype, rkind, how) \
    rtype r;                                         \
    do {                                             \
        type x = GET_OPERAND(type, kind, 2);         \
        type y = GET_OPERAND(type, kind, 0);         \
        r = how;                                     \
        SET_OPERAND(rkind, 4, r);                    \
        frame_ip += 6;                               \
    } while (0)
#define WAMRPY_UNARY(type, kind, rtype, rkind, how) \
    rtype r;                                        \
    do {                                            \
        type x = GET_OPERAND(type, kind, 0);        \
        r = how;                                    \
        SET_OPERAND(rkind, 2, r);                   \
        frame_ip += 4;                              \
    } while (0)
#define WAMRPY_SECOND(type, kind, left, right, how) \
    do {                                            \
        type x = left, y = right;                   \
        SET_OPERAND(kind, 4, how);                  \
        frame_ip += 6;                              \
    } while (0)
#define WAMRPY_4 GET_OPERAND(uint32, I32, 4)
#define WAMRPY_6 GET_OPERAND(uint32, I32, 6)
#define WAMRPY_LOAD_FROM(address, bytes, how)                          \
    do {                                                               \
        uint32 addr = address, offset = LOAD_U32_WITH_2U16S(frame_ip); \
        frame_ip += 8;                                                 \
        CHECK_MEMORY_OVERFLOW(bytes);                                  \
        how;                                                           \
    } while (0)
#define WAMRPY_LOAD(rtype, rkind, bytes, how) \
    rtype r;                                  \
    WAMRPY_LOAD_FROM(WAMRPY_4, bytes, r = how; SET_OPERAND(rkind, -2, r))
#define WAMRPY_STORE(bytes, how, value_, address)                      \
    do {                                                               \
        uint32 value = value_;                                         \
        uint32 addr = address, offset = LOAD_U32_WITH_2U16S(frame_ip); \
        frame_ip += 8;                                                 \
        CHECK_MEMORY_OVERFLOW(bytes);                                  \
        how;                                                           \
    } while (0)
#define WAMRPY_TEE(how)                       \
    do {                                      \
        uint32 *local = frame_lp + *frame_ip; \
        how;                                  \
        frame_ip += 3;                        \
    } while (0)
#define WAMRPY_BR_IF                                    \
    do {                                                \
        CHECK_SUSPEND_FLAGS();                          \
        if (r) {                                        \
            frame_ip = (uint8 *)LOAD_PTR(frame_ip + 6); \
            HANDLE_OP_END();                            \
        }                                               \
        frame_ip += 6 + sizeof(void *);                 \
    } while (0)
#define WAMRPY_IF                                                         \
    do {                                                                  \
        uint8 *otherwise;                                                 \
        if (r) {                                                          \
            frame_ip += 2 + 2 * sizeof(void *);                           \
            HANDLE_OP_END();                                              \
        }                                                                 \
        otherwise = (uint8 *)LOAD_PTR(frame_ip + 2);                      \
        if (!otherwise)                                                   \
            otherwise = (uint8 *)LOAD_PTR(frame_ip + 2 + sizeof(void *)); \
        frame_ip = otherwise;                                             \
    } while (0)
#define WAMRPY_RETURN                               \
    do {                                            \
        prev_frame->lp[prev_frame->ret_offset] = r; \
        goto return_func;                           \
    } while (0)
#define HANDLE_PAIR(first, second)                           \
    HANDLE_PAIR_##first##_##second:                          \
    {                                                        \
        WAMRPY_DO_##first;                                   \
        frame_ip += sizeof(void *); /* the second's label */ \
        WAMRPY_THEN_##second;                                \
        HANDLE_OP_END();                                     \
    }
#define PAIR_LABEL(first, second) LABEL_ADDRESS(HANDLE_PAIR_##first##_##second),
#define WAMRPY_DO_COPY WAMRPY_UNARY(uint32, I32, uint32, I32, x)
#define WAMRPY_DO_I32_EQZ WAMRPY_UNARY(uint32, I32, uint32, I32, x == 0)
#define WAMRPY_DO_I32_EQ WAMRPY_BINARY(uint32, I32, uint32, I32, x == y)
#define WAMRPY_DO_I32_NE WAMRPY_BINARY(uint32, I32, uint32, I32, x != y)
#define WAMRPY_DO_I32_LT_S WAMRPY_BINARY(int32, I32, uint32, I32, x < y)
#define WAMRPY_DO_I32_LT_U WAMRPY_BINARY(uint32, I32, uint32, I32, x < y)
#define WAMRPY_DO_I32_GT_S WAMRPY_BINARY(int32, I32, uint32, I32, x > y)
#define WAMRPY_DO_I32_GT_U WAMRPY_BINARY(uint32, I32, uint32, I32, x > y)
#define WAMRPY_DO_I32_LE_S WAMRPY_BINARY(int32, I32, uint32, I32, x <= y)
#define WAMRPY_DO_I32_LE_U WAMRPY_BINARY(uint32, I32, uint32, I32, x <= y)
#define WAMRPY_DO_I32_GE_S WAMRPY_BINARY(int32, I32, uint32, I32, x >= y)
#define WAMRPY_DO_I32_GE_U WAMRPY_BINARY(uint32, I32, uint32, I32, x >= y)
#define WAMRPY_DO_I64_EQZ WAMRPY_UNARY(uint64, I64, uint32, I32, x == 0)
#define WAMRPY_DO_I64_EQ WAMRPY_BINARY(uint64, I64, uint32, I32, x == y)
#define WAMRPY_DO_I64_NE WAMRPY_BINARY(uint64, I64, uint32, I32, x != y)
#define WAMRPY_DO_I64_LT_S WAMRPY_BINARY(int64, I64, uint32, I32, x < y)
#define WAMRPY_DO_I64_LT_U WAMRPY_BINARY(uint64, I64, uint32, I32, x < y)
#define WAMRPY_DO_I64_GT_S WAMRPY_BINARY(int64, I64, uint32, I32, x > y)
#define WAMRPY_DO_I64_GT_U WAMRPY_BINARY(uint64, I64, uint32, I32, x > y)
#define WAMRPY_DO_I64_LE_S WAMRPY_BINARY(int64, I64, uint32, I32, x <= y)
#define WAMRPY_DO_I64_LE_U WAMRPY_BINARY(uint64, I64, uint32, I32, x <= y)
#define WAMRPY_DO_I64_GE_S WAMRPY_BINARY(int64, I64, uint32, I32, x >= y)
#define WAMRPY_DO_I64_GE_U WAMRPY_BINARY(uint64, I64, uint32, I32, x >= y)
#define WAMRPY_DO_F64_EQ WAMRPY_BINARY(float64, F64, uint32, I32, x == y)
#define WAMRPY_DO_F64_NE WAMRPY_BINARY(float64, F64, uint32, I32, x != y)
#define WAMRPY_DO_F64_LT WAMRPY_BINARY(float64, F64, uint32, I32, x < y)
#define WAMRPY_DO_F64_GT WAMRPY_BINARY(float64, F64, uint32, I32, x > y)
#define WAMRPY_DO_F64_LE WAMRPY_BINARY(float64, F64, uint32, I32, x <= y)
#define WAMRPY_DO_F64_GE WAMRPY_BINARY(float64, F64, uint32, I32, x >= y)
#define WAMRPY_DO_I32_ADD WAMRPY_BINARY(uint32, I32, uint32, I32, x + y)
#define WAMRPY_DO_I32_SUB WAMRPY_BINARY(uint32, I32, uint32, I32, x - y)
#define WAMRPY_DO_I32_AND WAMRPY_BINARY(uint32, I32, uint32, I32, x &y)
#define WAMRPY_DO_I32_XOR WAMRPY_BINARY(uint32, I32, uint32, I32, x ^ y)
#define WAMRPY_DO_I32_SHL WAMRPY_BINARY(uint32, I32, uint32, I32, x << (y % 32))
#define WAMRPY_DO_I32_SHR_U WAMRPY_BINARY(uint32, I32, uint32, I32, x >> (y % 32))
#define WAMRPY_DO_I32_ROTR WAMRPY_BINARY(uint32, I32, uint32, I32, rotr32(x, y))
#define WAMRPY_DO_F64_ADD WAMRPY_BINARY(float64, F64, float64, F64, x + y)
#define WAMRPY_DO_F64_SUB WAMRPY_BINARY(float64, F64, float64, F64, x - y)
#define WAMRPY_DO_F64_MUL WAMRPY_BINARY(float64, F64, float64, F64, x *y)
#define WAMRPY_DO_I32_WRAP_I64 WAMRPY_UNARY(uint64, I64, uint32, I32, (uint32)x)
#define WAMRPY_DO_I32_LOAD WAMRPY_LOAD(uint32, I32, 4, LOAD_U32(maddr))
#define WAMRPY_DO_I32_LOAD8_U WAMRPY_LOAD(uint32, I32, 1, *maddr)
#define WAMRPY_DO_I32_LOAD16_U WAMRPY_LOAD(uint32, I32, 2, LOAD_U16(maddr))
#define WAMRPY_DO_I64_LOAD WAMRPY_LOAD(uint64, I64, 8, LOAD_I64(maddr))
#define WAMRPY_DO_F64_LOAD WAMRPY_LOAD(float64, F64, 8, GET_F64_FROM_ADDR((uint32 *)maddr))
#define WAMRPY_DO_I32_STORE WAMRPY_STORE(4, STORE_U32(maddr, value), WAMRPY_4, WAMRPY_6)
#define WAMRPY_DO_I32_STORE8 WAMRPY_STORE(1, *maddr = (uint8)value, WAMRPY_4, WAMRPY_6)
#define WAMRPY_THEN_TEE WAMRPY_TEE(*local = r)
#define WAMRPY_THEN_TEE_I64 WAMRPY_TEE(PUT_I64_TO_ADDR(local, r))
#define WAMRPY_THEN_BR_IF WAMRPY_BR_IF
#define WAMRPY_THEN_IF WAMRPY_IF
#define WAMRPY_THEN_RETURN WAMRPY_RETURN
#define WAMRPY_THEN_I32_ADD_L WAMRPY_SECOND(uint32, I32, r, GET_OPERAND(uint32, I32, 0), x + y)
#define WAMRPY_THEN_I32_ADD_R WAMRPY_SECOND(uint32, I32, GET_OPERAND(uint32, I32, 2), r, x + y)
#define WAMRPY_THEN_I32_ADD_N \
    WAMRPY_SECOND(uint32, I32, GET_OPERAND(uint32, I32, 2), GET_OPERAND(uint32, I32, 0), x + y)
#define WAMRPY_THEN_I32_AND_L WAMRPY_SECOND(uint32, I32, r, GET_OPERAND(uint32, I32, 0), x &y)
#define WAMRPY_THEN_I32_XOR_L WAMRPY_SECOND(uint32, I32, r, GET_OPERAND(uint32, I32, 0), x ^ y)
#define WAMRPY_THEN_I32_XOR_R WAMRPY_SECOND(uint32, I32, GET_OPERAND(uint32, I32, 2), r, x ^ y)
#define WAMRPY_THEN_I32_SHL_L \
    WAMRPY_SECOND(uint32, I32, r, GET_OPERAND(uint32, I32, 0), x << (y % 32))
#define WAMRPY_THEN_F64_ADD_L WAMRPY_SECOND(float64, F64, r, GET_OPERAND(float64, F64, 0), x + y)
#define WAMRPY_THEN_F64_ADD_R WAMRPY_SECOND(float64, F64, GET_OPERAND(float64, F64, 2), r, x + y)
#define WAMRPY_THEN_F64_SUB_L WAMRPY_SECOND(float64, F64, r, GET_OPERAND(float64, F64, 0), x - y)
#define WAMRPY_THEN_F64_SUB_R WAMRPY_SECOND(float64, F64, GET_OPERAND(float64, F64, 2), r, x - y)
#define WAMRPY_THEN_F64_MUL_L WAMRPY_SECOND(float64, F64, r, GET_OPERAND(float64, F64, 0), x *y)
#define WAMRPY_THEN_F64_MUL_R WAMRPY_SECOND(float64, F64, GET_OPERAND(float64, F64, 2), r, x *y)
#define WAMRPY_THEN_I32_LOAD_A WAMRPY_LOAD_FROM(r, 4, SET_OPERAND(I32, -2, LOAD_U32(maddr)))
#define WAMRPY_THEN_I32_LOAD_N WAMRPY_LOAD_FROM(WAMRPY_4, 4, SET_OPERAND(I32, -2, LOAD_U32(maddr)))
#define WAMRPY_THEN_I32_LOAD8_U_A WAMRPY_LOAD_FROM(r, 1, SET_OPERAND(I32, -2, *maddr))
#define WAMRPY_THEN_I64_LOAD_N WAMRPY_LOAD_FROM(WAMRPY_4, 8, SET_OPERAND(I64, -2, LOAD_I64(maddr)))
#define WAMRPY_THEN_I32_STORE_V WAMRPY_STORE(4, STORE_U32(maddr, value), r, WAMRPY_6)
#define WAMRPY_THEN_I32_STORE_A WAMRPY_STORE(4, STORE_U32(maddr, value), WAMRPY_4, r)
#define WAMRPY_THEN_I32_STORE_N WAMRPY_STORE(4, STORE_U32(maddr, value), WAMRPY_4, WAMRPY_6)
static const void **wamrpy_pair_table;

const void **
wamrpy_get_pair_table(void)
{
    return wamrpy_pair_table;
}
#endif
