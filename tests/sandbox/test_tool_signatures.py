# ruff: noqa: E501 - lists of code
"""Signatures of tools: arguments that are omitted, and annotations."""

from __future__ import annotations

import sys

import pytest
from sandboxes import SMALL

from wamr.sandbox import Python


def test_arguments_after_an_omitted_one_keep_their_places():
    def keyword(a=(), b=1, *rest):
        return [len(a) if a == () else a, b, *rest]

    def positional(a=(), b=1, c=(), d=2, /, *rest):
        return [len(a) if a == () else a, b, len(c) if c == () else c, d, *rest]

    code = "[keyword(), keyword(b=5), keyword(3), keyword(3, 4, 5), positional(), positional(3), positional(3, 4, 5, 6, 7)]"
    assert Python(tools=[keyword, positional], limits=SMALL).run(code).check().value == [
        [0, 1],
        [0, 5],
        [3, 1],
        [3, 4, 5],
        [0, 1, 0, 2],
        [3, 1, 0, 2],
        [3, 4, 5, 6, 7],
    ]


@pytest.mark.skipif(sys.version_info < (3, 14), reason="Python evaluates annotations at once")
def test_annotations_may_have_names_for_type_checkers_only():
    scope: dict = {}
    exec("def tool(x: Missing) -> Other: return x", scope)
    code = "import inspect; [tool(1), str(inspect.signature(tool))]"
    result = Python(tools=[scope["tool"]], limits=SMALL).run(code).check()
    assert result.value == [1, "(x: 'Missing') -> 'Other'"]
