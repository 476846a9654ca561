"""The decisions of a release: each function gets what was found, and returns what is to be done.

An empty list means yes. No function here reads files or starts programs (check.py does), so that
small cases can test each of them.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+((a|b|rc)[0-9]+)?")
HEADING = re.compile(r"^## +(.+?) *$", re.MULTILINE)
DATED = re.compile(r"\[?([^\]\s]+)\]? +[-–] +(\d{4}-\d{2}-\d{2})")

SDIST_BYTES = 4_000_000  # WAMR has two of them
WHEEL_BYTES = 1_000_000
# The newest C library that a wheel may need, by architecture; the images of manylinux decide.
GLIBC = {"armv7l": (2, 31), "riscv64": (2, 39)}
GLIBC_OTHERS = (2, 28)
MUSL = (1, 2)
MACOS = (11, 0)
# What is published: one wheel for CPython 3.10 and later on each of these.
PLATFORMS = [
    *(f"manylinux {arch}" for arch in ("x86_64", "aarch64", "i686", "armv7l", "riscv64")),
    *(f"musllinux {arch}" for arch in ("x86_64", "aarch64", "i686", "armv7l", "riscv64")),
    *("macosx arm64", "macosx x86_64"),
]
# Of the files that git has, those that an sdist leaves out.
NOT_IN_SDIST = (".ci/", ".git", ".readthedocs.yaml", "wamr-src")
KEPT = (".gitmodules",)
# Of the files of an sdist, those that git does not have.
MADE = ("PKG-INFO", "setup.cfg", "src/wamr.egg-info/", "wamr-src/")


# -- the version -----------------------------------------------------------------------------------


def version(name: str) -> list[str]:
    """Return what is wrong with the version in src/wamr/_version.py."""
    if VERSION.fullmatch(name):
        return []
    return [f"{name!r} is no version to publish; write one like 1.2.3 or 1.2.3rc1"]


def changelog(text: str, name: str, commit: str, today: dt.date) -> list[str]:
    """Return what the changelog lacks for a release of the version `name`."""
    problems = []
    headings = list(HEADING.finditer(text))
    ends = [*(heading.start() for heading in headings[1:]), len(text)]
    sections = {
        heading[1]: text[heading.end() : end]
        for heading, end in zip(headings, ends, strict=False)  # without headings there is one end
    }
    for title, body in sections.items():
        if title.strip("[]").lower() == "unreleased" and body.strip():
            problems.append(f'rename "Unreleased" to "{name} - {today.isoformat()}"')
    released = [(found, title) for title in sections if (found := DATED.fullmatch(title))]
    if not released or released[0][0][1] != name:
        newest = released[0][0][1] if released else "none"
        problems.append(f"its newest section with a date is of {newest}, not of {name}")
        return problems
    found, title = released[0]
    problems += _date(found[2], today)
    if not sections[title].strip():
        problems.append(f"the section of {name} is empty")
    elif commit not in sections[title]:
        problems.append(f"the section of {name} does not name WAMR's commit {commit}")
    return problems


def _date(text: str, today: dt.date) -> list[str]:
    try:
        date = dt.date.fromisoformat(text)
    except ValueError:
        return [f"{text} is no date"]
    # A day's grace: time zones.
    late = date > today + dt.timedelta(days=1)
    return [f"{text} is in the future"] if late else []


def tag(name: str, tags: Mapping[str, str], head: str, *, required: bool) -> list[str]:
    """Return what is wrong with the tag of a version. `tags`: the commit of each tag."""
    expected = f"v{name}"
    if expected not in tags:
        return [f"there is no tag {expected}: git tag {expected}"] if required else []
    if tags[expected] != head:
        return [f"the tag {expected} is at {tags[expected][:12]}, not at {head[:12]}"]
    return []


# -- sources ---------------------------------------------------------------------------------------


def pin(pinned: Mapping[str, object], link: str, tree: str) -> list[str]:
    """Return where the submodule's commit or the tree differ from cmake/upstream.json."""
    problems = []
    if link != pinned["commit"]:
        problems.append(
            f"the submodule wamr-src is at {link}, and upstream.json names {pinned['commit']}"
        )
    if tree != pinned["core_tree"]:
        problems.append(
            f"core/ has the tree id {tree}, and upstream.json names {pinned['core_tree']}"
        )
    return problems


def clean(status: str) -> list[str]:
    """Return which files are not committed. `status`: the output of `git status --porcelain`."""
    lines = [line for line in status.splitlines() if line.strip()]
    more = f" and {len(lines) - 5} more" if len(lines) > 5 else ""
    files = ", ".join(line[3:] for line in lines[:5])
    return [f"commit or remove: {files}{more}"] if lines else []


def same_files(git: Mapping[str, str], sdist: Mapping[str, str]) -> list[str]:
    """Return where an sdist differs from the commit. Both: the blob id of each path."""
    expected = {
        path: blob
        for path, blob in git.items()
        if path in KEPT or not path.startswith(NOT_IN_SDIST)
    }
    found = {path: blob for path, blob in sdist.items() if not path.startswith(MADE)}
    problems = []
    for what, paths in (
        ("lacks", expected.keys() - found.keys()),
        ("has, and git has not,", found.keys() - expected.keys()),
        (
            "has another content of",
            {p for p in expected.keys() & found.keys() if expected[p] != found[p]},
        ),
    ):
        if paths:
            problems.append(f"the sdist {what} {_some(paths)}")
    return problems


