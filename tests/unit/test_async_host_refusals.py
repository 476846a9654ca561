"""Calls that can't be suspended refuse `async def` host functions; executions have awaitables."""

from __future__ import annotations

from typing import Any

import pytest
from async_hosts import (
    IS_ASYNC,
    KINDS,
    MODES,
    by_mapping,
    exports_with,
    fetch,
    in_each_mode,
    no_warnings,
    run,
)

import wamr
from wamr import Func, FuncType, Store

pytestmark = pytest.mark.usefixtures("wat")

TYPE = FuncType.parse("(i32) -> i32")


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


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "plain"])
def test_initialize_of_a_reactor_refuses_them(kind: str) -> None:
    text = """(module (import "env" "fetch" (func $fetch (param i32) (result i32)))
      (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
      (memory (export "memory") 1)
      (func (export "_initialize") (drop (call $fetch (i32.const 1)))))"""
    with (
        no_warnings(),
        pytest.raises(RuntimeError, match=f"^{IS_ASYNC}; a start function can't be$"),
    ):
        wamr.load(text, {"env": {"fetch": KINDS[kind]}}, wasi=wamr.WasiConfig())


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


# ------------------------------------------------------------------ the C API
def test_callbacks_of_the_c_api_must_be_plain_too() -> None:
    from wamr import ffi

    with pytest.raises(TypeError, match=r"^the callback is a coroutine function \(async def\)"):
        ffi.wasm_func_callback(fetch)
    with pytest.raises(TypeError, match=r"^the callback is a coroutine function \(async def\)"):
        ffi.wasm_finalizer(fetch)
    ffi.wasm_func_callback(int)
