/* entry.h: the pieces that the dispatchers of host functions are put together from (codegen/shapes.py writes shapes.c).
 *
 * A shape names classes: i is any integer as int64_t, d is f32 or f64 as double, v no result. Whether a parameter takes
 * one cell or two is a bit of the function (`narrow`): one predicted branch instead of one dispatcher per exact type.
 */
#ifndef WPY_ENTRY_H
#define WPY_ENTRY_H

#include "internal.h"

/* What a failed Python callback answers. It alone decides, since nothing else is sure to run when Python fails at its
   recursion limit. Where it may be a genuine result, Python says so beforehand (wpy_host_genuine). */
#define WPY_HOST_FAILED_I ((int64_t)0x8BADF00D5AFEC0DE)
#define WPY_HOST_FAILED_D 0xFFFFC0DE0BADF00Du

COLD bool wpy_host_failed(WASMExecEnv *env, const wpy_func *func);
COLD bool wpy_host_out_of_range(WASMExecEnv *env, const wpy_func *func, int64_t value);
COLD bool wpy_host_was_genuine(void);

static ALWAYS_INLINE bool
fits_i32(int64_t value)
{
    return (uint64_t)(value + 0x80000000LL) <= 0x17FFFFFFFULL;
}

static ALWAYS_INLINE int64_t
wpy_get_i(const wpy_func *func, const uint32_t **cell, int k)
{
    int64_t wide;

    if (func->narrow & (1u << k))
        return (int32_t) * (*cell)++;
    memcpy(&wide, *cell, 8);
    *cell += 2;
    return wide;
}

static ALWAYS_INLINE double
wpy_get_d(const wpy_func *func, const uint32_t **cell, int k)
{
    double wide;
    float narrow;

    if (func->narrow & (1u << k)) {
        memcpy(&narrow, (*cell)++, 4);
        return narrow;
    }
    memcpy(&wide, *cell, 8);
    *cell += 2;
    return wide;
}

static ALWAYS_INLINE bool
wpy_put_result_i(WASMExecEnv *env, const wpy_func *func, uint32_t *results, int64_t value)
{
    if (func->narrow_result) {
        if (UNLIKELY(!fits_i32(value)))
            return value == WPY_HOST_FAILED_I ? wpy_host_failed(env, func) : wpy_host_out_of_range(env, func, value);
        results[0] = (uint32_t)value;
        return true;
    }
    if (UNLIKELY(value == WPY_HOST_FAILED_I) && !wpy_host_was_genuine())
        return wpy_host_failed(env, func);
    memcpy(results, &value, 8);
    return true;
}

static ALWAYS_INLINE bool
wpy_put_result_d(WASMExecEnv *env, const wpy_func *func, uint32_t *results, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, 8);
    if (UNLIKELY(bits == WPY_HOST_FAILED_D) && !wpy_host_was_genuine())
        return wpy_host_failed(env, func);
    if (func->narrow_result) {
        float narrow = (float)value;
        memcpy(results, &narrow, 4);
    }
    else
        memcpy(results, &bits, 8);
    return true;
}

#endif
