"""A Python prompt that survives a restart: its session is a snapshot on disk.

`python samples/saved_session.py FILE` is the prompt; it goes on where it was when FILE exists.
Without an argument, it shows this with two processes. `pip install "wamr[python]"` brings the
interpreter.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from wamr.sandbox import Python


def prompt(path: Path) -> None:
    """Run the lines of stdin in the session that is in a file, and keep it there."""
    python = Python()
    # A snapshot is code, so a file is loaded only if this user has written it on this machine.
    session = python.load_session(path) if path.exists() else python.session()
    for line in sys.stdin:
        print(">>>", line.strip())
        result = session.run(line)
        print(result.stdout, end="")
        if result.exception:
            print(f"{result.exception.type}: {result.exception.message}")
        elif result.value is not None:
            print(result.value)
        if session.closed:  # it has reached a limit
            return
    session.save(path)
    print("saved")


if len(sys.argv) > 1:
    prompt(Path(sys.argv[1]))
else:
    first = (
        "import random; total = 40\ndef add(n): global total; total += n; return total\nadd(1)\n"
    )
    second = "add(1)\n1 / 0\n[random.random() != random.random(), add(0)]\n"
    with TemporaryDirectory() as folder:
        for name, lines in (("first", first), ("second", second)):
            print(name, "process", flush=True)
            command = [sys.executable, __file__, str(Path(folder, "session"))]
            subprocess.run(command, input=lines, text=True, check=True)
