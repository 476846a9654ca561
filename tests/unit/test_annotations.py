"""Function types from the annotations of Python functions."""

import functools

import pytest
from platforms import builtins_lack_signatures

from wamr import types
from wamr.types import (
    functype_from_annotations,
)


# ------------------------------------------------------------------ from annotations
def plain(a: int, b: float, /) -> None: ...
def named(a: types.i64, b: types.f32, c: types.v128) -> types.i32: ...
def references(a: types.externref, b: types.funcref) -> types.externref: ...
def exceptions(a: types.exnref) -> "tuple[exnref, int]": ...  # noqa: F821
def several(a: int = 0) -> tuple[int, types.i64, float]: ...
def nothing() -> tuple[()]: ...
def as_text(a: "int", b: "i64") -> "tuple[f32, int]": ...  # noqa: F821
def by_keyword(a: int, *, debug: bool = False, **rest: object) -> int: ...


class Counter:
    def add(self, amount: int) -> int: ...

    @classmethod
    def make(cls, start: types.i64) -> None: ...

    @staticmethod
    def twice(value: float) -> float: ...

    def __call__(self, value: "types.f32") -> int: ...


@functools.wraps(plain)
def wrapped(*args): ...


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (plain, "(i32, f64) -> ()"),
        (named, "(i64, f32, v128) -> i32"),
        (references, "(externref, funcref) -> externref"),
        (exceptions, "(exnref) -> (exnref, i32)"),
        (several, "(i32) -> (i32, i64, f64)"),
        (nothing, "() -> ()"),
        (as_text, "(i32, i64) -> (f32, i32)"),
        (by_keyword, "(i32) -> i32"),
        (Counter().add, "(i32) -> i32"),
        (Counter.make, "(i64) -> ()"),
        (Counter.twice, "(f64) -> f64"),
        (Counter(), "(f32) -> i32"),
        (wrapped, "(i32, f64) -> ()"),
        (functools.partial(named, 1), "(f32, v128) -> i32"),
        (functools.partial(named, c=bytes(16)), "(i64, f32) -> i32"),
        (functools.partial(as_text, 1), "(i64) -> (f32, i32)"),
    ],
)
def test_annotations_give_the_signature(function, text):
    assert str(functype_from_annotations(function)) == text


def test_the_caller_is_no_parameter_of_the_signature():
    def host(caller, value: int) -> int: ...

    assert str(functype_from_annotations(host, access_caller=True)) == "(i32) -> i32"
    with pytest.raises(TypeError, match="host: parameter 'caller' has no annotation"):
        functype_from_annotations(host)
    with pytest.raises(TypeError, match="nothing: access_caller needs a first parameter"):
        functype_from_annotations(nothing, access_caller=True)


def test_all_annotations_may_be_strings():
    namespace = {"__name__": "elsewhere"}
    exec(
        "from __future__ import annotations\n"
        "import wamr.types as t\n"
        "def f(a: t.i64, b: i32) -> tuple[float, None or t.v128]: ...",
        namespace,
    )
    assert str(functype_from_annotations(namespace["f"])) == "(i64, i32) -> (f64, v128)"


def no_annotation(a: int, b) -> None: ...
def no_result(a: int): ...
def wrong_kind(a: int, b: str) -> None: ...
def a_bool(flag: bool) -> None: ...
def none_parameter(a: None) -> None: ...
def wrong_result() -> list[int]: ...
def any_length() -> tuple[int, ...]: ...
def wrong_item() -> tuple[int, str]: ...
def unknown_name(a: "Missing") -> None: ...  # noqa: F821
def not_python(a: "int int") -> None: ...  # noqa: F722
def any_number(*values: int) -> None: ...
def keyword_only(*, a: int) -> None: ...


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (no_annotation, "no_annotation: parameter 'b' has no annotation"),
        (no_result, "no_result: the result has no annotation; give `-> None`"),
        (wrong_kind, "wrong_kind: parameter 'b' is str, which must be int, float"),
        (a_bool, "a_bool: parameter 'flag' is bool"),
        (none_parameter, "none_parameter: parameter 'a' is None"),
        (wrong_result, r"wrong_result: the result is list\[int\]"),
        (any_length, "any_length: the result is a tuple of any length"),
        (wrong_item, "wrong_item: result 1 is str"),
        (unknown_name, "unknown_name: parameter 'a' is annotated 'Missing', which can't be read"),
        (not_python, "not_python: parameter 'a' is annotated 'int int'"),
        (any_number, r"any_number: \*values takes any number of arguments"),
        (keyword_only, "keyword_only: parameter 'a' is keyword-only"),
        (lambda a: None, "<lambda>: parameter 'a' has no annotation"),
        (functools.partial(wrong_kind, 1), "wrong_kind: parameter 'b' is str"),
        (Counter, "Counter: the result has no annotation"),
        (None, "must be callable, not NoneType"),
        (3, "must be callable, not int"),
    ],
)
def test_annotations_that_give_no_signature_are_refused(function, message):
    with pytest.raises(TypeError, match=message):
        functype_from_annotations(function)


@builtins_lack_signatures
def test_a_callable_without_a_signature_is_refused():
    with pytest.raises(TypeError, match=r"max: no signature to read .*; give a FuncType"):
        functype_from_annotations(max)


def test_other_names_are_no_attributes_of_the_module():
    with pytest.raises(AttributeError, match="has no attribute 'i31'"):
        _ = types.i31
