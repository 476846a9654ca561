/* floating.h: what the processor's control word says of floats in this thread, and what wasm code
 * needs it to say.
 *
 * WebAssembly computes as IEEE 754 has it: to the nearest, ties to even, with subnormal numbers,
 * without signals. What a thread has set may be different: a library that was compiled with
 * -ffast-math makes subnormals zero (DAZ, FTZ) when it is loaded, fesetround() changes the
 * rounding, feenableexcept() lets exceptions kill the process. So wasm code runs inside, with the
 * word that it needs, and everybody else outside, with their own: the patch of this name
 * (cmake/patches/spec/floating.patch) changes over at the interpreter's entry and around each call
 * out of it. Where the words are the same, which is nearly always, that is one look.
 *
 * This file knows nothing of wpy.h or of WAMR: the interpreter's copy includes it, and so does
 * cpython/.
 */
#ifndef WPY_FLOATING_H
#define WPY_FLOATING_H

#include <stdbool.h>
#include <stdint.h>

#if defined(_MSC_VER)
#define WPY_FLOATS_INLINE static __forceinline
#define WPY_FLOATS_RARE(condition) (condition)
#else
#define WPY_FLOATS_INLINE static inline __attribute__((always_inline))
#define WPY_FLOATS_RARE(condition) __builtin_expect(!!(condition), 0)
#endif

#if defined(__x86_64__) || defined(_M_X64) || defined(__SSE2__)
#include <xmmintrin.h>

/* MXCSR: all exceptions masked. Bits 0 to 5 tell which have happened, and differ as they like. */
#define WPY_FLOATS_STANDARD 0x1F80u
#define WPY_FLOATS_CONTROL 0xFFC0u

WPY_FLOATS_INLINE uint32_t
wpy_floats_word(void)
{
    return _mm_getcsr();
}

WPY_FLOATS_INLINE void
wpy_floats_set(uint32_t word)
{
    _mm_setcsr(word);
}

#elif defined(__aarch64__) && !defined(_MSC_VER)

/* FPCR: the flags are in another register. */
#define WPY_FLOATS_STANDARD 0u
#define WPY_FLOATS_CONTROL 0xFFFFFFFFu

WPY_FLOATS_INLINE uint32_t
wpy_floats_word(void)
{
    uint64_t word;

    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    return (uint32_t)word;
}

WPY_FLOATS_INLINE void
wpy_floats_set(uint32_t word)
{
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)word) : "memory");
}

#elif defined(_M_ARM64)
#include <intrin.h>

#define WPY_FLOATS_STANDARD 0u
#define WPY_FLOATS_CONTROL 0xFFFFFFFFu

WPY_FLOATS_INLINE uint32_t
wpy_floats_word(void)
{
    return (uint32_t)_ReadStatusReg(ARM64_FPCR);
}

WPY_FLOATS_INLINE void
wpy_floats_set(uint32_t word)
{
    _WriteStatusReg(ARM64_FPCR, (__int64)word);
}

#elif defined(__riscv_flen)

/* frm: only the rounding can be set there. */
#define WPY_FLOATS_STANDARD 0u
#define WPY_FLOATS_CONTROL 7u

WPY_FLOATS_INLINE uint32_t
wpy_floats_word(void)
{
    unsigned long word;

    __asm__ volatile("frrm %0" : "=r"(word));
    return (uint32_t)word;
}

WPY_FLOATS_INLINE void
wpy_floats_set(uint32_t word)
{
    __asm__ volatile("fsrm %0" : : "r"((unsigned long)word) : "memory");
}

#else /* as the thread has it */

#define WPY_FLOATS_STANDARD 0u
#define WPY_FLOATS_CONTROL 0u

WPY_FLOATS_INLINE uint32_t
wpy_floats_word(void)
{
    return 0;
}

WPY_FLOATS_INLINE void
wpy_floats_set(uint32_t word)
{
    (void)word;
}
#endif

/* Whether floats are computed in another way than wasm code needs. */
WPY_FLOATS_INLINE bool
wpy_floats_other(uint32_t word)
{
    return WPY_FLOATS_RARE((word & WPY_FLOATS_CONTROL) != WPY_FLOATS_STANDARD);
}

/* Set in what is to be set again: a word may be 0. No processor has a bit there. */
#define WPY_FLOATS_CHANGED 0x80000000u

/* To where wasm code runs; the answer is for wpy_floats_leave: 0, or what it sets again. */
WPY_FLOATS_INLINE uint32_t
wpy_floats_enter(void)
{
    uint32_t outside = wpy_floats_word();

    if (!wpy_floats_other(outside))
        return 0;
    wpy_floats_set(WPY_FLOATS_STANDARD);
    return outside | WPY_FLOATS_CHANGED;
}

/* Back to where everybody else does. */
WPY_FLOATS_INLINE void
wpy_floats_leave(uint32_t outside)
{
    if (WPY_FLOATS_RARE(outside != 0))
        wpy_floats_set(outside & ~WPY_FLOATS_CHANGED);
}

#endif
