"""Sub-interpreters: `import wamr` raises in them, and the main interpreter works on.

Each program runs in a process of its own, since a failure may be a hang or a crash.
"""

import subprocess
import sys
import textwrap

import pytest

SENTENCE = (
    "wamr works in the main interpreter only, and this is a sub-interpreter; use processes in "
    "place of sub-interpreters (in mod_wsgi: WSGIApplicationGroup %{GLOBAL})"
)

# `run_inside` runs code in a new sub-interpreter, by the module that this Python has for that.
RUN_INSIDE = {
    "legacy": """
        try:
            import _interpreters
        except ImportError:
            import _xxsubinterpreters
            def run_inside(code):
                interpreter = _xxsubinterpreters.create(isolated=False)
                _xxsubinterpreters.run_string(interpreter, code)
                _xxsubinterpreters.destroy(interpreter)
        else:
            def run_inside(code):
                interpreter = _interpreters.create("legacy")
                assert _interpreters.exec(interpreter, code) is None
                _interpreters.destroy(interpreter)
        """,
    "isolated": """
        try:
            import _interpreters
        except ImportError:
            import _xxsubinterpreters
            def run_inside(code):
                interpreter = _xxsubinterpreters.create(isolated=True)
                _xxsubinterpreters.run_string(interpreter, code)
                _xxsubinterpreters.destroy(interpreter)
        else:
            def run_inside(code):
                interpreter = _interpreters.create("isolated")
                assert _interpreters.exec(interpreter, code) is None
                _interpreters.destroy(interpreter)
        """,
    "Py_NewInterpreter": """
        from _testcapi import run_in_subinterp
        def run_inside(code):
            assert run_in_subinterp(code) == 0
        """,
    "a thread": """
        import threading
        from _testcapi import run_in_subinterp
        def run_inside(code):
            thread = threading.Thread(target=run_in_subinterp, args=(code,))
            thread.start()
            thread.join()
        """,
}
NAMES = ("wamr", "wamr.ffi", "wamr._wamr", "wamr.errors", "wamr._backend.binding", "wamr.__main__")
# The code for a sub-interpreter: each import twice, since the first leaves imported submodules.
INSIDE = """
import sys
sys.path[:] = {path!r}
for name in 2 * {names!r}:
    try:
        __import__(name)
    except ImportError as error:
        print(error)
    else:
        print(name, "was imported")
assert "_cffi_backend" not in sys.modules
sys.stdout.flush()
"""
# The code of the main interpreter: all operations that take or release the GIL.
WORK = """
import threading, wamr
module = wamr.Module(wamr.Engine(), {module!r})
def work():
    store = wamr.Store(module.engine)
    seen = []
    exports = wamr.Instance(store, module, [seen.append]).exports
    assert exports.bounded() == 7
    exports.back(5)
    assert seen == [5] and exports.loop(10) == 0
    try:
        exports.trap()
    except wamr.Trap as trap:
        seen.append(trap.code.name)
    assert seen == [5, "UNREACHABLE"]
work()
thread = threading.Thread(target=work)
thread.start()
thread.join()
print("works")
"""
MODULE = """(module (import "m" "f" (func $f (param i32)))
    (func (export "bounded") (result i32) (i32.const 7))
    (func (export "back") (param i32) (call $f (local.get 0)))
    (func (export "loop") (param $n i32) (result i32)
        (loop $l (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $n))
    (func (export "trap") unreachable))"""


def has(kind):
    """Return whether this Python supports a kind of sub-interpreter."""
    needed = {"legacy": ("_interpreters", "_xxsubinterpreters")}
    needed["isolated"] = needed["legacy"]
    from importlib.util import find_spec

    return any(find_spec(name) for name in needed.get(kind, ("_testcapi",)))


def outcome(program):
    """Run a program; a hang is a failure with a message."""
    command = [sys.executable, "-u", "-X", "faulthandler", "-c", program]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        pytest.fail("the sub-interpreter, or the main one after it, hangs")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


KINDS = [
    pytest.param(kind, marks=pytest.mark.skipif(not has(kind), reason="this Python has none"))
    for kind in RUN_INSIDE
]


@pytest.mark.parametrize("first", ["main", "sub"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_sub_interpreter_is_refused_with_a_sentence_and_the_main_one_works(kind, first, wat):
    inside = INSIDE.format(path=sys.path, names=NAMES)
    work = WORK.format(module=wat(MODULE))
    program = textwrap.dedent(RUN_INSIDE[kind])
    program += f"import sys\nsys.path[:] = {sys.path!r}\n"
    if first == "main":
        program += work
    program += f"run_inside({inside!r})\nrun_inside({inside!r})\n" + work
    refused = [SENTENCE] * 2 * len(NAMES)
    assert outcome(program) == ["works"] * (first == "main") + refused + refused + ["works"]


def test_the_sentence_is_the_same_on_both_sides():
    """C raises where the module can be loaded, Python where it can't."""
    import inspect
    import re
    from pathlib import Path

    from wamr import _backend

    c = Path(__file__).parents[2] / "src" / "native" / "cpython" / "interpreter.c"
    if not c.exists():
        pytest.skip("the sources are not here")
    for text in (c.read_text(encoding="utf-8"), inspect.getsource(_backend)):
        assert SENTENCE in re.sub(r'"\s+"', "", text)


def test_the_main_interpreter_is_not_refused():
    from wamr._wamr import check_interpreter

    assert check_interpreter() is None
    lines = outcome("import wamr, wamr.ffi, wamr._wamr\nprint(wamr.load('(module)').exports)")
    assert lines == ["<wamr.Exports nothing>"]
