"""Programs of many threads that use our C without Python, under ThreadSanitizer.

The programs are in tests/support: threads.c, throwing_threads.c (exceptions), suspending_threads.c
(executions) and copying_threads.c (snapshots). locks.c takes locks in wrong orders, which the
assertions of the order must refuse.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import iwasm

pytestmark = [
    pytest.mark.packaging,
    pytest.mark.much_address_space,  # ThreadSanitizer reserves it
    pytest.mark.skipif(bool(iwasm.missing_tools()), reason="needs cmake and ninja"),
    pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler"),
]

BASE = """(module
    (import "m" "host" (func $host (param i32) (result i32)))
    (import "m" "g" (global $g (mut i32)))
    (memory (export "memory") 1 50) (table (export "t") 4 200 funcref)
    (global (export "own") (mut i32) (i32.const 0))
    (func (export "go") (param i32) (result i32)
        (global.set $g (i32.add (global.get $g) (i32.const 1)))
        (i32.store (i32.const 8) (global.get $g))
        (call $host (local.get 0))))"""
USER = """(module
    (import "a" "f" (func $f (param i32) (result i32)))
    (import "b" "f" (func $g (param i32) (result i32)))
    (func (export "sum") (param i32) (result i32)
        (i32.add (call $f (local.get 0)) (call $g (local.get 0)))))"""
THROWER = """(module
    (import "m" "host" (func $host (param i32) (result i32)))
    (tag $t (export "t") (param i32)) (tag $pair (param exnref i32))
    (table (export "kept") 4 4 exnref) (global $g (export "g") (mut exnref) (ref.null exn))
    (func $throw (export "throw") (param i32) (throw $t (local.get 0)))
    (func $make (export "make") (param i32) (result exnref)
        (block $c (result exnref)
            (try_table (catch_all_ref $c) (call $throw (local.get 0))) (unreachable)))
    (func (export "raise") (param i32) (result i32) (call $host (local.get 0)))
    (func (export "catch_host") (param i32) (result i32)
        (block $c (result exnref)
            (try_table (catch_all_ref $c) (drop (call $host (local.get 0))))
            (return (i32.const 0)))
        (global.set $g) (i32.const 1))
    (func (export "collect") (param $n i32) (result i32) (local $sum i32) (local $e exnref)
        (loop $again
            (local.set $e (call $make (local.get $n)))
            (block $c (result exnref i32)
                (try_table (catch $pair $c) (throw $pair (local.get $e) (local.get $n)))
                (unreachable))
            (local.set $sum (i32.add (local.get $sum)))
            (local.set $e)
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum)))"""
CATCHER = """(module
    (import "b" "throw" (func $throw (param i32))) (import "a" "t" (tag $t (param i32)))
    (func (export "catch") (param i32) (result i32)
        (block $other
            (return (block $c (result i32)
                (try_table (catch $t $c) (catch_all $other) (call $throw (local.get 0)))
                (unreachable))))
        (i32.const 1)))"""

SUSPENDER = """(module
    (import "m" "host" (func $host (param i32) (result i32)))
    (memory 1)
    (func (export "go") (param i32) (result i32) (local $n i32)
        (local.set $n (i32.const 100))
        (loop $l
            (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))
            (memory.fill (i32.const 64) (local.get $n) (i32.const 640))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (call $host (local.get 0))))"""
LINKED = """(module
    (import "a" "go" (func $f (param i32) (result i32)))
    (import "m" "host" (func $host (param i32) (result i32)))
    (func (export "go") (param i32) (result i32)
        (i32.add (call $f (local.get 0)) (call $host (i32.add (local.get 0) (i32.const 1))))))"""

COPIED = """(module
    (import "m" "host" (func $host (param i32) (result i32)))
    (memory 1 4) (table (export "t") 2 funcref) (elem (i32.const 0) $go)
    (global $g (export "g") (mut i32) (i32.const 1)) (global $f (mut funcref) (ref.func $go))
    (func $go (param i32) (result i32)
        (i32.add (global.get $g) (call $host (local.get 0))))
    (func $read (param i32) (result i32) (i32.load (local.get 0)))
    (func $write (param i32) (result i32)
        (i32.store (i32.const 0) (local.get 0)) (i32.store (i32.const 40000) (local.get 0))
        (i32.const 0))
    (export "memory" (memory 0)))"""

# wpy_memory_size reads the number of pages without the lock under which WAMR grows a memory.
SUPPRESSIONS = "race:wasm_enlarge_memory_internal\n"

Build = Callable[..., Path]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    root = Path(__file__).resolve().parents[2]
    folder = tmp_path_factory.mktemp("threads")
    empty = folder / "empty.c"
    empty.write_text("int main(void) { return 0; }\n")
    flags = ["-g", "-O1", "-fsanitize=thread", "-Wall", "-Wextra"]
    if subprocess.run(["cc", *flags, empty, "-o", folder / "empty"], check=False).returncode:
        pytest.skip("the compiler has no ThreadSanitizer")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WAMR_SANITIZE", "thread")
        place = iwasm.layout(root)
        built = iwasm.build(root, None, place.c_files)

    def compiled(name: str, *more: str, source: str = "threads.c") -> Path:
        program = folder / name
        words = [*flags, *more, f"-I{place.native}", root / "tests" / "support" / source]
        libraries = [*built.libraries, *(f"-l{name}" for name in built.system_libraries)]
        subprocess.run(["cc", *words, *libraries, "-o", program], check=True)
        return program

    return compiled


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, wat: Callable[[str], bytes]
) -> Callable[..., str]:
    folder = tmp_path_factory.mktemp("modules")
    (folder / "suppressions").write_text(SUPPRESSIONS)
    stress = float(os.environ.get("WAMR_STRESS", "1"))

    def finished(program: Path, *texts: str, rounds: int = 200) -> str:
        modules = [folder / f"{number}.wasm" for number in range(len(texts))]
        for module, text in zip(modules, texts, strict=True):
            module.write_bytes(wat(text))
        done = subprocess.run(
            [program, *modules, str(int(rounds * stress))],
            env={"TSAN_OPTIONS": f"history_size=7 suppressions={folder / 'suppressions'}"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert "line " not in done.stderr.partition("WARNING")[0], done.stderr
        return done.stdout + done.stderr

    return finished


def test_threads_in_our_c_do_not_race(build: Build, run: Callable[..., str]) -> None:
    assert run(build("threads"), BASE, USER) == "done\n"


def test_threads_that_throw_do_not_race(build: Build, run: Callable[..., str]) -> None:
    program = build("throwing", source="throwing_threads.c")
    assert run(program, THROWER, CATCHER, rounds=60) == "done\n"


def test_threads_that_suspend_do_not_race(build: Build, run: Callable[..., str]) -> None:
    program = build("suspending", source="suspending_threads.c")
    assert run(program, SUSPENDER, LINKED, rounds=4000) == "done\n"


def test_threads_that_copy_instances_do_not_race(build: Build, run: Callable[..., str]) -> None:
    program = build("copying", source="copying_threads.c")
    assert run(program, COPIED, rounds=100) == "done\n"


def test_one_that_does_is_seen(build: Build, run: Callable[..., str]) -> None:
    assert "ThreadSanitizer: data race" in run(build("racing", "-DRACE"), BASE, USER)


@pytest.mark.parametrize(
    ("what", "condition"),
    [
        ("in-order", None),
        ("registry-twice", "wpy_self.locks < "),
        ("group-after-registry", "wpy_self.locks == 0"),
        ("registry-not-taken", "wpy_self.locks & "),
        ("group-not-entered", "->owner"),
    ],
)
def test_locks_are_taken_in_order_and_by_who_needs_them(
    build: Build, what: str, condition: str | None
) -> None:
    program = build("locks", source="locks.c")
    done = subprocess.run([program, what], capture_output=True, text=True, check=False)
    if condition is None:
        assert (done.returncode, done.stderr) == (0, "")
    else:
        assert done.returncode == -signal.SIGABRT
        assert "assertion failed: " in done.stderr
        assert condition in done.stderr
        assert "(see lock_order.h)" in done.stderr


def test_a_thread_that_waits_gets_the_lock_before_one_that_gives_it_back(build: Build) -> None:
    program = build("fair", source="locks.c")
    done = subprocess.run([program, "fair"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) <= 20  # of 50 times; more than 0 where it was about to look again
