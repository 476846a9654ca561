"""Machines that several runs use in turn, and that are reset between two runs."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from platforms import needs_fork
from sandboxes import javascript, kept_machines, python

import wamr
from wamr.sandbox import JavaScript, Python, RunLimits
from wamr.sandbox._machine_pool import _MOST_KEPT

LANGUAGES = ["javascript", "python"]


@pytest.fixture(params=LANGUAGES)
def sandbox(request):
    """A sandbox of this test's own, without machines yet."""
    if request.param == "python":
        return Python(python()._interpreter.module)
    return JavaScript(javascript()._interpreter.module)


def only_kept(sandbox):
    (machine,) = kept_machines(sandbox)
    return machine


def memory_of(instance):
    return instance.exports.memory.read(0, len(instance.exports.memory))


def test_a_machine_is_used_again(sandbox):
    for code in ("1 + 1", "x = 'a' * 1000000", "f(", "undefined_name"):
        sandbox.run(code)
        machine = only_kept(sandbox)
        with sandbox.session() as session:
            session.run("y = 1")
            session.run("y")
            assert session._machine is machine
            assert kept_machines(sandbox) == []
        assert only_kept(sandbox) is machine


def test_a_machine_that_is_used_again_equals_a_new_one(sandbox):
    instance, execution = sandbox._snapshot.instantiate(
        wasi=wamr.WasiConfig(dirs={"/work": {}}), limits=wamr.ResourceLimits(stack_bytes=16 << 20)
    )
    new = memory_of(instance)
    execution.close()
    instance.close()
    first = sandbox.run("x = 1")
    for _ in range(3):
        machine = only_kept(sandbox)
        assert memory_of(machine._instance) == new
        assert sandbox.run("s = 'secret' + 'text'; t = [s, s + s]").ok
        assert only_kept(sandbox) is machine
        assert sandbox.run("x = 1").fuel == first.fuel


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("javascript", "for (;;);"),
        ("python", "while True: pass"),
        ("python", "import os; os._exit(0)"),
        ("python", "open('a', 'w').close()"),
        ("python", "import os; os.mkdir('a'); os.rmdir('a')"),
        ("python", "import os; os.utime('.', ns=(1, 1))"),
        ("python", "import os; os.close(3)"),
        ("python", "import os; os.close(0)"),
        ("python", "f = open('a', 'w'); import os; os.remove('a')"),
    ],
)
def test_a_machine_that_cannot_be_reset_is_closed(language, code):
    module = {"javascript": javascript, "python": python}[language]()._interpreter.module
    sandbox = {"javascript": JavaScript, "python": Python}[language](module)
    sandbox.run(code, limits=RunLimits(fuel=20_000_000))
    assert kept_machines(sandbox) == []
    assert sandbox._snapshot.alive == 0
    assert sandbox.run("40 + 2").value == 42


def test_a_session_that_was_copied_or_saved_is_not_used_again(sandbox, tmp_path):
    for copy in (
        lambda session: session.copy().close(),
        lambda session: session.save(tmp_path / "s"),
    ):
        with sandbox.session() as session:
            session.run("secret = 1")
            copy(session)
        assert kept_machines(sandbox) == []
        assert sandbox.run("secret").exception is not None
        kept_machines(sandbox).clear()
    with sandbox.load_session(tmp_path / "s") as session:
        assert session.run("secret").value == 1
    assert kept_machines(sandbox) == []


def test_other_limits_get_another_machine(sandbox):
    sandbox.run("1")
    machine = only_kept(sandbox)
    for limits in (RunLimits(memory=100 << 20), RunLimits(stack=8 << 20)):
        assert sandbox.run("1", limits=limits).value == 1
        assert only_kept(sandbox) is not machine
        assert only_kept(sandbox)._made_for == (limits.memory, limits.stack)
    machine = only_kept(sandbox)
    sandbox.run("1", limits=RunLimits(stack=8 << 20, time=60, fuel=10**9, output=10))
    assert only_kept(sandbox) is machine


