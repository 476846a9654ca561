"""WebAssembly with WAMR, the WebAssembly Micro Runtime of the Bytecode Alliance.

    >>> import wamr
    >>> inst = wamr.load('(module (func (export "add") (param i32 i32) (result i32)'
    ...                  '  (i32.add (local.get 0) (local.get 1))))')
    >>> inst.exports.add(2, 3)
    5

`load` makes an instance in one call; Engine, Store, Module and Instance do the same in steps. `run`
runs WASI programs as `subprocess.run` runs native ones. The C API, wasm-c-api, is `wamr.ffi`, which
has to be imported.
"""

from __future__ import annotations

from ._backend.features import FEATURES
from ._base.former_modules import add_former_modules
from ._base.suspension import SUSPEND
from ._runtime.engine import Config, Engine
from ._runtime.exceptions import WasmException
from ._runtime.exports import Exports
from ._runtime.extern import Extern
from ._runtime.func import Func
from ._runtime.global_ import Global
from ._runtime.instance import Instance
from ._runtime.limits import ResourceLimits
from ._runtime.load import load
from ._runtime.memory import Memory
from ._runtime.module import Module
from ._runtime.store import Store
from ._runtime.table import Table
from ._runtime.tag import Tag
from ._version import WAMR_COMMIT, WAMR_VERSION, __version__
from .errors import (
    ClosedError,
    CompileError,
    ExitTrap,
    Frame,
    FuelTrap,
    LinkError,
    MemoryLimitError,
    OutputLimitTrap,
    SnapshotError,
    StackOverflowTrap,
    TimeoutTrap,
    Trap,
    TrapCode,
    UnavailableError,
    WasmError,
)
from .types import (
    ExportType,
    FuncType,
    GlobalType,
    ImportType,
    Limits,
    MemoryType,
    TableType,
    TagType,
    ValType,
)
from .wat import wat2wasm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._base.aliases import Source, Stdio, Value
    from ._run.completed import CompletedProcess
    from ._run.program import Program
    from ._run.run import run
    from ._run.run_async import run_async
    from ._run.session import Session
    from ._runtime.event import Event
    from ._runtime.execution import Execution
    from ._runtime.import_aliases import ImportItem, Imports
    from ._runtime.linker import Linker
    from ._runtime.snapshot import Snapshot
    from ._runtime.val import Foreign, Ref, Val
    from ._wasi.config import Dir, WasiConfig
    from .types import ExternType, exnref, externref, f32, f64, funcref, i32, i64, v128

__all__ = [
    "FEATURES",
    "SUSPEND",
    "WAMR_COMMIT",
    "WAMR_VERSION",
    "ClosedError",
    "CompileError",
    "CompletedProcess",
    "Config",
    "Dir",
    "Engine",
    "Event",
    "Execution",
    "ExitTrap",
    "ExportType",
    "Exports",
    "Extern",
    "ExternType",
    "Foreign",
    "Frame",
    "FuelTrap",
    "Func",
    "FuncType",
    "Global",
    "GlobalType",
    "ImportItem",
    "ImportType",
    "Imports",
    "Instance",
    "Limits",
    "LinkError",
    "Linker",
    "Memory",
    "MemoryLimitError",
    "MemoryType",
    "Module",
    "OutputLimitTrap",
    "Program",
    "Ref",
    "ResourceLimits",
    "Session",
    "Snapshot",
    "SnapshotError",
    "Source",
    "StackOverflowTrap",
    "Stdio",
    "Store",
    "Table",
    "TableType",
    "Tag",
    "TagType",
    "TimeoutTrap",
    "Trap",
    "TrapCode",
    "UnavailableError",
    "Val",
    "ValType",
    "Value",
    "WasiConfig",
    "WasmError",
    "WasmException",
    "__version__",
    "exnref",
    "externref",
    "f32",
    "f64",
    "funcref",
    "i32",
    "i64",
    "load",
    "run",
    "run_async",
    "v128",
    "wat2wasm",
]

add_former_modules()

# Names that `load` doesn't need, with their modules, which are imported at the first access.
_LAZY = {
    "CompletedProcess": "_run.completed",
    "run": "_run.run",
    "run_async": "_run.run_async",
    "Session": "_run.session",
    "Program": "_run.program",
    "Event": "_runtime.event",
    "Execution": "_runtime.execution",
    "Linker": "_runtime.linker",
    "Snapshot": "_runtime.snapshot",
    **dict.fromkeys(("Foreign", "Ref", "Val"), "_runtime.val"),
    "Dir": "_wasi.config",
    "WasiConfig": "_wasi.config",
    **dict.fromkeys(("Source", "Stdio", "Value"), "_base.aliases"),
    **dict.fromkeys(("ImportItem", "Imports"), "_runtime.import_aliases"),
    "ExternType": "types",
    **dict.fromkeys(("i32", "i64", "f32", "f64", "v128"), "types"),
    **dict.fromkeys(("funcref", "externref", "exnref"), "types"),
}


if not TYPE_CHECKING:  # for a type checker, every name would exist

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name == "sandbox":
            return import_module("wamr.sandbox")
        module = _LAZY.get(name)
        if module is None:
            raise AttributeError(f"module 'wamr' has no attribute {name!r}")
        value: object = getattr(import_module(f"wamr.{module}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:  # the public names, without private modules
    return sorted({*__all__, *(name for name in globals() if name[:2] == "__")})
