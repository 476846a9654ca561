"""Host information with a finalizer, which runs once: when the object or its store is deleted."""

# ruff: noqa: F403, F405
from wamr.ffi import *
from wamr.wat import wat2wasm

finalized = []


@wasm_finalizer
def finalize(info):
    finalized.append(ffi.from_handle(info))


engine = wasm_engine_new()
store = wasm_store_new(engine)
binary = wasm_byte_vec_from_bytes(wat2wasm('(module (func (export "f")))'))
module = wasm_module_new(store, binary)
wasm_byte_vec_delete(binary)

names = [f"instance {i}" for i in range(3)]
handles = [ffi.new_handle(name) for name in names]
instances = []
for handle in handles:
    instance = wasm_instance_new(store, module, None, None)
    wasm_instance_set_host_info_with_finalizer(instance, handle, finalize)
    instances.append(instance)

print("nothing yet:", finalized)
wasm_instance_delete(instances[1])
print("one is deleted:", finalized)

foreign = wasm_foreign_new(store)
foreign_handle = ffi.new_handle("foreign")
wasm_foreign_set_host_info_with_finalizer(foreign, foreign_handle, finalize)
copy = wasm_foreign_copy(foreign)
wasm_foreign_delete(foreign)
print("a copy is left:", finalized)
wasm_foreign_delete(copy)
print("none is left:", finalized)

wasm_store_delete(store)
print("the store is gone:", sorted(finalized))
wasm_engine_delete(engine)
