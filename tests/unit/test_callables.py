"""Host functions must return their results: generator functions are refused.

Coroutine functions are taken where a call can await them (test_async_hosts.py), not elsewhere.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import io
import sys
import unittest.mock
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import wamr
from wamr import Engine, Func, FuncType, Linker, Module, Store, WasiConfig

CALLS = """(module (import "m" "f" (func $f (param i32) (result i32)))
  (func (export "run") (result i32) (call $f (i32.const 20))))"""
IS_ASYNC = (
    r"m\.f\(i32\) -> .* is async: only a call that can be suspended may call it \(call_async, "
    r"Execution\)$"
)
TYPE = FuncType.parse("(i32) -> i32")


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    """A coroutine that was never awaited causes a warning when it is collected."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


async def fetch(x: int) -> int:
    return x


async def stream(x: int) -> AsyncIterator[int]:
    yield x


def count(x: int) -> Iterator[int]:
    yield x


class Methods:
    async def fetch(self, x: int) -> int:
        return x

    @classmethod
    async def of_class(cls, x: int) -> int:
        return x

    @staticmethod
    async def of_nothing(x: int) -> int:
        return x

    def count(self, x: int) -> Iterator[int]:
        yield x


class Asynchronous:
    async def __call__(self, x: int) -> int:
        return x


class Generating:
    def __call__(self, x: int) -> Iterator[int]:
        yield x


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def wrapper(*args: Any) -> Any:
        return await function(*args)

    return wrapper


COROUTINES: dict[str, tuple[Callable[..., Any], str]] = {
    "async def": (fetch, "fetch"),
    "lambda's partial": (functools.partial(fetch), "fetch"),
    "partial of partial": (functools.partial(functools.partial(fetch), 1), "fetch"),
    "method": (Methods().fetch, "fetch"),
    "partial of method": (functools.partial(Methods().fetch), "fetch"),
    "class method": (Methods.of_class, "of_class"),
    "static method": (Methods.of_nothing, "of_nothing"),
    "static method itself": (staticmethod(fetch), "fetch"),
    "object": (Asynchronous(), "Asynchronous"),
    "partial of object": (functools.partial(Asynchronous()), "Asynchronous"),
    "decorated": (decorated(fetch), "fetch"),
    "cached": (functools.lru_cache(fetch), "fetch"),
    "mock": (unittest.mock.AsyncMock(), "AsyncMock"),
}
GENERATORS: dict[str, tuple[Callable[..., Any], str]] = {
    "generator": (count, "a generator function, count"),
    "method": (Methods().count, "a generator function, count"),
    "partial": (functools.partial(count), "a generator function, count"),
    "object": (Generating(), "a generator function, Generating"),
    "asynchronous generator": (stream, "an asynchronous generator function, stream"),
}


def sync(x: int) -> int:
    return x + 1


@functools.wraps(fetch)
def adapter(x: int) -> int:
    """Wrap a coroutine function in a plain function of the same name."""
    return x + 1


class Plain:
    def __init__(self, x: int) -> None:
        self.x = x

    def __index__(self) -> int:
        return self.x + 1

    def method(self, x: int) -> int:
        return x + 1


class Callable_:
    def __call__(self, x: int) -> int:
        return x + 1


PLAIN: dict[str, Callable[..., Any]] = {
    "function": sync,
    "lambda": lambda x: x + 1,
    "partial": functools.partial(sync),
    "method": Plain(0).method,
    "builtin": (1).__add__,
    "class": Plain,
    "object": Callable_(),
    "adapter": adapter,
    "cached": functools.lru_cache(sync),
    "mock": unittest.mock.MagicMock(return_value=21),
    "attributes": unittest.mock.Mock(return_value=21, _is_coroutine=True),
}


# ------------------------------------------------------------------ refused when it is passed
def given_to_func(function: Any) -> None:
    Func(Store(), TYPE, function)


def given_with_caller(function: Any) -> None:
    Func(Store(), TYPE, function, access_caller=True)


def given_in_a_mapping(function: Any) -> None:
    wamr.load(CALLS, {"m": {"f": function}})


def given_in_a_sequence(function: Any) -> None:
    wamr.load(CALLS, [function])


def given_to_an_instance(function: Any) -> None:
    store = Store()
    wamr.Instance(store, Module(store, CALLS), {"m": {"f": function}})


