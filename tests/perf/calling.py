"""Counts the instructions that a Python statement takes in our extension.

One process under callgrind runs each statement once to warm up, then many times, and marks the
counts between two statements (marks.c). Only instructions of the extension's own file count: the
conversions (src/native/cpython/), our C and the interpreter. Instructions of Python, which differ
from version to version, don't.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import counting

# Path -> the statement, and how many times it is run.
PATHS = {
    "py_call": ("add(2, 3)", 2000),
    "py_export": ("exports.add(2, 3)", 2000),
    "py_many": ("many(1, 2, 3.0, 4.0, 5, 6, 7, 8)", 2000),
    "py_vector": ("vector(sixteen)", 2000),
    "py_reference": ("reference(sixteen)", 2000),
    "py_callback": ("callback(2, 3)", 2000),
    "py_trap": ("trap()", 300),
    "py_read": ("memory.read(64, 16)", 2000),
    "py_write": ("memory.write(64, sixteen)", 2000),
    "py_item": ("memory[64]", 2000),
    "py_element": ("table[1]", 2000),
    "py_set_element": ("table[2] = func", 2000),
    "py_table_call": ("table[1](2, 3)", 2000),
    "py_object": ("objects[1]", 2000),
    "py_set_object": ("objects[1] = sixteen", 2000),
    "py_length": ("len(table)", 2000),
    "py_global": ("number.value", 2000),
    "py_set_global": ("number.value = 7", 2000),
    "py_instance": ("Instance(store, module).exports.add(2, 3)", 300),
    "py_describe": ("Module(store, binary).exports", 300),
}

_TEXT = """(module
  (import "env" "f" (func $f (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (table (export "table") 4 funcref) (elem (i32.const 1) $add)
  (table (export "objects") 4 externref)
  (global (export "number") (mut i32) (i32.const 5))
  (func $add (export "add") (param i32 i32) (result i32)
    (i32.add (local.get 0) (local.get 1)))
  (func (export "many") (param i32 i64 f32 f64 i32 i64 i32 i64) (result i32 i64)
    (local.get 0) (local.get 1))
  (func (export "vector") (param v128) (result v128) (local.get 0))
  (func (export "reference") (param externref) (result externref) (local.get 0))
  (func (export "callback") (param i32 i32) (result i32)
    (call $f (local.get 0) (local.get 1)))
  (func (export "trap") unreachable))"""
_ALONE = """(module (memory (export "memory") 1)
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))"""

_SCRIPT = """
import ctypes, gc, sys
from itertools import repeat
from wamr import Instance, Module, Store, Trap
marks = ctypes.CDLL(sys.argv[1])
text, alone = sys.argv[2:4]
statements = [line.split(" ", 2) for line in sys.argv[4:]]
store = Store()
exports = Instance(store, Module(store, bytes.fromhex(text)), [lambda x, y: x + y]).exports
binary, sixteen = bytes.fromhex(alone), bytes(range(16))
module, memory = Module(store, binary), exports.memory
add, many, vector = (exports[name].callable for name in ("add", "many", "vector"))
reference, callback = exports.reference.callable, exports.callback.callable
table, objects, number, func = exports.table, exports.objects, exports.number, exports.add
objects[1] = sixteen
def trap():
    try:
        exports.trap()
    except Trap:
        pass
gc.collect()
gc.disable()
def run(statement, times):
    names = dict(globals(), times=times)
    exec(f"def loop():\\n for _ in repeat(None, times): {statement}", names)
    names["loop"]()
for _, _, statement in statements:
    run(statement, 2)
marks.begin()
for path, times, statement in statements:
    run(statement, int(times))
    marks.mark(f"{path} {times}".encode())
"""


def count() -> dict[str, Counter[str]]:
    """Return for each path how many instructions one run takes in the extension; raise Unfit."""
    from wamr.wat import wat2wasm

    modules = [wat2wasm(text).hex() for text in (_TEXT, _ALONE)]
    statements = [f"{path} {times} {statement}" for path, (statement, times) in PATHS.items()]
    found = count_script(_SCRIPT, *modules, *statements)
    return {path: found[path] for path in PATHS}


def count_script(script: str, *arguments: str) -> dict[str, Counter[str]]:
    """Return the instructions in the extension up to each mark of a script; raise Unfit.

    The script's first argument is the library of marks.c; `arguments` follow.
    """
    counting.check_machine()
    extension = counting.installed()
    assert extension
    with TemporaryDirectory() as folder:
        marks = Path(folder, "marks.so")
        cc, source = counting.driver_compiler(), Path(__file__).with_name("marks.c")
        counting.output([cc, "-shared", "-fPIC", "-O2", str(source), "-o", str(marks)])
        command = [sys.executable, "-c", script, str(marks), *arguments]
        return dict(counting.dumps(command, Path(folder), extension.name, "--instr-atstart=no"))
