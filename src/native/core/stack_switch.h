/* stack_switch.h: which calls the native stack that we are on has open, and what must be so again
 * when Python returns to wasm. stack_switch.c tells why.
 */
#ifndef WPY_STACK_SWITCH_H
#define WPY_STACK_SWITCH_H

#include "core/core.h"

/* The activation, if it is open and lies on this native stack, in a frame that calls the one where
 * `from` is; else NULL. */
static ALWAYS_INLINE wpy_activation *
wpy_open_at(wpy_activation *activation, const void *from)
{
    return activation && (uintptr_t)activation > (uintptr_t)from && activation->self == activation
               ? activation
               : NULL;
}

/* The call within which this one was made. */
static inline wpy_activation *
wpy_outer(const wpy_activation *activation)
{
    return wpy_open_at(activation->prev, activation);
}

/* The innermost call that is open on this native stack. */
static inline wpy_activation *
wpy_innermost(const wpy_thread *me)
{
    char here;

    return wpy_open_at(me->top, &here);
}

/* Around each place where Python runs within wasm: what is to be the same afterwards. */
typedef struct {
    wpy_activation *top;
    uint8_t *stack;
    struct WASMInterpFrame *frame;
} wpy_outside;

static ALWAYS_INLINE wpy_outside
wpy_go_out(const WASMExecEnv *env)
{
    return (wpy_outside){wpy_self.top, env->wasm_stack.top, env->cur_frame};
}

/* False: the call can't go on, and has an exception. */
static ALWAYS_INLINE bool
wpy_come_back(WASMExecEnv *env, const wpy_outside *outside)
{
    wpy_self.top = outside->top;
    return LIKELY(env->wasm_stack.top == outside->stack) || wpy_out_of_order(env, outside->frame);
}

#endif
