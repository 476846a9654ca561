"""Access to C: the extension module, its substitute for Pythons other than CPython, handles.

Every import of a part of wamr imports this package first, so subinterpreters are refused here
(src/native/cpython/interpreter.c tells why). In an isolated subinterpreter, CPython 3.12 and later
can't load the extension module or cffi, and may crash when they try: Python is asked before.
"""

import _thread

if not getattr(_thread, "_is_main_interpreter", lambda: True)():
    raise ImportError(  # the same text as in interpreter.c
        "wamr works in the main interpreter only, and this is a sub-interpreter; use processes in "
        "place of sub-interpreters (in mod_wsgi: WSGIApplicationGroup %{GLOBAL})"
    )

from .. import _wamr

if hasattr(_wamr, "check_interpreter"):  # PyPy, which has no subinterpreters, lacks it
    _wamr.check_interpreter()
