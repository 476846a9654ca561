"""Cures: our edits to WAMR, kept as data and applied to a copy of the tree in the build folder.

The modules beside this one hold them by purpose: ``bugs`` (faults of WAMR itself), ``full_stack``
(what one leaves behind), ``procedural`` (faults of its wasm-c-api), ``hooks`` (what linking and
direct host calls need), ``checkpoint`` (the one check that stops wasm), ``bounded`` (what a call
may cost), ``long_work`` (so that the check is never late), ``wasi`` (holes in its sandbox),
``wasi_answers`` (its errnos), ``spec`` (where WAMR is not as the specification says), ``growth``
(what took more than in proportion), ``speed`` (how fast code runs), ``calls`` (a short way for most
calls), and how fast it loads: ``loading`` (numbers), ``aliases`` (of locals), ``once`` (one pass in
place of two) and ``operands``.
Each exposes ``CURES``, a tuple that is applied in order. A cure states the exact text that it
expects, and how often; if that is not so, the build stops, so a new WAMR can't silently lose one.

The copy is written incrementally: a file whose text has not changed keeps its time stamp, so an
unchanged build compiles nothing. ``WAMR_WITHOUT_CURE=name[,name]`` leaves cures out: that is how
one sees that the test named in a cure fails without it. This module never looks for the tree
(``sources``) and never compiles (``iwasm``).
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from pathlib import Path

MODULES = (
    "bugs",
    "full_stack",
    "procedural",
    "hooks",
    "checkpoint",
    "bounded",
    "long_work",
    "wasi",
    "wasi_answers",
    "wasi_sizes",
    "wasi_unstable",
    "spec",
    "vectors",
    "floating",
    "growth",
    "speed",
    "calls",
    "loading",
    "aliases",
    "once",
    "operands",
    "words",
)


class CureError(SystemExit):
    """A cure does not fit the tree; printed without a traceback."""


@dataclass(frozen=True)
class Cure:
    """One edit. Edits that only make sense together share a name."""

    name: str
    file: str  # below the tree's root
    expect: str  # must be there exactly `times` times, after the cures before this one
    replace: str
    why: str
    test: str  # path::name of the test that fails without it
    times: int = 1  # more only where WAMR has copied lines


def all_cures() -> tuple[Cure, ...]:
    """Return every cure in the order in which they are applied."""
    modules = [importlib.import_module(f"{__name__}.{name}") for name in MODULES]
    return tuple(cure for module in modules for cure in module.CURES)


def left_out() -> tuple[str, ...]:
    """Return the sorted names in WAMR_WITHOUT_CURE."""
    names = os.environ.get("WAMR_WITHOUT_CURE", "").replace(",", " ").split()
    return tuple(sorted(set(names)))


def apply(
    tree: Path, copy: Path, parts: tuple[str, ...], cures: tuple[Cure, ...] | None = None
) -> None:
    """Make `copy` the cured image of `parts` of `tree`; write only files whose content changes."""
    cures = _chosen(all_cures() if cures is None else cures)
    edits: dict[str, list[Cure]] = {}
    for cure in cures:
        edits.setdefault(cure.file, []).append(cure)
    sources = {path.relative_to(tree).as_posix(): path for path in _files(tree, parts)}
    for cure in cures:
        if cure.file not in sources:
            raise CureError(f"cure {cure.name}: {cure.file} is not in {tree}")
    for name, source in sources.items():
        content = source.read_bytes()
        if name in edits:
            content = _cured(content.decode(), edits[name]).encode()
        _write(copy / name, content)
    for path in _files(copy, parts):
        if path.relative_to(copy).as_posix() not in sources:
            path.unlink()


def _chosen(cures: tuple[Cure, ...]) -> tuple[Cure, ...]:
    without = left_out()
    unknown = set(without) - {cure.name for cure in cures}
    if unknown:
        raise CureError(f"WAMR_WITHOUT_CURE: there is no cure {', '.join(sorted(unknown))}")
    return tuple(cure for cure in cures if cure.name not in without)


def _cured(text: str, cures: list[Cure]) -> str:
    for cure in cures:
        count = text.count(cure.expect)
        if count != cure.times:
            wanted = "once" if cure.times == 1 else f"{cure.times} times"
            first = next(line for line in cure.expect.splitlines() if line.strip()).strip()
            raise CureError(
                f"cure {cure.name}: its text is {count} times in {cure.file}, not {wanted}. It "
                f"begins with\n  {first}\nIs this another version of WAMR, or does a cure before "
                "it edit the same lines?"
            )
        text = text.replace(cure.expect, cure.replace)
    return text


def _files(tree: Path, parts: tuple[str, ...]) -> list[Path]:
    found = []
    for part in parts:
        path = tree / part
        found += [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
    return [path for path in found if path.is_file()]


def _write(path: Path, content: bytes) -> None:
    try:
        if path.read_bytes() == content:
            return
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
