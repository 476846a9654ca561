"""A table of functions: read, changed and grown by the host, called by wasm."""

# ruff: noqa: F403, F405
from wamr.ffi import *
from wamr.wat import wat2wasm

TEXT = """
(module
  (table (export "table") 2 10 funcref)
  (type $t (func (param i32) (result i32)))
  (func (export "call") (param i32 i32) (result i32)
    (call_indirect (type $t) (local.get 0) (local.get 1)))
  (func $f (export "f") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
  (func (export "g") (param i32) (result i32) (i32.sub (i32.const 0) (local.get 0)))
  (elem (i32.const 1) $f))
"""

engine = wasm_engine_new()
store = wasm_store_new(engine)
binary = wasm_byte_vec_from_bytes(wat2wasm(TEXT))
module = wasm_module_new(store, binary)
wasm_byte_vec_delete(binary)
instance = wasm_instance_new(store, module, None, None)
exports = WASM_EMPTY_VEC("extern")
wasm_instance_exports(instance, exports)
table = wasm_extern_as_table(exports.data[0])
call_indirect, f, g = (wasm_extern_as_func(exports.data[i]) for i in range(1, 4))


def call(argument, index):
    args = wasm_val_vec_from_values([WASM_I32_VAL(argument), WASM_I32_VAL(index)])
    results = wasm_val_vec_from_values([WASM_INIT_VAL()])
    trap = wasm_func_call(call_indirect, args, results)
    return wasm_trap_to_str(trap) if trap else results.data[0].of.i32


print("size", wasm_table_size(table), "- element 0 is", wasm_repr(wasm_table_get(table, 0)))
print("f(7) =", call(7, 1), "- an empty element:", call(7, 0))

print("g into 0:", wasm_table_set(table, 0, wasm_func_as_ref(g)))
print("null into 1:", wasm_table_set(table, 1, None))
print("beyond the end:", wasm_table_set(table, 2, wasm_func_as_ref(f)))
print("g(666) =", call(666, 0), "- the element that was f:", call(7, 1))

print("grown:", wasm_table_grow(table, 3, wasm_func_as_ref(f)), wasm_table_size(table))
print("f(5) =", call(5, 4), "- beyond the end:", call(5, 5))
print("beyond its maximum:", wasm_table_grow(table, 10, None))

# A table that belongs to no module.
type_ = wasm_tabletype_new(wasm_valtype_new_funcref(), ffi.new("wasm_limits_t *", [5, 5]))
alone = wasm_table_new(store, type_, None)
wasm_tabletype_delete(type_)
print("alone:", wasm_table_size(alone), wasm_table_grow(alone, 1, None))

wasm_table_delete(alone)
wasm_extern_vec_delete(exports)
wasm_store_delete(store)
wasm_engine_delete(engine)
