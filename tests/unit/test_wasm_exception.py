"""WasmException: exceptions that wasm code doesn't catch, and those that host functions throw."""

from __future__ import annotations

import contextlib
import copy
import pickle
import sys
import traceback
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from collecting import collect_until
from throwing import CATCHING, OF_I32, CatchingInstance

from wamr import (
    ClosedError,
    Func,
    FuncType,
    Instance,
    Module,
    Store,
    Tag,
    TagType,
    Trap,
    ValType,
    WasmError,
    WasmException,
)


@pytest.fixture
def catching(store):
    return CatchingInstance(store)


# ------------------------------------------------------------------ from wasm


def test_an_uncaught_exception_leaves_the_call(catching):
    with pytest.raises(WasmException) as caught:
        catching.exports.throw(42)
    exception = caught.value
    assert exception.tag == catching.tag
    assert exception.values == (42,)
    assert exception.args == (exception.tag, 42)
    assert isinstance(exception, WasmError)
    assert not isinstance(exception, Trap)
    assert [frame.func_name for frame in exception.frames] == ["inner", "throw"]
    assert [frame.instance for frame in exception.frames] == [catching.instance] * 2
    assert all(frame.module_offset > frame.func_offset > 0 for frame in exception.frames)
    lines = str(exception).splitlines()
    assert lines[0] == "uncaught exception (i32): (42)"
    assert "inner" in lines[2]
    assert "throw" in lines[3]
    shown = "".join(traceback.format_exception(exception))
    assert "uncaught exception (i32): (42)" in shown
    assert repr(exception) == "WasmException(<wamr.Tag (i32)>, 42)"


SOME = {
    "i32": (-(2**31), 2**31 - 1, 0),
    "i64": (-(2**63), 2**63 - 1, 1),
    "f32": (1.5, float("-inf"), -0.0),
    "f64": (0.1, float("inf"), 2.0**-1074),
    "v128": (bytes(range(16)), bytes(16), b"\xff" * 16),
    "externref": ("text", None, 3),
    "exnref": (None, None, None),
    "funcref": (None, None, None),
}


@pytest.mark.parametrize("kind", SOME)
def test_values_of_each_kind(store, kind):
    text = f"""(module (tag $t (param {kind} i32 {kind} i64 {kind}))
        (func (export "f") (param {kind} {kind} {kind})
            (throw $t (local.get 0) (i32.const 5) (local.get 1) (i64.const 6) (local.get 2))))"""
    throw = Instance(store, Module(store, text)).exports.f
    first, second, third = SOME[kind]
    with pytest.raises(WasmException) as caught:
        throw(first, second, third)
    expected = (first, 5, second, 6, third)
    assert caught.value.values == expected
    assert str(caught.value.values) == str(expected)  # -0.0
    made = WasmException(caught.value.tag, *expected)
    assert made.values == expected
    assert str(made) == str(caught.value).partition("\n")[0]


def test_references_keep_their_identity(store):
    text = """(module (tag $t (param externref funcref exnref))
        (func (export "f") (param externref funcref exnref)
            (throw $t (local.get 0) (local.get 1) (local.get 2))))"""
    throw = Instance(store, Module(store, text)).exports.f
    referent = object()
    func = Func(store, FuncType([], [ValType.I32]), lambda: 5)
    inner = WasmException(Tag(store, OF_I32), 1)
    with pytest.raises(WasmException) as caught:
        throw(referent, func, inner)
    assert caught.value.values[0] is referent
    assert caught.value.values[1] == func
    assert caught.value.values[1]() == 5
    assert caught.value.values[2] is inner


def test_many_values(store):
    kinds = [ValType.I32, ValType.F64, ValType.V128] * 300
    values = tuple([value for n in range(300) for value in (n, n / 2, n.to_bytes(16, "little"))])
    params = " ".join(map(str, kinds))
    text = f"""(module (tag $t (export "t") (param {params}))
        (func (export "f") (param {params}) (result {params})
            (block $h (result {params})
                (try_table (catch $t $h)
                    (throw $t {" ".join(f"(local.get {n})" for n in range(900))}))
                (unreachable)))
        (func (export "g") (param {params})
            (throw $t {" ".join(f"(local.get {n})" for n in range(900))})))"""
    exports = Instance(store, Module(store, text)).exports
    assert exports.f(*values) == values
    with pytest.raises(WasmException) as caught:
        exports.g(*values)
    assert caught.value.values == values