def given_to_a_linker(function: Any) -> None:
    store = Store()
    linker = Linker(store)
    linker.define("m", "f", function)
    linker.instantiate(Module(store, CALLS))


def given_to_an_engines_linker(function: Any) -> None:
    engine = Engine()
    linker = Linker(engine)
    linker.define("m", "f", function)
    linker.instantiate(Module(engine, CALLS), store=Store(engine))


def given_to_a_decorator(function: Any) -> None:
    store = Store()
    linker = Linker(store)
    linker.func("m", "f")(function)
    linker.instantiate(Module(store, CALLS))


DOORS = [value for name, value in list(globals().items()) if name.startswith("given_")]


@pytest.mark.usefixtures("wat")
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
@pytest.mark.parametrize("kind", COROUTINES)
def test_a_coroutine_function_is_taken(door: Callable[[Any], None], kind: str) -> None:
    door(COROUTINES[kind][0])


@pytest.mark.usefixtures("wat")
@pytest.mark.parametrize("kind", COROUTINES)
def test_a_plain_call_of_a_coroutine_function_is_refused(kind: str) -> None:
    exports = wamr.load(CALLS, {"m": {"f": COROUTINES[kind][0]}}).exports
    with pytest.raises(RuntimeError, match=IS_ASYNC):
        exports.run()


@pytest.mark.usefixtures("wat")
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
@pytest.mark.parametrize("kind", GENERATORS)
def test_a_generator_function_is_refused_where_its_type_is_known(
    door: Callable[[Any], None], kind: str
) -> None:
    function, name = GENERATORS[kind]
    with pytest.raises(TypeError, match=f"is {name}: a call of it gives a generator"):
        door(function)


@pytest.mark.usefixtures("wat")
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
@pytest.mark.parametrize("kind", PLAIN)
def test_what_is_plain_is_taken(door: Callable[[Any], None], kind: str) -> None:
    door(PLAIN[kind])


@pytest.mark.usefixtures("wat")
@pytest.mark.parametrize("kind", PLAIN)
def test_what_is_plain_is_called(kind: str) -> None:
    assert wamr.load(CALLS, {"m": {"f": PLAIN[kind]}}).exports.run() == 21


def test_the_message_names_what_was_given() -> None:
    with pytest.raises(TypeError, match=r"^callback is a generator function, count"):
        Func(Store(), TYPE, count)
    with pytest.raises(TypeError, match=r"^callback is an asynchronous generator function, stream"):
        Func(Store(), TYPE, stream)


@pytest.mark.usefixtures("wat")
def test_the_message_names_the_import() -> None:
    with pytest.raises(TypeError, match=r"^import m.f is a generator function, count"):
        given_in_a_mapping(count)


def test_a_refused_definition_is_none() -> None:
    linker = Linker(Engine())
    with pytest.raises(TypeError):
        linker.define("m", "f", None)  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        linker.get("m", "f")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="inspect has no such mark before 3.12")
def test_a_marked_function_is_a_coroutine_function() -> None:
    def marked(x: int) -> Any:
        return fetch(x)

    inspect.markcoroutinefunction(marked)
    for function in (marked, functools.partial(marked)):
        func = Func(Store(), FuncType.parse("(i32) -> externref"), function)
        with pytest.raises(RuntimeError, match="is async"):
            func(1)


def test_one_that_leads_to_itself_is_taken() -> None:
    loop = functools.partial(sync)
    loop.__setstate__((loop, (), {}, {}))  # type: ignore[attr-defined]
    given_to_func(loop)


# ------------------------------------------------------------------ refused when it is called
FORESEEN = [
    (lambda x: fetch(x), RuntimeError, IS_ASYNC),
    (lambda x: Methods().fetch(x), RuntimeError, IS_ASYNC),
    (lambda x: (fetch(x), fetch(x)), TypeError, "returned (a coroutine of fetch|tuple)"),
    (lambda x: count(x), TypeError, "a generator of count, which nobody runs"),
    (lambda x: stream(x), TypeError, "a generator of stream, which nobody runs"),
]


