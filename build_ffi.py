"""The cffi builder: what `wamr._wamr` is made from, as a table of contents.

setup.py runs this for `ffibuilder`. What is declared to cffi comes from three places:

    wasm_c_api.h                WAMR's own header, cleaned (codegen/header.py)
    src/native/capi/capi.h      what WAMR declares and does not define, made real by our C
    src/native/include/wpy.h    our C under the object API

The same pass over the header generates the procedural wrappers (codegen/wrappers.py), so the
three can't drift apart. Nothing is compiled here: setup.py compiles the libraries and then the
module, and asks `check_link` in between.
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

# Definitions that decide which functions wasm_c_api.c defines; the rest of its conditions are off.
DEFINES = {"WASM_ENABLE_INTERP": "1", "WASM_ENABLE_AOT": "1", "WASM_ENABLE_REF_TYPES": "1"}
INCLUDES = """
#include "cpython/convert.h"
#include "capi/capi.h"
#include "include/wpy.h"
#ifndef PYPY_VERSION
#include "cpython/init.h"
#endif
"""
# What our C calls of Python: the object API's half (_runtime/callbacks.py, _wasi/streams.py), and
# the C API's (_capi/callbacks.py).
CALLBACKS = """
extern "Python+C" {
    int wpy_py_cells(int host_id, uint32_t *args, uint32_t *results);
    int wpy_py_signals(void);
    void wpy_py_forget(int number);
    int wpy_py_wasi_read(uint64_t who, uint8_t *data, uint32_t size);
    int wpy_py_wasi_write(uint64_t who, int fd, const uint8_t *data, uint32_t size);
}
extern "Python" {
    wasm_trap_t *wpy_api_callback(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results);
    void wpy_api_finalizer(void *info);
}
"""


def cdef_block(path: Path) -> str:
    """The part of one of our headers between its two marks."""
    text = path.read_text(encoding="utf-8")
    parts = re.split(r"/\* cdef (?:begin|end) \*/", text)
    if len(parts) != 3:
        raise header.HeaderError(f"{path.name} needs one /* cdef begin */ and one /* cdef end */")
    return parts[1]


def read(place: iwasm.Layout) -> header.Header:
    """The declarations of the header, each known to be defined by WAMR or by us."""
    api = place.tree / "core" / "iwasm"
    declared = header.read_header(api / "include" / "wasm_c_api.h")
    theirs = header.defined_functions(api / "common" / "wasm_c_api.c", DEFINES)
    ours: set[str] = set()
    for file in sorted((place.native / "capi").glob("*.c")):
        ours |= header.defined_functions(file, {})
    for function in declared.functions:
        if not (function.inline or function.name in theirs or function.name in ours):
            raise header.HeaderError(
                f"wasm_c_api.h declares {function.name}, which neither wasm_c_api.c nor our "
                f"capi/*.c define: {function.prototype}"
            )
    return declared


def check_link(libraries: Iterable[Path], declared: header.Header) -> None:
    """Stops the build where a declared function, or one that stands in for it, is in no library."""
    native = place.native
    names = [f.name for f in declared.functions if not f.inline]
    redirections = (native / "capi/capi.h").read_text(encoding="utf-8")
    names += re.findall(r"^#define wasm_\w+ (wpy_api_\w+)$", redirections, re.M)
    for file in ("capi/capi.h", "include/wpy.h"):
        names += re.findall(r"^[\w ]+[ *](wpy_\w+)\([^;]*\);", cdef_block(native / file), re.M)
    symbols.check(libraries, names)


def builder(place: iwasm.Layout, declared: header.Header) -> cffi.FFI:
    ffi = cffi.FFI()
    ffi.cdef(declared.cdef)
    ffi.cdef(cdef_block(place.native / "capi/capi.h"))
    ffi.cdef(cdef_block(place.native / "include/wpy.h"))
    ffi.cdef(CALLBACKS)
    ffi.set_source("wamr._wamr", INCLUDES)
    return ffi


place = iwasm.layout(ROOT)
iwasm.prepare(ROOT)
declared = read(place)
wrappers.write(ROOT / "src" / "wamr" / "_capi", declared)
version.write(ROOT / "src" / "wamr")
ffibuilder = builder(place, declared)
stub.write(ROOT / "src" / "wamr", ffibuilder)
