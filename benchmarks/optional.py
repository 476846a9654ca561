"""Engines that are measured where they can be installed: wasmer and extism.

The packages of wasmer have wheels up to CPython 3.10 only; with later versions they install and
then raise ImportError, as an adapter does for an engine that is not installed. extism is based on
wasmtime; its plug-ins take and return bytes, so only functions without parameters can be called
directly.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .lines import EXTISM, WASMER, Unavailable
from .peers import HostFunction, binary_of
from .timing import Case


class Wasmer:
    """wasmer-python: compiles to machine code, here with Cranelift as wasmtime does."""

    name = WASMER

    def __init__(self) -> None:
        import wasmer
        import wasmer_compiler_cranelift

        self._wasmer = wasmer
        self._store = wasmer.Store(wasmer.engine.Universal(wasmer_compiler_cranelift.Compiler))

    def _imports(self, host: HostFunction) -> Any:
        w = self._wasmer
        kinds = {"i": w.Type.I32, "I": w.Type.I64, "f": w.Type.F32, "F": w.Type.F64}
        result, _, params = host.signature.rstrip(")").partition("(")
        type_ = w.FunctionType([kinds[x] for x in params], [kinds[x] for x in result if x != "v"])
        imports = w.ImportObject()
        imports.register("env", {"f": w.Function(self._store, host.function, type_)})
        return imports

    def call(
        self, text: str, name: str, arguments: str = "", host: HostFunction | None = None
    ) -> Case:
        w = self._wasmer
        try:
            module = w.Module(self._store, binary_of(text))
            instance = w.Instance(module, *([self._imports(host)] if host else []))
        except RuntimeError as error:
            raise Unavailable(str(error)) from None
        return Case(f"f({arguments})", {"f": getattr(instance.exports, name), "i": instance})

    def load(self, binary: bytes) -> Case:
        return Case("Module(s, b)", {"Module": self._wasmer.Module, "s": self._store, "b": binary})

    def describe(self, binary: bytes) -> Case:
        names = {"Module": self._wasmer.Module, "s": self._store, "b": binary}
        return Case("for x in Module(s, b).exports: x.name, x.type", names)

    def instantiate(self, binary: bytes) -> Case:
        module = self._wasmer.Module(self._store, binary)
        return Case(
            "Instance(m).exports.add(2, 3)", {"Instance": self._wasmer.Instance, "m": module}
        )

    def memory(self, pages: int, statements: Mapping[str, str]) -> Case:
        if self.name not in statements:
            raise Unavailable("wasmer does not do this")
        w = self._wasmer
        memory = w.Memory(self._store, w.MemoryType(pages, shared=False))
        return Case(statements[self.name], {"m": memory, "v": memory.uint8_view()})

    def parts(self, text: str, statements: Mapping[str, str]) -> Case:  # noqa: ARG002
        raise Unavailable("wasmer-python does not pass references")

    def start(self, path: Path) -> Case:
        return Case("start(path)", {"start": self._started, "path": path})

    def program(self, path: Path, arguments: list[str]) -> Case:  # noqa: ARG002
        raise Unavailable("wasmer-python gives no output of a program")

    def _started(self, path: Path) -> Any:
        w = self._wasmer
        module = w.Module(self._store, path.read_bytes())
        environment = w.wasi.StateBuilder("program").finalize()
        version = w.wasi.get_version(module, strict=False)
        instance = w.Instance(module, environment.generate_import_object(self._store, version))
        for export in module.exports:
            if export.name == "_initialize":
                instance.exports._initialize()
        return instance


class Extism:
    """extism: plug-ins over wasmtime, bytes in and out."""

    name = EXTISM

    def __init__(self) -> None:
        # No cache: other engines don't cache compiled modules.
        os.environ["EXTISM_CACHE_CONFIG"] = ""
        import extism
        import extism.extism

        self._extism = extism
        self._compiled = extism.extism.CompiledPlugin

    def call(
        self, text: str, name: str, arguments: str = "", host: HostFunction | None = None
    ) -> Case:
        if arguments or (host and host.signature != "v()"):
            raise Unavailable("extism calls functions without parameters only")
        functions = [self._function(host)] if host else []
        plugin = self._extism.Plugin(binary_of(text), functions=functions)
        return Case(f"f({name!r}, b'')", {"f": plugin.call})

    def _function(self, host: HostFunction) -> Any:
        def called(*_: object) -> None:
            host.function()

        return self._extism.host_fn("f", "env", signature=([], []))(called)

    def load(self, binary: bytes) -> Case:
        return Case("Compiled(b)", {"Compiled": self._compiled, "b": binary})

    def describe(self, binary: bytes) -> Case:  # noqa: ARG002
        raise Unavailable("extism does not list what a module exports")

    def instantiate(self, binary: bytes) -> Case:  # noqa: ARG002
        raise Unavailable("extism calls functions without parameters only")

    def memory(self, pages: int, statements: Mapping[str, str]) -> Case:  # noqa: ARG002
        raise Unavailable("extism has memory of its own only")

    def parts(self, text: str, statements: Mapping[str, str]) -> Case:  # noqa: ARG002
        raise Unavailable("extism has bytes only")

    def start(self, path: Path) -> Case:
        return Case(
            "Compiled({'wasm': [{'path': str(path)}]}, wasi=True)",
            {"Compiled": self._compiled, "path": path},
        )

    def program(self, path: Path, arguments: list[str]) -> Case:  # noqa: ARG002
        raise Unavailable("extism runs no programs")
