"""The names of the extension module. Every other module imports them from here.

`ffi` and `lib` are cffi's. The other names are implemented with CPython's C API
(src/native/cpython/), for operations that take less time than a call through cffi. On other
implementations of Python, portable.py provides them.
"""

from .._wamr import __file__ as _file
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
        set_suspend,
        set_thrown,
        set_wrapped,
        take_raised,
        throw_raised,
    )
except ImportError:  # PyPy
    from .portable import (  # type: ignore[assignment]
        CallableBase,
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
        set_suspend,
        set_thrown,
        set_wrapped,
        take_raised,
        throw_raised,
    )
    from .portable_externrefs import ExternrefTableBase  # type: ignore[assignment]

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
    "extension_file",
    "ffi",
    "keep_raised",
    "known",
    "lib",
    "refer",
    "set_call",
    "set_suspend",
    "set_thrown",
    "set_wrapped",
    "take_raised",
    "throw_raised",
]

# Set up the hooks, locks and fork handlers of our C before anything else is called.
if not lib.wpy_setup():
    raise ImportError(
        "wamr: the system has no room for the runtime's locks, or no more thread-local keys for it"
    )


def extension_file() -> str:
    """Return the path of the extension module."""
    return _file
