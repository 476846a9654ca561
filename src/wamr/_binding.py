"""The one door to C: whoever needs the extension imports from here.

`ffi` and `lib` are cffi's. `function`, `Caller` and `Window` are made with CPython's own C API
(src/wamr/_native/cpython/), for the two paths where a call through cffi costs more than what it
does; elsewhere they are those of `_plain`.
"""

from ._wamr import ffi, lib

try:
    from ._wamr import Caller, Window, function
except ImportError:  # PyPy
    from ._plain import Caller, Window, function  # type: ignore[assignment]

__all__ = ["Caller", "Window", "ffi", "function", "lib"]

# Hooks, locks and the fork handlers of our C stand before anything else is called.
if not lib.wpy_setup():
    raise ImportError("wamr: the runtime's locks can't be made")