def test_a_late_interruption_does_not_meet_the_next_user(sandbox):
    with sandbox.session() as first:
        first.run("1")
        machine, lease = first._machine, first._lease
    with sandbox.session() as second:
        second.run("1")
        assert second._machine is machine
        machine.interrupt(lease)  # what a late `close` in another thread does
        assert second.run("1 + 1").value == 2
        assert not machine.interrupted
        machine.interrupt(second._lease)
    assert kept_machines(sandbox) == []


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_session_that_is_closed_before_it_has_a_machine_runs_nothing(
    sandbox, monkeypatch, is_kept
):
    take = sandbox._pool.take

    def closed_meanwhile(*args):
        machine = take(*args)
        thread = threading.Thread(target=session.close)
        thread.start()
        thread.join()
        return machine

    if is_kept:
        sandbox.run("1")
    monkeypatch.setattr(sandbox._pool, "take", closed_meanwhile)
    session = sandbox.session()
    with pytest.raises(wamr.ClosedError, match="closed while it ran code"):
        session.run("1 + 1")
    assert kept_machines(sandbox) == []


def test_only_so_many_machines_are_kept(sandbox):
    sessions = [sandbox.session() for _ in range(_MOST_KEPT + 3)]
    for session in sessions:
        session.run("1")
    for session in sessions:
        session.close()
    assert len(kept_machines(sandbox)) == sandbox._snapshot.alive == _MOST_KEPT


def test_threads_never_share_a_machine(sandbox):
    together, used, lock = threading.Barrier(4), set(), threading.Lock()

    def work(number):
        together.wait()
        for turn in range(10):
            with sandbox.session() as session:
                name = f"v{number}_{turn}"
                assert session.run(f"{name} = {number}").ok
                with lock:
                    assert session._machine not in used
                    used.add(session._machine)
                assert session.run(name).value == number
                with lock:
                    used.remove(session._machine)
        return number

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(work, range(4))) == list(range(4))
    assert len(kept_machines(sandbox)) <= 4


@needs_fork
def test_the_child_of_a_fork_makes_machines_of_its_own():
    import os

    sandbox = JavaScript(javascript()._interpreter.module)
    sandbox.run("1")
    machine = only_kept(sandbox)
    child = os.fork()
    if not child:
        try:
            right = sandbox.run("1 + 1").value == 2 and only_kept(sandbox) is not machine
        finally:
            os._exit(0 if right else 1)
    assert os.waitpid(child, 0)[1] == 0
    with sandbox.session(files={"a": b"1"}) as session:
        assert session.run("1").ok
        assert session._machine is machine


@needs_fork
@pytest.mark.parametrize("runs", [False, True])
def test_the_child_of_a_fork_closes_sessions_of_its_parent_without_their_locks(runs):
    import os

    sandbox = JavaScript(javascript()._interpreter.module)
    session = sandbox.session()
    session.run("1")
    locked, done = threading.Event(), threading.Event()

    def hold():
        with session._machine._lock:
            locked.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    locked.wait(60)
    child = os.fork()
    if not child:
        if runs:  # so that `close` has a run to interrupt
            run = threading.Thread(target=session.run, args=("for (;;);",), daemon=True)
            run.start()
            while not session._use:
                time.sleep(0.001)
        closer = threading.Thread(target=session.close, daemon=True)
        closer.start()
        closer.join(100)
        os._exit(0 if not closer.is_alive() and kept_machines(sandbox) == [] else 1)
    try:
        assert os.waitpid(child, 0)[1] == 0
    finally:
        done.set()
        thread.join()
    assert session.run("2").value == 2


def test_machines_that_are_kept_make_room_where_there_are_no_descriptors():
    javascript()  # skips without the package
    pytest.importorskip("resource")
    code = """
import os, resource
from wamr.sandbox import JavaScript
first, second = JavaScript(), JavaScript()
sessions = [first.session() for _ in range(5)]
for session in sessions:
    session.run("1")
for session in sessions:
    session.close()
assert len(first._pool._kept) == 5
free = os.dup(0)
os.close(free)
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
assert second.run("1 + 1").value == 2
assert first._pool._kept == []
held = [second.session()]
try:
    for _ in range(100):
        held[-1].run("1")
        held.append(second.session())
except OSError as error:
    print(error.strerror)
for session in held:
    session.close()
assert second.run("40 + 2").value == 42
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Too many open files\n"