# ------------------------------------------------------------------ from Python


def test_host_function_throws(catching):
    catching.throws(thrown := WasmException(catching.tag, 42))
    exports = catching.exports
    assert exports.by_tag() == 42
    assert exports.by_all() == 1
    number, caught = exports.by_ref()
    assert number == 42
    assert caught is thrown
    assert exports.by_all_ref() is thrown
    for name in ("bare", "by_other"):
        with pytest.raises(WasmException) as out:
            exports[name]()
        assert out.value is thrown
    catching.throws(WasmException(exports.own, 5))
    assert exports.by_other() == 5
    assert exports.by_all() == 1
    with pytest.raises(WasmException):
        exports.by_tag()
    catching.action = lambda: None
    assert exports.by_tag() == exports.by_other() == exports.by_all() == -1


def test_an_exception_stays_one_object_through_wasm_code(catching):
    thrown = WasmException(catching.tag, 42)
    catching.throws(thrown)
    for call in (catching.exports.again, lambda: catching.exports.throw_ref(thrown)):
        with pytest.raises(WasmException) as out:
            call()
        assert out.value is thrown
    with pytest.raises(WasmException) as first:
        catching.exports.throw(1)
    catching.throws(first.value)
    assert catching.exports.by_all_ref() is first.value
    with pytest.raises(WasmException) as second:
        catching.exports.bare()
    assert second.value is first.value
    with pytest.raises(WasmException) as another:
        catching.exports.throw(1)
    assert another.value is not first.value
    assert another.value != first.value


def test_frames_are_those_of_the_last_throw(catching):
    thrown = WasmException(catching.tag, 42)
    assert thrown.frames == ()
    with pytest.raises(WasmException):
        catching.exports.throw_ref(thrown)
    (frame,) = thrown.frames
    assert frame.instance == catching.instance
    catching.action = lambda: catching.exports.throw(1)
    with pytest.raises(WasmException) as out:
        catching.exports.again()
    assert len(out.value.frames) == 1
    assert thrown.frames == (frame,)


@pytest.mark.parametrize("name", CATCHING)
def test_wasm_code_catches_an_exception_that_has_passed_python(catching, name):
    """wasm code calls Python, which calls wasm code, which throws."""

    def through() -> None:
        try:
            catching.exports.throw(9)
        finally:
            seen.append(sys.exc_info()[1])

    seen: list[Any] = []
    catching.action = through
    result = catching.exports[name]()
    (exception,) = seen
    assert result == {"by_tag": 9, "by_all": 1, "by_ref": (9, exception)}.get(name, exception)


def test_subclass(catching):
    class Mine(WasmException):
        def __init__(self, number: int) -> None:
            super().__init__(catching.tag, number)
            self.more = [number]

    catching.throws(thrown := Mine(3))
    assert catching.exports.by_tag() == 3
    assert catching.exports.by_all_ref() is thrown
    with pytest.raises(Mine) as out:
        catching.exports.again()
    assert out.value is thrown
    assert out.value.more == [3]

    class Empty(WasmException):
        def __init__(self) -> None:
            pass

    catching.throws(Empty())
    for name in ("bare", "by_all", "by_tag"):
        with pytest.raises(AttributeError):
            catching.exports[name]()
    catching.action = lambda: None
    assert catching.exports.by_all() == -1


def test_chained(catching):
    """The cause and the traceback of the Python exception stay."""

    def fail() -> None:
        try:
            raise KeyError("reason")
        except KeyError as error:
            raise WasmException(catching.tag, 1) from error

    catching.action = fail
    with pytest.raises(WasmException) as out:
        catching.exports.by_other()
    assert isinstance(out.value.__cause__, KeyError)
    assert "fail" in [frame.name for frame in traceback.extract_tb(out.value.__traceback__)]
    catching.exports.by_all()
    thrown = WasmException(catching.tag, 2)
    with pytest.raises(RuntimeError) as outer:
        try:
            catching.exports.throw_ref(thrown)
        except WasmException as error:
            raise RuntimeError("wrapped") from error
    assert outer.value.__cause__ is thrown


