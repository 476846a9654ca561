"""Judges LeakSanitizer's logs: `python leaks.py FOLDER` prints the leaks of our own allocations and
fails. `make asan` asks it.

CPython and cffi leave much to the end of the process, which is no leak of ours. Ours is what
WAMR or our C has allocated: a function of theirs is on the stack, below the allocator.
"""

import re
import sys
from collections import Counter
from pathlib import Path

BLOCK = re.compile(
    r"(?:Direct|Indirect) leak of \d+ byte\(s\) in (\d+) object\(s\).*\n((?:    #.*\n)+)"
)
FRAME = re.compile(r"#\d+ 0x[0-9a-f]+ in (\w+)")
OURS = re.compile(r"(wasm|wpy|bh|os|aot)_|malloc_internal|alloc_vector_data|loader_malloc")


def leaks(text):
    """The stacks of our leaks, with how often each."""
    found = Counter()
    for count, stack in BLOCK.findall(text):
        names = FRAME.findall(stack)[1:]
        if any(OURS.match(name) for name in names[:6]):
            found[" < ".join(names[:8])] += int(count)
    return found


def main(folder):
    found = Counter()
    paths = sorted(Path(folder).iterdir())
    if not paths:  # Python alone leaves enough to be noted
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
