"""Adapters of the engines: a call, a load or a read in the API of each engine.

A method returns a `Case`: the statement that a user of the engine would write, with its objects. It
raises Unavailable for what the engine doesn't support, and the table shows "-". This module doesn't
know how cases are timed.

Signatures are pywasm3's: "i(ii)" with v, i, I, f, F for nothing, i32, i64, f32, f64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from .lines import US, WASM3, WASMTIME, Unavailable
from .timing import Case

PAGE = 65_536


@dataclass(frozen=True)
class HostFunction:
    """A host function, imported as "env" "f"."""

    signature: str
    function: Callable[..., Any]


class Peer(Protocol):
    """An engine."""

    name: str

    def call(
        self, text: str, name: str, arguments: str = "", host: HostFunction | None = None
    ) -> Case:
        """Call an export of an instance of the module, held as users of the engine hold it."""

    def load(self, binary: bytes) -> Case:
        """Compile."""

    def describe(self, binary: bytes) -> Case:
        """Compile, and list the exports."""

    def instantiate(self, binary: bytes) -> Case:
        """Instantiate a loaded module, call its `add`, and drop the instance."""

    def memory(self, pages: int, statements: Mapping[str, str]) -> Case:
        """Run the statement of this engine, with a memory as `m` and its store as `s`."""

    def parts(self, text: str, statements: Mapping[str, str]) -> Case:
        """Run the statement of this engine, with each export of the module by its name."""

    def start(self, path: Path) -> Case:
        """Compile a WASI module from a file and instantiate it, up to its first instruction."""

    def program(self, path: Path, arguments: list[str]) -> Case:
        """Compile a WASI module from a file and run it to its end."""


def binary_of(text: str) -> bytes:
    """Return the bytes of a module given as text."""
    import wasmtime

    return bytes(wasmtime.wat2wasm(text))


def _host_functions(host: HostFunction | None) -> dict[str, dict[str, Callable[..., Any]]] | None:
    return {"env": {"f": host.function}} if host else None


class Wamr:
    """This package."""

    name = US

    def __init__(self) -> None:
        import wamr

        self._wamr = wamr
        self._engine = wamr.Engine()

    def instance(self, text: str, host: HostFunction | None = None, **options: Any) -> Any:
        """Return an instance of the module."""
        return self._wamr.load(binary_of(text), _host_functions(host), **options)

    def call(
        self, text: str, name: str, arguments: str = "", host: HostFunction | None = None
    ) -> Case:
        function = self.instance(text, host).exports[name].callable
        return Case(f"f({arguments})", {"f": function})

    def load(self, binary: bytes) -> Case:
        return Case("Module(e, b)", {"Module": self._wamr.Module, "e": self._engine, "b": binary})

    def describe(self, binary: bytes) -> Case:
        names = {"Module": self._wamr.Module, "e": self._engine, "b": binary}
        return Case("for x in Module(e, b).exports: x.name, x.type", names)

    def instantiate(self, binary: bytes) -> Case:
        store = self._wamr.Store(self._engine)
        names = {"Instance": self._wamr.Instance, "s": store}
        names["m"] = self._wamr.Module(store, binary)
        return Case("Instance(s, m).exports.add(2, 3)", names)

    def memory(self, pages: int, statements: Mapping[str, str]) -> Case:
        memory = self.instance(f'(module (memory (export "m") {pages}))').exports.m
        return Case(statements[self.name], {"m": memory})

    def parts(self, text: str, statements: Mapping[str, str]) -> Case:
        return Case(statements[self.name], dict(self.instance(text).exports))

    def start(self, path: Path) -> Case:
        wamr = self._wamr
        if not hasattr(wamr, "WasiConfig"):
            raise Unavailable("no WASI in this wamr")
        names = {"w": wamr, "path": path}
        return Case(
            "s = w.Store()\nw.Instance(s, w.Module(s, path), wasi=w.WasiConfig(args=['program']))",
            names,
        )

    def program(self, path: Path, arguments: list[str]) -> Case:
        if not hasattr(self._wamr, "run"):
            raise Unavailable("no WASI in this wamr")
        names = {"run": self._wamr.run, "args": [path, *arguments]}
        return Case("run(args, capture_output=True, check=True)", names)


class Wasmtime:
    """wasmtime-py: compiles to machine code."""

    name = WASMTIME

    def __init__(self) -> None:
        import wasmtime

        self._wasmtime = wasmtime
        config = wasmtime.Config()
        config.wasm_exceptions = True
        self._engine = wasmtime.Engine(config)

    def _function(self, host: HostFunction, store: Any) -> Any:
        w = self._wasmtime
        kinds = {"i": w.ValType.i32(), "I": w.ValType.i64()}
        kinds |= {"f": w.ValType.f32(), "F": w.ValType.f64()}
        result, _, params = host.signature.rstrip(")").partition("(")
        type_ = w.FuncType([kinds[x] for x in params], [kinds[x] for x in result if x != "v"])
        return w.Func(store, type_, host.function)

    def call(
        self, text: str, name: str, arguments: str = "", host: HostFunction | None = None
    ) -> Case:
        w = self._wasmtime
        store = w.Store(self._engine)
        imports = [self._function(host, store)] if host else []
        instance = w.Instance(store, w.Module(self._engine, binary_of(text)), imports)
        names = {"f": instance.exports(store)[name], "s": store}
        return Case(f"f(s, {arguments})", names)

    def load(self, binary: bytes) -> Case:
        return Case(
            "Module(e, b)", {"Module": self._wasmtime.Module, "e": self._engine, "b": binary}
        )

    def describe(self, binary: bytes) -> Case:
        names = {"Module": self._wasmtime.Module, "e": self._engine, "b": binary}
        return Case("for x in Module(e, b).exports: x.name, x.type", names)

    def instantiate(self, binary: bytes) -> Case:
        w = self._wasmtime
        names = {"Store": w.Store, "Instance": w.Instance, "e": self._engine}
        names["m"] = w.Module(self._engine, binary)
        return Case("s = Store(e)\nInstance(s, m, []).exports(s)['add'](s, 2, 3)", names)

    def memory(self, pages: int, statements: Mapping[str, str]) -> Case:
        w = self._wasmtime
        store = w.Store(self._engine)
        memory = w.Memory(store, w.MemoryType(w.Limits(pages, None)))
        return Case(statements[self.name], {"m": memory, "s": store})

    def parts(self, text: str, statements: Mapping[str, str]) -> Case:
        w = self._wasmtime
        store = w.Store(self._engine)
        module = w.Module(self._engine, binary_of(text))
        exports = w.Instance(store, module, []).exports(store)
        names = {export.name: exports[export.name] for export in module.exports}
        return Case(statements[self.name], {**names, "s": store})

    def start(self, path: Path) -> Case:
        return Case("start(path, ['program'])[1]", {"start": self._started, "path": path})

    def program(self, path: Path, arguments: list[str]) -> Case:
        names = {"run": self._run, "path": path, "args": ["program", *arguments]}
        return Case("run(path, args)", names)

    def _started(self, path: Path, arguments: list[str], output: Path | None = None) -> Any:
        w = self._wasmtime
        engine = w.Engine()
        store = w.Store(engine)
        wasi = w.WasiConfig()
        wasi.argv = arguments
        if output:
            wasi.stdout_file = str(output)
        store.set_wasi(wasi)
        linker = w.Linker(engine)
        linker.define_wasi()
        instance = linker.instantiate(store, w.Module.from_file(engine, str(path)))
        exports = instance.exports(store)
        if "_initialize" in exports:
            exports["_initialize"](store)
        return store, exports

    def _run(self, path: Path, arguments: list[str]) -> bytes:
        with TemporaryDirectory() as folder:
            output = Path(folder, "output")
            store, exports = self._started(path, arguments, output)
            try:
                exports["_start"](store)
            except self._wasmtime.ExitTrap as exit_:
                if exit_.code:
                    raise
            return output.read_bytes()


class Wasm3:
    """pywasm3: an interpreter behind a module of Python's own C API; compiles functions lazily."""

    name = WASM3

    def __init__(self) -> None:
        import wasm3

        self._env = wasm3.Environment()

    def _runtime(self, text: str, host: HostFunction | None = None) -> Any:
        runtime = self._env.new_runtime(PAGE * 16)
        module = self._env.parse_module(binary_of(text))
        runtime.load(module)
        if host:
            module.link_function("env", "f", host.signature, host.function)
        return runtime

    def call(
        self, text: str, name: str, arguments: str = "", host: HostFunction | None = None
    ) -> Case:
        try:
            runtime = self._runtime(text, host)
            function = runtime.find_function(name)
        except RuntimeError as error:
            raise Unavailable(str(error)) from None
        return Case(f"f({arguments})", {"f": function, "runtime": runtime})

    def load(self, binary: bytes) -> Case:
        return Case("parse(b)", {"parse": self._env.parse_module, "b": binary})

    def describe(self, binary: bytes) -> Case:  # noqa: ARG002
        raise Unavailable("pywasm3 does not list what a module exports")

    def instantiate(self, binary: bytes) -> Case:
        return Case(
            "r = e.new_runtime(65536)\nr.load(e.parse_module(b))\nr.find_function('add')(2, 3)",
            {"e": self._env, "b": binary},
        )

    def memory(self, pages: int, statements: Mapping[str, str]) -> Case:
        if self.name not in statements:
            raise Unavailable("pywasm3 does not do this")
        runtime = self._runtime(f'(module (memory (export "m") {pages}))')
        return Case(statements[self.name], {"m": runtime.get_memory(0), "r": runtime})

    def parts(self, text: str, statements: Mapping[str, str]) -> Case:  # noqa: ARG002
        raise Unavailable("pywasm3 has no tables and no references")

    def start(self, path: Path) -> Case:  # noqa: ARG002
        raise Unavailable("pywasm3 has no WASI")

    def program(self, path: Path, arguments: list[str]) -> Case:  # noqa: ARG002
        raise Unavailable("pywasm3 has no WASI")