def test_context_managers(catching):
    passed = []

    @contextlib.contextmanager
    def swallowing() -> Iterator[None]:
        try:
            yield
        except WasmException as error:
            passed.append(error.values)

    def swallow() -> None:
        with swallowing():
            catching.exports.throw(6)

    catching.action = swallow
    assert catching.exports.by_all() == -1
    assert passed == [(6,)]
    with contextlib.suppress(WasmException):
        catching.exports.throw(7)
    catching.throws(WasmException(catching.tag, 8))
    with contextlib.suppress(ValueError), pytest.raises(WasmException):
        catching.exports.bare()


# ------------------------------------------------------------------ errors


def test_wrong_values(store):
    tag = Tag(store, TagType([ValType.I32, ValType.F64]))
    for wrong in ((), (1,), (1, 2.0, 3), (None, 2.0), (1, None), ("1", 2.0), (1.5, 2.0), (1, b"")):
        with pytest.raises(TypeError, match=r"an exception of \(i32, f64\)"):
            WasmException(tag, *wrong)
    with pytest.raises(OverflowError, match="out of range for i32"):
        WasmException(tag, 2**32, 2.0)
    with pytest.raises(ValueError, match="16 bytes"):
        WasmException(Tag(store, TagType([ValType.V128])), b"short")
    for wrong in (None, 1, tag.type, Tag, "tag", store):
        with pytest.raises(TypeError, match="tag must be a Tag"):
            WasmException(wrong)
    with pytest.raises(TypeError):
        WasmException()


def test_values_are_converted_as_arguments_are(store):
    kinds = TagType([ValType.I32, ValType.F32, ValType.V128])
    made = WasmException(Tag(store, kinds), 2**32 - 1, 0.1, bytes(16))
    assert made.values[0] == -1
    assert made.values[1] != 0.1
    assert made.values[2] == bytes(16)
    with pytest.raises(AttributeError):
        made.values = ()


def test_other_stores(catching):
    with Store() as store:
        foreign = WasmException(Tag(store, OF_I32), 42)
        catching.throws(foreign)
        for name in CATCHING:
            with pytest.raises(WasmException) as out:
                catching.exports[name]()
            assert out.value is foreign
        with pytest.raises(ValueError, match="another store"):
            catching.exports.throw_ref(foreign)
        func = Func(store, FuncType([], []), lambda: None)
    with pytest.raises(ValueError, match="another store"):
        WasmException(Tag(catching.instance.store, TagType([ValType.FUNCREF])), func)
    catching.throws(WasmException(catching.tag, 1))
    assert catching.exports.by_tag() == 1


def test_an_exception_cannot_be_copied(catching):
    with pytest.raises(WasmException) as caught:
        catching.exports.throw(1)
    for exception in (caught.value, WasmException(catching.tag, 1)):
        for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="cannot be copied or pickled"):
                attempt(exception)


def test_closed_store():
    store = Store()
    catching = CatchingInstance(store)
    with pytest.raises(WasmException) as caught:
        catching.exports.throw(42)
    exception = caught.value
    store.close()
    assert exception.values == (42,)
    assert "uncaught exception (i32): (42)" in str(exception)
    with Store() as other:
        again = CatchingInstance(other)
        again.throws(exception)
        with pytest.raises(WasmException) as out:
            again.exports.by_all()
        assert out.value is exception
    with pytest.raises(ClosedError):
        catching.exports.throw_ref(exception)
    with pytest.raises(ClosedError):
        WasmException(catching.tag, 1)


def test_the_host_function_closes_the_store_and_throws():
    store = Store()
    catching = CatchingInstance(store)

    def close() -> None:
        store.close()
        raise thrown

    thrown = WasmException(catching.tag, 42)
    catching.action = close
    with pytest.raises((ClosedError, WasmException, Trap)):
        catching.exports.again()
    with pytest.raises(ClosedError):
        catching.exports.ok()


def test_an_exception_without_references_is_freed(catching):
    thrown = WasmException(catching.tag, 1)
    catching.throws(thrown)
    catching.exports.by_all()
    catching.exports.by_all_ref()
    catching.action = lambda: None
    gone = weakref.ref(thrown)
    thrown = None
    assert collect_until(lambda: gone() is None)
