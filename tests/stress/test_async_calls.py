"""Awaited calls of loops in several threads, with all that may happen to them."""

from __future__ import annotations

import asyncio
import random
import threading
from typing import Any

import pytest
from async_hosts import LINKED, MODULE, no_warnings

import wamr
from wamr import Instance, Module, Store

pytestmark = pytest.mark.usefixtures("wat")

# The errors of a call whose instance other threads close, interrupt or link meanwhile.
EXPECTED = (KeyError, wamr.ClosedError, wamr.Trap, RuntimeError)


class World:
    """Instances that threads share, two of them linked; closed ones are replaced."""

    def __init__(self) -> None:
        self.store = Store()
        self.module, self.linked = Module(self.store, MODULE), Module(self.store, LINKED)
        self.instances = [self.new() for _ in range(3)]
        self.instances.append(
            Instance(
                self.store,
                self.linked,
                {"env": {"fetch": self.fetch}, "lib": self.instances[0].exports},
            )
        )

    def new(self) -> Instance:
        return Instance(self.store, self.module, {"env": {"fetch": self.fetch}})

    async def fetch(self, number: int) -> int:
        if number % 3:
            await asyncio.sleep(number % 7 / 5000)
        if number > 90 and number % 2:
            inst = self.instances[number % 3]
            # a call in another group may wait for a call that waits for this one
            number = await inst.exports.run.call_async(number // 2, timeout=0.05, slice=0.001)
        if number % 11 == 10:
            raise KeyError(number)
        return number


async def use(world: World, rng: random.Random) -> None:
    tasks: list[asyncio.Task[Any]] = []
    for step in range(150):
        index = rng.randrange(4)
        inst = world.instances[index]
        choice = rng.random()
        mode: dict[str, Any] = rng.choice([{}, {"slice": 0.001}, {"slice": 0}])
        if rng.random() < 0.2:
            mode["timeout"] = rng.random() / 50
        try:
            if choice < 0.7:
                func = (
                    inst.exports.run
                    if index == 3
                    else rng.choice([inst.exports.run, inst.exports.twice, inst.exports.tail])
                )
                tasks.append(asyncio.create_task(func.call_async(step, **mode)))
            elif choice < 0.8 and tasks:
                rng.choice(tasks).cancel()
            elif choice < 0.84:
                inst.interrupt()
            elif choice < 0.87 and index in (1, 2):
                world.instances[index] = world.new()
                inst.close()
            elif choice < 0.93 and index < 3:
                inst.exports.plus(1)
            else:
                execution = inst.exports.run.execution(step)
                next(execution)
                execution.close()
        except EXPECTED:
            pass
        if rng.random() < 0.4:
            await asyncio.sleep(rng.random() / 1000)
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            error = task.exception()
            assert error is None or isinstance(error, EXPECTED), error


@pytest.mark.parametrize("seed", range(4))
def test_anything_in_any_order_in_several_threads(seed: int) -> None:
    world = World()
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            asyncio.run(asyncio.wait_for(use(world, random.Random(10 * seed + number)), 100))
        except BaseException as error:
            failed.append(error)

    with no_warnings():
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []
    for inst in world.instances[:3]:
        assert inst.exports.plus(1) == 2
        assert asyncio.run(inst.exports.plus.call_async(1)) == 2
