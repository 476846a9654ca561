"""How long the arguments and answers of tools may be, and how many calls a run may make."""

from __future__ import annotations

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
