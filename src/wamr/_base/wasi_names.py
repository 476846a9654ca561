"""Whose ABI an import is of that is not met here.

There are modules of names that begin like WASI's and mean something else: later versions, proposals
beside it, extensions of one runtime. Who meets one in an error should learn which it is.
"""

from __future__ import annotations

# What WAMR has itself.
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


def whose(module: str) -> str | None:
    """Return whose ABI a module of this name is, if it is like WASI and not what is here."""
    if module in _NAMES:
        return _NAMES[module]
    for prefix, what in _PREFIXES:
        if module.startswith(prefix) and module not in WASI:
            return what
    return None
