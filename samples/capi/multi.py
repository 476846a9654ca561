"""Functions with several results: of wasm, of the host, and the vectors that hold them."""

# ruff: noqa: F403, F405
from wamr.ffi import *
from wamr.wat import wat2wasm

TEXT = """
(module
  (import "" "reverse" (func $reverse (param i32 i64 f32 f64) (result f64 f32 i64 i32)))
  (func (export "call") (param i32 i64 f32 f64) (result f64 f32 i64 i32)
    (call $reverse (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
  (func (export "twice") (param i64) (result i64 i64) local.get 0 local.get 0))
"""


@wasm_func_callback
def reverse(args, results):
    print(">", wasm_val_vec_to_values(args))
    for index in range(args.size):
        results.data[index] = args.data[args.size - 1 - index]


engine = wasm_engine_new()
store = wasm_store_new(engine)
binary = wasm_byte_vec_from_bytes(wat2wasm(TEXT))
module = wasm_module_new(store, binary)
wasm_byte_vec_delete(binary)

kinds = [WASM_I32, WASM_I64, WASM_F32, WASM_F64]
params = wasm_valtype_vec_from_list([wasm_valtype_new(kind) for kind in kinds])
results = wasm_valtype_vec_from_list([wasm_valtype_new(kind) for kind in reversed(kinds)])
type_ = wasm_functype_new(params, results)
func = wasm_func_new(store, type_, reverse)
print(wasm_repr(type_))
wasm_functype_delete(type_)

imports = WASM_ARRAY_VEC("extern", [wasm_func_as_extern(func)])
instance = wasm_instance_new(store, module, imports, None)
exports = WASM_EMPTY_VEC("extern")
wasm_instance_exports(instance, exports)

vals = [WASM_I32_VAL(1), WASM_I64_VAL(2), WASM_F32_VAL(3.5), WASM_F64_VAL(4.5)]
room = wasm_val_vec_from_values([WASM_INIT_VAL()] * 4)
if wasm_func_call(wasm_extern_as_func(exports.data[0]), wasm_val_vec_from_values(vals), room):
    raise SystemExit("the call trapped")
print(wasm_val_vec_to_values(room))

room = wasm_val_vec_from_values([WASM_INIT_VAL()] * 2)
args = wasm_val_vec_from_values([WASM_I64_VAL(2**40)])
if wasm_func_call(wasm_extern_as_func(exports.data[1]), args, room):
    raise SystemExit("the call trapped")
print(wasm_val_vec_to_values(room))

wasm_extern_vec_delete(exports)
wasm_store_delete(store)
wasm_engine_delete(engine)
