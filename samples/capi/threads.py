"""One module in several threads: it is shared, and each thread obtains it in a store of its own."""

# ruff: noqa: F403, F405
import threading

from wamr.ffi import *
from wamr.wat import wat2wasm

TEXT = """
(module
  (import "" "note" (func $note (param i32)))
  (import "" "id" (global $id i32))
  (func (export "run") global.get $id call $note))
"""
THREADS, CALLS = 4, 3
notes = []


@wasm_func_callback
def note(args, results):
    notes.append(args.data[0].of.i32)


def run(number):
    store = wasm_store_new(engine)
    module = wasm_module_obtain(store, shared)
    func_type = wasm_functype_new_1_0(wasm_valtype_new_i32())
    func = wasm_func_new(store, func_type, note)
    wasm_functype_delete(func_type)
    global_type = wasm_globaltype_new(wasm_valtype_new_i32(), WASM_CONST)
    global_ = wasm_global_new(store, global_type, WASM_I32_VAL(number))
    wasm_globaltype_delete(global_type)
    imports = WASM_ARRAY_VEC("extern", [wasm_func_as_extern(func), wasm_global_as_extern(global_)])
    instance = wasm_instance_new(store, module, imports, None)
    exports = WASM_EMPTY_VEC("extern")
    wasm_instance_exports(instance, exports)
    for _ in range(CALLS):
        if wasm_func_call(wasm_extern_as_func(exports.data[0]), None, None):
            raise SystemExit("the call trapped")
    wasm_extern_vec_delete(exports)
    wasm_store_delete(store)


engine = wasm_engine_new()
store = wasm_store_new(engine)
binary = wasm_byte_vec_from_bytes(wat2wasm(TEXT))
module = wasm_module_new(store, binary)
wasm_byte_vec_delete(binary)
shared = wasm_module_share(module)
wasm_module_delete(module)
wasm_store_delete(store)  # the module is still alive

threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("calls by thread:", {number: notes.count(number) for number in range(THREADS)})

wasm_shared_module_delete(shared)
wasm_engine_delete(engine)
