"""Names that a module chooses can't control a terminal, or look like lines of ours."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import wamr
from wamr._base.printable import printable

# name, how texts show it
HOSTILE = [
    ("line\nbreak", r"line\nbreak"),
    ("\x1b[31m", r"\x1b[31m"),
    ("\x01", r"\x01"),
    ("\x9b", r"\x9b"),
    ("\u202e", r"\u202e"),  # from right to left
    ("\x7f\t\U000e0001", r"\x7f\t\U000e0001"),
]
HARMLESS = ["plain", "a b", "é", "名前", 'quo"te', "back\\slash", "😀"]
each_name = pytest.mark.parametrize(
    ("name", "shown"), HOSTILE + [(name, name) for name in HARMLESS]
)


def text_with(name: str) -> str:
    data = "".join(f"\\{byte:02x}" for byte in name.encode())
    return f"""
    (module (@name "module {data}")
      (import "from {data}" "import {data}" (func $import (param i32)))
      (func $trap (@name "inner {data}") unreachable)
      (func $outer (@name "outer {data}") (export "func {data}") (call $trap))
      (func (export "call") (call $import (i32.const 1)))
      (memory (export "memory {data}") 1))
    """


def load(name: str, callback: Any = None) -> wamr.Instance:
    return wamr.load(
        text_with(name), {f"from {name}": {f"import {name}": callback or (lambda _: None)}}
    )


@each_name
def test_names_in_texts_are_escaped_if_they_are_not_printable(name: str, shown: str) -> None:
    assert printable(name) == shown


@each_name
def test_a_traceback_has_a_line_for_each_frame(name: str, shown: str) -> None:
    with pytest.raises(wamr.Trap) as caught:
        load(name).exports[f"func {name}"]()
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith(f"  at inner {shown} (function 1, ")
    assert lines[3].startswith(f"  at outer {shown} (function 2, ")
    assert lines[3].endswith(f" in module {shown}")
    assert caught.value.frames[0].func_name == f"inner {name}"


@each_name
def test_reprs_show_names_in_one_line(name: str, shown: str) -> None:
    instance = load(name)
    func = instance.exports[f"func {name}"]
    assert f"exports func {shown}, call, memory {shown}>" in repr(instance)
    assert f"<wamr.Exports func {shown}, call, memory {shown}>" == repr(instance.exports)
    assert repr(func) == f"<wamr.Func func {shown} () -> ()>"
    assert func.name == f"func {name}"
    linker = wamr.Linker(wamr.Engine())
    linker.define(f"from {name}", f"import {name}", lambda _: None)
    assert repr(linker) == f"<wamr.Linker from {shown}.import {shown}>"


@each_name
def test_errors_show_names_in_one_line(name: str, shown: str) -> None:
    instance = load(name)
    with pytest.raises(TypeError) as wrong:
        instance.exports[f"func {name}"](1)
    assert str(wrong.value) == f"func {shown}() -> () takes 0 arguments, not 1"
    with pytest.raises(AttributeError) as unknown:
        _ = instance.exports._none
    assert str(unknown.value).endswith(f"; there is func {shown}, call, memory {shown}")
    with pytest.raises(AttributeError) as kept:
        delattr(instance.exports, f"func {name}")
    assert str(kept.value) == f"exports can't be deleted: func {shown}"
    label = f"from {shown}.import {shown}"
    for imports, error, text in (
        ({}, wamr.LinkError, f"import {label} is missing"),
        ({f"from {name}": {f"import {name}": 1}}, TypeError, f"import {label} must be a Func"),
        ([], wamr.LinkError, f"the module has 1 imports, not 0: {label}"),
    ):
        with pytest.raises(error) as refused:
            wamr.load(text_with(name), imports)
        assert text in str(refused.value)
        assert len(str(refused.value).splitlines()) == 1


@each_name
def test_errors_of_host_functions_show_names_in_one_line(name: str, shown: str) -> None:
    async def asynchronous(_: int) -> None:
        await asyncio.sleep(0)

    label = f"host function from {shown}.import {shown}(i32) -> ()"
    for callback, error, text in (
        (asynchronous, RuntimeError, f"{label} is async: only a call that can be"),
        (lambda _: 1, TypeError, f"{label}"),
    ):
        with pytest.raises(error) as refused:
            load(name, callback).exports.call()
        assert str(refused.value).startswith(text)
        assert len(str(refused.value).splitlines()) == 1


def test_the_repr_of_a_private_directory_shows_names_in_one_line() -> None:
    text = '(module (import "wasi_snapshot_preview1" "sched_yield" (func (result i32))) (memory 1))'
    with wamr.load(text, wasi=wamr.WasiConfig(dirs={"/w": {"a\nb": b"", "é": b""}})) as instance:
        assert repr(instance.files["/w"]) == r"<wamr private directory: a\nb, é>"
