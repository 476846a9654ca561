"""CPython 3.12 for WASI: exit code, streams and files are the same as in wasmtime.

The output is checked, too, in case both are wrong. Features that wasmtime lacks (timeouts, threads,
streams that are Python objects) are tested in tests/wasi/test_python.py.
"""

from __future__ import annotations

import pytest
from differential import DifferentialModule, DifferentialProgram, Folder

STREAMS = """
import os, sys
print(sys.argv, sys.orig_argv, sorted(os.environ.items()))
print("to stderr, é", file=sys.stderr)
print(sys.stdin.readline(), repr(sys.stdin.read()), sys.stdin.isatty(), sys.stdout.encoding)
sys.stdout.flush()
os.write(1, bytes(range(256)))
"""
LIBRARY = """
import base64, collections, datetime, decimal, fractions, hashlib, json, math, pickle, random, re
import statistics, struct, sqlite3, textwrap, unicodedata, zlib
random.seed(5)
values = [random.uniform(-1e3, 1e3) for _ in range(300)]
for function in (math.sin, math.tan, math.exp, math.sqrt, math.gamma, math.cbrt, math.ulp):
    digest = hashlib.sha256()
    for value in values:
        try:
            digest.update(repr(function(value / 10)).encode())
        except (ValueError, OverflowError) as error:
            digest.update(str(error).encode())
    print(function.__name__, digest.hexdigest())
infinity = float("inf")
for number in (infinity - infinity, -(0 * infinity), math.nan, 5e-324 / 2, -0.0, 1e308 * 10):
    print(number, struct.pack("<d", number).hex())
print(decimal.Decimal(1) / 7, fractions.Fraction(0.1), statistics.stdev(values), 3**500 % 10**50)
packed = zlib.compress(bytes(range(256)) * 100)
print(len(packed), zlib.crc32(zlib.decompress(packed)), base64.b85encode(b"wasm"))
print(json.dumps({"é": [1, 2.5, None]}), re.findall(r"(\\w+)\\s(?=b)", "é b c b"))
print(unicodedata.name("é"), pickle.dumps({"a": (1, [2])}), datetime.date(2024, 2, 29).ctime())
print(sqlite3.connect(":memory:").execute("select 6 * 7, upper('x')").fetchall())
print(textwrap.fill("words " * 30, 40), collections.Counter("mississippi").most_common(2))
"""
MODERN = """
import dataclasses, dis, traceback
@dataclasses.dataclass(order=True)
class Point:
    x: int
    y: int = 0
async def later(value):
    return value
def finished(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
print(sorted([Point(2), Point(1, 5)]), finished(later(3)))
try:
    try:
        1 / 0
    except ZeroDivisionError as error:
        raise ValueError("é") from error
except ValueError:
    traceback.print_exc()
try:
    raise ExceptionGroup("both", [ValueError(1), TypeError(2)])
except* ValueError as group:
    print(group.exceptions)
except* TypeError as group:
    print(group.exceptions)
match {"kind": "point", "at": [1, 2]}:
    case {"kind": "point", "at": [x, y]}:
        print(x, y)
dis.dis(compile("x + 1", "<text>", "eval"))
"""


def test_streams_arguments_and_environment(python: DifferentialModule) -> None:
    env = {"NAME": "value", "EMPTY": "", "Ü": "ü=x"}
    done = python.run("-c", STREAMS, "a b", "", "ä", "-x", stdin="fïrst\nrest\r\n", env=env)
    assert done.code == 0
    assert done.stdout.startswith(b"['-c', 'a b', '', '\xc3\xa4', '-x'] ['program', '-c', ")
    assert b"[('EMPTY', ''), ('NAME', 'value'), ('\xc3\x9c', '\xc3\xbc=x')]" in done.stdout
    assert done.stdout.endswith(bytes(range(256)))
    assert done.err == "to stderr, é\n"


@pytest.mark.parametrize("script", [LIBRARY, MODERN, "import this"], ids=["old", "new", "this"])
def test_the_library_computes_the_same(python: DifferentialModule, script: str) -> None:
    done = python.run("-c", script)
    assert done.code == 0
    assert len(done.out.splitlines()) > 8


