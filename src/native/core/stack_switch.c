/* stack_switch.c: greenlets: several native stacks in one thread, by turns.
 *
 * A host function may switch to another greenlet (gevent does so wherever it would block), which
 * calls wasm, and switch back before that call has ended. Greenlets lie on the same native stack
 * and are copied away while another runs. So the address of an activation may lead to what is
 * somebody else's, and calls may end in another order than they began:
 *
 * - An activation is looked at only if it lies in an outer frame of the native stack and its `self`
 *   is right (wpy_open_at). One that is not so is no call within which we are, and ends the chain
 *   of outer calls.
 * - When Python returns to wasm, the activation of that wasm code is the thread's innermost one
 *   again, whichever was meanwhile (wpy_come_back).
 * - A group counts the calls that its owner has open in it; the last one to end gives the lock
 *   back, which need not be the first that began.
 * - An instance has one wasm stack. If a call of the instance is open that began later than this
 *   one, the frames of that call lie above ours: whoever returns too early ends with
 *   WPY_OUT_OF_ORDER. The wasm stack below the later call's frames is not used again before nobody
 *   is in the instance, so the later call goes on as if nothing had happened.
 */
#include "core/core.h"

/* Python has returned to the call with this frame, and the wasm stack does not end there; false. */
COLD bool
wpy_out_of_order(WASMExecEnv *env, struct WASMInterpFrame *frame)
{
    wpy_instance *instance = wpy_instance_of(env);

    if (!(ATOMIC_LOAD(&instance->attention) & WPY_ATTN_OUT_OF_ORDER) ||
        instance->kept_top < env->wasm_stack.top)
        instance->kept_top = env->wasm_stack.top;
    ATOMIC_SET_BITS_SEQ(&instance->attention, WPY_ATTN_OUT_OF_ORDER);
    wasm_exec_env_set_cur_frame(env, frame); /* the trap is ours: so are its frames */
    if (!instance->wamr->cur_exception[0])
        wpy_stop(instance->wamr, WPY_OUT_OF_ORDER, 0, "calls ended out of order");
    return false;
}

/* The rare part of wpy_leave: an instance that is to be closed, or whose calls have ended out of
 * order. */
COLD void
wpy_leave_slow(wpy_instance *instance)
{
    uint32_t attention = ATOMIC_LOAD(&instance->attention);
    WASMExecEnv *env = instance->env;
    bool empty = instance->depth == 0;

    if ((attention & WPY_ATTN_OUT_OF_ORDER) && empty) {
        env->wasm_stack.top = env->wasm_stack.bottom;
        wasm_exec_env_set_cur_frame(env, NULL);
        ATOMIC_CLEAR_BITS_SEQ(&instance->attention, (uint32_t)WPY_ATTN_OUT_OF_ORDER);
    } else if ((attention & WPY_ATTN_OUT_OF_ORDER) && env->wasm_stack.top < instance->kept_top)
        env->wasm_stack.top = instance->kept_top;
    if ((attention & WPY_ATTN_CLOSE_PENDING) && empty)
        instance->object.kind->shut(&instance->object);
}
