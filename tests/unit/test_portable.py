"""The package without the types of CPython's C API, as on PyPy, must behave the same."""

import subprocess
import sys
from pathlib import Path

import pytest
from platforms import has_c_types, portable_code_needs_gil

TESTS = Path(__file__).parent
pytestmark = [pytest.mark.slow, has_c_types, portable_code_needs_gil]


# portable.py is Python: it can't keep what a signal handler raises while it keeps an exception.
BETWEEN_BYTECODES = (
    "tests/unit/test_not_caught.py::test_an_exception_of_a_signal_handler_is_not_lost"
)


@pytest.mark.parametrize(
    "names",
    [
        ["calls", "func", "callbacks", "callback_exceptions", "exports", "module", "sharing"],
        ["memory", "memory_slices", "table", "global", "references", "reference_threads"],
        ["imports", "limits", "externrefs"],
        ["tag", "wasm_exception", "exnref", "exceptions_across", "not_caught", "endless_throwing"],
        ["legacy_exceptions", "val", "linker"],
    ],
    ids=str,
)
def test_the_same_tests_pass(names):
    command = [sys.executable, "-m", "pytest", "-p", "portable", "-q", "-p", "no:cacheprovider"]
    command += ["--hypothesis-profile=few"]  # conversions in Python are slow
    command += ["--deselect", BETWEEN_BYTECODES]
    files = [str(TESTS / f"test_{name}.py") for name in names]
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout


def test_the_plugin_replaces_the_types_of_c():
    code = (
        "import portable, wamr, wamr._backend.portable as p;"
        "assert wamr.Func.__mro__[1] is p.CallableBase;"
        "f = wamr.load('(module (func (export \"f\") (param i32)))').exports.f;"
        "assert type(f.callable).__name__ == 'function'; print(f.callable.__text_signature__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=TESTS.parent / "support",
    )
    assert done.stdout == "(i32_0, /)\n"
