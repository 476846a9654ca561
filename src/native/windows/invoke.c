/* invoke.c: calls WAMR's own native functions, which are those of WASI.
 *
 * WAMR has assembler code for this. Its file for arm64 has directives of ELF, and reads 8 float and
 * 8 integer registers, while wasm_runtime_invoke_native lays out 4 of each on Windows, whatever the
 * processor. This function is in C, so it is the same on both processors, and the compiler adds
 * what Windows needs to unwind the stack.
 *
 * It passes integers and pointers only: WASI has no other arguments. Our host functions are never
 * called this way, since they take an array (call_conv_raw).
 */
#include <stdint.h>
#include <stdlib.h>

#define REGISTERS 4  /* MAX_REG_FLOATS and MAX_REG_INTS of WAMR on Windows */
#define ARGUMENTS 10 /* path_open has most: the environment, and 9 of WASI */

#if WASM_ENABLE_SIMD != 0
#define WORDS_OF_A_FLOAT 2 /* of a vector, that is */
#else
#define WORDS_OF_A_FLOAT 1
#endif

typedef uint64_t native_function(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                                 uint64_t, uint64_t, uint64_t, uint64_t);

uint64_t invokeNative(void (*function)(void), const uint64_t *words, uint64_t on_stack);

/* Calls `function` with the integers that follow the float registers in `words`, `on_stack` of them
 * beyond the first four. More are passed than it takes, which neither processor's convention
 * forbids: the array has room for them, always. An argument of 32 bits has a word of its own, too.
 */
uint64_t
invokeNative(void (*function)(void), const uint64_t *words, uint64_t on_stack)
{
    const uint64_t *a = words + REGISTERS * WORDS_OF_A_FLOAT;

    if (on_stack > ARGUMENTS - REGISTERS)
        abort();
    return ((native_function *)function)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8],
                                         a[9]);
}
