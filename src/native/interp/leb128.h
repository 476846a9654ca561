/* leb128.h: reads short LEB128 numbers without a call, and without the general loop.
 *
 * Included by wasm_loader.c, after its own macros for reading numbers. Those of
 * this file replace read_leb_uint32, read_leb_int32 and read_leb_int64. */

#include "compiler.h"

/* A number of four bytes has no unused bits that must be checked. Nor has one of
   five, as linkers often write, whose last byte is below 8. All others are left to
   WAMR's read_leb(). */
static NOINLINE bool
wamrpy_read_leb(uint8 **p_buf, const uint8 *buf_end, uint32 maxbits, bool sign, uint64 *p_result,
                char *error_buf, uint32 error_buf_size)
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
    return read_leb(p_buf, buf_end, maxbits, sign, p_result, error_buf, error_buf_size);
}

/* Most numbers have one byte. The pointer is copied, so that it can stay in a
   register. */
#define WAMRPY_READ_LEB(p, p_end, res, type, bits, sign, of_byte)                            \
    do {                                                                                     \
        uint8 *at = (uint8 *)(p);                                                            \
        uint64 res64;                                                                        \
        if (LIKELY(at < (uint8 *)(p_end) && *at < 0x80))                                     \
            res = of_byte(*at++);                                                            \
        else {                                                                               \
            if (!wamrpy_read_leb(&at, p_end, bits, sign, &res64, error_buf, error_buf_size)) \
                goto fail;                                                                   \
            res = (type)res64;                                                               \
        }                                                                                    \
        p = at;                                                                              \
    } while (0)
#define WAMRPY_UNSIGNED(byte) (byte)
#define WAMRPY_SIGNED(byte) ((int32)((byte) ^ 0x40) - 0x40)
#undef read_leb_uint32
#undef read_leb_int32
#undef read_leb_int64
#define read_leb_uint32(p, p_end, res) \
    WAMRPY_READ_LEB(p, p_end, res, uint32, 32, false, WAMRPY_UNSIGNED)
#define read_leb_int32(p, p_end, res) WAMRPY_READ_LEB(p, p_end, res, int32, 32, true, WAMRPY_SIGNED)
#define read_leb_int64(p, p_end, res) WAMRPY_READ_LEB(p, p_end, res, int64, 64, true, WAMRPY_SIGNED)
