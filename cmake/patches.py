"""Applies our patches to a copy of WAMR's tree.

``patches/series`` lists the patches in the order in which they are applied, one path a line. A
patch is one change: a head (why the change exists, which test fails without it, what became of it
upstream) and a unified diff against the tree with all earlier patches applied. ``git apply`` reads
the same files. This module needs neither git nor patch(1), since an sdist must build without them.

Applying is strict. The lines of a hunk, context included, must stand exactly where the hunk says.
Otherwise the build stops and shows both texts. So no patch can get lost when WAMR is upgraded.

``WAMR_WITHOUT_PATCH=name[,name]`` leaves patches out, to prove that the tests named in a patch fail
without it. The lines that these patches add are then not in the copy, and those that they remove
are. A later patch that changes these lines does not apply.

The copy is written incrementally: a file with the same content keeps its time stamp, so an
unchanged build compiles nothing. This module doesn't find the tree (``sources``), compile
(``iwasm``) or write patches (``upstream``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "patches"
FIELDS = ("Subject", "Forwarded", "Test", "Gone-when")  # of a patch's head, in this order
BUILD = "Build"  # may follow them, with one of these
BUILDS = {
    "debug": "the tests fail without the patch in a debug build only",
    "undefined": "the tests fail without the patch in a build with UBSan only",
    "needed": "without the patch there is no build: other patches or our C use what it adds",
}

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_NO_NEWLINE = "\\ No newline at end of file"


class PatchError(SystemExit):
    """A patch is malformed or does not apply; printed without a traceback."""


class MisfitError(PatchError):
    """A hunk does not apply."""

    def __init__(self, text: str, patch: Path) -> None:
        super().__init__(text)
        self.patch = patch


@dataclass(frozen=True)
class Hunk:
    """One hunk of a diff: the lines that are expected, and those that replace them."""

    patch: Path
    line: int  # the line of the hunk's head in the patch
    start: int  # the index of the first expected line in the file
    body: tuple[tuple[str, str], ...]  # (" ", "-" or "+", line)

    def side(self, marks: str, body: tuple[tuple[str, str], ...] | None = None) -> list[str]:
        """Return the lines whose mark is one of `marks`."""
        return [line for mark, line in (self.body if body is None else body) if mark in marks]


@dataclass(frozen=True)
class Patch:
    """One change to WAMR."""

    name: str
    path: Path
    fields: dict[str, str]
    reason: str
    edits: dict[str, tuple[Hunk, ...]]  # by file, relative to the tree's root
    new: frozenset[str]  # the files that the patch adds

    @property
    def tests(self) -> tuple[str, ...]:
        """The tests that fail without the patch, each path::name."""
        return tuple(self.fields["Test"].split())

    @property
    def variant(self) -> str:
        """The build in which the tests fail without the patch: debug, undefined, or "" for all."""
        return "" if self.needed else self.fields.get(BUILD, "")

    @property
    def needed(self) -> bool:
        """Whether nothing can be built without the patch."""
        return self.fields.get(BUILD) == "needed"


# -- reading -------------------------------------------------------------------------------------


def series(folder: Path = FOLDER) -> tuple[Patch, ...]:
    """Return all patches of `folder`, in the order in which they are applied."""
    lines = (folder / "series").read_text(encoding="utf-8").splitlines()
    paths = [folder / line for line in lines if line and not line.startswith("#")]
    listed, there = set(paths), set(folder.rglob("*.patch"))
    if listed != there or len(listed) != len(paths):
        odd = sorted(str(path.relative_to(folder)) for path in listed ^ there)
        raise PatchError(
            f"{folder / 'series'} must list each patch of its folder once: "
            f"{', '.join(odd) or 'a path is listed twice'}"
        )
    found = tuple(map(read, paths))
    names = [patch.name for patch in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise PatchError(f"two patches have the same name: {', '.join(sorted(twice))}")
    return found


def read(path: Path) -> Patch:
    """Read one patch."""
    text = path.read_bytes().decode("utf-8")
    head, mark, diff = text.partition("\n---\n")
    if not mark:
        raise PatchError(f"{path}: a line '---' must stand between the head and the diff")
    fields, _, reason = head.partition("\n\n")
    values = _fields(path, fields)
    first = head.count("\n") + 3
    edits, new = _edits(path, diff.removesuffix("\n").split("\n"), first)
    return Patch(path.stem, path, values, reason.strip(), edits, new)


def _fields(path: Path, text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line[:1] == " " and name:  # a continuation line
            values[name] += " " + line.strip()
            continue
        name, colon, value = line.partition(":")
        if not colon or name not in (*FIELDS, BUILD) or name in values:
            raise PatchError(f"{path}: '{line}' is none of the fields {', '.join(FIELDS)}")
        values[name] = value.strip()
    if missing := [name for name in FIELDS if not values.get(name)]:
        raise PatchError(f"{path}: its head lacks {', '.join(missing)}")
    if (build := values.get(BUILD, "debug")) not in BUILDS:
        known = "".join(f"\n  {BUILD}: {name}   {why}" for name, why in BUILDS.items())
        raise PatchError(f"{path}: 'Build: {build}' must be left out, or one of{known}")
    return values


def _edits(
    path: Path, lines: list[str], first: int
) -> tuple[dict[str, tuple[Hunk, ...]], frozenset[str]]:
    edits: dict[str, list[Hunk]] = {}
    new: set[str] = set()
    hunks: list[Hunk] | None = None
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("--- ") and lines[at + 1 : at + 2][:1] != [""]:
            target = lines[at + 1].removeprefix("+++ ").split("\t")[0]
            if not lines[at + 1].startswith("+++ b/"):
                raise PatchError(f"{path}:{first + at + 1}: '+++ b/…' is due, not {target!r}")
            name = target.removeprefix("b/")
            if line.startswith("--- /dev/null"):
                new.add(name)
            hunks = edits.setdefault(name, [])
            at += 2
        elif found := _HUNK.match(line):
            if hunks is None:
                raise PatchError(f"{path}:{first + at}: a hunk before any file")
            hunk, at = _hunk(path, lines, at, first, found)
            hunks.append(hunk)
        elif line and not line.startswith(("diff --git ", "index ", "new file mode ")):
            raise PatchError(f"{path}:{first + at}: {line!r} belongs to no hunk")
        else:
            at += 1
    if not edits:
        raise PatchError(f"{path}: changes nothing")
    return {name: tuple(found) for name, found in edits.items()}, frozenset(new)


def _hunk(
    path: Path, lines: list[str], at: int, first: int, found: re.Match[str]
) -> tuple[Hunk, int]:
    head = at
    start, old, new = int(found[1]), int(found[2] or 1), int(found[4] or 1)
    left = {"-": old, "+": new}
    body: list[tuple[str, str]] = []
    at += 1
    while left["-"] or left["+"]:
        line = lines[at] if at < len(lines) else ""
        mark = line[:1] or " "  # editors strip the space of an empty context line
        if mark not in " +-" or at >= len(lines):
            raise PatchError(f"{path}:{first + at}: the hunk is shorter than its head says")
        for side in "-+" if mark == " " else mark:
            left[side] -= 1
        if min(left.values()) < 0:
            raise PatchError(f"{path}:{first + at}: the hunk is longer than its head says")
        body.append((mark, line[1:] + "\n"))
        at += 1
        if at < len(lines) and lines[at] == _NO_NEWLINE:
            body[-1] = (mark, line[1:])
            at += 1
    start = start - 1 if old else start
    return Hunk(path, first + head, start, tuple(body)), at


# -- applying ------------------------------------------------------------------------------------


def left_out() -> tuple[str, ...]:
    """Return the sorted names in WAMR_WITHOUT_PATCH."""
    names = os.environ.get("WAMR_WITHOUT_PATCH", "").replace(",", " ").split()
    return tuple(sorted(set(names)))


def apply(
    tree: Path, copy: Path, parts: tuple[str, ...], patches: tuple[Patch, ...] | None = None
) -> None:
    """Make `copy` the patched image of `parts` of `tree`; write only what changes."""
    patches = series() if patches is None else patches
    contents = {path.relative_to(tree).as_posix(): path for path in _files(tree, parts)}
    without = left_out()
    if unknown := set(without) - {patch.name for patch in patches}:
        raise PatchError(f"WAMR_WITHOUT_PATCH: there is no patch {', '.join(sorted(unknown))}")
    edited = edited_files(tree, patches, without)
    for name, source in contents.items():
        content = edited.pop(name).encode() if name in edited else source.read_bytes()
        _write(copy / name, content)
    for name, text in edited.items():  # files that the patches add
        _write(copy / name, text.encode())
        contents[name] = copy / name
    for path in _files(copy, parts):
        if path.relative_to(copy).as_posix() not in contents:
            path.unlink()


def edited_files(
    tree: Path, patches: tuple[Patch, ...], without: Collection[str] = ()
) -> dict[str, str]:
    """Return the content of each file that the patches change or add, but those in `without`.

    MisfitError: a patch does not apply, or changes lines of one that is left out.
    """
    edited: dict[str, _PatchedFile] = {}
    for patch in patches:
        for name, hunks in patch.edits.items():
            if ((tree / name).is_file() or name in edited) == (name in patch.new):
                there = "is already" if name in patch.new else "is not"
                raise PatchError(f"{patch.path}: {name} {there} in {tree}")
            if name not in edited:
                new = name in patch.new
                text = "" if new else (tree / name).read_bytes().decode("utf-8")
                edited[name] = _PatchedFile(name, text)
            edited[name].apply(hunks, left_out=patch.name in without)
    return {name: file.text() for name, file in edited.items()}


def dependents(tree: Path, name: str, patches: tuple[Patch, ...] | None = None) -> tuple[str, ...]:
    """Return the names of the patches that don't apply without the patch `name`, in order."""
    patches = series() if patches is None else patches
    without = {name}
    while True:
        try:
            edited_files(tree, patches, without)
        except MisfitError as error:
            without.add(error.patch.stem)
        else:
            return tuple(patch.name for patch in patches if patch.name in without - {name})


