"""Generates the source of `wamr._wamr`, the cffi module, and the Python files that depend on it.

setup.py imports this for `ffibuilder`. The declarations for cffi come from these headers:

    wasm_c_api.h                WAMR's header, preprocessed (codegen/header.py)
    src/native/capi/capi.h      our additions to the C API
    src/native/include/wpy.h    our C for the object API
    PYTHON_FUNCTIONS, below     the functions of Python that C calls

The same declarations generate the wrappers of the C API (codegen/wrappers.py) and the type stubs,
so that these always agree. Nothing is compiled here. setup.py compiles the libraries, calls
`check_link`, and compiles the module.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

import cffi

ROOT = Path(__file__).resolve().parent
sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "cmake")) if path not in sys.path]

import iwasm  # noqa: E402
from codegen import header, stub, symbols, version, wrappers  # noqa: E402

# The macros that decide which functions wasm_c_api.c defines. All other conditions are false.
DEFINES = {"WASM_ENABLE_INTERP": "1", "WASM_ENABLE_AOT": "1", "WASM_ENABLE_REF_TYPES": "1"}
PYTHON_FUNCTIONS = ("include/python_functions.h", "capi/python_functions.h")


def cdef_block(path: Path) -> str:
    """Return the part of one of our headers between its two marks."""
    text = path.read_text(encoding="utf-8")
    parts = re.split(r"/\* cdef (?:begin|end) \*/", text)
    if len(parts) != 3:
        raise header.HeaderError(f"{path.name} needs one /* cdef begin */ and one /* cdef end */")
    return parts[1]


def read(paths: iwasm.Layout) -> header.Header:
    """Return the declarations of wasm_c_api.h; an error where a function is defined nowhere."""
    api = paths.tree / "core" / "iwasm"
    declared = header.read_header(api / "include" / "wasm_c_api.h")
    defined = header.defined_functions(api / "common" / "wasm_c_api.c", DEFINES)
    for file in sorted((paths.native / "capi").glob("*.c")):
        defined |= header.defined_functions(file, {})
    for function in declared.functions:
        if not (function.inline or function.name in defined):
            raise header.HeaderError(
                f"wasm_c_api.h declares {function.name}, which neither wasm_c_api.c nor our "
                f"capi/*.c define: {function.prototype}"
            )
    return declared


def check_link(libraries: Iterable[Path], declared: header.Header) -> None:
    """Stop the build where a declared function, or its replacement, is in no library."""
    native = paths.native
    names = [f.name for f in declared.functions if not f.inline]
    replacements = (native / "capi/capi.h").read_text(encoding="utf-8")
    names += re.findall(r"^#define wasm_\w+ (wpy_api_\w+)$", replacements, re.M)
    for file in ("capi/capi.h", "include/wpy.h"):
        names += re.findall(r"^[\w ]+[ *](wpy_\w+)\([^;]*\);", cdef_block(native / file), re.M)
    symbols.check(libraries, names)


def builder(paths: iwasm.Layout, declared: header.Header) -> cffi.FFI:
    """Return the builder of the module."""
    ffi = cffi.FFI()
    ffi.cdef(declared.cdef)
    ffi.cdef(cdef_block(paths.native / "capi/capi.h"))
    ffi.cdef(cdef_block(paths.native / "include/wpy.h"))
    for file in PYTHON_FUNCTIONS:
        ffi.cdef(f'extern "Python+C" {{ {cdef_block(paths.native / file)} }}')
    ffi.set_source("wamr._wamr", '#include "extension.h"')
    return ffi


paths = iwasm.layout(ROOT)
iwasm.prepare(ROOT)
declared = read(paths)
wrappers.write(ROOT / "src" / "wamr" / "_capi", declared)
version.write(ROOT / "src" / "wamr")
ffibuilder = builder(paths, declared)
stub.write(ROOT / "src" / "wamr", ffibuilder)
