"""Program.run_async, and programs in many threads, forks and numbers."""

from __future__ import annotations

import asyncio
import gc
import os
from subprocess import DEVNULL, PIPE, TimeoutExpired

import pytest
from fed_programs import fed
from wasm_fixtures import descriptors, in_process

import wamr

pytestmark = pytest.mark.usefixtures("wat")

SLICES = pytest.mark.parametrize("slice_", [None, 0.002], ids=["executor", "loop"])


@pytest.fixture
def program():
    with wamr.Program([fed()]) as program:
        yield program


@SLICES
def test_the_result_is_that_of_run(program, slice_):
    options = {"input": "2éx", "capture_output": True, "text": True}
    done = asyncio.run(program.run_async(**options, slice=slice_))
    assert vars(done) == vars(program.run(**options))


@SLICES
def test_many_at_once(program, slice_):
    async def main():
        runs = [
            program.run_async(input=b"s" if i % 2 else b"e%d" % i, stdout=PIPE, slice=slice_)
            for i in range(100)
        ]
        return await asyncio.gather(*runs)

    outputs = [done.stdout for done in asyncio.run(main())]
    assert outputs == [b"ready\n%bbye\n" % (b"." if i % 2 else b"%d" % i) for i in range(100)]


@SLICES
@pytest.mark.parametrize("command", [b"l", b"S"])
def test_timeouts_and_cancelling(program, command, slice_):
    async def main():
        with pytest.raises(TimeoutExpired):
            await program.run_async(input=command, stdout=DEVNULL, timeout=0.05, slice=slice_)
        task = asyncio.create_task(program.run_async(input=command, stdout=DEVNULL, slice=slice_))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_wrong_arguments(program):
    with pytest.raises(TypeError, match="takes no env"):
        asyncio.run(program.run_async(env={}))
    with pytest.raises(ValueError, match="slice must not be negative"):
        asyncio.run(program.run_async(input=b"", slice=-1))
    program.close()
    with pytest.raises(wamr.ClosedError):
        asyncio.run(program.run_async(input=b""))


def test_a_session_of_a_program(program):
    async def main():
        async with program.session() as session:
            assert await session.feed_async(b"n") == b"ready\n1"
            assert (await session.end_async()).stdout == b"bye\n"

    asyncio.run(main())


def test_a_hook_runs_in_the_executor():
    ran = []
    with wamr.Program([fed()], on_restore=lambda inst: ran.append(inst.exports.count.value)) as p:
        done = asyncio.run(p.run_async(input=b"n", stdout=PIPE))
    assert (done.stdout, ran) == (b"ready\n1bye\n", [0])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_program_after_a_fork():
    in_process(
        """
        from fed_programs import fed
        program = wamr.Program([fed()])
        session = program.session()
        session.feed(b"n")
        pid = os.fork()
        for _ in range(20):
            done = program.run(input=b"n", stdout=-1)
            assert done.stdout == b"ready\\n1bye\\n", done
        assert session.feed(b"n") == b"2"
        session.close()
        program.close()
        if pid:
            assert os.waitpid(pid, 0)[1] == 0
        """
    )


@pytest.mark.slow
def test_thousands_of_runs_do_not_grow():
    in_process(
        """
        import gc
        from fed_programs import fed

        def pages():
            return int(open("/proc/self/statm").read().split()[1])

        def mappings():
            return len(open("/proc/self/maps").readlines())

        def many(count):
            for i in range(count):
                assert program.run(input=b"n", stdout=-1).stdout == b"ready\\n1bye\\n"
                if i % 4 == 0:
                    with program.session() as session:
                        session.feed(b"n")
            gc.collect()

        program = wamr.Program([fed()])
        many(1000)
        before = pages(), descriptors(), mappings()
        many(2000)
        assert descriptors() == before[1]
        assert mappings() - before[2] < 5
        assert pages() - before[0] < 250  # 512 bytes of each
        """
    )


def test_dropped_programs_leave_nothing():
    def once():
        for _ in range(10):
            wamr.Program([fed()]).run(input=b"n", stdout=PIPE)
            wamr.Program([fed()]).session().feed(b"n")
        gc.collect()

    once()
    before = descriptors()
    once()
    assert descriptors() == before
