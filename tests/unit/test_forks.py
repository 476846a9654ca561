"""What the child of a fork finds of the threads of its parent, which it doesn't have."""

from __future__ import annotations

import asyncio
import threading
from _thread import get_ident

import pytest
from async_hosts import exports_with
from forks import another_thread, is_true_in_child
from platforms import needs_fork

from wamr._base.locks import ByThread, SoleUse, locked, new_lock, renewed_in_children
from wamr._base.per_thread import PerThread

pytestmark = needs_fork


def test_a_lock_of_another_thread_is_free():
    lock = new_lock()
    with another_thread(lambda wait: locked(lock, wait)):
        assert is_true_in_child(lambda: locked(lock, lambda: lock._is_owned()))
        assert not lock._is_owned()
    assert locked(lock, lambda: True)


def test_a_lock_of_the_thread_that_forks_stays_its_own():
    lock = new_lock()

    def is_owned_in_child():
        if not lock._is_owned():
            return False
        found = []
        thread = threading.Thread(target=lambda: found.append(lock.acquire(blocking=False)))
        thread.start()
        thread.join()
        return found == [False]

    assert locked(lock, lambda: is_true_in_child(is_owned_in_child))
    assert locked(lock, lambda: is_true_in_child(lambda: locked(lock, lambda: True)))


def test_what_is_renewed_can_be_used_again():
    use = renewed_in_children(SoleUse())
    with another_thread(lambda wait: use.run(ValueError, wait)):
        assert is_true_in_child(lambda: use.run(ValueError, lambda: True))
        with pytest.raises(ValueError):
            use.run(ValueError, lambda: True)


def test_values_of_other_threads_are_gone():
    """A new thread may get the number of one that the child doesn't have."""
    values, per_thread = ByThread(), PerThread()

    def stay(wait):
        values[get_ident()] = 1
        per_thread.during(1, wait)

    def finds_its_own():
        return dict(values) == {get_ident(): 2} and per_thread._values == {get_ident(): 2}

    with another_thread(stay):
        values[get_ident()] = 2
        assert per_thread.during(2, lambda: is_true_in_child(finds_its_own))
        assert len(values) == 2


def test_a_call_is_awaited_although_one_of_a_lost_loop_has_its_turn():
    waiting: list[object] = []

    async def fetch(number):
        if waiting:
            await asyncio.get_running_loop().run_in_executor(None, waiting[0])
        return number

    exports = exports_with(fetch)

    def stay(wait):
        waiting.append(wait)
        asyncio.run(exports.run.call_async(1))

    def is_called():
        waiting.clear()
        return asyncio.run(exports.run.call_async(5, slice=0)) == 6

    with another_thread(stay):
        assert is_true_in_child(is_called)
