/* floating.c: the conversions between f32 and Python's float, a double, with WebAssembly's
 * rounding.
 *
 * The processor converts with one instruction, in the mode that the thread has set: it may round
 * upwards or flush subnormals to zero. cpython/values.h converts inline where the mode is the
 * default; these functions set WebAssembly's mode first.
 */
#include "interp/floating.h"
#include "core/core.h"

/* The bits of the f32 that is nearest to `real`; beyond the range, those of an infinity. */
uint32_t
wpy_f32_bits(double real)
{
    uint32_t outside = wpy_floats_enter(), bits;
    volatile double from = real; /* so that the compiler does not convert before or after */
    volatile float narrow = (float)from;

    wpy_floats_leave(outside);
    memcpy(&bits, (const void *)&narrow, sizeof bits);
    return bits;
}

/* The value of an f32 as a double. */
double
wpy_f32_value(uint32_t bits)
{
    uint32_t outside = wpy_floats_enter();
    volatile float narrow;
    volatile double real;

    memcpy((void *)&narrow, &bits, sizeof bits);
    real = narrow;
    wpy_floats_leave(outside);
    return real;
}
