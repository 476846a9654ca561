"""What each compiler makes of our C: src/native/compiler.h, and the names that it defines."""

from __future__ import annotations

import re
from pathlib import Path

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
