"""Reads the logs of LeakSanitizer: `python leaks.py FOLDER` prints our leaks and fails.

`make asan` runs it. CPython and cffi don't free everything at the end of the process. A leak is
ours if WAMR or our C has allocated the memory: the stack has one of their functions below the
allocator.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

BLOCK = re.compile(
    r"(?:Direct|Indirect) leak of \d+ byte\(s\) in (\d+) object\(s\).*\n((?:    #.*\n)+)"
)
FRAME = re.compile(r"#\d+ 0x[0-9a-f]+ in (\w+)")
OURS = re.compile(r"(wasm|wpy|bh|os|aot)_|malloc_internal|alloc_vector_data|loader_malloc")


def leaks(text: str) -> Counter[str]:
    """Return the stacks of our leaks, each with its number of occurrences."""
    found: Counter[str] = Counter()
    for count, stack in BLOCK.findall(text):
        names = FRAME.findall(stack)[1:]
        if any(OURS.match(name) for name in names[:6]):
            found[" < ".join(names[:8])] += int(count)
    return found


def main(folder: str) -> bool:
    found: Counter[str] = Counter()
    paths = sorted(Path(folder).iterdir())
    if not paths:  # Python alone leaks enough for a log
        print(f"no logs in {folder}: LeakSanitizer has not run")
        return True
    for path in paths:
        found += leaks(path.read_text(errors="replace"))
    for stack, count in found.most_common():
        print(f"{count:6} {stack}")
    print(f"{sum(found.values())} leaks of ours in {len(paths)} processes")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
