"""Globals of the host and of the module, read and written from both sides."""

# ruff: noqa: F403, F405
from wamr.ffi import *
from wamr.wat import wat2wasm

TEXT = """
(module
  (import "host" "const" (global $const f32))
  (import "host" "var" (global $var (mut i64)))
  (global $own (export "own") (mut i64) (i64.const 5))
  (func (export "get_const") (result f32) global.get $const)
  (func (export "get_var") (result i64) global.get $var)
  (func (export "set_var") (param i64) local.get 0 global.set $var)
  (func (export "get_own") (result i64) global.get $own))
"""


def call(func, *args, results=0):
    room = wasm_val_vec_from_values([WASM_INIT_VAL()] * results)
    if wasm_func_call(func, wasm_val_vec_from_values(args), room):
        raise SystemExit("the call trapped")
    return wasm_val_vec_to_values(room)


def read(global_):
    out = WASM_INIT_VAL()
    wasm_global_get(global_, out)
    return wasm_val_value(out)


engine = wasm_engine_new()
store = wasm_store_new(engine)
binary = wasm_byte_vec_from_bytes(wat2wasm(TEXT))
module = wasm_module_new(store, binary)
wasm_byte_vec_delete(binary)

const_type = wasm_globaltype_new(wasm_valtype_new_f32(), WASM_CONST)
var_type = wasm_globaltype_new(wasm_valtype_new_i64(), WASM_VAR)
const = wasm_global_new(store, const_type, WASM_F32_VAL(1.5))
var = wasm_global_new(store, var_type, WASM_I64_VAL(3))
wasm_globaltype_delete(const_type)
wasm_globaltype_delete(var_type)

imports = WASM_ARRAY_VEC("extern", [wasm_global_as_extern(const), wasm_global_as_extern(var)])
instance = wasm_instance_new(store, module, imports, None)
exports = WASM_EMPTY_VEC("extern")
wasm_instance_exports(instance, exports)
own = wasm_extern_as_global(exports.data[0])
get_const, get_var, set_var, get_own = (wasm_extern_as_func(exports.data[i]) for i in range(1, 5))

print("initially:", call(get_const, results=1), call(get_var, results=1), call(get_own, results=1))

wasm_global_set(own, WASM_I64_VAL(37))
wasm_global_set(var, WASM_I64_VAL(36))
print("set by the host:", call(get_var, results=1), call(get_own, results=1))

call(set_var, WASM_I64_VAL(73))
print("set by wasm:", read(var), "and", read(const), "and", read(own))

try:
    wasm_global_set(const, WASM_F32_VAL(2.0))
except ValueError as error:
    print(error)

wasm_extern_vec_delete(exports)
wasm_store_delete(store)
wasm_engine_delete(engine)
