"""`python -m benchmarks.c_api`: the cost of the wrappers of wamr.ffi, compared with direct calls.

A line has the time of a call through `lib`, of the same call through the wrapper, and the
difference. The goals are at most 0.3 us a call, and at most 15 ms for `import wamr.ffi`. A `new`
and its `delete` are two calls.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from .timing import FULL, QUICK, Case, measure

GOAL = 0.3e-6
TEXT = """(module (memory (export "memory") 1)
  (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))"""

# (the statement, its number of calls)
STATEMENTS = (
    ("{}wasm_func_call(add, args, results)", 1),
    ("{}wasm_func_same(add, add)", 1),
    ("{}wasm_memory_size(memory)", 1),
    ("{}wasm_memory_data(memory)", 1),
    ("{}wasm_extern_kind(extern)", 1),
    ("{}wasm_extern_as_func(extern)", 1),
    ("{}wasm_functype_params(functype)", 1),
    ("{}wasm_val_copy(value, value)", 1),
    ("{}wasm_valtype_delete({}wasm_valtype_new(0))", 2),
    ("{}wasm_functype_delete({}wasm_func_type(add))", 2),
    ("{}wasm_trap_delete({}wasm_trap_new(store, message))", 2),
    ("{}wasm_byte_vec_new(vec, 3, b'abc'); {}wasm_byte_vec_delete(vec)", 2),
)


def names() -> dict[str, Any]:
    """Return the names that the statements use."""
    from wamr import ffi as api
    from wamr.wat import wat2wasm

    store = api.wasm_store_new(api.wasm_engine_new())
    module = api.wasm_module_new(store, api.wasm_byte_vec_from_bytes(wat2wasm(TEXT)))
    exports = api.WASM_EMPTY_VEC("extern")
    api.wasm_instance_exports(api.wasm_instance_new(store, module, None, None), exports)
    memory, extern = api.wasm_extern_vec_to_list(exports)
    functions = {name: getattr(api, name) for name in dir(api) if not name.startswith("_")}
    return functions | {
        "lib": api.lib,
        "store": store,
        "exports": exports,
        "extern": extern,
        "add": api.wasm_extern_as_func(extern),
        "memory": api.wasm_extern_as_memory(memory),
        "functype": api.wasm_functype_new_0_0(),
        "args": api.wasm_val_vec_from_values([api.WASM_I32_VAL(2), api.WASM_I32_VAL(3)]),
        "results": api.wasm_val_vec_from_values([api.WASM_INIT_VAL()]),
        "value": api.WASM_I32_VAL(1),
        "message": api.wasm_name_from_str("message"),
        "vec": api.WASM_EMPTY_VEC("byte"),
    }


def import_seconds(count: int) -> tuple[float, float]:
    """Return the CPU time of `import wamr` in a new process, and of `import wamr.ffi` after it."""
    code = (
        "from time import process_time as t; a = t(); import wamr; b = t(); import wamr.ffi; "
        "print(b - a, t() - b)"
    )
    best = [1.0, 1.0]
    # An installed package has bytecode. A checkout gets it by a first import, if it is writable.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    for _ in range(count):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, env=environment
        )
        best = [min(x, float(y)) for x, y in zip(best, done.stdout.split(), strict=True)]
    return best[0], best[1]


def main() -> None:
    """Print a line for each statement."""
    pace = QUICK if "--quick" in sys.argv else FULL
    known = names()
    print(f"{'':58} {'lib':>8} {'wrapper':>8} {'a call':>8}")
    for statement, calls in STATEMENTS:
        texts = {"lib": statement.replace("{}", "lib."), "wrapper": statement.replace("{}", "")}
        found = measure({way: Case(text, known) for way, text in texts.items()}, pace)
        lib, wrapper = found["lib"].best, found["wrapper"].best
        more = (wrapper - lib) / calls
        late = "" if more <= GOAL else "  > 0.3 us"
        ours = texts["wrapper"]
        print(f"{ours:58} {lib * 1e9:5.0f} ns {wrapper * 1e9:5.0f} ns {more * 1e9:+5.0f} ns{late}")
    package, layer = import_seconds(5 if pace.quick else 20)
    print(f"import wamr: {package * 1e3:.1f} ms; import wamr.ffi after it: {layer * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
