"""`async def` host functions: where they may stand, and what awaits them."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
import types
from collections.abc import Callable
from typing import Any

import pytest
from async_hosts import IS_ASYNC, MODES, MODULE, exports_with, in_each_mode, no_warnings, run

import wamr
from wamr import Engine, Func, FuncType, Instance, Linker, Module, Store

pytestmark = pytest.mark.usefixtures("wat")

TYPE = FuncType.parse("(i32) -> i32")


async def fetch(number: int) -> int:
    await asyncio.sleep(0.001)
    return number * 2


async def ready(number: int) -> int:
    return number * 2


class Methods:
    async def fetch(self, number: int) -> int:
        await asyncio.sleep(0)
        return number * 2

    async def __call__(self, number: int) -> int:
        return number * 2


class Awaitable:
    """Something that can be awaited and is no coroutine."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __await__(self) -> Any:
        yield from asyncio.sleep(0).__await__()
        return self.number * 2


@types.coroutine
def by_generator(number: int) -> Any:
    yield from asyncio.sleep(0.001).__await__()
    return number * 2


KINDS: dict[str, Callable[..., Any]] = {
    "async def": fetch,
    "ready at once": ready,
    "lambda": lambda number: fetch(number),
    "partial": functools.partial(fetch),
    "method": Methods().fetch,
    "object": Methods(),
    "awaitable": Awaitable,
    "generator-based": by_generator,
    "static method": staticmethod(fetch),
    "plain": lambda number: number * 2,
}


# ------------------------------------------------------------------ where they may stand
def by_mapping(function: Any, store: Store) -> Instance:
    return Instance(store, Module(store, MODULE), {"env": {"fetch": function}})


def by_sequence(function: Any, store: Store) -> Instance:
    return Instance(store, Module(store, MODULE), [function])


def by_func(function: Any, store: Store) -> Instance:
    return by_mapping(Func(store, TYPE, function), store)


def by_define(function: Any, store: Store) -> Instance:
    linker = Linker(store)
    linker.define("env", "fetch", function)
    return linker.instantiate(Module(store, MODULE))


def by_engine(function: Any, store: Store) -> Instance:
    linker = Linker(store.engine)
    linker.func("env", "fetch")(function)
    return linker.instantiate(Module(store, MODULE), store=store)


def by_table(function: Any, store: Store) -> Instance:
    """Call the host function through a table that holds it."""
    text = """(module (import "env" "table" (table 1 funcref))
      (type $t (func (param i32) (result i32)))
      (func (export "run") (param i32) (result i32)
        (i32.add (i32.const 1) (call_indirect (type $t) (local.get 0) (i32.const 0)))))"""
    table = wamr.Table(
        store, wamr.TableType(wamr.ValType.FUNCREF, wamr.Limits(1)), Func(store, TYPE, function)
    )
    return Instance(store, Module(store, text), {"env": {"table": table}})


DOORS = [
    value
    for name, value in list(globals().items())
    if name.startswith("by_") and name != "by_generator"
]


@in_each_mode
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_they_are_awaited_wherever_they_stand(door: Any, kind: str, mode: Any) -> None:
    inst = door(KINDS[kind], Store())
    assert run(inst.exports.run.call_async(20, **mode)) == 41


@in_each_mode
def test_types_are_read_from_annotations(mode: Any) -> None:
    async def scale(number: int, factor: float) -> float:
        await asyncio.sleep(0)
        return number * factor

    func = Func(Store(), None, scale)
    assert func.type == FuncType.parse("(i32, f64) -> f64")
    assert run(func.call_async(3, 0.5, **mode)) == 1.5
    linker = Linker(Engine())
    assert linker.func("env")(fetch) is fetch
    assert linker.get("env", "fetch") is fetch


@in_each_mode
@pytest.mark.parametrize("name", ["run", "twice", "tail"])
def test_each_kind_of_call_awaits_them(name: str, mode: Any) -> None:
    exports = exports_with(fetch)
    expected = {"run": 41, "twice": 242, "tail": 40}[name]
    assert run(exports[name].call_async(20, **mode)) == expected


