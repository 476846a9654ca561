/* stack_switch.c: calls that end in another order than they began, because greenlets switch.
 *
 * Greenlets are several native stacks that one thread runs by turns. A host function may switch to
 * another greenlet (gevent does so wherever it would block), which calls wasm, and switch back
 * before that call has ended. All greenlets run at the same addresses: the stack of one is copied
 * away while another runs. So the address of an activation may lead to other data, and calls may
 * end in another order than they began:
 *
 * - An activation is used only if it is in an outer frame of the native stack and its `self` is
 *   right (wpy_open_activation). Any other is not a call within which this code runs, and ends the
 *   chain of outer calls.
 * - When Python returns to wasm, the activation of that wasm code becomes the thread's innermost
 * one again (wpy_restore_stack).
 * - A group counts the calls that its owner has open in it. The last one to end releases the lock;
 * it need not be the first one that began.
 * - An instance has one wasm stack. If a later call of the instance is still open when an earlier
 *   one returns from Python, the later call's frames are above the earlier's. The earlier call ends
 *   with WPY_OUT_OF_ORDER. The wasm stack below the later call's frames is not used again while a
 *   call is open in the instance, so the later call can go on.
 */
#include "runtime/segments.h"
#include "runtime/stack_switch.h"

COLD bool
wpy_out_of_order(WASMExecEnv *env, struct WASMInterpFrame *frame)
{
    wpy_instance *instance = wpy_instance_of(env);

    ASSERT_ENTERED(instance);
    if (!(ATOMIC_LOAD(&instance->attention) & WPY_ATTN_OUT_OF_ORDER) ||
        instance->reserved_top < env->wasm_stack.top)
        instance->reserved_top = env->wasm_stack.top;
    ATOMIC_SET_BITS_SEQ(&instance->attention, WPY_ATTN_OUT_OF_ORDER);
    wasm_exec_env_set_cur_frame(env, frame); /* the backtrace begins at this call's frame */
    if (!instance->wamr->cur_exception[0] || instance->status == WPY_SUSPENDED)
        wpy_set_exception(instance->wamr, WPY_OUT_OF_ORDER, 0, "calls ended out of order");
    return false;
}

COLD void
wpy_leave_slow(wpy_instance *instance)
{
    uint32_t attention = ATOMIC_LOAD(&instance->attention);
    WASMExecEnv *env = instance->env;
    bool empty = instance->depth == 0;

    ASSERT_ENTERED(instance);
    if ((attention & WPY_ATTN_OUT_OF_ORDER) && empty) {
        wpy_reset_stack(instance);
        if (!instance->suspended)
            ATOMIC_CLEAR_BITS_SEQ(&instance->attention, (uint32_t)WPY_ATTN_OUT_OF_ORDER);
    } else if ((attention & WPY_ATTN_OUT_OF_ORDER) && env->wasm_stack.top < instance->reserved_top)
        env->wasm_stack.top = instance->reserved_top;
    if (attention & WPY_ATTN_ABANDONED) {
        ATOMIC_CLEAR_BITS_SEQ(&instance->attention, (uint32_t)WPY_ATTN_ABANDONED);
        wpy_drop_abandoned(instance);
    }
    if ((attention & WPY_ATTN_CLOSE_PENDING) && empty)
        wpy_instance_close_now(instance);
}
