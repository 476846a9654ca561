"""Prints the imports and exports of a module with their types, without running it."""

# ruff: noqa: F403, F405
from wamr.ffi import *
from wamr.wat import wat2wasm

TEXT = """
(module
  (import "env" "log" (func (param i32 i64)))
  (import "env" "start" (global i32))
  (func (export "func") (param i32 f64 f32) (result i32) unreachable)
  (global (export "global") (mut f64) (f64.const 0))
  (table (export "table") 0 50 externref)
  (memory (export "memory") 1))
"""

engine = wasm_engine_new()
store = wasm_store_new(engine)
binary = wasm_byte_vec_from_bytes(wat2wasm(TEXT))
module = wasm_module_new(store, binary)
wasm_byte_vec_delete(binary)

imports = WASM_EMPTY_VEC("importtype")
wasm_module_imports(module, imports)
for importtype in wasm_importtype_vec_to_list(imports):
    module_name = wasm_name_to_str(wasm_importtype_module(importtype))
    name = wasm_name_to_str(wasm_importtype_name(importtype))
    print(f"> import {module_name}.{name}:", wasm_repr(wasm_importtype_type(importtype)))
wasm_importtype_vec_delete(imports)

exports = WASM_EMPTY_VEC("exporttype")
wasm_module_exports(module, exports)
for exporttype in wasm_exporttype_vec_to_list(exports):
    type_ = wasm_exporttype_type(exporttype)
    print(f"> export {wasm_name_to_str(wasm_exporttype_name(exporttype))}:", wasm_repr(type_))
    functype = wasm_externtype_as_functype_const(type_)
    if functype:
        for param in wasm_valtype_vec_to_list(wasm_functype_params(functype)):
            print(">>", wasm_repr(param), "a number" if wasm_valtype_is_num(param) else "")
wasm_exporttype_vec_delete(exports)

wasm_store_delete(store)
wasm_engine_delete(engine)
