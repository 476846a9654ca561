"""A memory: read and written by both sides, with bounds, and grown by the host."""

# ruff: noqa: F403, F405
from wamr.ffi import *
from wamr.wat import wat2wasm

TEXT = r"""
(module
  (memory (export "memory") 2 3)
  (func (export "size") (result i32) memory.size)
  (func (export "load") (param i32) (result i32) (i32.load8_s (local.get 0)))
  (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
  (data (i32.const 0x1000) "\01\02\03\04"))
"""

engine = wasm_engine_new()
store = wasm_store_new(engine)
binary = wasm_byte_vec_from_bytes(wat2wasm(TEXT))
module = wasm_module_new(store, binary)
wasm_byte_vec_delete(binary)
instance = wasm_instance_new(store, module, None, None)
exports = WASM_EMPTY_VEC("extern")
wasm_instance_exports(instance, exports)
memory = wasm_extern_as_memory(exports.data[0])
size, load, store_ = (wasm_extern_as_func(exports.data[i]) for i in range(1, 4))


def call(func, *args, results=0):
    room = wasm_val_vec_from_values([WASM_INIT_VAL()] * results)
    trap = wasm_func_call(func, wasm_val_vec_from_values([WASM_I32_VAL(a) for a in args]), room)
    return wasm_trap_to_str(trap) if trap else wasm_val_vec_to_values(room)


print("pages:", wasm_memory_size(memory), call(size, results=1))
print("bytes:", wasm_memory_data_size(memory))
data = wasm_memory_data(memory)
print("at 0x1000:", ffi.unpack(data + 0x1000, 4), call(load, 0x1000, results=1))

data[0x1003] = b"\x05"
call(store_, 0x1002, 6)
print("after writing:", ffi.unpack(data + 0x1000, 4), call(load, 0x1003, results=1))
print("beyond the end:", call(load, 0x20000, results=1))

print("grown:", wasm_memory_grow(memory, 1), wasm_memory_size(memory))
print("there now:", call(load, 0x20000, results=1), wasm_memory_data_size(memory))
print("beyond its maximum:", wasm_memory_grow(memory, 1))

# A memory that belongs to no module.
type_ = wasm_memorytype_new(ffi.new("wasm_limits_t *", [5, 5]))
alone = wasm_memory_new(store, type_)
wasm_memorytype_delete(type_)
wasm_memory_buffer(alone)[:5] = b"bytes"
print("alone:", wasm_memory_size(alone), wasm_memory_grow(alone, 1), wasm_memory_buffer(alone)[:5])

wasm_memory_delete(alone)
wasm_extern_vec_delete(exports)
wasm_store_delete(store)
wasm_engine_delete(engine)
