/* compiler.h: attributes, atomics, thread-local variables, labels as values and builtins.
 *
 * The only file of our C that spells an extension of a compiler. gcc, clang and clang-cl have the
 * same extensions. cl.exe lacks most of them. WAMR's files include this header, too, through those
 * of interp/, so no name here may be one of WAMR's.
 */
#ifndef WPY_COMPILER_H
#define WPY_COMPILER_H

#if defined(_MSC_VER) && !defined(__clang__)
#error "cl.exe cannot compile wamr: use clang-cl, which is part of Visual Studio and of LLVM"
#elif !defined(__GNUC__) && !defined(__clang__)
#error "wamr needs gcc, clang or clang-cl: this compiler lacks their attributes and atomics"
#endif

/* ---- attributes ---- */

#define NOINLINE __attribute__((noinline))
#define ALWAYS_INLINE inline __attribute__((always_inline))
/* Rarely called: kept apart from the code that calls it. */
#define COLD __attribute__((noinline, cold))
#define NORETURN __attribute__((noreturn))
/* The parameter `text` is a format of printf, and its arguments begin at `first`, counted from 1.
 */
#if defined(__MINGW32__) && !defined(__clang__) /* whose "printf" is that of the old msvcrt.dll */
#define PRINTF_FORMAT(text, first) __attribute__((format(gnu_printf, text, first)))
#else
#define PRINTF_FORMAT(text, first) __attribute__((format(printf, text, first)))
#endif

/* Of a member: i386 aligns 64-bit members to 4 bytes only. */
#define ALIGNED_8 _Alignas(8)

#define THREAD_LOCAL __thread

/* ---- builtins ---- */

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* The number of the lowest bit that is set in a uint64_t that isn't 0. */
#define LOWEST_BIT_64(x) ((uint32_t)__builtin_ctzll(x))

/* In the body of a loop with few iterations: the compiler does not vectorize it. */
#define PLAIN_LOOP() __asm__ volatile("")

#if defined(_WIN32)
#include <malloc.h>
#else
#include <alloca.h>
#endif

/* ---- labels as values ----
 *
 * The interpreter has one indirect jump for each instruction where it may use them. CMakeLists.txt
 * defines WASM_ENABLE_LABELS_AS_VALUES, 0 or 1, for WAMR's files and ours. */

#define LABEL_ADDRESS(label) (&&label)

/* ---- atomics ----
 *
 * The names end with the memory order: ACQUIRE, RELEASE and SEQ (sequentially consistent) as in
 * C11; without one, the order is relaxed. */

#define ATOMIC_LOAD(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define ATOMIC_LOAD_ACQUIRE(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define ATOMIC_LOAD_SEQ(p) __atomic_load_n(p, __ATOMIC_SEQ_CST)

#define ATOMIC_STORE(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define ATOMIC_STORE_RELEASE(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define ATOMIC_STORE_SEQ(p, v) __atomic_store_n(p, v, __ATOMIC_SEQ_CST)

/* Return the value before. */
#define ATOMIC_EXCHANGE_ACQUIRE(p, v) __atomic_exchange_n(p, v, __ATOMIC_ACQUIRE)
#define ATOMIC_EXCHANGE_SEQ(p, v) __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)

/* Compare-and-swap: if *p equals *expected, store v; else store *p to *expected. True: stored v. */
#define ATOMIC_SWAP(p, expected, v) \
    __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define ATOMIC_SWAP_ACQUIRE(p, expected, v) \
    __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
#define ATOMIC_SWAP_RELEASE(p, expected, v) \
    __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define ATOMIC_SWAP_SEQ(p, expected, v) \
    __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

/* Return the value afterwards. */
#define ATOMIC_ADD(p, v) __atomic_add_fetch(p, v, __ATOMIC_RELAXED)
#define ATOMIC_ADD_SEQ(p, v) __atomic_add_fetch(p, v, __ATOMIC_SEQ_CST)
#define ATOMIC_SUB(p, v) __atomic_sub_fetch(p, v, __ATOMIC_RELAXED)

#define ATOMIC_SET_BITS_SEQ(p, v) __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST)
#define ATOMIC_CLEAR_BITS_SEQ(p, v) __atomic_fetch_and(p, ~(v), __ATOMIC_SEQ_CST)

/* Reference counts; return the value afterwards. The thread that drops the last reference sees all
   writes that other threads made before they dropped theirs. */
#define REFS_UP(p) __atomic_add_fetch(p, 1, __ATOMIC_RELAXED)
#define REFS_DOWN(p) __atomic_sub_fetch(p, 1, __ATOMIC_ACQ_REL)

#endif
