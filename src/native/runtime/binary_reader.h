/* binary_reader.h: reads the elements of the binary format: bytes, LEB128 numbers, vectors,
 * constant expressions.
 *
 * Nothing is read outside the bytes: at their end, a reader fails and stays failed, and each read
 * returns zeros. Nothing is validated; WAMR does that.
 */
#ifndef WPY_BINARY_READER_H
#define WPY_BINARY_READER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    const uint8_t *at, *end;
    bool failed;
} wpy_reader;

static inline uint8_t
wpy_read_byte(wpy_reader *r)
{
    if (r->at >= r->end) {
        r->failed = true;
        return 0;
    }
    return *r->at++;
}

/* An unsigned number in LEB128, cut to 32 bits. */
static inline uint32_t
wpy_read_u32(wpy_reader *r)
{
    uint32_t value = 0, shift = 0;
    uint8_t next;

    do {
        next = wpy_read_byte(r);
        if (shift < 32)
            value |= (uint32_t)(next & 0x7F) << shift;
        shift += 7;
    } while ((next & 0x80) && shift < 70 && !r->failed);
    return value;
}

/* Skips `size` bytes, and returns their address. */
static inline const uint8_t *
wpy_read_bytes(wpy_reader *r, uint32_t size)
{
    const uint8_t *start = r->at;

    if (size > (uint64_t)(r->end - r->at)) {
        r->failed = true;
        r->at = r->end;
        return start;
    }
    r->at += size;
    return start;
}

/* The number of items of a vector. It can't be larger than what is left, since each item has a byte
   at least. */
static inline uint32_t
wpy_read_count(wpy_reader *r)
{
    uint32_t count = wpy_read_u32(r);

    if (count > (uint64_t)(r->end - r->at)) {
        r->failed = true;
        return 0;
    }
    return count;
}

/* Skips a constant expression, such as the initializer of a global, and its `end`. */
static inline void
wpy_skip_expression(wpy_reader *r)
{
    uint8_t opcode;

    while (!r->failed && (opcode = wpy_read_byte(r)) != 0x0B) {
        switch (opcode) {
        case 0x41: /* i32.const, i64.const, global.get, ref.func: LEB128 */
        case 0x42:
        case 0x23:
        case 0xD2:
            wpy_read_u32(r);
            break;
        case 0xD0: /* ref.null */
            wpy_read_byte(r);
            break;
        case 0x43: /* f32.const */
            wpy_read_bytes(r, 4);
            break;
        case 0x44: /* f64.const */
            wpy_read_bytes(r, 8);
            break;
        case 0xFD: /* v128.const */
            wpy_read_u32(r);
            wpy_read_bytes(r, 16);
            break;
        default: /* arithmetic of extended constant expressions: no immediate */
            break;
        }
    }
}

#endif
