"""Traps: of a host function, of wasm, of a Python exception; and their frames."""

# ruff: noqa: F403, F405
from wamr.ffi import *
from wamr.wat import wat2wasm

TEXT = """
(module
  (import "" "fail" (func $fail (param i32)))
  (func (export "callback") (param i32) local.get 0 call $fail)
  (func (export "unreachable") (param i32) call $deep)
  (func $deep unreachable))
"""


@wasm_func_callback
def fail(args, results):
    if args.data[0].of.i32 == 1:
        raise LookupError("nothing there")
    message = wasm_name_from_str("callback abort\0")
    trap = wasm_trap_new(store, message)
    wasm_name_delete(message)
    return trap


engine = wasm_engine_new()
store = wasm_store_new(engine)
binary = wasm_byte_vec_from_bytes(wat2wasm(TEXT))
module = wasm_module_new(store, binary)
wasm_byte_vec_delete(binary)
fail_type = wasm_functype_new_1_0(wasm_valtype_new_i32())
fail_func = wasm_func_new(store, fail_type, fail)
wasm_functype_delete(fail_type)
imports = WASM_ARRAY_VEC("extern", [wasm_func_as_extern(fail_func)])
instance = wasm_instance_new(store, module, imports, None)
exports = WASM_EMPTY_VEC("extern")
wasm_instance_exports(instance, exports)

for index, number in ((0, 0), (1, 0), (0, 1)):
    func = wasm_extern_as_func(exports.data[index])
    trap = wasm_func_call(func, wasm_val_vec_from_values([WASM_I32_VAL(number)]), None)
    message = WASM_EMPTY_VEC("byte")
    wasm_trap_message(trap, message)
    print("trap:", wasm_name_to_str(message))
    wasm_name_delete(message)
    if wasm_trap_exception(trap):
        print("  because of", repr(wasm_trap_exception(trap)))

    frames = WASM_EMPTY_VEC("frame")
    wasm_trap_trace(trap, frames)
    for frame in wasm_frame_vec_to_list(frames):
        print("  in function", wasm_frame_func_index(frame))
    wasm_frame_vec_delete(frames)
    wasm_trap_delete(trap)

wasm_extern_vec_delete(exports)
wasm_store_delete(store)
wasm_engine_delete(engine)
