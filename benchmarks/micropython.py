"""MicroPython in each engine, C with setjmp and longjmp: many calls between wasm and Python.

The module is pwasm's, compiled by Emscripten: functions that may `longjmp` are called through
imports named `invoke_…`, for which Python calls an element of the module's table. So a script
mostly consists of calls in both directions, elements of a table, the value of a global (the stack
pointer), and exceptions through wasm code.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .lines import US, WASMTIME, Goal, timed
from .timing import Case

PACKAGE = "pwasm"
DEFINED = """
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

def dive(n):
    if n == 0:
        raise ValueError
    dive(n - 1)

def loop(n):
    for i in range(n):
        pass

def caught(n):
    for i in range(n):
        try:
            dive(10)
        except ValueError:
            pass
"""


class _Longjmp(Exception):
    pass


class _MicroPython:
    """The common part of both engines."""

    def __init__(self) -> None:
        self.env: dict[str, Callable[..., Any]] = {
            "host_write": lambda *_: None,
            "host_call": lambda *_: 0,
            "host_take": lambda *_: None,
            "_emscripten_throw_longjmp": self._throw,
        }

    def _throw(self) -> None:
        raise _Longjmp

    def ready(self, call: Callable[..., Any], write: Callable[[int, bytes], None]) -> None:
        """Initialize the interpreter; `call` calls an export by its name."""
        self._call, self._write = call, write
        if call("mp_sandbox_init", 1 << 20):
            raise MemoryError
        self.run(DEFINED)

    def run(self, code: str) -> None:
        """Run a script."""
        source = code.encode()
        address = self._call("malloc", len(source) + 1)
        self._write(address, source + b"\0")
        failed = self._call("mp_sandbox_exec", address, len(source))
        self._call("free", address)
        if failed:
            raise RuntimeError(f"the script failed: {code}")


class _Ours(_MicroPython):
    def __init__(self, path: Path) -> None:
        import wamr

        super().__init__()
        store = wamr.Store()
        module = wamr.Module(store, path)
        for item in module.imports:
            if item.name.startswith("invoke_"):
                assert isinstance(item.type, wamr.FuncType)
                self.env[item.name] = self._invoke(0 if item.type.results else None)
        exports = wamr.Instance(store, module, {"env": self.env}).exports
        self._stack, self._threw = exports["__stack_pointer"], exports["setThrew"].callable
        self._table = exports["__indirect_function_table"]
        self.ready(lambda name, *args: exports[name](*args), exports.memory.write)

    def _invoke(self, nothing: int | None) -> Callable[..., Any]:
        def invoke(index: int, *args: Any) -> Any:
            stack = self._stack.value
            try:
                return self._table[index](*args)
            except _Longjmp:
                self._stack.value = stack
                self._threw(1, 0)
                return nothing

        return invoke


class _Wasmtime(_MicroPython):
    def __init__(self, path: Path) -> None:
        import wasmtime

        super().__init__()
        engine = wasmtime.Engine()
        self._store = store = wasmtime.Store(engine)
        module = wasmtime.Module.from_file(engine, str(path))
        functions = []
        for item in module.imports:
            assert isinstance(item.type, wasmtime.FuncType)
            function = self.env.get(str(item.name))
            if function is None:
                function = self._invoke(0 if item.type.results else None)
            functions.append(wasmtime.Func(store, item.type, function))
        exports = wasmtime.Instance(store, module, functions).exports(store)
        self._stack, self._threw = exports["__stack_pointer"], exports["setThrew"]
        self._table = exports["__indirect_function_table"]
        memory = exports["memory"]
        self.ready(
            lambda name, *args: exports[name](store, *args),
            lambda address, data: memory.write(store, data, address),
        )

    def _invoke(self, nothing: int | None) -> Callable[..., Any]:
        def invoke(index: int, *args: Any) -> Any:
            stack = self._stack.value(self._store)
            try:
                return self._table.get(self._store, index)(self._store, *args)
            except _Longjmp:
                self._stack.set_value(self._store, stack)
                self._threw(self._store, 1, 0)
                return nothing

        return invoke


def _path() -> Path | None:
    """Return the path of the module, if it is installed."""
    try:
        distribution = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return None
    return Path(str(distribution.locate_file("pwasm/guests/micropython.wasm")))


def _cases(script: str) -> dict[str, Case]:
    path = _path()
    if path is None:
        return {}
    peers = {US: _Ours(path), WASMTIME: _Wasmtime(path)}
    return {name: Case(f"run({script!r})", {"run": peer.run}) for name, peer in peers.items()}


_goal = Goal(times={WASMTIME: 1 / 20})

LINES = (
    timed(
        "micropython.recursion",
        "MicroPython: fibonacci(10)",
        lambda: _cases("fibonacci(10)"),
        _goal,
    ),
    timed("micropython.loop", "MicroPython: 1000 steps", lambda: _cases("loop(1000)"), _goal),
    timed("micropython.raised", "MicroPython: 20 exceptions", lambda: _cases("caught(20)"), _goal),
)
