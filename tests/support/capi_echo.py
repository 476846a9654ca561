"""A store of the C API with a wasm function that calls Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wamr import ffi as api

ECHO = """
(module (import "host" "f" (func $f (param i32) (result i32)))
  (func (export "g") (param i32) (result i32) local.get 0 call $f))
"""


class Echo:
    """A store with a wasm function that calls `action` and returns its argument."""

    def __init__(self, wat2wasm: Callable[[str], bytes], action: Callable[[int], object]) -> None:
        self.engine = api.wasm_engine_new()
        self.store = api.wasm_store_new(self.engine)
        i32 = api.wasm_valtype_new_i32
        type_ = api.wasm_functype_new_1_1(i32(), i32())

        @api.wasm_func_callback
        def callback(args: Any, results: Any) -> None:
            action(args.data[0].of.i32)
            results.data[0].of.i32 = args.data[0].of.i32

        self.host = api.wasm_func_new(self.store, type_, callback)
        api.wasm_functype_delete(type_)
        module = api.wasm_module_new(self.store, api.WASM_ARRAY_VEC("byte", wat2wasm(ECHO)))
        imports = api.WASM_ARRAY_VEC("extern", [api.wasm_func_as_extern(self.host)])
        self.instance = api.wasm_instance_new(self.store, module, imports, None)
        self.exports = api.WASM_EMPTY_VEC("extern")
        api.wasm_instance_exports(self.instance, self.exports)
        self.func = api.wasm_extern_as_func(self.exports.data[0])

    def call(self, value: int = 1, func: Any = None) -> Any:
        """Return the result, or the text of the trap."""
        results = api.wasm_val_vec_from_values([api.WASM_INIT_VAL()])
        args = api.wasm_val_vec_from_values([api.WASM_I32_VAL(value)])
        trap = api.wasm_func_call(func or self.func, args, results)
        return api.wasm_trap_to_str(trap) if trap else results.data[0].of.i32
