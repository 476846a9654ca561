"""Wrong arguments of sandboxes: what is refused, and with which words."""

from __future__ import annotations

import asyncio
import functools
import math
from pathlib import Path

import pytest
from sandboxes import SMALL, python

import wamr
from wamr.sandbox import JavaScript, Python, RunLimits, _javascript


@pytest.mark.parametrize("code", [None, b"1", 1, ["1"]])
def test_code_must_be_a_str(code):
    with pytest.raises(TypeError, match="code must be a str, not"):
        python().run(code)
    with pytest.raises(TypeError, match="stdin must be a str, not"):
        python().run("1", stdin=code)


def test_code_with_lone_surrogates_is_refused():
    with pytest.raises(ValueError, match="lone surrogates"):
        python().run("'\ud800'")


@pytest.mark.parametrize("limits", [1, "x", {}, wamr.ResourceLimits()])
def test_limits_must_be_run_limits(limits):
    with pytest.raises(TypeError, match=r"limits must be a wamr\.sandbox\.RunLimits or None, not"):
        python().run("1", limits=limits)
    with pytest.raises(TypeError, match="limits must be"):
        Python(limits=limits)


@pytest.mark.parametrize(
    ("preload", "error", "text"),
    [
        ("json", TypeError, "preload must be names of modules, not str"),
        (None, TypeError, "preload must be names of modules, not NoneType"),
        ([1], TypeError, "str, not int"),
        (["a b"], ValueError, "'a b' in preload is not the name of a module"),
        ([""], ValueError, "is not the name"),
    ],
)
def test_preload_must_be_names(preload, error, text):
    with pytest.raises(error, match=text):
        Python(preload=preload)


def test_a_module_that_cannot_be_preloaded_is_named():
    with pytest.raises(wamr.sandbox.SandboxError, match="No module named 'nothing_here'"):
        Python(preload=["nothing_here"])


@pytest.mark.parametrize("path", [1, b"x", 1.5, []])
def test_the_module_must_be_a_path_or_a_module(path):
    with pytest.raises(TypeError, match=r"takes a path or a Module, not|must be a str"):
        Python(path)


def test_a_file_that_is_no_interpreter_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        Python(tmp_path / "nothing.wasm")
    bad = tmp_path / "bad.wasm"
    bad.write_bytes(b"no module")
    with pytest.raises(wamr.CompileError):
        Python(bad)
    with pytest.raises(wamr.sandbox.SandboxError, match="could not start"):
        Python(
            wamr.Module(
                wamr.Engine(), '(module (memory (export "memory") 1) (func (export "_start")))'
            )
        )
    with pytest.raises(
        wamr.sandbox.SandboxError,
        match="not a Python interpreter for WASI: it does not export _start",
    ):
        Python(wamr.Module(wamr.Engine(), "(module)"))


def test_a_relative_path_is_one_in_the_working_directory_of_now(tmp_path, monkeypatch):
    there, elsewhere = tmp_path / "there", tmp_path / "elsewhere"
    there.mkdir()
    elsewhere.mkdir()
    (there / "engine.wasm").write_bytes(Path(_javascript._installed()).read_bytes())
    monkeypatch.chdir(there)
    sandbox = JavaScript("engine.wasm")
    assert JavaScript("engine.wasm")._interpreter is sandbox._interpreter
    monkeypatch.chdir(elsewhere)
    with pytest.raises(FileNotFoundError):
        JavaScript("engine.wasm")


@pytest.mark.parametrize(
    ("named", "error"),
    [
        ({"time": 0}, ValueError),
        ({"time": -1}, ValueError),
        ({"time": math.nan}, ValueError),
        ({"time": "1"}, TypeError),
        ({"time": True}, TypeError),
        ({"memory": 0}, ValueError),
        ({"memory": 1.5}, TypeError),
        ({"memory": 2**33}, ValueError),
        ({"fuel": -1}, ValueError),
        ({"fuel": "x"}, TypeError),
        ({"output": None}, TypeError),
        ({"output": -1}, ValueError),
        ({"tool_calls": None}, TypeError),
        ({"stack": 1}, ValueError),
        ({"tool_bytes": 0}, ValueError),
        ({"file_bytes": None}, TypeError),
    ],
)
def test_wrong_limits_are_refused(named, error):
    (name,) = named
    with pytest.raises(error, match=name):
        RunLimits(**named)
    with pytest.raises(TypeError):
        RunLimits(1)


async def _asynchronous():
    return 1


