"""The one door to C: whoever needs the extension imports from here.

`ffi` and `lib` are cffi's. The other names are made with CPython's own C API
(src/wamr/_native/cpython/), for the paths where a call through cffi costs more than what it does;
where there is none, they are those of `_plain`.

Whatever part of the package is imported, this runs in each interpreter that imports it, so it is
also where sub-interpreters are refused (src/wamr/_native/cpython/interpreter.c tells why). CPython
3.12 and later have isolated ones, which can't even load the module, or cffi, and may crash when
they try: there Python is asked first.
"""

import _thread

if not getattr(_thread, "_is_main_interpreter", lambda: True)():
    raise ImportError(  # as in interpreter.c
        "wamr works in the main interpreter only, and this is a sub-interpreter; use processes in "
        "place of sub-interpreters (in mod_wsgi: WSGIApplicationGroup %{GLOBAL})"
    )

from ._wamr import ffi, lib

try:
    from ._wamr import (
        Callback,
        Caller,
        Cell,
        Elements,
        Numbers,
        Signature,
        Window,
        bind,
        check_interpreter,
        described,
        exported,
        keep_raised,
        known,
        refer,
        set_call,
        set_wrapped,
        take_raised,
    )
except ImportError:  # PyPy
    from ._plain import (  # type: ignore[assignment]
        Callback,
        Caller,
        Cell,
        Elements,
        Numbers,
        Signature,
        Window,
        bind,
        check_interpreter,
        described,
        exported,
        keep_raised,
        known,
        refer,
        set_call,
        set_wrapped,
        take_raised,
    )

check_interpreter()

__all__ = [
    "Callback",
    "Caller",
    "Cell",
    "Elements",
    "Numbers",
    "Signature",
    "Window",
    "bind",
    "described",
    "exported",
    "ffi",
    "keep_raised",
    "known",
    "lib",
    "refer",
    "set_call",
    "set_wrapped",
    "take_raised",
]

# Hooks, locks and the fork handlers of our C stand before anything else is called.
if not lib.wpy_setup():
    raise ImportError("wamr: the runtime's locks can't be made")
