"""Calls an exported function that calls a host function: the smallest whole program."""

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
    print("> Hello World!")


# The engine and the store of the program.
engine = wasm_engine_new()
store = wasm_store_new(engine)

# The module. WAMR copies the bytes, so they can be deleted at once.
binary = wasm_byte_vec_from_bytes(wat2wasm(TEXT))
module = wasm_module_new(store, binary)
wasm_byte_vec_delete(binary)
if not module:
    raise SystemExit("the module did not compile")

# The imports.
hello_type = wasm_functype_new_0_0()
hello_func = wasm_func_new(store, hello_type, hello)
wasm_functype_delete(hello_type)

imports = WASM_ARRAY_VEC("extern", [wasm_func_as_extern(hello_func)])
instance = wasm_instance_new(store, module, imports, None)
if not instance:
    raise SystemExit("the module did not link")
wasm_func_delete(hello_func)

# The exports.
exports = WASM_EMPTY_VEC("extern")
wasm_instance_exports(instance, exports)
run = wasm_extern_as_func(exports.data[0])

print("Calling export...")
if wasm_func_call(run, WASM_EMPTY_VEC("val"), WASM_EMPTY_VEC("val")):
    raise SystemExit("the call trapped")

wasm_extern_vec_delete(exports)
wasm_module_delete(module)
wasm_instance_delete(instance)
wasm_store_delete(store)
wasm_engine_delete(engine)
print("Done.")
