"""The one door to C: whoever needs the extension imports from here.

`ffi` and `lib` are cffi's. The other names are made with CPython's own C API
(src/native/cpython/), for the paths where a call through cffi costs more than what it does;
where there is none, they are those of portable.py.
"""

from .._wamr import ffi, lib

try:
    from .._wamr import (
        CallableBase,
        ExternrefTableBase,
        GlobalBase,
        HostFunctionBase,
        MemoryBase,
        Signature,
        TableBase,
        bind_export,
        described,
        exported,
        keep_raised,
        known,
        refer,
        set_call,
        set_thrown,
        set_wrapped,
        take_raised,
        throw_raised,
    )
except ImportError:  # PyPy
    from .portable import (  # type: ignore[assignment]
        CallableBase,
        ExternrefTableBase,
        GlobalBase,
        HostFunctionBase,
        MemoryBase,
        Signature,
        TableBase,
        bind_export,
        described,
        exported,
        keep_raised,
        known,
        refer,
        set_call,
        set_thrown,
        set_wrapped,
        take_raised,
        throw_raised,
    )

__all__ = [
    "CallableBase",
    "ExternrefTableBase",
    "GlobalBase",
    "HostFunctionBase",
    "MemoryBase",
    "Signature",
    "TableBase",
    "bind_export",
    "described",
    "exported",
    "ffi",
    "keep_raised",
    "known",
    "lib",
    "refer",
    "set_call",
    "set_thrown",
    "set_wrapped",
    "take_raised",
    "throw_raised",
]

# Hooks, locks and the fork handlers of our C stand before anything else is called.
if not lib.wpy_setup():
    raise ImportError("wamr: the runtime's locks can't be made")
