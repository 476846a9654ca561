/* resuming.h: goes on with code that was suspended.
 *
 * Included by wasm_interp_fast.c, behind the interpreter's function. A suspended
 * call has left the interpreter with all of its state in its frames. Code goes on
 * as if it called a function where it stands. */

/* Runs the code of the exec_env's current frame until the call of the host ends,
   beginning with a call of `function`, an import: the arguments are where its
   frame begins, at the top of the stack. */
void
wamrpy_resume(WASMModuleInstance *module_inst, WASMExecEnv *exec_env,
              WASMFunctionInstance *function)
{
    WASMInterpFrame *frame = (WASMInterpFrame *)wasm_exec_env_get_cur_frame(exec_env);

    if (frame->ip) {
        exec_env->floats_outside = wpy_floats_enter();
        wasm_interp_call_func_bytecode(module_inst, exec_env, function, frame);
        wpy_floats_leave(exec_env->floats_outside);
    } else /* the host has called the import, or code by a tail call */
        wasm_interp_call_func_native(module_inst, exec_env, function, frame);
    if (wasm_copy_exception(module_inst, NULL))
        wamrpy.trapped(exec_env);
}
