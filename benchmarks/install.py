"""How long `pip install .` takes in a fresh environment, by parts; only with --install.

The checkout is copied without build results, so that the whole build is measured. pip's cache of
downloads is used, and ccache where it is installed. pip prints verbosely, and the time of each line
tells which part of the build was running.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from .lines import US, Goal, Line, Samples
from .timing import Pace, Sample

ROOT = Path(__file__).parent.parent
LEFT_OUT = shutil.ignore_patterns(
    "build", "dist", ".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "*.so", "*.egg-info"
)

# The first line of output of each part, in order; a part may be missing.
PARTS = {
    "requirements": r"Installing build dependencies",
    "metadata": r"Getting requirements to build wheel",
    "sources": r"Building wheel for wamr",
    "wamr": r"running build_ext|generating cffi module",
    "extension": r"building 'wamr\._wamr' extension",
    "link": r" -shared .*_wamr",
    "wheel": r"installing to .*wheel",
    "install": r"Installing collected packages:.* wamr",
}


def _stamped(command: list[str], cwd: Path) -> Iterator[tuple[float, str]]:
    """Yield each line that a command prints, with its time; raise CalledProcessError."""
    process = subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout
    tail: list[str] = []
    for line in process.stdout:
        tail = [*tail[-40:], line]
        yield time.perf_counter(), line
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, command, "".join(tail))


@cache
def _installed() -> dict[str, float]:
    """Install once; return the seconds of each part and of `wall`, and the bytes of the wheel."""
    with TemporaryDirectory() as folder:
        place = Path(folder, "wamr")
        shutil.copytree(ROOT, place, ignore=LEFT_OUT, symlinks=True)
        subprocess.run([sys.executable, "-m", "venv", f"{folder}/venv"], check=True)
        python = str(next(Path(folder, "venv").glob("[bS]*/python*")))
        parts = dict.fromkeys(PARTS, 0.0)
        part, since = "requirements", time.perf_counter()
        start = since
        for now, line in _stamped([python, "-m", "pip", "install", "-v", "."], place):
            later = list(PARTS)[list(PARTS).index(part) + 1 :]
            begun = next((p for p in later if re.search(PARTS[p], line)), None)
            if begun:
                parts[part] += now - since
                part, since = begun, now
            elif match := re.search(r"size=(\d+) ", line):
                parts["bytes"] = float(match[1])
        end = time.perf_counter()
        parts[part] += end - since
        return {"wall": end - start, **parts}


def _figure(name: str, pace: Pace) -> Samples:
    value = _installed().get(name)
    return {US: Sample.one(value)} if value else {}


def _line(name: str, title: str) -> Line:
    return Line(f"install.{name}", title, lambda pace: _figure(name, pace), slow=True)


LINES = (
    _line("wall", "pip install . in a fresh venv"),
    _line("requirements", "- get what the build needs"),
    _line("metadata", "- ask setuptools for metadata"),
    _line("sources", "- find and prove WAMR, patch a copy"),
    _line("wamr", "- compile WAMR and our C"),
    _line("extension", "- compile what cffi made"),
    _line("link", "- link"),
    _line("wheel", "- pack the wheel"),
    _line("install", "- install it and cffi"),
    replace(_line("bytes", "the wheel"), unit="B", goal=Goal(1e6)),
)