@pytest.fixture(scope="module")
def started(python: DifferentialModule) -> DifferentialProgram:
    """A CPython that has started up, which takes most of the time, and runs what it is given."""
    return python.begin("-c", "import sys; exec(sys.stdin.read())")


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("pass", 0, ""),
        ("import sys; sys.exit()", 0, ""),
        ("import sys; sys.exit(1)", 1, ""),
        ("import sys; sys.exit(3)", 3, ""),
        ("import os; os._exit(125)", 125, ""),
        ("import sys; sys.exit('wörds')", 1, "wörds\n"),
        ("raise SystemExit(2)", 2, ""),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
        ("assert 0, 'no'", 1, "AssertionError: no\n"),
        ("raise ValueError('é\\n中')", 1, "ValueError: é\n中\n"),
        ("def f(:", 1, "SyntaxError: invalid syntax\n"),
        ("f = lambda n: f(n + 1)\nf(0)", 1, "maximum recursion depth exceeded\n"),
        ("import json; json.loads('[' * 100000)", 1, "array from a unicode string\n"),
        ("x = [0] * 2**29", 1, "MemoryError\n"),
        ("import ctypes", 1, "No module named 'ctypes'\n"),
        ("import socket; socket.socket()", 1, "OSError: [Errno 58] Not supported\n"),
        ("import sys; sys.stdin.close(); input()", 1, "I/O operation on closed file.\n"),
        ("import os; os.close(1); print(1)", 120, "OSError: [Errno 8] Bad file descriptor\n"),
        ("import os; os.abort()", "trap", ""),
        ("class A:\n  def __add__(a, b): return a + b\nA() + 1", "trap", ""),
    ],
)
def test_how_it_ends(started: DifferentialProgram, script: str, code: int | str, said: str) -> None:
    done = started.run(script)
    assert done.code == code
    assert done.err.endswith(said)
    assert bool(done.err) == bool(said)


def test_a_difference_of_one_that_has_started_is_a_failure(started: DifferentialProgram) -> None:
    other = DifferentialProgram(started.ours, started.module, ("-c", "print(1)"))
    assert other.run("print(1)").out == "1\n"
    for script in ("print(2)", "print(1); import sys; sys.exit(3)", "print(1); 1 / 0"):
        with pytest.raises(AssertionError, match="differs from wasmtime"):
            other.run(script)


@pytest.mark.parametrize(
    ("args", "stdin", "code"),
    [
        ((), "print(1)\nprint(__name__)\n", 0),
        (("-",), "print(1)\n1 / 0\n", 1),
        (("-i", "-q"), "1 + 1\nx = 3\nx\n1 / 0\nexit(4)\n", 4),
        (("-m", "json.tool"), '{"b": 1, "a": [1, 2]}', 0),
        (("-m", "json.tool"), "{", 1),
        (("-m", "nothing"), "", 1),
        (("-V",), "", 0),
        (("-h",), "", 0),
        (("--nothing",), "", 2),
        (("-c",), "", 2),
        (("missing.py",), "", 2),
    ],
)
def test_ways_to_start_it(
    python: DifferentialModule, args: tuple[str, ...], stdin: str, code: int
) -> None:
    assert python.run(*args, stdin=stdin).code == code


def test_large_streams(python: DifferentialModule) -> None:
    script = """
import sys
data = sys.stdin.buffer.read()
sys.stderr.write("e" * 300_000)
sys.stdout.buffer.write(data[::-1])
"""
    data = bytes(range(256)) * 8_000
    done = python.run("-c", script, stdin=data)
    assert (done.stdout, done.stderr) == (data[::-1], b"e" * 300_000)


def test_a_program_of_several_files(python: DifferentialModule) -> None:
    files = {
        "main.py": b"import sys, pack.part; print(pack.part.double(21), sys.argv, __file__)",
        "pack/__init__.py": b"",
        "pack/part.py": "def double(x): return x * 2  # é".encode(),
    }
    for writable in (False, True):
        done = python.run("/code/main.py", "x", dirs={"/code": Folder(files, writable)})
        assert done.out == "42 ['/code/main.py', 'x'] /code/main.py\n"
        cached = {"pack/__pycache__"} if writable else set()
        assert {name for name in done.files["/code"] if name.endswith("__pycache__")} == cached
    env = {"PYTHONPATH": "/code"}
    done = python.run("-c", "import main", env=env, dirs={"/code": Folder(files)})
    assert done.out.startswith("42 ['-c'] ")
    done = python.run("-m", "pack.part", env=env, dirs={"/code": Folder(files)})
    assert (done.code, done.out) == (0, "")