@pytest.mark.usefixtures("wat")
@pytest.mark.parametrize(
    "type_", ["", "(result i32)", "(result i64)", "(result f64)", "(result v128)"]
)
@pytest.mark.parametrize("number", range(len(FORESEEN)))
def test_a_result_that_nobody_runs_says_so(type_: str, number: int) -> None:
    function, error, told = FORESEEN[number]
    inst = wamr.load(
        f'(module (import "m" "f" (func $f (param i32) {type_}))'
        f' (func (export "run") {type_} (call $f (i32.const 1))))',
        {"m": {"f": function}},
    )
    with pytest.raises(error, match=told) as caught:
        inst.exports.run()
    assert "m.f" in str(caught.value)


def test_the_same_of_many_results_and_of_a_func_that_python_calls() -> None:
    func = Func(Store(), FuncType.parse("() -> (i32, f64)"), lambda: fetch(1))
    with pytest.raises(RuntimeError, match="is async: only a call that can be suspended"):
        func()
    func = Func(Store(), FuncType.parse("() -> (i32, f64)"), lambda: (1, fetch(1)))
    with pytest.raises(TypeError, match="returned a coroutine of fetch: await it in the function"):
        func()
    func = Func(Store(), FuncType.parse("() -> funcref"), lambda: fetch(1))
    with pytest.raises(RuntimeError, match="is async: only a call that can be suspended"):
        func()


def test_a_future_says_so_too() -> None:
    async def main() -> None:
        future = asyncio.get_running_loop().create_future()
        func = Func(Store(), FuncType.parse("() -> i32"), lambda: future)
        with pytest.raises(RuntimeError, match="is async: only a call that can be suspended"):
            func()
        func = Func(Store(), FuncType.parse("() -> (i32, i32)"), lambda: (1, future))
        with pytest.raises(TypeError, match="something to be awaited, Future"):
            func()

    asyncio.run(main())


def test_other_wrong_results_are_told_as_ever() -> None:
    with pytest.raises(TypeError, match="must be an int"):
        Func(Store(), FuncType.parse("() -> i32"), lambda: "x")()
    with pytest.raises(TypeError, match="has no result, but it returned"):
        Func(Store(), FuncType(()), lambda: 5)()


def test_any_object_may_be_an_externref() -> None:
    kind = FuncType.parse("() -> externref")
    made = Func(Store(), kind, lambda: count(5))()
    assert list(made) == [5]
    made = Func(Store(), kind, functools.partial(count, 6))()
    assert list(made) == [6]
    coroutine = Func(Store(), kind, lambda: fetch(7))()
    assert asyncio.run(coroutine) == 7
    with pytest.raises(RuntimeError, match="is async"):
        Func(Store(), kind, functools.partial(fetch, 8))()


# ------------------------------------------------------------------ stdio
class AsyncFile:
    async def read(self, size: int) -> bytes:
        return b""

    async def write(self, data: bytes) -> int:
        return len(data)


async def take(data: bytes) -> None:
    pass


@pytest.mark.usefixtures("wat")
@pytest.mark.parametrize("name", ["stdin", "stdout", "stderr"])
@pytest.mark.parametrize("value", [take, functools.partial(take), AsyncFile(), count])
def test_stdio_must_be_plain_too(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"^{name} is a (coroutine|generator) function"):
        WasiConfig(**{name: value})
    with pytest.raises(TypeError, match=f"^{name} is a (coroutine|generator) function"):
        wamr.run(['(module (func (export "_start")))'], **{name: value})


def test_plain_stdio_is_taken() -> None:
    WasiConfig(stdin=lambda size: b"", stdout=[].append, stderr=io.BytesIO())
    WasiConfig(stdin=io.BytesIO(), stdout=functools.partial(print), stderr=io.StringIO().write)


PROGRAM = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1) (data (i32.const 0) "\\10\\00\\00\\00\\02\\00\\00\\00")
  (data (i32.const 16) "hi")
  (func (export "write") (param i32)
    (drop (call $write (local.get 0) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "read")
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))))"""


@pytest.mark.usefixtures("wat")
def test_what_stdio_returns_is_not_lost() -> None:
    wasi = WasiConfig(
        stdin=lambda size: fetch(size),  # type: ignore[arg-type, return-value]
        stdout=lambda data: take(data),
        stderr=lambda data: take(data),
    )
    exports = wamr.load(PROGRAM, wasi=wasi).exports
    for fd, name in ((1, "stdout"), (2, "stderr")):
        with pytest.raises(TypeError, match=f"^{name} returned a coroutine of"):
            exports.write(fd)
    with pytest.raises(TypeError, match=r"^stdin returned a coroutine of fetch"):
        exports.read()
