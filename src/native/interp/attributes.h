/* attributes.h: function attributes and branch hints, for each compiler.
 *
 * The names have a prefix, since WAMR's files include this one. include/compiler.h has the macros
 * for the rest of our C, which WAMR's files must not see. */
#ifndef WAMRPY_ATTRIBUTES_H
#define WAMRPY_ATTRIBUTES_H

#if defined(__GNUC__)
#define WAMRPY_LIKELY(x) __builtin_expect(!!(x), 1)
#define WAMRPY_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define WAMRPY_NOINLINE __attribute__((noinline))
#define WAMRPY_COLD __attribute__((noinline, cold))
#define WAMRPY_ALWAYS_INLINE inline __attribute__((always_inline))
#elif defined(_MSC_VER)
#define WAMRPY_LIKELY(x) (x)
#define WAMRPY_UNLIKELY(x) (x)
#define WAMRPY_NOINLINE __declspec(noinline)
#define WAMRPY_COLD __declspec(noinline)
#define WAMRPY_ALWAYS_INLINE __forceinline
#else
#define WAMRPY_LIKELY(x) (x)
#define WAMRPY_UNLIKELY(x) (x)
#define WAMRPY_NOINLINE
#define WAMRPY_COLD
#define WAMRPY_ALWAYS_INLINE inline
#endif

#endif