def _generator():
    yield 1


async def _asynchronous_generator():
    yield 1


@pytest.mark.parametrize(
    ("tools", "error", "text"),
    [
        ([1], TypeError, "a tool must be a function, not int"),
        (None, TypeError, "tools must be functions, in a list or a mapping, not NoneType"),
        ("len", TypeError, "tools must be functions, in a list or a mapping, not str"),
        (len, TypeError, "not builtin_function_or_method"),
        ([None], TypeError, "a tool must be a function, not NoneType"),
        (
            [lambda: 1],
            ValueError,
            "'<lambda>' can't be the name of a tool, since it is not an identifier",
        ),
        ([functools.partial(len)], TypeError, "has no name"),
        ([len, len], ValueError, "two tools have the name 'len'"),
        (
            {"a b": len},
            ValueError,
            "'a b' can't be the name of a tool, since it is not an identifier",
        ),
        ({"": len}, ValueError, "'' can't be the name of a tool, since it is not an identifier"),
        ({"é": len}, ValueError, "'é' can't be the name of a tool, since it is not ASCII"),
        (
            {"def": len},
            ValueError,
            "'def' can't be the name of a tool, since it is a reserved word",
        ),
        ({"__builtins__": len}, ValueError, "since it is a name of the interpreter"),
        ({"x(): import os #": len}, ValueError, "can't be the name"),
        ({1: len}, TypeError, "the name of a tool must be a str, not int"),
        ({"f": 1}, TypeError, "a tool must be a function, not int"),
        ([_generator], TypeError, "tool _generator is a generator function"),
        ({"f": _asynchronous_generator}, TypeError, "tool f is a generator function"),
        ({"f": functools.partial(_generator)}, TypeError, "tool f is a generator function"),
    ],
)
def test_wrong_tools_are_refused(tools, error, text):
    with pytest.raises(error) as caught:
        Python(tools=tools)
    assert text in str(caught.value)


@pytest.mark.parametrize("name", ["new", "undefined", "async", "if"])
def test_tools_of_javascript_may_not_have_its_reserved_words_as_names(name):
    with pytest.raises(ValueError, match="since it is a reserved word"):
        JavaScript(tools={name: len})


def test_tools_of_python_may_have_reserved_words_of_javascript_as_names():
    sandbox = Python(tools={"new": lambda: 1, "undefined": lambda: 2}, limits=SMALL)
    assert sandbox.run("[new(), undefined()]").value == [1, 2]


def test_run_refuses_an_async_tool_when_it_is_called():
    class Call:
        async def __call__(self):
            return 1

    called = []
    for tool in (_asynchronous, functools.partial(_asynchronous), Call()):
        sandbox = Python(tools={"tool": tool, "plain": called.append}, limits=SMALL)
        text = "^tool tool is an async def function: use run_async$"
        assert sandbox.run("plain(1); 2").value == 2
        with pytest.raises(RuntimeError, match=text):
            sandbox.run("try:\n  tool()\nexcept BaseException: pass\nplain(2)")
        session = sandbox.session()
        assert session.run("x = 3; plain(3); x").value == 3
        with pytest.raises(RuntimeError, match=text):
            session.run("tool()")
        assert session.closed
        assert sandbox.run("plain(4); 5").value == 5
        assert asyncio.run(sandbox.run_async("plain(5); tool()")).value == 1
    assert called == [1, 3, 4, 5] * 3


class _Awaitable:
    def __await__(self):
        return iter(())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("tool", "kind"), [(lambda: _asynchronous(), "a coroutine"), (_Awaitable, "a _Awaitable")]
)
def test_run_refuses_what_a_tool_returns_to_be_awaited(tool, kind):
    sandbox = Python(tools={"tool": tool}, limits=SMALL)
    text = f"^tool tool has returned {kind}, which has to be awaited: use run_async$"
    with pytest.raises(RuntimeError, match=text):
        sandbox.run("try:\n  tool()\nexcept BaseException: pass")
    assert asyncio.run(sandbox.run_async("tool()")).value in (1, None)


@pytest.mark.filterwarnings("error")
def test_run_async_refuses_a_coroutine_that_a_coroutine_returns():
    async def tool():
        return _asynchronous()

    text = "^tool tool has returned a coroutine, which has to be awaited: await it in the tool$"
    with pytest.raises(RuntimeError, match=text):
        asyncio.run(Python(tools=[tool], limits=SMALL).run_async("tool()"))
