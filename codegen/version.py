"""Generates `src/wamr/_wamr_version.py` from the pinned version of WAMR."""

from __future__ import annotations

from pathlib import Path

import pin
from . import generated


def write(folder: Path) -> None:
    """Write the module to `folder`."""
    text = (
        '"""The WAMR in this build. Made by codegen/version.py from cmake/upstream.json."""\n\n'
        f'WAMR_VERSION = "{pin.VERSION}"\nWAMR_COMMIT = "{pin.COMMIT}"\n'
        "# The id that git gives to WAMR's folder core/, without our patches.\n"
        f'WAMR_TREE = "{pin.CORE_TREE}"\n'
    )
    generated.write(folder / "_wamr_version.py", text)
