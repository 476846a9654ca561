"""The interpreters of a process: one for each module, shared by the sandboxes that exist."""

from __future__ import annotations

import os
from hashlib import blake2b
from os import PathLike, fspath
from pathlib import Path
from weakref import WeakValueDictionary

from .. import Engine, Module
from .._base.locks import locked, new_lock
from ._results import SandboxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ._machine import Interpreter

_interpreters: WeakValueDictionary[tuple[str, object], Interpreter] = WeakValueDictionary()
_lock = new_lock()


def version_of(*texts: str) -> str:
    """Return a digest of the texts of a program, which differs between its versions."""
    return blake2b("\0".join(texts).encode(), digest_size=16).hexdigest()


def interpreter_of(
    path_or_module: object,
    name: str,
    installed: Callable[[], str],
    make: Callable[[Module], Interpreter],
    exports: tuple[str, ...],
) -> Interpreter:
    """Return the interpreter for a module, or for the module at a path.

    name: of the class, for messages. installed: returns the path of the installed interpreter,
    which None stands for. make: makes an interpreter of a module. exports: the names that the
    module must export.
    Raises TypeError, OSError, CompileError, SandboxError.
    """
    key: object
    if isinstance(path_or_module, Module):
        key = id(path_or_module)  # which the interpreter keeps alive
    elif path_or_module is None:
        key = installed()
    elif isinstance(path_or_module, (str, PathLike)):
        path = fspath(path_or_module)
        if not isinstance(path, str):
            raise TypeError("the path of an interpreter must be a str, not bytes")
        key = os.path.abspath(path)  # noqa: PTH100 - the process may change its directory
    else:
        raise TypeError(
            f"wamr.sandbox.{name} takes a path or a Module, not {type(path_or_module).__name__}"
        )

    def find_or_make() -> Interpreter:
        interpreter = _interpreters.get((name, key))
        if interpreter is None:
            module = path_or_module
            if not isinstance(module, Module):
                module = Module(Engine(), Path(str(key)))
            lacking = sorted({*exports} - {export.name for export in module.exports})
            if lacking:
                raise SandboxError(
                    f"the module is not a {name} interpreter for WASI: it does not export "
                    f"{lacking[0]}"
                )
            _interpreters[name, key] = interpreter = make(module)
        return interpreter

    found: Interpreter = locked(_lock, find_or_make)
    return found
