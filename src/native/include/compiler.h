/* compiler.h: attributes, thread-local variables and atomics, which compilers spell differently.
 *
 * The names of the atomics end with their memory order: ACQUIRE, RELEASE and SEQ (sequentially
 * consistent) as in C11; without one, the order is relaxed.
 */
#ifndef WPY_COMPILER_H
#define WPY_COMPILER_H

#if defined(__GNUC__) || defined(__clang__)
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define COLD __attribute__((noinline, cold))
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define THREAD_LOCAL __thread
#else
#define LIKELY(x) (x)
#define UNLIKELY(x) (x)
#define COLD __declspec(noinline)
#define ALWAYS_INLINE __forceinline
#define THREAD_LOCAL __declspec(thread)
#endif

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