@in_each_mode
def test_all_sizes_of_values_pass(mode: Any) -> None:
    text = """(module (import "env" "many" (func $many (param i64 f64 v128 f32 i32)
        (result i32 f32 v128 f64 i64)))
      (func (export "run") (result i32 f32 v128 f64 i64)
        (call $many (i64.const -3) (f64.const 2.5) (v128.const i32x4 1 2 3 4) (f32.const 0.5)
          (i32.const 7))))"""

    async def many(*values: Any) -> Any:
        await asyncio.sleep(0)
        return values[::-1]

    async def nothing() -> None:
        await asyncio.sleep(0)

    exports = wamr.load(text, {"env": {"many": many}}).exports
    vector = b"".join(i.to_bytes(4, "little") for i in (1, 2, 3, 4))
    assert run(exports.run.call_async(**mode)) == (7, 0.5, vector, 2.5, -3)
    text = '(module (import "" "f" (func $f)) (func (export "run") (call $f) (call $f)))'
    assert run(wamr.load(text, [nothing]).exports.run.call_async(**mode)) is None


@in_each_mode
def test_references_pass(mode: Any) -> None:
    text = """(module
      (type $f (func (result i32)))
      (import "env" "object" (func $object (param externref) (result externref)))
      (import "env" "func" (func $func (param funcref) (result funcref)))
      (import "env" "caught" (func $caught (param exnref) (result exnref)))
      (import "env" "tag" (tag $tag (param i32)))
      (table $t 1 funcref)
      (func $seven (result i32) (i32.const 7)) (elem declare func $seven)
      (func (export "object") (param externref) (result externref) (call $object (local.get 0)))
      (func (export "func") (result i32)
        (table.set $t (i32.const 0) (call $func (ref.func $seven)))
        (call_indirect $t (type $f) (i32.const 0)))
      (func (export "caught") (result i32) (local exnref)
        (block $outer (result i32 exnref)
          (try_table (catch_ref $tag $outer) (throw $tag (i32.const 5))) (unreachable))
        (local.set 0) (drop)
        (block $again (result i32)
          (try_table (catch $tag $again) (throw_ref (call $caught (local.get 0))))
          (unreachable))))"""
    seen: list[Any] = []
    store = Store()
    tag = wamr.Tag(store, wamr.TagType([wamr.ValType.I32]))

    async def same(value: Any) -> Any:
        await asyncio.sleep(0)
        store.gc()
        seen.append(value)
        return value

    async def eight(func: Any) -> Any:
        await asyncio.sleep(0)
        seen.append(func())
        return Func(store, FuncType.parse("() -> i32"), lambda: 8)

    env = {"object": same, "func": eight, "caught": same, "tag": tag}
    exports = Instance(store, Module(store, text), {"env": env}).exports
    thing = object()

    async def main() -> None:
        assert await exports.object.call_async(thing, **mode) is thing
        assert await exports.object.call_async(None, **mode) is None
        assert await exports.func.call_async(**mode) == 8
        assert await exports.caught.call_async(**mode) == 5

    run(main())
    assert seen[:3] == [thing, None, 7]
    assert seen[3].tag is tag
    assert seen[3].values == (5,)


@in_each_mode
def test_a_coroutine_may_be_an_externref_of_a_plain_function(mode: Any) -> None:
    text = """(module (import "" "f" (func $f (result externref)))
      (func (export "run") (result externref) (call $f)))"""

    async def made() -> Any:
        return await (await wamr.load(text, [lambda: fetch(4)]).exports.run.call_async(**mode))

    async def awaited() -> Any:
        return await wamr.load(text, [functools.partial(fetch, 5)]).exports.run.call_async(**mode)

    assert run(made()) == 8
    assert run(awaited()) == 10


