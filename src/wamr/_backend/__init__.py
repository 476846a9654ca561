"""The way to C: the compiled module, its twin for other Pythons than CPython, and handles.

Whatever part of wamr is imported, this runs in each interpreter that imports it, so it is also
where sub-interpreters are refused (src/native/cpython/interpreter.c tells why). CPython 3.12
and later have isolated ones, which can't even load the module, or cffi, and may crash when they
try: there Python is asked first.
"""

import _thread

if not getattr(_thread, "_is_main_interpreter", lambda: True)():
    raise ImportError(  # as in interpreter.c
        "wamr works in the main interpreter only, and this is a sub-interpreter; use processes in "
        "place of sub-interpreters (in mod_wsgi: WSGIApplicationGroup %{GLOBAL})"
    )

from .. import _wamr

if hasattr(_wamr, "check_interpreter"):  # PyPy has no sub-interpreters, and no such function
    _wamr.check_interpreter()
