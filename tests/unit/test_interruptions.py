"""An exception of a signal handler, wherever it comes, leaves nothing locked.

Each test interrupts an operation at each place where Python may run a handler, one after the other,
and uses the same objects afterwards, in another thread too. What waits for ever fails by the test's
limit of time.
"""

from __future__ import annotations

import asyncio
from _thread import RLock
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from typing import Any

import pytest
from async_hosts import Awaitable, exports_with, run
from collecting import collect
from executions import finish, instance, suspended
from fed_programs import session
from interrupts import PACKAGE, Interrupted, interrupted, interruptions
from thread_helpers import in_another_thread

import wamr
from wamr._base.locks import SoleUse, locked
from wamr._base.per_thread import PerThread
from wamr._runtime import turns

pytestmark = [  # of coroutines that an interruption has prevented
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class InUse(Exception):
    pass


# ------------------------------------------------------------------ the helpers


def test_an_interruption_is_found_where_it_does_harm():
    """Code that takes a lock before `try` is interrupted with the lock taken."""
    code = "def use(lock):\n lock.acquire()\n try:\n  len('')\n finally:\n  lock.release()\n"
    names: dict[str, Any] = {}
    exec(compile(code, f"{PACKAGE}/example.py", "exec"), names)
    lock, harmed = RLock(), 0
    for _ in interruptions(lambda: names["use"](lock)):
        if lock._is_owned():
            harmed += 1
            lock.release()
    assert harmed
    assert not interrupted(lambda: 7, 1)


def test_a_lock_is_released():
    lock, places = RLock(), []
    for number in interruptions(lambda: locked(lock, len, "four")):
        assert not lock._is_owned()
        places.append(number)
    assert len(places) > 10
    assert locked(lock, len, "four") == 4
    with pytest.raises(TypeError):
        locked(lock, len, None)
    assert not lock._is_owned()


def test_a_lock_is_released_by_its_outermost_call_only():
    lock, owned = RLock(), []

    def inner() -> None:
        locked(lock, len, "")
        owned.append(lock._is_owned())

    for _ in interruptions(lambda: locked(lock, inner)):
        assert not lock._is_owned()
    assert owned
    assert all(owned)


def test_a_lock_that_another_thread_has_is_waited_for():
    lock, seen = RLock(), []
    with ThreadPoolExecutor(1) as pool:
        lock.acquire()
        waits = pool.submit(locked, lock, seen.append, "there")
        seen.append("here")
        lock.release()
        waits.result()
    assert seen == ["here", "there"]


@pytest.mark.parametrize("coroutine", [False, True])
def test_a_sole_use_ends(coroutine):
    use = SoleUse()

    async def nothing() -> int:
        assert use
        return 4

    def call() -> int:
        if not coroutine:
            return use.run(InUse, len, "four")
        try:
            use.run_async(InUse, nothing).send(None)
        except StopIteration as end:
            return end.value
        raise AssertionError

    places = []
    for number in interruptions(call):
        assert not use
        places.append(number)
    assert len(places) > 10
    assert call() == 4


def test_a_sole_use_refuses_others_and_goes_on():
    use = SoleUse()

    def inner() -> bool:
        with pytest.raises(InUse):
            use.run(InUse, len, "")
        with pytest.raises(InUse):
            use.run_async(InUse, len, "").send(None)
        return bool(use)

    assert use.run(InUse, inner)
    assert not use
    for _ in interruptions(lambda: use.run(InUse, partial(in_use, use))):
        assert not use


def in_use(use: SoleUse) -> None:
    with pytest.raises(InUse):
        use.run(InUse, len, "")
    assert use


def test_a_value_of_a_thread_is_set_back():
    values = PerThread()

    def check(expected: object) -> None:
        assert values.get() == expected

    def nested() -> None:
        values.during(2, check, 2)
        check(1)

    for _ in interruptions(lambda: values.during(1, nested)):
        assert values.get() is None


# ------------------------------------------------------------------ executions


def test_an_execution_can_be_closed_after_each_interruption():
    inst = instance()
    executions = []

    def use() -> None:
        execution = inst.exports.tail.execution(5)
        executions.append(execution)
        next(execution)
        assert finish(execution, 8) == 8

    for _ in interruptions(use):
        for execution in executions:
            assert execution.state != "running"
            execution.close()
            assert execution.state == "done"
        executions.clear()
        assert inst.exports.plus(1) == 2
    assert in_another_thread(lambda: inst.exports.plus(1)) == 2


def test_an_execution_goes_on_after_an_interruption():
    """It has stopped at the host function, or ended, or not begun."""
    inst = instance()
    states = set()
    for number in range(1, 5000):
        execution = inst.exports.tail.execution(5)
        reached = interrupted(execution.__next__, number)
        states.add(execution.state)
        if execution.state == "new":
            next(execution)
        assert execution.state == "suspended"
        assert finish(execution, 8) == 8
        if not reached:
            break
    assert states == {"new", "suspended"}


@pytest.mark.parametrize("method", ["close", "limit", "throw"])
def test_an_execution_is_not_running_after_another_method_was_interrupted(method):
    inst = instance()
    for number in range(1, 5000):
        execution = suspended(inst.exports.tail, 5)
        call = getattr(execution, method)
        reached = interrupted(lambda: quiet(call, method), number)  # noqa: B023
        execution.close()
        assert inst.exports.plus(1) == 2
        if not reached:
            break
    else:
        raise AssertionError


def quiet(call: Callable[..., Any], method: str) -> None:
    if method != "throw":
        call()
        return
    with pytest.raises(ZeroDivisionError):
        call(ZeroDivisionError())


# ------------------------------------------------------------------ asyncio


@pytest.mark.parametrize("inline", [False, True], ids=["executor", "slices"])
def test_awaited_calls_go_on_after_each_interruption(inline):
    """Those of another event loop, too."""
    mode: dict[str, Any] = {"slice": 0.01} if inline else {}
    exports = exports_with(Awaitable)  # no coroutine, which warns if nobody awaits it

    async def call() -> int:
        return await exports.run.call_async(3, **mode)

    def use() -> int:
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda *_: None)
        try:
            return loop.run_until_complete(call())
        finally:
            loop.close()

    expected = run(call())
    for number in interruptions(use):
        if number % 16 == 1:
            assert in_another_thread(lambda: run(call())) == expected
    assert run(call()) == expected
    collect()


