"""How long the arguments and answers of tools may be, and how many calls a run may make."""

from __future__ import annotations

import pytest
from sandboxes import SMALL, TOOLS, echo, python

from wamr.sandbox import Python, Result, RunLimits


def run(code: str, **rest: object) -> Result:
    return python().run(code, **rest)


def test_too_long_answers_and_arguments_are_value_errors_in_the_code():
    limits = RunLimits(tool_bytes=1000)
    sandbox = Python(tools=[echo, *TOOLS[:1]], limits=limits)
    sandbox = Python(tools={"echo": echo, "long": lambda: "x" * 2000}, limits=limits)
    assert "1000" in sandbox.run("echo('x' * 2000)").exception.message
    assert sandbox.run("echo('x' * 2000)").exception.type == "ValueError"
    result = sandbox.run("long()")
    assert (result.exception.type, result.exception.message) == (
        "ValueError",
        "long(): the answer has 2012 bytes, more than 1000",
    )
    assert sandbox.run("echo('x' * 900) == 'x' * 900").value is True


def test_the_size_of_arguments_is_limited_by_the_limits_of_the_run():
    small, large = RunLimits(tool_bytes=500), RunLimits(tool_bytes=50_000)
    with python().session() as session:
        refused = session.run("echo('x' * 600)", limits=small)
        assert refused.exception.message == "echo(): the arguments have 647 bytes, more than 500"
        assert session.run("len(echo('x' * 6000))", limits=large).value == 6000
        assert "more than 5000" in session.run("echo('x' * 6000)").exception.message


def test_the_host_limits_the_size_of_arguments_whatever_code_sends():
    called = []
    sandbox = Python(tools={"take": called.append}, limits=SMALL)
    code = """
import sys
serve = sys._getframe()
while 'state' not in serve.f_locals: serve = serve.f_back
serve.f_locals['state']['tool_bytes'] = 10**9
take('x' * 6000)
"""
    result = sandbox.run(code)
    assert (result.exception.type, called) == ("ValueError", [])
    assert result.exception.message == "take(): the arguments have 6039 bytes, more than 5000"
    assert result.tool_calls == 1


def test_the_limit_on_tool_calls_ends_the_run():
    result = run("for i in range(100):\n  try: echo(i)\n  except BaseException: pass\n  print(i)")
    assert (result.limit, result.tool_calls) == ("tool_calls", SMALL.tool_calls)
    assert result.stdout.splitlines()[-1] == "19"
    assert run("echo()", limits=RunLimits(tool_calls=0)).limit == "tool_calls"


FULL = """
kept, size = [], 1 << 24
while size > 100:
    try:
        kept.append(bytearray(size))
    except MemoryError:
        size //= 2
try:
    seen = len(echo_long())
except MemoryError:
    seen = "no memory"
kept.clear()
seen
"""


def test_an_answer_that_has_no_room_leaves_the_session():
    tools = {"echo_long": lambda: "x" * 900_000, "echo": echo}
    sandbox = Python(tools=tools, limits=RunLimits(memory=64 << 20, time=None))
    with sandbox.session() as session:
        assert session.run(FULL).check().value == "no memory"
        assert session.run("echo(1) + len(echo_long())").check().value == 900_001


@pytest.mark.parametrize("calls", [0, 1])
def test_a_tool_that_is_called_too_deep_raises_the_recursion_error(calls):
    """The code's own calls are nested too deeply, not the argument of the tool."""
    code = f"""
def f(n):
    return g(n + 1)

def g(n):
    echo(n)
    return f(n + 1)

f(0) if {calls} else g(0)
"""
    result = run(code, limits=RunLimits(time=None))
    assert result.exception.type == "RecursionError"
