/* wasm_stack.h: the wasm stack of an instance: its operands, locals and frames.
 *
 * A stack may have secrets of what has run on it, so it is cleared before its memory is freed or
 * used again for another request.
 */
#ifndef WPY_WASM_STACK_H
#define WPY_WASM_STACK_H

#include "runtime/runtime.h"

/* A new, empty stack, owned by the caller; NULL: out of memory. Behind its end are WPY_SYSTEM_PAGE
   unused bytes, so that clearing it may replace the page with the end. */
static inline WASMExecEnv *
wpy_stack_new(WASMModuleInstance *wamr, uint32_t size)
{
    WASMExecEnv *env =
        wasm_exec_env_create((WASMModuleInstanceCommon *)wamr, size + WPY_SYSTEM_PAGE);

    if (env) {
        env->fuel = 0;
        env->wasm_stack_size = size;
        env->wasm_stack.top_boundary = env->wasm_stack.bottom + size;
    }
    return env;
}

/* Clears all that was ever on the stack. No frame may be on it. */
static inline void
wpy_stack_clear(WASMExecEnv *env)
{
    wpy_wipe_sparse(env->wasm_stack.bottom, env->wasm_stack_size);
}

/* used: whether anything was ever on it. */
static inline void
wpy_stack_free(WASMExecEnv *env, bool used)
{
    if (used)
        wpy_stack_clear(env);
    wasm_exec_env_destroy(env);
}

#endif
