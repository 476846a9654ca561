/* atomics.h: the atomic instructions, on memories that aren't shared.
 *
 * Included by wasm_interp_fast.c, before the interpreter's function. This build has no
 * shared memories. One thread at a time runs code with an unshared memory, so an atomic
 * instruction there is a plain load, store, or both. Besides, the address must be a
 * multiple of the access's size.
 *
 * The function stands apart from the interpreter's, which would otherwise get slower: code
 * with many cases changes where the compiler keeps its variables. */

#include "compiler.h"

#if WASM_ENABLE_SHARED_MEMORY == 0
/* The opcodes from WASM_OP_ATOMIC_I32_LOAD on are groups of 7: one for each operation, and
   in each group one opcode for each of these accesses. */
enum {
    WAMRPY_ATOMIC_LOAD,
    WAMRPY_ATOMIC_STORE,
    WAMRPY_ATOMIC_ADD,
    WAMRPY_ATOMIC_SUB,
    WAMRPY_ATOMIC_AND,
    WAMRPY_ATOMIC_OR,
    WAMRPY_ATOMIC_XOR,
    WAMRPY_ATOMIC_XCHG,
    WAMRPY_ATOMIC_CMPXCHG,
};
static const struct {
    uint8 bytes;
    bool is_i64;
} wamrpy_atomic_accesses[7] = {
    {4, false}, {8, true}, {1, false}, {2, false}, {1, true}, {2, true}, {4, true},
};

static inline uint64
wamrpy_atomic_read(uint8 *at, uint32 bytes)
{
    switch (bytes) {
    case 1:
        return *at;
    case 2:
        return LOAD_U16(at);
    case 4:
        return LOAD_U32(at);
    default:
        return (uint64)LOAD_I64(at);
    }
}

static inline void
wamrpy_atomic_write(uint8 *at, uint32 bytes, uint64 value)
{
    switch (bytes) {
    case 1:
        *at = (uint8)value;
        break;
    case 2:
        STORE_U16(at, (uint16)value);
        break;
    case 4:
        STORE_U32(at, (uint32)value);
        break;
    default:
        STORE_I64(at, (int64)value);
    }
}

/* What an operation writes, for the value in memory and the operand. */
static inline uint64
wamrpy_atomic_apply(uint32 operation, uint64 old, uint64 operand)
{
    switch (operation) {
    case WAMRPY_ATOMIC_ADD:
        return old + operand;
    case WAMRPY_ATOMIC_SUB:
        return old - operand;
    case WAMRPY_ATOMIC_AND:
        return old & operand;
    case WAMRPY_ATOMIC_OR:
        return old | operand;
    case WAMRPY_ATOMIC_XOR:
        return old ^ operand;
    default: /* store, xchg, cmpxchg */
        return operand;
    }
}

/* The slot of the next operand. The last operand comes first. */
static inline uint32 *
wamrpy_atomic_slot(uint8 **ip, uint32 *lp)
{
    *ip += sizeof(int16);
    return lp + *(int16 *)(*ip - sizeof(int16));
}

static inline uint64
wamrpy_atomic_operand(uint8 **ip, uint32 *lp, bool is_i64)
{
    uint32 *slot = wamrpy_atomic_slot(ip, lp);

    return is_i64 ? (uint64)GET_I64_FROM_ADDR(slot) : *slot;
}

/* The address of an access in the host's memory, or NULL for a trap. */
static inline uint8 *
wamrpy_atomic_address(WASMModuleInstance *module, WASMMemoryInstance *memory, uint64 address,
                      uint32 bytes)
{
    if (address % bytes != 0) {
        wasm_set_exception(module, "unaligned atomic");
        return NULL;
    }
    if (address + bytes > GET_LINEAR_MEMORY_SIZE(memory)) {
        wasm_set_exception(module, "out of bounds memory access");
        return NULL;
    }
    return memory->memory_data + address;
}

/* memory.atomic.notify, memory.atomic.wait32 and memory.atomic.wait64. */
static uint8 *
wamrpy_atomic_wait(WASMModuleInstance *module, WASMMemoryInstance *memory, uint8 opcode, uint8 *ip,
                   uint32 *lp, uint64 offset)
{
    uint32 bytes = opcode == WASM_OP_ATOMIC_WAIT64 ? 8 : 4;

    ip += sizeof(int16); /* the timeout, or how many to wake */
    if (opcode != WASM_OP_ATOMIC_NOTIFY)
        ip += sizeof(int16); /* the expected value */
    offset += *wamrpy_atomic_slot(&ip, lp);
    if (!wamrpy_atomic_address(module, memory, offset, bytes))
        return NULL;
    if (opcode != WASM_OP_ATOMIC_NOTIFY) {
        wasm_set_exception(module, "expected shared memory");
        return NULL;
    }
    *wamrpy_atomic_slot(&ip, lp) = 0; /* nobody can wait */
    return ip;
}

/* Executes an instruction. `ip` is behind its opcode. Returns where the next instruction
   begins, or NULL for a trap. */
static NOINLINE uint8 *
wamrpy_atomic(WASMModuleInstance *module, WASMMemoryInstance *memory, uint8 opcode, uint8 *ip,
              uint32 *lp)
{
    uint64 offset, operand = 0, expected = 0, old;
    uint32 operation, bytes;
    bool is_i64;
    uint8 *at;

    if (opcode == WASM_OP_ATOMIC_FENCE)
        return ip; /* there are no other accesses to order */
    offset = LOAD_U32_WITH_2U16S(ip);
    ip += sizeof(uint32);
    if (opcode < WASM_OP_ATOMIC_I32_LOAD)
        return wamrpy_atomic_wait(module, memory, opcode, ip, lp, offset);

    operation = (uint32)(opcode - WASM_OP_ATOMIC_I32_LOAD) / 7;
    bytes = wamrpy_atomic_accesses[(opcode - WASM_OP_ATOMIC_I32_LOAD) % 7].bytes;
    is_i64 = wamrpy_atomic_accesses[(opcode - WASM_OP_ATOMIC_I32_LOAD) % 7].is_i64;
    if (operation != WAMRPY_ATOMIC_LOAD)
        operand = wamrpy_atomic_operand(&ip, lp, is_i64);
    if (operation == WAMRPY_ATOMIC_CMPXCHG)
        expected = wamrpy_atomic_operand(&ip, lp, is_i64);
    offset += *wamrpy_atomic_slot(&ip, lp);
    if (!(at = wamrpy_atomic_address(module, memory, offset, bytes)))
        return NULL;

    old = wamrpy_atomic_read(at, bytes);
    if (operation == WAMRPY_ATOMIC_CMPXCHG && bytes < 8)
        expected &= ((uint64)1 << bytes * 8) - 1;
    if (operation != WAMRPY_ATOMIC_LOAD && (operation != WAMRPY_ATOMIC_CMPXCHG || old == expected))
        wamrpy_atomic_write(at, bytes, wamrpy_atomic_apply(operation, old, operand));
    if (operation != WAMRPY_ATOMIC_STORE) {
        uint32 *result = wamrpy_atomic_slot(&ip, lp);

        if (is_i64)
            PUT_I64_TO_ADDR(result, old);
        else
            *result = (uint32)old;
    }
    return ip;
}
#endif
