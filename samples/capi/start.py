"""A start function that traps: there is no instance, and the trap has the reason."""

# ruff: noqa: F403, F405
from wamr.ffi import *
from wamr.wat import wat2wasm

TEXT = """
(module
  (func $start unreachable)
  (start $start))
"""

engine = wasm_engine_new()
store = wasm_store_new(engine)
binary = wasm_byte_vec_from_bytes(wat2wasm(TEXT))
module = wasm_module_new(store, binary)
wasm_byte_vec_delete(binary)

trap = ffi.new("wasm_trap_t **")
instance = wasm_instance_new(store, module, None, trap)
print("instance:", wasm_repr(instance))
print("trap:", wasm_trap_to_str(trap[0]))

wasm_trap_delete(trap[0])
wasm_store_delete(store)
wasm_engine_delete(engine)
