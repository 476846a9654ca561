"""MicroPython: C with setjmp and longjmp, whose calls go through Python and a table.

The sample is the host: its `invoke_…` functions call elements of the module's table. Scripts print
the same as in CPython.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from differential import installed

import wamr

SAMPLE = Path(__file__).parents[2] / "samples" / "micropython.py"
PRINTED = """\
[0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377]
ZeroDivisionError divide by zero
KeyError key
RuntimeError maximum recursion depth exceeded
55
not caught: TypeError: unsupported types for __lt__: 'str', 'int'
FROM THE HOST
an endless loop: timed out
"""

SCRIPTS = {
    "ackermann": """
        def ackermann(m, n):
            if m == 0:
                return n + 1
            return ackermann(m - 1, 1 if n == 0 else ackermann(m, n - 1))
        print([ackermann(2, n) for n in range(5)])
    """,
    "permutations": """
        def permutations(items):
            if len(items) < 2:
                return [items]
            return [[x] + rest for i, x in enumerate(items)
                    for rest in permutations(items[:i] + items[i + 1:])]
        print(permutations(list("abc")), len(permutations(list(range(5)))))
    """,
    "hanoi": """
        moves = []
        def hanoi(n, a, b, c):
            if n:
                hanoi(n - 1, a, c, b)
                moves.append(a + c)
                hanoi(n - 1, b, a, c)
        hanoi(6, "a", "b", "c")
        print(len(moves), "".join(moves[:12]))
    """,
    "queens": """
        def queens(n, placed=()):
            if len(placed) == n:
                return 1
            return sum(queens(n, placed + (x,)) for x in range(n) if all(
                x != y and abs(x - y) != len(placed) - i for i, y in enumerate(placed)))
        print(queens(5), queens(6))
    """,
    "mutual": """
        def even(n):
            return True if n == 0 else odd(n - 1)
        def odd(n):
            return False if n == 0 else even(n - 1)
        print(even(40), odd(40), even(31))
    """,
    "exceptions": """
        def dive(n):
            try:
                if n == 0:
                    raise ValueError("deep")
                return dive(n - 1)
            except ValueError as error:
                if n % 3:
                    raise
                raise KeyError(n) from error
            except KeyError as error:
                if n < 12:
                    raise ValueError(n)
                return error.args[0]
            finally:
                left.append(n)
        left = []
        print(dive(20), left)
    """,
    "generators": """
        def walk(tree):
            if isinstance(tree, list):
                for part in tree:
                    yield from walk(part)
            else:
                yield tree
        print(list(walk([1, [2, [3, [4, [5]]], 6], [[[7]]]])))
    """,
    "loop": """
        total = 0
        for i in range(5000):
            total += i * i
        print(total)
    """,
}


@pytest.fixture(scope="module")
def sample() -> ModuleType:
    installed("pwasm", "micropython.wasm", "demo")
    spec = importlib.util.spec_from_file_location("micropython_sample", SAMPLE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def python(sample: ModuleType) -> Any:
    return sample.MicroPython()


def dedented(script: str) -> str:
    return "\n".join(line[8:] for line in script.splitlines())


def test_the_sample_prints_what_it_is_there_for(sample: ModuleType) -> None:
    path = SAMPLE.with_name("micropython.py")
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == (PRINTED, "", 0)


@pytest.mark.parametrize("name", SCRIPTS)
def test_recursive_scripts_print_what_cpython_prints(python: Any, name: str) -> None:
    script = dedented(SCRIPTS[name])
    expected = io.StringIO()
    with contextlib.redirect_stdout(expected):
        exec(script, {})
    assert python.run(script) == expected.getvalue() != ""


def test_what_is_not_caught_comes_out_and_the_next_script_runs(
    sample: ModuleType, python: Any
) -> None:
    for _ in range(20):
        with pytest.raises(sample.PythonError, match="ZeroDivisionError: divide by zero"):
            python.run("def f(n):\n return 1 // 0 if n == 0 else f(n - 1)\nf(10)")
    assert python.run("print('still here')") == "still here\n"


def test_recursion_without_end_is_an_error_of_the_script(python: Any) -> None:
    for _ in range(3):
        shown = python.run(
            "def f(n):\n return f(n + 1)\ntry:\n f(0)\nexcept RuntimeError as e:\n print(e)"
        )
        assert shown == "maximum recursion depth exceeded\n"


def test_an_error_of_the_host_goes_through_all_of_it(sample: ModuleType) -> None:
    python = sample.MicroPython()

    class MineError(BaseException):
        pass

    def fail() -> None:
        raise MineError("from the host")

    python.functions["fail"] = fail
    with pytest.raises(MineError, match="from the host"):
        python.run("import host\ndef f(n):\n host.call('fail') if n == 0 else f(n - 1)\nf(20)")


def test_limits_stop_it_in_the_middle_of_its_calls(sample: ModuleType) -> None:
    script = "def f(n):\n return 0 if n == 0 else f(n - 1) + f(n - 1)\nf(60)"
    with pytest.raises(wamr.TimeoutTrap):
        sample.MicroPython(timeout=0.3).run(script)
    with pytest.raises(wamr.FuelTrap):
        sample.MicroPython(fuel=10_000_000).run(script)
