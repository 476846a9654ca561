/* floating.c: f32 from and to the double that Python's float is, as WebAssembly rounds, wherever it
 * is done.
 *
 * Both are one instruction of the processor, and that does what the thread has set: it may round
 * upwards, and make zero of subnormals. cpython/values.h converts in its own lines where nothing
 * else is set.
 */
#include "interp/floating.h"
#include "core/core.h"

/* The bits of the f32 nearest to it; beyond the range infinite. */
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

/* The same value as a double. */
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
