# ruff: noqa: E501 - lists of code
"""Limits of runs: each ends the run, says which it was, and harms nothing else."""

from __future__ import annotations

import itertools
import time

import pytest
from sandboxes import javascript, python
from time_units import in_units

import wamr
from wamr.sandbox import JavaScript, Python, RunLimits
from wamr.sandbox._machine import Machine

ENDLESS = {
    "a loop": "while True: pass",
    "a loop that catches": "while True:\n  try:\n    while True: pass\n  except BaseException: pass",
    "a regular expression": "import re; re.match('(a|a)*b', 'a' * 40)",
    "a big number": "x = 7\nwhile True: x = x * x",
    "sleeping": "import time\nwhile True: time.sleep(0.01)",
    "one long sleep": "import time; time.sleep(10**6)",
    "repr": "class A:\n  def __repr__(self):\n    while True: pass\nA()",
    "str of an exception": "class E(Exception):\n  def __str__(self):\n    while True: pass\nraise E",
    "sorting": "sorted(range(100), key=lambda x: [0 for i in iter(int, 1)])",
    "sum": "sum(iter(lambda: 1, 2))",
    "deleting": "class A:\n  def __del__(self):\n    while True: pass\nA()",
    "a generator": "def f():\n  while True: yield\nlist(x for x in f() if x)",
    "tools": "while True:\n  try: echo()\n  except BaseException: pass",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_never_ends_is_stopped(name):
    result = python().run(
        ENDLESS[name], limits=RunLimits(time=0.3, tool_calls=10**9, memory=64 << 20)
    )
    assert result.limit == "time" or (name == "a big number" and result.limit == "memory")
    assert not result.ok
    assert result.duration >= 0.2 or result.limit == "memory"


@pytest.mark.parametrize("milliseconds", ["9.3e12", "1e15", "1e18"])
def test_a_sleep_without_an_end_is_a_wait_for_the_limit(milliseconds, monkeypatch):
    naps, steps, step = [], itertools.count(), Machine.step

    def counted_step(machine):
        assert next(steps) < 100, "the host keeps asking instead of sleeping"
        return step(machine)

    monkeypatch.setattr(Machine, "step", counted_step)
    monkeypatch.setattr("wamr.sandbox._drive._sleep", lambda machine, seconds: naps.append(seconds))
    code = f"const os = await import('qjs:os'); os.sleep({milliseconds})"
    result = javascript().run(code, limits=RunLimits(time=10_000))
    assert (result.limit, len(naps)) == ("time", 3)
    assert max(naps) == 3600


@in_units
def test_output_before_a_limit_is_there(unit):
    result = python().run("print('begun', end='')\nwhile True: pass", limits=RunLimits(time=unit))
    assert (result.limit, result.stdout) == ("time", "begun")


@in_units
def test_time_counts_sleeping_but_not_tools(unit):
    sandbox = wamr.sandbox.Python(tools={"slow": lambda: time.sleep(6 * unit)})
    result = sandbox.run("slow(); slow()", limits=RunLimits(time=10 * unit))
    assert result.ok
    code = f"import time\nfor i in range(2): time.sleep({6 * unit})"
    assert sandbox.run(code, limits=RunLimits(time=10 * unit)).limit == "time"
    asleep = sandbox.run("import time; time.sleep(0.05)")
    assert asleep.ok
    assert asleep.duration >= 0.05


@in_units
def test_time_is_counted_in_each_run_of_a_session(unit):
    with python().session(limits=RunLimits(time=10 * unit)) as session:
        for _ in range(2):
            assert session.run(f"import time; time.sleep({6 * unit})").ok
        assert session.run("while True: pass", limits=RunLimits(time=0.1)).limit == "time"
        assert session.closed


@pytest.mark.parametrize(
    "code",
    [
        "x = bytearray(10**9)",
        "x = [0] * 10**9",
        "x = []\nwhile True: x.append(bytes(10**6))",
        "'x' * 10**9",
        "x = 'ab'\nwhile True: x += x",
        "x = {}\nwhile True: x[len(x)] = bytes(100_000)",
        "x = []\nwhile True: x = [x, bytes(50_000)]",
    ],
)
def test_too_much_memory_is_a_limit(code):
    result = python().run(code, limits=RunLimits(memory=48 << 20, time=100))
    assert result.limit == "memory"


def test_a_memory_error_that_is_caught_is_no_limit():
    with python().session(limits=RunLimits(memory=48 << 20)) as session:
        assert session.run("try:\n  x = bytearray(10**9)\nexcept MemoryError: x = 1\nx").value == 1
        assert session.run("bytearray(10**9)").limit == "memory"
        # There was no room for that object only, so the session goes on.
        assert session.run("1 + 1").value == 2


@pytest.mark.parametrize("code", ["'(' * 150 + ')' * 150", "'-' * 90000 + '1'"])
def test_too_complex_source_is_no_limit(code):
    result = python().run(f"eval({code})")
    assert (
        result.exception.type in ("MemoryError", "SyntaxError", "RecursionError"),
        result.limit,
    ) == (True, None)


@pytest.mark.parametrize(
    "code",
    [
        "while True: print('x' * 100)",
        "print('x' * 10**7)",
        "import os\nwhile True: os.write(1, b'x')",
        "import os\nwhile True: os.write(2, b'x' * 1000)",
        "import sys\nwhile True: sys.stderr.write('y')",
        "'x' * 10**5",
        "[0] * 20_000",
        "raise ValueError('x' * 10**5)",
        "class A:\n  def __repr__(self): return 'x' * 10**5\nA()",
    ],
)
def test_too_much_output_is_a_limit(code):
    result = python().run(code, limits=RunLimits(output=10_000, time=60))
    if code.startswith("raise"):
        # The message is cut, and no limit ends the run.
        assert (result.exception.type, result.limit) == ("ValueError", None)
        assert len(result.exception.message) < 10_000
        return
    assert result.limit == "output"
    assert len(result.stdout) + len(result.stderr) <= 10_000
    if "rite" in code or "print" in code:
        assert len(result.stdout) + len(result.stderr) == 10_000


def test_output_up_to_the_limit_is_no_limit():
    assert python().run("print('x' * 99)", limits=RunLimits(output=100)).stdout == "x" * 99 + "\n"
    assert python().run("print('x' * 100)", limits=RunLimits(output=100)).limit == "output"
    assert python().run("1", limits=RunLimits(output=0)).ok
    assert python().run("print()", limits=RunLimits(output=0)).limit == "output"


def test_fuel_is_a_limit_and_the_same_each_time():
    limits = RunLimits(fuel=5_000_000)
    results = [python().run("while True: pass", limits=limits) for _ in range(2)]
    assert [(result.limit, result.fuel) for result in results] == [("fuel", 5_000_000)] * 2
    with python().session(limits=limits) as session:
        for _ in range(3):
            assert session.run("sum(range(20_000))").ok  # fuel is for each run


def test_deep_recursion_is_an_exception_or_the_limit_on_the_stack():
    deep = "import sys\nsys.setrecursionlimit(10**8)\n"
    for code in (
        "f = lambda: f()\nf()",
        "class A:\n  def __repr__(self): return repr(self)\nrepr(A())",
        "x = []\nfor i in range(10**5): x = [x]\nrepr(x)",
    ):
        result = python().run(deep + code, limits=RunLimits(memory=16 << 20, time=None))
        assert result.limit in ("stack", "memory", None)
        assert not result.ok
    small = python().run(
        "x = []\nfor i in range(500): x = [x]\nrepr(x)", limits=RunLimits(stack=1 << 18)
    )
    assert small.limit == "stack" or small.exception.type == "RecursionError"


def test_a_limit_in_one_run_leaves_others_alone():
    for code in ("while True: pass", "x = bytearray(10**9)", "while True: print('x' * 1000)"):
        assert not python().run(code, limits=RunLimits(time=0.2, memory=48 << 20)).ok
        assert python().run("1 + 1").value == 2


def test_limits_that_are_too_small_to_begin_with_are_refused():
    with pytest.raises(ValueError, match="the interpreter alone takes"):
        python().run("1", limits=RunLimits(memory=1 << 20))
    assert python().run("1", limits=RunLimits(fuel=10)).limit == "fuel"
    assert python().run("1", limits=RunLimits(time=1e-9)).limit in ("time", None)


@pytest.mark.parametrize("sandbox", [python, javascript])
def test_too_little_memory_is_refused_in_the_same_way_before_the_first_start(sandbox):
    data = sandbox()._interpreter.module.serialize()
    module = wamr.Module.deserialize(wamr.Engine(), data)  # nobody has started it yet
    for _ in range(2):
        with pytest.raises(
            ValueError, match=r"^memory is 1048576, and the interpreter alone takes "
        ):
            type(sandbox())(module, limits=RunLimits(memory=1 << 20))


def test_without_limits_code_runs_on():
    result = python().run("sum(range(1000))", limits=RunLimits(time=None, memory=None, fuel=None))
    assert result.value == 499500


@pytest.mark.parametrize("kind", [Python, JavaScript])
def test_the_limit_on_a_result_is_that_of_the_run(kind):
    sandbox = kind(limits=RunLimits(output=1000))
    code = {Python: "'x' * 5000", JavaScript: "'x'.repeat(5000)"}[kind]
    assert sandbox.run(code).limit == "output"
    assert sandbox.run(code, limits=RunLimits(output=10_000)).value == "x" * 5000
    with sandbox.session(limits=RunLimits(output=10_000)) as session:
        assert session.run(code).value == "x" * 5000
        assert session.run(code, limits=RunLimits(output=500)).limit == "output"
        assert session.run(code).value == "x" * 5000
    sandbox.limits = RunLimits(output=10_000)
    assert sandbox.run(code).value == "x" * 5000
