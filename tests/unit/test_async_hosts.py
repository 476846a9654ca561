"""`async def` host functions: where they may stand, and what awaits them."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections.abc import Awaitable, Coroutine
from typing import Any

import pytest
from async_hosts import KINDS, MODULE, by_mapping, exports_with, fetch, in_each_mode, run

import wamr
from wamr import Engine, Func, FuncType, Instance, Linker, Module, Store

pytestmark = pytest.mark.usefixtures("wat")

TYPE = FuncType.parse("(i32) -> i32")


# ------------------------------------------------------------------ where they may stand
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

    def later(number: int) -> Coroutine[Any, Any, int]:
        return fetch(number)

    def tupled() -> Awaitable[tuple[int, float]]:
        raise NotImplementedError

    assert Func(Store(), None, tupled).type == FuncType.parse("() -> (i32, f64)")
    func = Func(Store(), None, later)
    assert func.type == FuncType.parse("(i32) -> i32")
    assert run(func.call_async(3, **mode)) == 6
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
    value = object()

    async def main() -> None:
        assert await exports.object.call_async(value, **mode) is value
        assert await exports.object.call_async(None, **mode) is None
        assert await exports.func.call_async(**mode) == 8
        assert await exports.caught.call_async(**mode) == 5

    run(main())
    assert seen[:3] == [value, None, 7]
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
        with pytest.raises(
            TypeError, match="returned a coroutine of fetch: await it in the function"
        ):
            run(exports_with(host).run.call_async(1, **mode))


@in_each_mode
def test_suspend_is_no_result_of_a_coroutine(mode: Any) -> None:
    async def wait(value: Any) -> Any:
        await asyncio.sleep(0)
        return wamr.SUSPEND

    async def at_once(value: Any) -> Any:
        return wamr.SUSPEND

    text = """(module (import "env" "fetch" (func $fetch (param externref) (result externref)))
      (func (export "run") (param externref) (result externref) (call $fetch (local.get 0))))"""
    sentence = (
        r"env.fetch\(externref\) -> externref returned SUSPEND, and nobody gives its result to a "
        "call that is awaited: return the result, or use Func.execution"
    )
    for host in (wait, at_once):
        inst = wamr.load(text, {"env": {"fetch": host}})
        for call in (inst.exports.run.call_async, exports_with(host).run.call_async):
            with pytest.raises(RuntimeError, match="returned SUSPEND, and nobody gives its result"):
                run(call(1, **mode))
        with pytest.raises(RuntimeError, match=sentence):
            run(inst.exports.run.call_async(1, **mode))
        with pytest.raises(RuntimeError, match=r"SUSPEND, and .*: return the result, or use"):
            run(Func(Store(), TYPE, host).call_async(1, **mode))


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