def test_calls_in_a_line_go_on_after_an_interruption_of_one(monkeypatch):
    """The other gets its turn, whatever it was about to do; each fifth place is tried."""
    monkeypatch.setattr(turns, "_LOOK_AGAIN", 0.01)  # seconds
    exports = exports_with(Awaitable)
    loop = asyncio.new_event_loop()
    expected = run(exports.run.call_async(2))
    lost = set()
    try:
        for number in range(1, 20_000, 5):
            calls = [loop.create_task(exports.run.call_async(2, slice=9)) for _ in range(2)]
            reached = interrupted(partial(loop.run_until_complete, asyncio.wait(calls)), number)
            loop.run_until_complete(asyncio.wait(calls))
            for call in calls:
                if isinstance(call.exception(), Interrupted):
                    lost.add(calls.index(call))
                else:
                    assert call.result() == expected
            if not reached:
                assert lost == {0, 1}
                return
    finally:
        loop.close()
        collect()
    raise AssertionError


# ------------------------------------------------------------------ programs


def test_a_session_can_be_fed_or_has_ended_after_each_interruption():
    for number in range(1, 20_000):
        with session() as used:
            used.feed(b"")
            reached = interrupted(lambda: used.feed(b"n"), number)
            ended = used.returncode is not None or used._running.failure is not None
            with pytest.raises(RuntimeError, match="has ended") if ended else nullcontext():
                in_another_thread(lambda: used.feed(b"n"))
            if not reached:
                return
    raise AssertionError


@pytest.mark.parametrize("operation", ["snapshot", "end", "close"])
def test_a_session_can_be_closed_after_each_interruption(operation):
    for number in range(1, 20_000):
        used = session()
        used.feed(b"")
        reached = interrupted(getattr(used, operation), number)
        assert not used._running._use
        used.close()
        with pytest.raises((RuntimeError, wamr.ClosedError), match=r"closed|ended"):
            used.feed(b"")
        if not reached:
            return
    raise AssertionError


# ------------------------------------------------------------------ snapshots and references


def test_a_snapshot_is_closed_once_after_each_interruption():
    inst = wamr.load("(module)")
    for number in range(1, 1000):
        snapshot = wamr.Snapshot(inst)
        reached = interrupted(snapshot.close, number)
        snapshot.close()
        with pytest.raises(wamr.SnapshotError, match="closed"):
            snapshot.instantiate()
        if not reached:
            return
    raise AssertionError


def test_externrefs_can_be_collected_after_each_interruption():
    inst = wamr.load('(module (table (export "t") 1 externref))')
    table, objects = inst.exports.t, inst.store._objects

    def use() -> None:
        table[0] = object()
        table[0] = wamr.Val(wamr.ValType.EXTERNREF, object())
        inst.store.gc()

    for _ in interruptions(use):
        assert not objects.passing
        inst.store.gc()
        assert not objects.collecting
    table[0] = None
    inst.store.gc()
    assert not len(objects)