@in_each_mode
def test_the_caller_is_passed_and_can_be_used_after_an_await(mode: Any) -> None:
    async def host(caller: Instance | None, number: int) -> int:
        assert caller is not None
        caller.exports.memory[0] = number
        await asyncio.sleep(0.001)
        caller.exports.memory[1] = number + 1
        return caller.exports.plus(number) + await caller.exports.plus.call_async(1, **mode)

    store = Store()
    inst = by_mapping(Func(store, TYPE, host, access_caller=True), store)
    assert run(inst.exports.run.call_async(9, **mode)) == 13
    assert bytes(inst.exports.memory[:2]) == bytes([9, 10])
    direct = Func(store, TYPE, test_host_caller, access_caller=True)
    assert run(direct.call_async(3, **mode)) == 3


async def test_host_caller(caller: Any, number: int) -> int:
    assert caller is None
    return number


test_host_caller.__test__ = False  # type: ignore[attr-defined]

level: contextvars.ContextVar[str] = contextvars.ContextVar("level", default="unset")


@in_each_mode
def test_they_run_in_the_context_of_the_task(mode: Any) -> None:
    seen: list[Any] = []

    async def host(number: int) -> int:
        seen.append((level.get(), asyncio.current_task(), threading.get_ident()))
        level.set("by the host")
        await asyncio.sleep(0.001)
        seen.append((level.get(), asyncio.current_task(), threading.get_ident()))
        return number

    exports = exports_with(host)

    async def main() -> None:
        level.set("of the task")
        task = asyncio.current_task()
        assert await exports.run.call_async(1, **mode) == 2
        assert level.get() == "by the host"  # as after `await host(1)`
        thread = threading.get_ident()
        assert seen == [("of the task", task, thread), ("by the host", task, thread)]

    run(main())


# ------------------------------------------------------------------ results that are none
@in_each_mode
@pytest.mark.parametrize(
    ("result", "error"), [("x", TypeError), (None, TypeError), (2**40, OverflowError)]
)
@pytest.mark.parametrize("wait", [True, False])
def test_a_wrong_result_ends_the_call(result: Any, error: Any, wait: bool, mode: Any) -> None:
    async def host(number: int) -> Any:
        if wait:
            await asyncio.sleep(0)
        return result

    exports = exports_with(host)

    async def main() -> None:
        with pytest.raises(error, match=r"host function env\.fetch\(i32\) -> i32: its result"):
            await exports.run.call_async(1, **mode)
        assert exports.plus(1) == 2

    run(main())


@in_each_mode
def test_a_coroutine_that_a_coroutine_returns_is_no_result(mode: Any) -> None:
    async def wait(number: int) -> Any:
        await asyncio.sleep(0)
        return fetch(number)

    async def at_once(number: int) -> Any:
        return fetch(number)

    for host in (wait, at_once):
        with pytest.raises(TypeError, match="returned a coroutine of fetch"):
            run(exports_with(host).run.call_async(1, **mode))


@in_each_mode
def test_suspend_is_no_answer_to_a_call_that_is_awaited(mode: Any) -> None:
    exports = exports_with(lambda _: wamr.SUSPEND)
    with pytest.raises(
        RuntimeError,
        match=r"host function env.fetch\(i32\) -> i32 returned SUSPEND, and nobody gives its result"
        r" to a call that is awaited: make it an `async def`, or use Func.execution",
    ):
        run(exports.run.call_async(1, **mode))
    assert exports.plus(1) == 2
    with pytest.raises(RuntimeError, match="returned SUSPEND, and nobody gives its result"):
        run(Func(Store(), TYPE, lambda _: wamr.SUSPEND).call_async(1, **mode))


# ------------------------------------------------------------------ calls that can't be suspended
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "plain"])
def test_a_plain_call_refuses_them(kind: str) -> None:
    exports = exports_with(KINDS[kind])
    with no_warnings():
        for call in (exports.run, exports.run.call):
            with pytest.raises(RuntimeError, match=f"^{IS_ASYNC}$"):
                call(1)
        assert exports.plus(1) == 2


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "plain"])
def test_a_start_function_refuses_them(kind: str) -> None:
    text = """(module (import "env" "fetch" (func $fetch (param i32) (result i32)))
      (func $start (drop (call $fetch (i32.const 1)))) (start $start))"""
    with (
        no_warnings(),
        pytest.raises(RuntimeError, match=f"^{IS_ASYNC}; a start function can't be$"),
    ):
        wamr.load(text, {"env": {"fetch": KINDS[kind]}})


