"""Passes values through host functions, without and with an `env`."""

# ruff: noqa: F403, F405
from wamr.ffi import *
from wamr.wat import wat2wasm

TEXT = """
(module
  (import "" "print" (func $print (param i32) (result i32)))
  (import "" "closure" (func $closure (result i32)))
  (func (export "run") (param i32 i32) (result i32)
    (i32.add (call $print (i32.add (local.get 0) (local.get 1))) (call $closure))))
"""


@wasm_func_callback
def print_value(args, results):
    print(">", args.data[0].of.i32)
    wasm_val_copy(results.data, args.data)


@wasm_func_callback_with_env
def closure(env, args, results):
    print("> env is", env)
    results.data[0] = WASM_I32_VAL(env["number"])[0]


engine = wasm_engine_new()
store = wasm_store_new(engine)
binary = wasm_byte_vec_from_bytes(wat2wasm(TEXT))
module = wasm_module_new(store, binary)
wasm_byte_vec_delete(binary)

print_type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32())
print_func = wasm_func_new(store, print_type, print_value)
closure_type = wasm_functype_new_0_1(wasm_valtype_new_i32())
closure_func = wasm_func_new_with_env(store, closure_type, closure, {"number": 42}, None)
wasm_functype_delete(print_type)
wasm_functype_delete(closure_type)

imports = WASM_ARRAY_VEC(
    "extern", [wasm_func_as_extern(print_func), wasm_func_as_extern(closure_func)]
)
instance = wasm_instance_new(store, module, imports, None)
exports = WASM_EMPTY_VEC("extern")
wasm_instance_exports(instance, exports)
run = wasm_extern_as_func(exports.data[0])

args = wasm_val_vec_from_values([WASM_I32_VAL(3), WASM_I32_VAL(4)])
results = wasm_val_vec_from_values([WASM_INIT_VAL()])
if wasm_func_call(run, args, results):
    raise SystemExit("the call trapped")
print("3 + 4 + 42 =", results.data[0].of.i32)

wasm_extern_vec_delete(exports)
wasm_store_delete(store)
wasm_engine_delete(engine)
