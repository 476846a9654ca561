"""Random steps with executions of linked instances, against a model: start, stop, go on, throw,
drop, close, interrupt, fork, in this thread and others.
"""

from __future__ import annotations

import gc
import os
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest
from bounds import SANITIZED

from wamr import SUSPEND, ClosedError, Instance, Module, Store, Trap, TrapCode

pytestmark = pytest.mark.usefixtures("wat")

# `sum` calls `ask` with n, n - 1, …, 1, adds up the answers, and works in between.
TEXT = """(module
    (import "m" "ask" (func $ask (param i32) (result i32)))
    (memory 1)
    (func (export "sum") (param $n i32) (result i32) (local $s i32) (local $i i32)
        (loop $next
            (local.set $i (i32.const 20))
            (loop $work (br_if $work (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
            (memory.fill (i32.const 0) (local.get $n) (i32.const 6400))
            (local.set $s (i32.add (local.get $s) (call $ask (local.get $n))))
            (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $s))
    (func (export "plus") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))"""
LENGTH = 3  # of a chain of instances: each asks the next one, and the last asks the host
REFUSED = ("goes on first", "suspended in the middle of", "runs already")


def total(n: int, depth: int) -> int:
    """Return the result of `sum` in an instance that has `depth` others behind it in the chain."""
    return sum(total(i, depth - 1) if depth else 3 * i for i in range(1, n + 1))


class Stopped(Exception):
    """The exception that the test throws into executions."""


class Call:
    """An execution, and what the model knows of it."""

    def __init__(self, chain: list[Instance], pick: random.Random) -> None:
        self.depth = pick.randrange(LENGTH)
        n = pick.randrange(1, 5)
        self.result = total(n, self.depth)
        self.chain = chain
        self.answer: int | None = None
        self.doomed = False  # its outermost instance was closed or interrupted meanwhile
        self.endangered = False  # some instance of its chain was, in which it may be
        self.execution = chain[self.depth].exports.sum.execution(
            n,
            slice_fuel=pick.choice([None, None, 1, 7, 150]),
            slice=pick.choice([None, None, None, 0]),
        )

    @property
    def instances(self) -> list[Instance]:
        return self.chain[: self.depth + 1]


def outcome(function: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    """Return the result of a function, or the exception that it raises."""
    try:
        return function(), None
    except (StopIteration, Stopped, Trap, RuntimeError, ClosedError) as error:
        return None, error


def is_refusal(error: BaseException) -> bool:
    return type(error) is RuntimeError and any(word in str(error) for word in REFUSED)


class World:
    """Chains of instances, and the executions in them."""

    def __init__(self, module: Module, seed: int) -> None:
        self.pick = random.Random(seed)
        self.module = module
        self.chains = [self.new_chain() for _ in range(3)]
        self.calls: list[Call] = []
        self.finished = self.stops = 0
        self.errors: list[BaseException] = []

    def new_chain(self) -> list[Instance]:
        store = Store(self.module.engine)
        chain: list[Instance] = []
        for i in range(LENGTH):
            ask: Any = chain[-1].exports.sum if i else (lambda _: SUSPEND)
            chain.append(Instance(store, self.module, [ask]))
        return chain

    # where another thread allocates, AddressSanitizer stays locked in the child of a fork
    def step(self, *, forks: bool = not SANITIZED) -> None:
        choice = self.pick.random()
        if choice < 0.2 or not self.calls:
            self.calls.append(Call(self.pick.choice(self.chains), self.pick))
            self.go_on(self.calls[-1])
        elif choice < 0.75:
            self.go_on(self.pick.choice(self.calls[-4:]))
        elif choice < 0.8:
            call = self.pick.choice(self.calls)
            thread = threading.Thread(target=self.guarded, args=(call,))
            thread.start()
            thread.join()
            assert not self.errors, self.errors
        elif choice < 0.84:
            self.calls.pop(self.pick.randrange(len(self.calls)))
            gc.collect(0)
        elif choice < 0.87:
            self.calls.pop(self.pick.randrange(len(self.calls))).execution.close()
        elif choice < 0.9:
            self.throw(self.pick.choice(self.calls))
        elif choice < 0.95:
            self.plain(self.pick.choice(self.chains))
        elif choice < 0.97:
            self.stop(self.pick.choice(self.chains), close=False)
        elif choice < 0.985 or not forks:
            chain = self.pick.choice(self.chains)
            self.stop(chain, close=True)
            self.chains[self.chains.index(chain)] = self.new_chain()
        else:
            self.fork()

    def guarded(self, call: Call) -> None:
        try:
            self.go_on(call)
        except BaseException as error:
            self.errors.append(error)

    def go_on(self, call: Call) -> bool:
        """Let a call go on, and return whether it could."""
        event, error = outcome(lambda: call.execution.send(call.answer))
        if error is None:
            self.stops += 1
            call.answer = 3 * event.args[0] if event.kind == "call" else None
        elif is_refusal(error):
            return False
        else:
            self.ended(call, error, StopIteration)
        return True

    def throw(self, call: Call) -> None:
        thrown = Stopped()
        _, error = outcome(lambda: call.execution.throw(thrown))
        assert error is not None, "nothing catches it"
        if not is_refusal(error):
            self.ended(call, error, Stopped)

    def ended(self, call: Call, error: BaseException, usual: type[BaseException]) -> None:
        """Check how an execution failed; `usual`: the exception's class unless it is doomed."""
        if isinstance(error, (ClosedError, Trap)):
            assert call.endangered, error
            assert getattr(error, "code", TrapCode.INTERRUPTED) is TrapCode.INTERRUPTED
        else:
            assert isinstance(error, usual), error
            assert not call.doomed or isinstance(error, Stopped)
        if isinstance(error, StopIteration):
            assert error.value == call.result
            self.finished += 1
        assert call.execution.state == "done"
        self.calls.remove(call)

    def plain(self, chain: list[Instance]) -> None:
        result, error = outcome(lambda: self.pick.choice(chain).exports.plus(41))
        assert result == 42 if error is None else is_refusal(error), error

    def stop(self, chain: list[Instance], *, close: bool) -> None:
        instance = self.pick.choice(chain)
        if close:
            instance.close()
        else:
            instance.interrupt()
        for call in self.calls:
            state = call.execution.state
            if instance in call.instances and (close or state == "suspended"):
                call.doomed |= instance is call.chain[call.depth]
                call.endangered = True

    def fork(self) -> None:
        child = os.fork()
        if not child:
            try:
                for _ in range(15):
                    self.step(forks=False)
                self.end()
            except BaseException as error:
                os.write(2, f"in the child: {error!r}\n".encode())
                os._exit(1)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0

    def end(self) -> None:
        """Run all executions to their end, the last one first."""
        refused: set[Call] = set()  # since another one has ended
        for _ in range(10**6):
            if not self.calls:
                break
            before, all_tried = (self.stops, len(self.calls)), not refused
            for call in reversed(self.calls):
                if call not in refused and not self.go_on(call):
                    refused.add(call)
            if before == (self.stops, len(self.calls)):
                assert not all_tried, "nothing goes on any more"
                refused.clear()
            elif len(self.calls) < before[1]:
                refused.clear()
        for chain in self.chains:
            assert [inst.exports.plus(1) for inst in chain] == [2] * LENGTH


@pytest.fixture(scope="module")
def module(wat):
    return Module(Store(), TEXT)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("seed", range(4))
def test_random_steps(module, seed, times):
    world = World(module, seed)
    for _ in range(times(300)):
        world.step()
    world.end()
    assert world.finished > 10
    assert world.stops > 100