def patched(text: str, name: str, hunks: tuple[Hunk, ...]) -> str:
    """Return `text`, the content of the file `name`, with `hunks` applied."""
    file = _PatchedFile(name, text)
    file.apply(hunks)
    return file.text()


class _PatchedFile:
    """A file to which all patches are applied, and of which some lines are left out at the end.

    So each hunk finds its lines exactly where it says, whichever patches are left out. A line is
    (text, whether it is in the file with all patches, whether it is in the result).
    """

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.lines = [(line, True, True) for line in text.splitlines(keepends=True)]
        self.complete = True  # no patch was left out yet, so all lines are in both

    def text(self) -> str:
        return "".join([text for text, _, kept in self.lines if kept])

    def apply(self, hunks: tuple[Hunk, ...], *, left_out: bool = False) -> None:
        """Apply hunks, whose changes are not in the result if they are left out."""
        lines = self.lines
        full: Sequence[int] = range(len(lines))
        if not self.complete:
            full = [at for at in full if lines[at][1]]
        self.complete = self.complete and not left_out
        result: list[tuple[str, bool, bool]] = []
        begin = consumed = 0  # in `lines`; in `full`
        for hunk in hunks:
            old = hunk.side(" -")
            near = [lines[at][0] for at in full[hunk.start : hunk.start + len(old)]]
            if hunk.start < consumed or near != old:
                whole = [lines[at][0] for at in full]
                raise MisfitError(_misfit(whole, hunk, self.name), hunk.patch)
            consumed = hunk.start
            for mark, text in hunk.body:
                if mark == "+":
                    end = full[consumed - 1] + 1 if consumed else 0
                    result += lines[begin:end]
                    begin = max(begin, end)
                    result.append((text, True, not left_out))
                    continue
                if mark == "-":
                    at = full[consumed]
                    result += lines[begin:at]
                    begin = at + 1
                    kept = lines[at][2]
                    if not kept and not left_out:
                        where = f"{hunk.patch}:{hunk.line}"
                        reason = "does not apply: it changes a line of a patch that is left out"
                        raise MisfitError(f"{where}: {reason}\n  | {text}", hunk.patch)
                    if kept and left_out:
                        result.append((text, False, True))
                consumed += 1
        self.lines = result + lines[begin:]


def _misfit(lines: list[str], hunk: Hunk, name: str) -> str:
    """Return the error for a hunk that does not apply: where, and both texts."""
    old = hunk.side(" -")
    near = lines[hunk.start : hunk.start + len(old)]
    off = next((i for i, (a, b) in enumerate(zip(old, near, strict=False)) if a != b), len(near))
    elsewhere = [at + 1 for at in range(len(lines)) if lines[at : at + len(old)] == old]
    hint = "Is this another version of WAMR? `make wamr-upgrade` moves the patches to one."
    if elsewhere:
        hint = f"These lines are at {name}:{elsewhere[0]}. {hint}"
    return (
        f"{hunk.patch}:{hunk.line}: does not apply to {name}, line {hunk.start + off + 1}.\n"
        f"The patch expects\n{_quoted(old, off)}\nThe file has\n{_quoted(near, off)}\n{hint}"
    )


def _quoted(lines: list[str], off: int) -> str:
    shown = lines[max(0, off - 1) : off + 3]
    if off >= len(lines):
        shown.append("(the file ends here)\n")
    return "".join("  | " + line.rstrip("\n") + "\n" for line in shown).rstrip("\n")


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
