"""Random steps of sessions and programs, compared with a model: a count for each of them."""

from __future__ import annotations

import gc
import random
import threading
from subprocess import PIPE, TimeoutExpired
from typing import Any

import pytest
from fed_programs import fed, session
from wasm_fixtures import descriptors

import wamr

pytestmark = [pytest.mark.usefixtures("wat"), pytest.mark.slow]


class Live:
    """A session, its count, and the output that no call has returned yet."""

    def __init__(self, session: wamr.Session, count: int = 0, due: bytes = b"ready\n") -> None:
        self.session = session
        self.count = count
        self.due = due

    def feed(self, data: bytes) -> None:
        got = self.session.feed(data)
        if data == b"n":
            self.count = self.count + 1
            self.due += bytes([48 + self.count])
        elif data:
            self.due += data[1:]
        assert got == self.due
        self.due = b""

    def sleep(self, timeout: float) -> None:
        """Let the program begin to sleep; the next feed waits until the program wakes."""
        self.due += b"."
        try:
            got = self.session.feed(b"s", timeout=timeout)
            timed_out = False
        except TimeoutExpired as error:
            got, timed_out = error.stdout or b"", True
        assert self.due.startswith(got)
        if not timed_out:  # this process was suspended for longer than the program sleeps
            assert got == self.due
            self.due = b""
        # The timeout came before the sleep; the input may be unread.
        elif self.session.waiting != "sleep":
            self.feed(b"")


class World:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.live: list[Live] = []
        self.programs: list[tuple[wamr.Program, int, bytes]] = []

    def pick(self) -> Live:
        if not self.live:
            self.new()
        return self.random.choice(self.live)

    # ---- steps
    def new(self) -> None:
        self.live.append(Live(session()))

    def count(self) -> None:
        self.pick().feed(b"n")

    def say(self) -> None:
        self.pick().feed(b"eword")

    def nothing(self) -> None:
        self.pick().feed(b"")

    def sleep(self) -> None:
        live = self.pick()
        if live.session.waiting != "sleep":
            live.sleep(self.random.choice((0, 0.01)))

    def copy(self) -> None:
        live = self.pick()
        program = wamr.Program.from_session(live.session)
        # output that the session has written and not returned is not written again
        written = live.session._transcript.bytes_of("stdout") or b""
        due = live.due[len(written) :]
        self.programs.append((program, live.count, due))

    def go_on(self) -> None:
        if self.programs and len(self.live) < 40:
            program, count, due = self.random.choice(self.programs)
            self.live.append(Live(program.session(stderr=PIPE), count, due))

    def run(self) -> None:
        if self.programs:
            program, count, due = self.random.choice(self.programs)
            done = program.run(input=b"n", stdout=PIPE)
            assert done.stdout == due + bytes([49 + count]) + b"bye\n"

    def close(self) -> None:
        live = self.pick()
        live.session.close()
        self.live.remove(live)

    def drop(self) -> None:
        self.live.remove(self.pick())

    def end(self) -> None:
        live = self.pick()
        self.live.remove(live)
        done = live.session.end()
        assert (done.returncode, done.stdout) == (0, live.due + b"bye\n")

    def trap(self) -> None:
        live = self.pick()
        if live.session.waiting == "stdin":
            self.live.remove(live)
            with pytest.raises(wamr.Trap, match="unreachable"):
                live.session.feed(b"t")

    def loop(self) -> None:
        live = self.pick()
        if live.session.waiting == "stdin":
            self.live.remove(live)
            with pytest.raises(TimeoutExpired):
                live.session.feed(b"l", timeout=0.001)

    def forget(self) -> None:
        if self.programs:
            program = self.programs.pop(self.random.randrange(len(self.programs)))[0]
            if self.random.random() < 0.5:
                program.close()

    def collect(self) -> None:
        gc.collect()

    def step(self) -> None:
        steps: dict[Any, int] = {
            self.new: 4, self.count: 12, self.say: 6, self.nothing: 3, self.sleep: 3, self.copy: 4,
            self.go_on: 6, self.run: 6, self.close: 2, self.drop: 2, self.end: 2, self.trap: 1,
            self.loop: 1, self.forget: 3, self.collect: 1,
        }  # fmt: skip
        self.random.choices([*steps], [*steps.values()])[0]()


@pytest.mark.parametrize("seed", range(6))
def test_random_steps(seed):
    world = World(seed)
    for _ in range(300):
        world.step()


def test_random_steps_in_threads_leave_nothing():
    def work(seed: int) -> None:
        try:
            world = World(seed)
            for _ in range(120):
                world.step()
        except BaseException as error:
            failed.append(error)

    failed: list[BaseException] = []
    wamr.Program([fed()]).session().feed(b"")
    gc.collect()
    before = descriptors()
    threads = [threading.Thread(target=work, args=(100 + i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    gc.collect()
    assert descriptors() == before
