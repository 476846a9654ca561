"""The import graph of the package: an edge for each import, with its line, and its cycles.

All imports count, also those inside functions and classes, and under TYPE_CHECKING.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple


class Edge(NamedTuple):
    source: str
    target: str
    where: str
    typing: bool  # under TYPE_CHECKING

    def __str__(self) -> str:
        return f"{self.where}: {self.source} imports {self.target}"


def edges_of(
    name: str, text: str, where: str, modules: Collection[str], package: str = "wamr"
) -> Iterator[Edge]:
    """Yield an Edge for each module of the package that the text of module `name` imports.

    package: its name; "": `modules` are scripts, which import one another by their names.
    """
    above = name.split(".") if Path(where).stem == "__init__" else name.split(".")[:-1]
    above = [] if name == "__init__" else above
    tree = ast.parse(text)
    ifs = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
    ifs = [node for node in ifs if getattr(node.test, "id", None) == "TYPE_CHECKING"]
    typing = {id(inner) for node in ifs for part in node.body for inner in ast.walk(part)}
    for node in ast.walk(tree):
        found: list[list[str] | None] = []
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        if isinstance(node, ast.Import):
            found = [_within(package, a.name.split("."), modules) for a in node.names]
        else:
            base: list[str] | None = node.module.split(".") if node.module else []
            if node.level:
                base = above[: len(above) - node.level + 1] + (base or [])
            else:
                base = _within(package, base or [], modules)
            if base is None:
                continue
            for alias in node.names:
                inner = ".".join([*base, alias.name])
                found.append(inner.split(".") if inner in modules else base)
        for parts in found:
            if parts is None:
                continue
            target = ".".join(parts) or "__init__"
            if target != name:
                yield Edge(name, target, f"{where}:{node.lineno}", id(node) in typing)


def _within(package: str, parts: list[str], modules: Collection[str]) -> list[str] | None:
    """Return the name without the package's; None: it is none of the package's modules."""
    if not package:
        return parts[:1] if parts[0] in modules else None
    return parts[1:] if parts[:1] == [package] else None


def depth(edges: Iterable[Edge]) -> int:
    """Return the number of levels of an acyclic graph; AssertionError names a cycle."""
    below: dict[str, dict[str, Edge]] = defaultdict(dict)
    for edge in edges:
        below[edge.source].setdefault(edge.target, edge)
    height: dict[str, int] = {}

    def climb(name: str, path: list[Edge]) -> int:
        sources = [edge.source for edge in path]
        if name in sources:
            cycle = path[sources.index(name) :]
            raise AssertionError("a cycle of imports:\n" + "\n".join(map(str, cycle)))
        if name not in height:
            under = [climb(target, [*path, edge]) for target, edge in below[name].items()]
            height[name] = 1 + max(under, default=0)
        return height[name]

    return max(climb(name, []) for name in list(below))
