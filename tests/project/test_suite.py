"""The pytest plugins of support/: a test that hangs fails alone, and processes share the tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import distribution
import pytest
from bounds import SANITIZED
from time_units import UNITS, in_units

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]
SUPPORT = TESTS / "support"
HANGS = """
import pytest, wamr
TEXT = '(module (func (export "f") (loop (br 0))))'
def test_before(): pass
def test_hangs(): wamr.load(TEXT).exports.f()
@pytest.mark.seconds(200)
def test_has_longer():
    import time; time.sleep(3)
def test_compiles():
    import bounds, signal, time
    left = signal.getitimer(signal.ITIMER_REAL)[0]
    with bounds.time_to_compile(): time.sleep(3)
    assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= left <= 2
@pytest.mark.parametrize("value", [object(), object(), *{"a", "b", "c"}], ids=repr)
def test_after(value): pass
"""
posix = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the signals of POSIX")


def run(folder: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text('pytest_plugins = ["bounds", "distribution"]')
    (folder / "test_it.py").write_text(text)
    path = os.pathsep.join([str(SUPPORT), *filter(None, sys.path)])
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, "test_it.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@posix
@pytest.mark.usefixtures("wat")
def test_one_that_hangs_fails_alone_and_is_not_tried_again(tmp_path: Path) -> None:
    done = run(tmp_path, HANGS, "-n2", "--seconds=2")
    assert "1 failed, 8 passed" in done.stdout, done.stdout
    assert "FAILED test_it.py::test_hangs" in done.stdout
    assert done.stderr.count("in test_hangs") == 1  # where it hung


@posix
@pytest.mark.usefixtures("wat")
def test_without_other_processes_it_ends_the_only_one(tmp_path: Path) -> None:
    done = run(tmp_path, HANGS, "-n0", "--seconds=2")
    assert done.returncode == -signal.SIGALRM
    assert "in test_hangs" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="sets RLIMIT_AS")
@pytest.mark.skipif(SANITIZED, reason="it reserves a lot")
def test_a_test_has_an_end_of_its_addresses(tmp_path: Path) -> None:
    text = """
import mmap, pytest
def reserve(size): mmap.mmap(-1, size, prot=mmap.PROT_READ, flags=0x4022)  # MAP_NORESERVE is one
def test_much(): reserve(1 << 42)
def test_less(): reserve(1 << 38)
@pytest.mark.much_address_space
def test_may(): reserve(1 << 42)
"""
    done = run(tmp_path, text, "-n0")
    assert "1 failed, 2 passed" in done.stdout, done.stdout
    assert "FAILED test_it.py::test_much - OSError" in done.stdout


def test_names_are_the_same_in_each_process() -> None:
    one, two = "f.py::t[<object at 0x7f01>]", "f.py::t[<object at 0x7f02>]"
    assert distribution.plain([one, two]) == ["f.py::t[<object>]", "f.py::t[<object>] 2"]
    assert distribution.plain(["f.py::t[0x7f]", "f.py::t"]) == ["f.py::t[0x7f]", "f.py::t"]


def test_shares_are_files_that_are_there() -> None:
    files = [f"tests/{path.relative_to(TESTS).as_posix()}" for path in TESTS.rglob("test_*.py")]
    for name in (*distribution.TOGETHER, *distribution.PARTS):
        assert any(file.startswith(f"tests/{name}") for file in files), name
    known = {distribution.share(f"{file}::t") for file in files}
    parts = {
        f"{file} {part}" for file, parts in distribution.PARTS.items() for part in range(parts)
    }
    folders = {f"{path.name}/" for path in TESTS.iterdir() if path.is_dir()}
    assert set(distribution.FIRST) <= known | parts | folders


def test_shares_begin_in_order_and_all_others_follow() -> None:
    names = ["packaging", "patches/test_a.py", "perf", "perf/test_a.py", "unit/test_a.py"]
    places = [distribution.place(name) for name in names]
    assert places == sorted(places)
    assert len(set(places)) == 4
    assert places[3:] == [len(distribution.FIRST)] * 2


@pytest.mark.skipif(not hasattr(signal, "SIGINT") or os.name == "nt", reason="POSIX only")
def test_it_may_run_where_interrupts_are_ignored(tmp_path):
    """A shell ignores SIGINT in background jobs."""
    test = "import signal\ndef test_it():\n    assert signal.getsignal(2) is not signal.SIG_IGN\n"
    (tmp_path / "test_it.py").write_text(test)
    conftest = TESTS / "conftest.py"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "conftest"]
    done = subprocess.run(
        [*command, "--rootdir", tmp_path, "-c", os.devnull, tmp_path],
        env=os.environ
        | {"PYTHONPATH": f"{conftest.parent}{os.pathsep}{conftest.parent / 'support'}"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_test_of_times_is_repeated_with_longer_ones_and_fails_with_the_longest() -> None:
    tried: list[float] = []

    @in_units
    def fails_below(least: float, unit: float) -> None:
        tried.append(unit)
        with pytest.raises(ValueError, match="too short") as caught:
            raise ValueError("too short" if unit >= least else "another")
        assert caught

    fails_below(least=0)
    assert tried == [UNITS[0]]
    tried.clear()
    fails_below(least=UNITS[-1])
    assert tried == [*UNITS]
    with pytest.raises(AssertionError):
        fails_below(least=100)