@in_each_mode
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "plain"])
def test_python_code_in_between_is_named(kind: str, mode: Any) -> None:
    store = Store()
    inner = by_mapping(KINDS[kind], store)
    outer = by_mapping(lambda number: inner.exports.run(number), store)
    told = f"^{IS_ASYNC}; Python code stands between it and that call$"
    with pytest.raises(RuntimeError, match=told):
        run(outer.exports.run.call_async(1, **mode))
    with no_warnings(), pytest.raises(RuntimeError, match=told):
        next(outer.exports.run.execution(1))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "plain"])
def test_python_can_only_await_them(kind: str) -> None:
    function = KINDS[kind]
    func = Func(Store(), TYPE, function)
    told = r"^host function .*\(i32\) -> i32 is async: only a call that can be suspended may call"
    with no_warnings():
        for call in (func, func.callable, func.call):
            with pytest.raises(RuntimeError, match=told):
                call(1)
    for mode in MODES.values():
        assert run(func.call_async(4, **mode)) == 8


@pytest.mark.parametrize("value", [None, "x", -1.0, True, float("nan")])
def test_slices_are_checked(value: Any) -> None:
    exports = exports_with(fetch)
    if value is None:
        assert run(exports.run.call_async(1, slice=None)) == 3
        return
    with pytest.raises((TypeError, ValueError), match="slice must"):
        run(exports.run.call_async(1, slice=value))
    with pytest.raises((TypeError, ValueError), match="slice must"):
        run(Func(Store(), TYPE, fetch).call_async(1, slice=value))


# ------------------------------------------------------------------ executions driven by hand
def test_an_event_has_what_is_to_be_awaited() -> None:
    exports = exports_with(fetch)

    async def main() -> int:
        execution = exports.twice.execution(5)
        event = next(execution)
        try:
            while True:
                assert (event.kind, event.host.name) == ("call", "env.fetch")
                event = execution.send(await event.awaitable)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    assert run(main()) == 212


def test_other_events_have_nothing_to_be_awaited() -> None:
    event = next(exports_with(lambda _: wamr.SUSPEND).run.execution(1))
    assert (event.kind, event.awaitable) == ("call", None)
    assert next(exports_with(fetch).spin.execution(slice=0)).awaitable is None


def test_who_answers_something_else_need_not_await() -> None:
    with no_warnings():
        execution = exports_with(fetch).run.execution(5)
        event = next(execution)
        assert event.args == (5,)
        with pytest.raises(StopIteration) as end:
            execution.send(7)
        assert end.value.value == 8
        del event
        for leave in ("close", "throw", "drop"):
            execution = exports_with(fetch).run.execution(5)
            next(execution)
            if leave == "close":
                execution.close()
            elif leave == "throw":
                with pytest.raises(KeyError):
                    execution.throw(KeyError())
            del execution


def test_a_host_function_has_executions_too() -> None:
    func = Func(Store(), TYPE, fetch)

    async def main() -> Any:
        execution = func.execution(4)
        event = next(execution)
        assert (event.kind, event.args) == ("call", (4,))
        with pytest.raises(StopIteration) as end:
            execution.send(await event.awaitable)
        return end.value.value

    assert run(main()) == 8
    with no_warnings():
        for close in (True, False):
            execution = func.execution(4)
            next(execution)
            if close:
                execution.close()
            del execution


def test_an_event_that_was_refused_keeps_its_awaitable() -> None:
    exports = exports_with(fetch)

    async def main() -> int:
        lower, upper = exports.run.execution(1), exports.run.execution(2)
        first, second = next(lower), next(upper)
        with pytest.raises(RuntimeError, match="goes on first"):
            lower.send(1)
        total = 0
        for execution, event in ((upper, second), (lower, first)):
            with pytest.raises(StopIteration) as end:
                execution.send(await event.awaitable)
            total += end.value.value
        return total

    assert run(main()) == 8