def _some(paths: Iterable[str]) -> str:
    names = sorted(paths)
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


# -- files -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class File:
    """An sdist or wheel: its name and size, and what it says of itself."""

    name: str
    size: int
    version: str
    tree: str  # the tree id of WAMR's core/


def names(files: Iterable[File], name: str, tree: str) -> list[str]:
    """Return which files are too large, or of another version or another WAMR."""
    problems = []
    for file in files:
        limit = WHEEL_BYTES if file.name.endswith(".whl") else SDIST_BYTES
        if file.size > limit:
            problems.append(f"{file.name} has {file.size} bytes; at most {limit} are allowed")
        if file.version != name:
            problems.append(f"{file.name} says that it is {file.version}, not {name}")
        if file.tree != tree:
            problems.append(f"{file.name} has WAMR's tree {file.tree or 'of no id'}, not {tree}")
    return problems


def platform(wheel: str) -> list[str]:
    """Return what is wrong with the tags of a wheel's name."""
    parts = wheel.removesuffix(".whl").split("-")
    if len(parts) != 5:
        return [f"{wheel} is no name of a wheel"]
    python, abi, tags = parts[2], parts[3], parts[4]
    problems = []
    if (python, abi) != ("cp310", "abi3") and abi != python + "t":
        problems.append(
            f"{wheel} is for {python}-{abi}; expected cp310-abi3, or a free-threaded one"
        )
    for each in tags.split("."):
        problems += [f"{wheel}: {text}" for text in _system(each)]
    return problems


def _system(tag_: str) -> list[str]:
    if found := re.fullmatch(r"manylinux_(\d+)_(\d+)_(\w+)", tag_):
        newest = GLIBC.get(found[3], GLIBC_OTHERS)
        if (int(found[1]), int(found[2])) > newest:
            return [f"needs glibc {found[1]}.{found[2]}; build it with {newest[0]}.{newest[1]}"]
        return []
    if re.fullmatch(r"manylinux(1|2010|2014)_\w+", tag_):
        return []
    if found := re.fullmatch(r"musllinux_(\d+)_(\d+)_\w+", tag_):
        return [] if (int(found[1]), int(found[2])) <= MUSL else ["needs a musl newer than 1.2"]
    if found := re.fullmatch(r"macosx_(\d+)_(\d+)_(arm64|x86_64)", tag_):
        return [] if (int(found[1]), int(found[2])) <= MACOS else ["needs a macOS newer than 11.0"]
    if tag_.startswith("win"):
        return ["wheels of Windows are not published while its sandbox is not complete"]
    return [f"{tag_} is no platform of an index; auditwheel repair gives it one"]


def missing_platforms(wheels: Iterable[str]) -> list[str]:
    """Return the platforms that have no wheel for CPython 3.10 and later."""
    there = set()
    for wheel in wheels:
        if "-cp310-abi3-" not in wheel:
            continue
        for each in wheel.removesuffix(".whl").split("-")[-1].split("."):
            system, _, rest = each.partition("_")
            kind = "manylinux" if system.startswith("manylinux") else system
            there.add(f"{kind} {re.sub(r'^(?:[0-9]+_)*', '', rest)}")
    lacking = [name for name in PLATFORMS if name not in there]
    return [f"no wheel for {', '.join(lacking)}"] if lacking else []


def paths_inside(strings: Iterable[bytes], folders: Iterable[str]) -> list[str]:
    """Return the paths of the building machine among the strings of a binary."""
    marks = [folder.encode() for folder in folders if len(folder) > 1]
    found = [text for text in strings if any(mark in text for mark in marks)]
    shown = ", ".join(text.decode(errors="replace")[:80] for text in found[:3])
    return [f"tells of the machine that built it: {shown}"] if found else []


def metadata(
    classifiers: Iterable[str], known: Iterable[str], requires: str, urls: int
) -> list[str]:
    """Return what is wrong with the metadata. `known`: all classifiers that the index takes."""
    given, valid = list(classifiers), set(known)
    problems = [
        f"{each!r} is no classifier of the index" for each in given if valid and each not in valid
    ]
    if len(given) != len(set(given)):
        problems.append("a classifier stands there twice")
    lowest = re.fullmatch(r">=3\.(\d+)", requires)
    if not lowest:
        problems.append(f"requires-python is {requires!r}; expected >=3.N")
    else:
        named = {
            int(m[1])
            for c in given
            if (m := re.fullmatch(r"Programming Language :: Python :: 3\.(\d+)", c))
        }
        if not named:
            problems.append("the classifiers name no version of Python")
        elif min(named) != int(lowest[1]):
            problems.append(
                f"the classifiers begin with 3.{min(named)}, and requires-python is {requires}"
            )
    if not urls:
        problems.append(
            "pyproject.toml has no [project.urls]: readers of the index find neither the sources "
            "nor the manual, and the links of README.md lead nowhere there. Add the addresses "
            "that this project owns, as Source, Documentation and Changelog"
        )
    return problems
