"""What makes loading faster: the code that the loader emits stays the same to the byte.

**Numbers.** Nine of ten LEBs have one byte: they are read in place, without a call, and from a copy
of the pointer, so that the pointer itself can live in a register.

**Cells.** How many cells a value of a type has is looked up in a table, not asked for in branches.

**Pairs** (``speed``) are looked for where an instruction may begin one.
"""

from __future__ import annotations

from . import Cure

_LOADER = "core/iwasm/interpreter/wasm_loader.c"
_TESTS = "tests/regressions/test_loading.py::"
_TEST_OF_NUMBERS = _TESTS + "test_numbers_of_all_lengths"
_TEST_OF_PAIRS = "tests/regressions/test_speed.py::test_two_that_are_a_pair_run_as_one"


CURES: tuple[Cure, ...] = (
    Cure(
        name="loading",
        file=_LOADER,
        expect="""\
#define skip_leb(p) while (*p++ & 0x80)
""",
        replace="""\
#if defined(__GNUC__)
#define WAMRPY_LIKELY(x) __builtin_expect(!!(x), 1)
#define WAMRPY_NOINLINE __attribute__((noinline))
#else
#define WAMRPY_LIKELY(x) (x)
#define WAMRPY_NOINLINE
#endif

#if WASM_ENABLE_GC == 0
/* the cells of a value of each type; none, where there is no such type */
static const uint8 wamrpy_cells[256] = {
    [VALUE_TYPE_I32] = 1, [VALUE_TYPE_F32] = 1, [VALUE_TYPE_ANY] = 1,
    [VALUE_TYPE_FUNCREF] = 1, [VALUE_TYPE_EXTERNREF] = 1,
    [VALUE_TYPE_I64] = 2, [VALUE_TYPE_F64] = 2, [VALUE_TYPE_V128] = 4,
};
#define wasm_value_type_cell_num(type) wamrpy_cells[(uint8)(type)]
#endif

/* Four bytes have no bits too many, whatever the number is for; a fifth has none
   if it only repeats the sign. Linkers like to write five. */
static WAMRPY_NOINLINE bool
wamrpy_read_leb(uint8 **p_buf, const uint8 *buf_end, uint32 maxbits, bool sign,
                uint64 *p_result, char *error_buf, uint32 error_buf_size)
{
    const uint8 *buf = *p_buf;

    if (buf_end - buf >= 5) {
        uint64 result = 0;
        uint32 shift = 0;

        do {
            result |= (uint64)(*buf & 0x7f) << shift;
            shift += 7;
            if (!(*buf++ & 0x80)) {
                if (sign && (buf[-1] & 0x40))
                    result |= ~(uint64)0 << shift;
                *p_result = result;
                *p_buf = (uint8 *)buf;
                return true;
            }
        } while (shift < 28);
        if (*buf < 8) {
            *p_result = result | (uint64)*buf << 28;
            *p_buf = (uint8 *)buf + 1;
            return true;
        }
    }
    return read_leb(p_buf, buf_end, maxbits, sign, p_result, error_buf,
                    error_buf_size);
}

#define skip_leb(p) while (*p++ & 0x80)
""",
        why="Numbers of two bytes and more, and what a type's size is.",
        test=_TEST_OF_NUMBERS,
    ),
    Cure(
        name="loading",
        file=_LOADER,
        expect="""\
static char *
type2str(uint8 type)
""",
        replace="""\
/* One byte, mostly. The pointer is copied, so that it may be in a register. */
#define WAMRPY_READ_LEB(p, p_end, res, type, bits, sign, of_byte)          \\
    do {                                                                   \\
        uint8 *at = (uint8 *)(p);                                          \\
        uint64 res64;                                                      \\
        if (WAMRPY_LIKELY(at < (uint8 *)(p_end) && *at < 0x80))            \\
            res = of_byte(*at++);                                          \\
        else {                                                             \\
            if (!wamrpy_read_leb(&at, p_end, bits, sign, &res64,           \\
                                 error_buf, error_buf_size))               \\
                goto fail;                                                 \\
            res = (type)res64;                                             \\
        }                                                                  \\
        p = at;                                                            \\
    } while (0)
#define WAMRPY_UNSIGNED(byte) (byte)
#define WAMRPY_SIGNED(byte) ((int32)((byte) ^ 0x40) - 0x40)
#undef read_leb_uint32
#undef read_leb_int32
#undef read_leb_int64
#define read_leb_uint32(p, p_end, res) \\
    WAMRPY_READ_LEB(p, p_end, res, uint32, 32, false, WAMRPY_UNSIGNED)
#define read_leb_int32(p, p_end, res) \\
    WAMRPY_READ_LEB(p, p_end, res, int32, 32, true, WAMRPY_SIGNED)
#define read_leb_int64(p, p_end, res) \\
    WAMRPY_READ_LEB(p, p_end, res, int64, 64, true, WAMRPY_SIGNED)

static char *
type2str(uint8 type)
""",
        why="In place of a call for each number.",
        test=_TEST_OF_NUMBERS,
    ),
    Cure(
        name="loading",
        file=_LOADER,
        expect="""\
#if WASM_ENABLE_FAST_INTERP == 0

#define pb_read_leb_uint32 read_leb_uint32
""",
        replace="""\
#if WASM_ENABLE_MULTI_MEMORY == 0 && WASM_ENABLE_MEMORY64 == 0

#define pb_read_leb_uint32 read_leb_uint32
""",
        why="The second pass has nothing to gain from another way to read.",
        test=_TEST_OF_NUMBERS,
    ),
    Cure(
        name="loading",
        file=_LOADER,
        expect="""\
static void
wamrpy_before_label(WASMLoaderContext *ctx, uint8 opcode)
{
""",
        replace="""\
static WAMRPY_NOINLINE void
wamrpy_find_pair(WASMLoaderContext *ctx)
{
""",
        why="Most instructions are no first of a pair: no call for them.",
        test=_TEST_OF_PAIRS,
    ),
    Cure(
        name="loading",
        file=_LOADER,
        expect="""\
    ctx->wamrpy_labels[0] = ctx->wamrpy_labels[1];
    ctx->wamrpy_labels[1] = ctx->wamrpy_labels[2];
    ctx->wamrpy_labels[2] = ctx->p_code_compiled;
""",
        replace="""\
}

static inline void
wamrpy_before_label(WASMLoaderContext *ctx, uint8 opcode)
{
    if (ctx->wamrpy_labels[1] && wamrpy_last_pair[ctx->wamrpy_opcodes[1]])
        wamrpy_find_pair(ctx);
    ctx->wamrpy_labels[0] = ctx->wamrpy_labels[1];
    ctx->wamrpy_labels[1] = ctx->wamrpy_labels[2];
    ctx->wamrpy_labels[2] = ctx->p_code_compiled;
""",
        why="The same.",
        test=_TEST_OF_PAIRS,
    ),
)
