"""What each compiler makes of our C: src/native/compiler.h, and the names that it defines."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import iwasm


def test_names_of_the_header_are_none_of_wamrs(root: Path) -> None:
    """WAMR's files include the header. A compiler would not warn of a macro that both define."""
    header = (root / "src/native/compiler.h").read_text(encoding="utf-8")
    define = r"^[ \t]*#[ \t]*define[ \t]+(\w+)"
    names = set(re.findall(define, header, re.MULTILINE))
    assert {"LIKELY", "ATOMIC_LOAD", "THREAD_LOCAL"} <= names
    core = iwasm.sources.resolve(root, iwasm.layout(root).build).path / "core"
    files = [*(core / "iwasm").rglob("*.[ch]"), *(core / "shared").rglob("*.[ch]")]
    assert len(files) > 100
    taken = {
        f"{path.relative_to(core)} defines {name}: rename ours"
        for path in files
        for name in re.findall(define, path.read_text("utf-8", "replace"), re.MULTILINE)
        if name in names
    }
    assert not taken, "\n" + "\n".join(sorted(taken))


@pytest.mark.skipif(not shutil.which("cc"), reason="preprocesses C")
@pytest.mark.parametrize(
    ("option", "clock"), [("-D__APPLE__", "CLOCK_UPTIME_RAW"), ("-U__APPLE__", "CLOCK_MONOTONIC")]
)
def test_the_clock_of_our_c_is_pythons(root: Path, option: str, clock: str) -> None:
    """On macOS, CLOCK_MONOTONIC goes on while the machine sleeps, and time.monotonic() doesn't."""
    text = (root / "src/native/core/thread.c").read_text(encoding="utf-8")
    (definition,) = re.findall(r"^#if defined\(__APPLE__\)\n.*?^#endif\n", text, re.M | re.DOTALL)
    assert "clock_gettime(PYTHON_CLOCK, &now)" in text
    command = ["cc", "-E", "-P", "-x", "c", option, "-"]
    source = f"{definition}PYTHON_CLOCK\n"
    done = subprocess.run(command, input=source, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [clock]
    if sys.platform == "darwin":
        assert "mach_absolute_time" in time.get_clock_info("monotonic").implementation
