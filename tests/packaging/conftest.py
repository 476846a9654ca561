"""What the tests of the build share: its modules on the path, and one sdist and wheel for all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from bounds import COMPILING

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "cmake"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test here the time to build."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.seconds(COMPILING))


@pytest.fixture
def root() -> Path:
    return ROOT


@pytest.fixture(autouse=True)
def _no_switches(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WAMR_")]:
        monkeypatch.delenv(name)


def _run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command that must succeed; a failure shows its output."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
    return done


@pytest.fixture
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    return _run


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    # without isolation, which takes longer than the rest; the fixture `wheel` builds in isolation
    _run(sys.executable, "-m", "build", "--sdist", "-nx", "--outdir", folder, ROOT)
    (archive,) = folder.iterdir()
    return archive


def _as_a_user(own: Path) -> tuple[list[str], dict[str, str]]:
    """Return a command that runs another one as a user who isn't root, and its variables.

    The user can write to `own` and nowhere else but in /tmp, and can read all files, since the
    interpreter may be in a folder of root. access(2) doesn't know of that right, so CMake needs an
    `own` that the user reaches without it. Both are empty where this user is not root.
    """
    nobody = 65534
    if os.name == "nt" or os.geteuid() != 0 or not shutil.which("setpriv"):
        return [], {}
    os.chown(own, nobody, nobody)
    reads = ["--inh-caps=-all,+dac_read_search", "--bounding-set=-all,+dac_read_search"]
    command = ["setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups", *reads]
    # The cache of root's compiler is read.
    variables = {"TMPDIR": str(own), "CCACHE_READONLY": "1", "CCACHE_TEMPDIR": str(own)}
    return [*command, "--ambient-caps=-all,+dac_read_search"], variables


@pytest.fixture(scope="session")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the sdist under difficult conditions.

    git and cargo are stand-ins that only record that they were called. The path is long and has
    spaces and letters beyond ASCII, the files are read-only, and the umask is strict. The user is
    not root, for whom no file is read-only.
    """
    traces = tmp_path_factory.mktemp("bin")
    traces.chmod(0o777)  # another user writes there
    for tool in ("git", "cargo"):
        stand_in = traces / tool
        stand_in.write_text(f'#!/bin/sh\necho "$0 $*" >> {traces}/called\nexit 1\n')
        stand_in.chmod(0o755)
    place = tmp_path_factory.mktemp("place") / "an awkward place, é 中" / ("long " * 20 + "path")
    if os.name != "nt":  # which limits paths to 260 characters
        place = place / ("longer " * 20 + "path")
    with tarfile.open(sdist) as archive:
        archive.extractall(place, filter="data")
    (source,) = place.iterdir()
    for path in [source, *source.rglob("*")]:
        path.chmod(path.stat().st_mode & 0o555)
    own = Path(tempfile.mkdtemp(prefix="an awkward place, é 中 "))
    as_user, variables = _as_a_user(own)
    environment = os.environ | {"PATH": f"{traces}{os.pathsep}{os.environ['PATH']}"} | variables
    before = os.umask(0o077)
    try:
        _run(
            *(*as_user, sys.executable, "-m", "pip", "wheel", "--no-deps"),
            *("--wheel-dir", own / "wheels", source),
            env=environment,
        )
    finally:
        os.umask(before)
        for path in [source, *source.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o200)
    assert not (traces / "called").exists(), (traces / "called").read_text()
    (archive_,) = (own / "wheels").iterdir()
    kept = shutil.move(archive_, tmp_path_factory.mktemp("wheel"))
    shutil.rmtree(own)
    return Path(kept)
