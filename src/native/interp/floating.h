/* floating.h: the floating-point environment of wasm code.
 *
 * WebAssembly computes as IEEE 754 specifies: rounding to the nearest, ties to even, with subnormal
 * numbers, and without traps. A thread's control word may say otherwise: loading a library that was
 * compiled with -ffast-math flushes subnormals to zero (DAZ, FTZ), fesetround() changes the
 * rounding, and feenableexcept() turns floating-point exceptions into signals. So wasm code runs
 * with a control word of its own, and everything outside of the interpreter with that of its
 * thread. The patch cmake/patches/spec/floating.patch changes the word at the interpreter's entry
 * and around each call out of it. Nearly always both words are the same, and then this costs one
 * comparison.
 *
 * This file includes neither wpy.h nor WAMR's headers. The interpreter and cpython/ include it.
 */
#ifndef WPY_FLOATING_H
#define WPY_FLOATING_H

#include "compiler.h"

#include <stdbool.h>
#include <stdint.h>

/* For each architecture: WPY_FLOATS_STANDARD, the control word that wasm code needs;
 * WPY_FLOATS_CONTROL, the bits of the word that matter; and functions that read and set the word.
 */

#if defined(__x86_64__) || defined(__SSE2__)
#include <xmmintrin.h>

/* MXCSR with all exceptions masked. Bits 0 to 5 are sticky flags of exceptions, which may differ.
 */
#define WPY_FLOATS_STANDARD 0x1F80u
#define WPY_FLOATS_CONTROL 0xFFC0u

static ALWAYS_INLINE uint32_t
wpy_floats_word(void)
{
    return _mm_getcsr();
}

static ALWAYS_INLINE void
wpy_floats_set(uint32_t word)
{
    _mm_setcsr(word);
}

#elif defined(__aarch64__)

/* FPCR. The sticky flags are in another register. */
#define WPY_FLOATS_STANDARD 0u
#define WPY_FLOATS_CONTROL 0xFFFFFFFFu

static ALWAYS_INLINE uint32_t
wpy_floats_word(void)
{
    uint64_t word;

    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    return (uint32_t)word;
}

static ALWAYS_INLINE void
wpy_floats_set(uint32_t word)
{
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)word) : "memory");
}

#elif defined(__arm__) && defined(__ARM_FP)

/* FPSCR, which has the sticky flags (0 to 4, 7, 27) and the results of comparisons (28 to 31), too.
 * Bit 31 is left out: WPY_FLOATS_CHANGED. */
#define WPY_FLOATS_STANDARD 0u
#define WPY_FLOATS_CONTROL 0x07F79F00u

static ALWAYS_INLINE uint32_t
wpy_floats_word(void)
{
    return __builtin_arm_get_fpscr() & 0x7FFFFFFFu;
}

static ALWAYS_INLINE void
wpy_floats_set(uint32_t word)
{
    __builtin_arm_set_fpscr(word);
}

#elif defined(__riscv_flen)

/* frm: only the rounding mode can be set. */
#define WPY_FLOATS_STANDARD 0u
#define WPY_FLOATS_CONTROL 7u

static ALWAYS_INLINE uint32_t
wpy_floats_word(void)
{
    unsigned long word;

    __asm__ volatile("frrm %0" : "=r"(word));
    return (uint32_t)word;
}

static ALWAYS_INLINE void
wpy_floats_set(uint32_t word)
{
    __asm__ volatile("fsrm %0" : : "r"((unsigned long)word) : "memory");
}

#else /* unknown: wasm code uses the environment of its thread */

#define WPY_FLOATS_STANDARD 0u
#define WPY_FLOATS_CONTROL 0u

static ALWAYS_INLINE uint32_t
wpy_floats_word(void)
{
    return 0;
}

static ALWAYS_INLINE void
wpy_floats_set(uint32_t word)
{
    (void)word;
}
#endif

/* Whether the control word is not the one that wasm code needs. */
static ALWAYS_INLINE bool
wpy_floats_differ(uint32_t word)
{
    return UNLIKELY((word & WPY_FLOATS_CONTROL) != WPY_FLOATS_STANDARD);
}

/* Marks a saved word, which may be 0. No processor has a control bit here. */
#define WPY_FLOATS_CHANGED 0x80000000u

/* Sets the control word for wasm code. Returns the argument for wpy_floats_leave: the saved word,
 * or 0 where nothing was changed. */
static ALWAYS_INLINE uint32_t
wpy_floats_enter(void)
{
    uint32_t outside = wpy_floats_word();

    if (!wpy_floats_differ(outside))
        return 0;
    wpy_floats_set(WPY_FLOATS_STANDARD);
    return outside | WPY_FLOATS_CHANGED;
}

/* Restores the control word of the thread. */
static ALWAYS_INLINE void
wpy_floats_leave(uint32_t outside)
{
    if (UNLIKELY(outside != 0))
        wpy_floats_set(outside & ~WPY_FLOATS_CHANGED);
}

#endif
