"""WASI functions as in wasm_fixtures.py, by the C API: results of WAMR itself, without our C."""

from __future__ import annotations

from collections.abc import Callable

from wasm_fixtures import PREVIEW1, SIGNATURES, wrapper_module

from wamr import ffi as api


class CApiWasiFunctions:
    """An instance of wrapper_module(), called by name. It has the descriptors of this process."""

    def __init__(self, wat: Callable[[str], bytes], abi: str = PREVIEW1) -> None:
        self.engine = api.wasm_engine_new()
        self.store = api.wasm_store_new(self.engine)
        data = api.WASM_ARRAY_VEC("byte", wat(wrapper_module(abi)))
        self.module = api.wasm_module_new(self.store, data)
        kinds = api.WASM_EMPTY_VEC("importtype")
        api.wasm_module_imports(self.module, kinds)
        empty = [api.wasm_extern_new_empty(self.store, 0) for _ in range(kinds.size)]
        api.wasm_importtype_vec_delete(kinds)
        imports = api.WASM_ARRAY_VEC("extern", empty)
        self.instance = api.wasm_instance_new(self.store, self.module, imports, None)
        assert self.instance
        self.exports = api.WASM_EMPTY_VEC("extern")
        api.wasm_instance_exports(self.instance, self.exports)
        self._memory = api.wasm_extern_as_memory(self.exports.data[0])

    def memory(self) -> memoryview:
        size = api.wasm_memory_data_size(self._memory)
        return memoryview(api.ffi.buffer(api.wasm_memory_data(self._memory), size))

    def call(self, name: str, *args: int) -> int:
        index = list(SIGNATURES).index(name)
        func = api.wasm_extern_as_func(self.exports.data[1 + index])
        kinds = zip(SIGNATURES[name], args, strict=True)
        values = [api.WASM_I64_VAL(v) if kind == "I" else api.WASM_I32_VAL(v) for kind, v in kinds]
        results = api.wasm_val_vec_from_values([api.WASM_INIT_VAL()])
        trap = api.wasm_func_call(func, api.wasm_val_vec_from_values(values), results)
        assert not trap
        return int(results.data[0].of.i32)

    def close(self) -> None:
        api.wasm_extern_vec_delete(self.exports)
        api.wasm_instance_delete(self.instance)
        api.wasm_module_delete(self.module)
        api.wasm_store_delete(self.store)
        api.wasm_engine_delete(self.engine)
