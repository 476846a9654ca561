"""Serializes a module and loads it again: for the interpreter, the bytes are the module itself."""

# ruff: noqa: F403, F405
from wamr.ffi import *
from wamr.wat import wat2wasm

TEXT = """
(module
  (import "" "hello" (func $hello))
  (func (export "run") call $hello))
"""


@wasm_func_callback
def hello(args, results):
    print("> Hello from a module that was away")


engine = wasm_engine_new()
store = wasm_store_new(engine)
binary = wasm_byte_vec_from_bytes(wat2wasm(TEXT))
module = wasm_module_new(store, binary)

serialized = WASM_EMPTY_VEC("byte")
wasm_module_serialize(module, serialized)
wasm_module_delete(module)
print("serialized:", serialized.size, "bytes, the same:", wasm_byte_vec_same(serialized, binary))
wasm_byte_vec_delete(binary)

again = wasm_module_deserialize(store, serialized)
wasm_byte_vec_delete(serialized)
hello_type = wasm_functype_new_0_0()
hello_func = wasm_func_new(store, hello_type, hello)
wasm_functype_delete(hello_type)
imports = WASM_ARRAY_VEC("extern", [wasm_func_as_extern(hello_func)])
instance = wasm_instance_new(store, again, imports, None)
exports = WASM_EMPTY_VEC("extern")
wasm_instance_exports(instance, exports)
if wasm_func_call(wasm_extern_as_func(exports.data[0]), None, None):
    raise SystemExit("the call trapped")

wasm_extern_vec_delete(exports)
wasm_store_delete(store)
wasm_engine_delete(engine)
