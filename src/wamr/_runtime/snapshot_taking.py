"""Taking snapshots, and using them: checks of arguments, waiting for running code, refusals."""

from __future__ import annotations

from .._backend.binding import ffi, lib
from .._backend.handles import deferrable
from .._backend.waiting import retry_while_busy, wait_for
from .._base.arguments import shown_number, type_name
from .._base.callables import checked_plain
from .._base.wasi import WasiBase
from ..errors import SnapshotError
from ..types import FuncType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .module import Module
    from .state import InstanceState

_REFUSED: int = lib.WPY_REFUSED
_MOST_KEPT = 10_000
_WHY = ffi.typeof("char[256]")
_unuse = deferrable(lib.wpy_snapshot_unuse)


def _names(paths: list[bytes]) -> str:
    """Return the names of directories for a message."""
    shown = ", ".join([repr(path.decode("utf-8", "surrogateescape")) for path in paths])
    if not shown:
        return "no directories"
    return f"the {'directories' if len(paths) > 1 else 'directory'} {shown}"


def preopens(c: Any) -> list[bytes] | None:
    """Return the guest paths of the program's directories, or None without WASI.

    c: a wpy_snapshot * that is open.
    """
    paths = ffi.new("char **")
    size = lib.wpy_snapshot_preopens(c, paths)
    return None if size < 0 else ffi.buffer(paths[0], size)[:].split(b"\0")[:-1]


def check_wasi(wasi: object, before: list[bytes] | None) -> None:
    """Raise TypeError or SnapshotError if the argument `wasi` is wrong; before: see preopens."""
    if not isinstance(wasi, WasiBase):
        raise TypeError(f"wasi must be a WasiConfig or None, not {type_name(wasi)}")
    now = wasi._guest_paths()
    if before is not None and before != now:
        raise SnapshotError(
            "preopens-differ",
            f"the program in the snapshot has {_names(before)}, and is given {_names(now)}: an "
            "instance needs the same guest paths in the same order",
        )


def used(c: Any) -> Any:
    """Begin a use of a snapshot: its contents stay until what this returns is released.

    c: a wpy_snapshot *. Raises SnapshotError.
    """
    if not lib.wpy_snapshot_use(c):
        raise SnapshotError("closed", "this Snapshot is closed")
    return ffi.gc(c, _unuse)


def check_hook(hook: Any, module: Module) -> None:
    """Raise TypeError or ValueError if the argument `on_restore` is wrong.

    Nothing awaits a coroutine function: the random state would be the same in all instances.
    """
    if hook is None:
        return
    if isinstance(hook, str):
        for item in module.exports:
            if item.name == hook and isinstance(item.type, FuncType) and not item.type.params:
                return
        raise ValueError(f"on_restore: the module exports no function {hook!r} without parameters")
    if not callable(hook):
        raise TypeError(
            f"on_restore must be the name of an export, a callable or None, not {type_name(hook)}"
        )
    checked_plain("on_restore", hook)


def check_keep(keep: object) -> None:
    """Raise TypeError or ValueError if the argument `keep` is wrong."""
    if not isinstance(keep, int) or isinstance(keep, bool):
        raise TypeError(f"keep must be an int, not {type_name(keep)}")
    if not 0 <= keep <= _MOST_KEPT:
        raise ValueError(f"keep must be from 0 to {_MOST_KEPT}, not {shown_number(keep)}")


def refusal(text: Any) -> SnapshotError:
    """Return the error for a reason and a sentence of C."""
    reason, _, sentence = ffi.string(text).decode("utf-8", "replace").partition(": ")
    return SnapshotError(reason, sentence)


def waiting(attempt: Callable[[], int], label: str) -> int:
    """Return the status of `attempt`, which waits while another thread runs code."""
    status = retry_while_busy(attempt, label, attempt())
    if status == lib.WPY_HELD:
        raise SnapshotError(
            "busy",
            "a call that isn't in the snapshot has stopped in the middle of the instance's code, "
            "or of what it is linked to: end it before",
        )
    return wait_for(lambda: status, label, status)


def take(state: InstanceState, execution: Any, keep: int) -> Any:
    """Return a new wpy_snapshot *, a reference."""
    if state.c is None:
        raise SnapshotError("busy", "the instance is still being made")
    out, text = ffi.new("wpy_snapshot **"), ffi.new(_WHY)
    if state.closed:
        raise SnapshotError("closed", "the instance is closed")
    status = waiting(
        lambda: lib.wpy_snapshot_new(state.c, execution, keep, out, text), "taking a snapshot"
    )
    if status == _REFUSED:
        raise refusal(text)
    if status:
        raise MemoryError("no memory for a snapshot")
    return out[0]


def take_suspended(state: InstanceState, execution: Any, keep: int) -> tuple[int, Any]:
    """Return the length of the execution's slices, and a new wpy_snapshot *."""
    if not hasattr(execution, "_c"):
        raise SnapshotError("busy", "the execution is of a host function")
    c = execution._use.run(execution._running, take, state, execution._c, keep)
    return execution._how.slice_ns, c
