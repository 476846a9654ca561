"""What importing the package imports."""

import subprocess
import sys
from pathlib import Path

import wamr

# ------------------------------------------------------------------ what importing costs
HEAVY = {
    "asyncio",
    "ctypes",
    "dataclasses",
    "importlib.metadata",
    "inspect",
    "json",
    "logging",
    "pathlib",
    "re",
    "subprocess",
    "tempfile",
    "threading",
    "traceback",
    "typing",
    "typing_extensions",
    "wamr._base.annotations",
    "wamr._base.aliases",
    "wamr._capi",
    "wamr.ffi",
    "wamr._runtime.import_aliases",
    "wamr._wasi",
    "wamr._wasi.config",
    "wamr._run.run",
    "wasmtime",
}


def modules_after(code):
    """Return the modules that `code` imports in a new interpreter, without those of `site`."""
    places = [str(Path(wamr.__file__).parent.parent), *filter(None, sys.path)]
    start = f"import sys; sys.path[:] = {places!r}; before = set(sys.modules)\n"
    end = "\nprint('\\n'.join(set(sys.modules) - before))"
    command = [sys.executable, "-S", "-c", start + code + end]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_brings_in_nothing_it_need_not():
    assert modules_after("import wamr") & HEAVY == set()


def test_using_a_binary_module_brings_in_nothing_more():
    data = wamr.wat2wasm(
        '(module (import "m" "f" (func)) (memory (export "m") 1) (func (export "f") (call 0)))'
    )
    code = (
        f"import wamr\ninstance = wamr.load({data!r}, [lambda: None])\n"
        "instance.exports.f()\ninstance.exports.m.write(0, b'x')"
    )
    assert modules_after(code) & HEAVY == set()


def test_the_c_api_is_apart():
    loaded = modules_after("import wamr.ffi")
    assert {"wamr.ffi", "wamr"} <= loaded
    assert loaded & {"asyncio", "subprocess", "wasmtime", "wamr._wasi"} == set()
