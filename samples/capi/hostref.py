"""Objects of the host as externrefs: through functions, globals, tables, and back."""

# ruff: noqa: F403, F405
from wamr.ffi import *
from wamr.wat import wat2wasm

TEXT = """
(module
  (import "" "show" (func $show (param externref) (result externref)))
  (global $global (export "global") (mut externref) (ref.null extern))
  (table $table (export "table") 10 externref)
  (func (export "set_global") (param externref) local.get 0 global.set $global)
  (func (export "get_global") (result externref) global.get $global)
  (func (export "set_table") (param externref) (table.set $table (i32.const 3) (local.get 0)))
  (func (export "get_table") (result externref) (table.get $table (i32.const 3)))
  (func (export "call") (param externref) (result externref) local.get 0 call $show))
"""


@wasm_func_callback
def show(args, results):
    ref = wasm_val_value(args.data[0])
    print(">", name_of(ref))
    wasm_val_copy(results.data, args.data)


def name_of(ref):
    return ffi.from_handle(wasm_ref_get_host_info(ref)) if ref else None


def call(func, *refs, results=0):
    args = wasm_val_vec_from_values([WASM_REF_VAL(ref) for ref in refs])
    room = wasm_val_vec_from_values([WASM_INIT_VAL()] * results)
    if wasm_func_call(func, args, room):
        raise SystemExit("the call trapped")
    return wasm_val_vec_to_values(room)


engine = wasm_engine_new()
store = wasm_store_new(engine)
binary = wasm_byte_vec_from_bytes(wat2wasm(TEXT))
module = wasm_module_new(store, binary)
wasm_byte_vec_delete(binary)
show_type = wasm_functype_new_1_1(wasm_valtype_new_anyref(), wasm_valtype_new_anyref())
show_func = wasm_func_new(store, show_type, show)
wasm_functype_delete(show_type)
imports = WASM_ARRAY_VEC("extern", [wasm_func_as_extern(show_func)])
instance = wasm_instance_new(store, module, imports, None)
exports = WASM_EMPTY_VEC("extern")
wasm_instance_exports(instance, exports)
table = wasm_extern_as_table(exports.data[1])
set_global, get_global, set_table, get_table, call_show = (
    wasm_extern_as_func(exports.data[i]) for i in range(2, 7)
)

# Two objects: the reference carries the host information.
refs = []
for name in ("one", "two"):
    foreign = wasm_foreign_new(store)
    ref = wasm_foreign_as_ref(foreign)
    wasm_foreign_delete(foreign)
    wasm_ref_set_host_info(ref, ffi.new_handle(name))
    refs.append(ref)
one, two = refs

print("global, at first:", name_of(call(get_global, results=1)[0]))
call(set_global, one)
print("global:", name_of(call(get_global, results=1)[0]))
call(set_table, two)
print("table:", name_of(call(get_table, results=1)[0]), name_of(wasm_table_get(table, 3)))
print("by the host:", wasm_table_set(table, 3, one), name_of(call(get_table, results=1)[0]))
for ref in (one, two, None):
    (back,) = call(call_show, ref, results=1)
    print("the same:", back == ref)

for ref in refs:
    wasm_ref_delete(ref)
wasm_extern_vec_delete(exports)
wasm_store_delete(store)
wasm_engine_delete(engine)
