"""The names of WASI's import modules, and the base class of `WasiConfig`.

Other import modules have names that look like WASI's: later versions, proposals that are separate
from WASI, extensions of one runtime. Error messages name the ABI that such a module belongs to.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


# The import modules that WAMR implements.
WASI = {"wasi_snapshot_preview1": "preview 1", "wasi_unstable": "snapshot 0, before preview 1"}

_TO_PREVIEW1 = "compile the program for WASI preview 1 (wasm32-wasip1, wasm32-wasi)"
_COMPONENTS = (
    f"an interface of WASI 0.2 (preview 2), which components import; modules can't: {_TO_PREVIEW1}"
)
_NAMES = {
    "wasi": "wasi-threads, a proposal that this build lacks; compile the program without threads",
    "wasi_snapshot_preview0": "not WASI's: snapshot 0 is called wasi_unstable",
    "wasi_snapshot_preview2": f"not WASI's: 0.2 (preview 2) is for components; {_TO_PREVIEW1}",
    "wasi_nn": "wasi-nn, a proposal that this build lacks",
}
_PREFIXES = (
    ("wasix_", f"WASIX, Wasmer's extension of WASI, which only Wasmer has; {_TO_PREVIEW1}"),
    ("wasi:", _COMPONENTS),
    ("cm32p2|wasi:", _COMPONENTS),
    ("[export]wasi:", _COMPONENTS),
    ("wasi_ephemeral_", "a proposal beside WASI that this build lacks"),
    ("wasi_experimental_", "an experiment of one runtime that this build lacks"),
    ("wasi_snapshot_", f"a snapshot of WASI that is not known here; {_TO_PREVIEW1}"),
)


def foreign_wasi_abi(module: str) -> str | None:
    """Return which ABI an import module with a name like WASI's has, if not one of `WASI`."""
    if module in _NAMES:
        return _NAMES[module]
    for prefix, what in _PREFIXES:
        if module.startswith(prefix) and module not in WASI:
            return what
    return None


class WasiBase:
    """What an Instance needs of a `WasiConfig`, whose module is imported only by its users."""

    __slots__ = ()

    def _apply(self, c: Any, lifetime: Any) -> Any:
        """Open the configuration for one instance, and set `c.wasi`; c: a `wpy_imports *`.

        lifetime: of the instance, an InstanceState; it keeps the Python streams alive, and its
        `files` are the private directories. The caller keeps the result until the instance has
        been made, and then calls its `release()`. Raises OSError, MemoryError.
        """
        raise NotImplementedError

    def _guest_paths(self) -> list[bytes]:
        """Return the names of the directories, as the program sees them, in their order."""
        raise NotImplementedError
