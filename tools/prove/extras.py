"""Prints the requirements of extras of this checkout that hold for the interpreter that runs it.

    python extras.py PYPROJECT EXTRA…

One requirement a line. An extra that names others of the package (`wamr[wat]`) has theirs, too.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pip._vendor import tomli  # tomllib is new in 3.11
from pip._vendor.packaging.requirements import Requirement


def requirements(extras: dict[str, list[str]], wanted: list[str]) -> list[str]:
    found: list[str] = []
    for name in wanted:
        for text in extras[name]:
            one = Requirement(text)
            if one.marker and not one.marker.evaluate({"extra": name}):
                continue
            if one.name == "wamr":
                found += requirements(extras, sorted(one.extras))
            else:
                found.append(re.split(r"\s*;", text)[0])
    return list(dict.fromkeys(found))


if __name__ == "__main__":
    project = tomli.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["project"]
    known = {**project["optional-dependencies"], "run": project["dependencies"]}
    print("\n".join(requirements(known, sys.argv[2:])))
