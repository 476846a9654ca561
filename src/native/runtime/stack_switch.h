/* stack_switch.h: saves and restores the state of a thread around each place where wasm calls
 * Python.
 *
 * stack_switch.c tells why.
 */
#ifndef WPY_STACK_SWITCH_H
#define WPY_STACK_SWITCH_H

#include "runtime/activation.h"

/* Another call's frames are above those of `frame`: sets the exception, and returns false. */
COLD bool wpy_out_of_order(WASMExecEnv *env, struct WASMInterpFrame *frame);
/* The slow path of wpy_leave: an instance that must be closed, or whose calls ended out of order.
 */
COLD void wpy_leave_slow(wpy_instance *instance);

/* The state that must be the same after Python has run within wasm as before. */
typedef struct {
    wpy_activation *top;
    uint8_t *stack;
    struct WASMInterpFrame *frame;
} wpy_saved_stack;

static ALWAYS_INLINE wpy_saved_stack
wpy_save_stack(const WASMExecEnv *env)
{
    return (wpy_saved_stack){wpy_self.top, env->wasm_stack.top, env->cur_frame};
}

/* Where the code doesn't go on with its next instruction: calls in other greenlets may have left
   another frame. */
static inline void
wpy_restore_frame(WASMExecEnv *env, struct WASMInterpFrame *frame)
{
    wasm_exec_env_set_cur_frame(env, (WASMRuntimeFrame *)frame);
}

/* False: the call can't go on, and the instance has an exception. */
static ALWAYS_INLINE bool
wpy_restore_stack(WASMExecEnv *env, const wpy_saved_stack *saved)
{
    wpy_self.top = saved->top;
    return LIKELY(env->wasm_stack.top == saved->stack) || wpy_out_of_order(env, saved->frame);
}

#endif
