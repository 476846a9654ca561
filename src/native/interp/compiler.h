#ifndef WAMRPY_INTERP_COMPILER_H
#define WAMRPY_INTERP_COMPILER_H

/* What compilers have different words for. */

#if defined(__GNUC__)
#define WAMRPY_LIKELY(x) __builtin_expect(!!(x), 1)
#define WAMRPY_NOINLINE __attribute__((noinline))
#define WAMRPY_COLD __attribute__((noinline, cold))
#else
#define WAMRPY_LIKELY(x) (x)
#define WAMRPY_NOINLINE
#define WAMRPY_COLD
#endif

#endif
