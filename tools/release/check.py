"""Says whether a release may go out: one table, with what to do where the answer is no.

    make release-check                                    # builds the sdist and the wheel first
    python tools/release/check.py --dist dist             # looks at files that are there
    python tools/release/check.py --only changelog,tag    # some of the questions

decisions.py has the decisions. This file finds what they ask for, by git, from the files in
`--dist`, and by the usual tools: auditwheel, abi3audit, check-wheel-contents and twine.
"""

from __future__ import annotations

import argparse
import datetime as dt
import email
import email.message
import os
import re
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import building
import decisions
import iwasm
import pin
import sources
from building import ROOT, Failed, git, run

VERSION = re.compile(r'^__version__ = "([^"]*)"', re.MULTILINE)
TREE = re.compile(rb'^WAMR_TREE = "([0-9a-f]{40})"', re.MULTILINE)
STRINGS = re.compile(rb"[\x20-\x7e]{6,}")


class Release:
    """The subject of the questions: the commit, and the files that were built from it."""

    def __init__(self, dist: Path, given: argparse.Namespace) -> None:
        self.dist, self.given = dist, given
        self.text = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("CHANGELOG.md",)}
        found = VERSION.search((ROOT / "src/wamr/_version.py").read_text(encoding="utf-8"))
        self.version = found[1] if found else ""

    @property
    def sdists(self) -> list[Path]:
        """The sdists; there should be one."""
        return sorted(self.dist.glob("*.tar.gz"))

    @property
    def wheels(self) -> list[Path]:
        """All wheels."""
        return sorted(self.dist.glob("*.whl"))


# -- the questions ---------------------------------------------------------------------------------


def version(release: Release) -> list[str]:
    """The version is one to publish."""
    return decisions.version(release.version)


def changelog(release: Release) -> list[str]:
    """The changelog has a dated section of the version, and nothing that is unreleased."""
    today = dt.datetime.now(dt.timezone.utc).date()
    return decisions.changelog(release.text["CHANGELOG.md"], release.version, pin.COMMIT, today)


def tag(release: Release) -> list[str]:
    """The tag of the version is at this commit."""
    names = git("tag", "--list", "v*").split()
    tags = {name: git("rev-parse", f"{name}^{{commit}}") for name in names}
    head = git("rev-parse", "HEAD")
    return decisions.tag(release.version, tags, head, required=True)


def tree(release: Release) -> list[str]:
    """Everything is committed."""
    del release
    return decisions.clean(git("status", "--porcelain", "--ignore-submodules=untracked"))


def pinned(release: Release) -> list[str]:
    """The submodule and the sources of WAMR are those that cmake/upstream.json names."""
    del release
    link = git("ls-tree", "--object-only", "HEAD", "wamr-src")
    found = sources.resolve(ROOT, iwasm.layout(ROOT).build)
    wanted = {"commit": pin.COMMIT, "core_tree": pin.CORE_TREE}
    return decisions.pin(wanted, link, sources.tree_id(found.path / "core"))


def sdist(release: Release) -> list[str]:
    """The sdist has the files of this commit and WAMR's tree, and nothing else."""
    if len(release.sdists) != 1:
        return [f"{release.dist} has {len(release.sdists)} sdists; one is expected"]
    (archive,) = release.sdists
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archive) as files:
            files.extractall(folder, filter="data")
        (top,) = Path(folder).iterdir()
        blobs = {
            path.relative_to(top).as_posix(): sources.blob_id(path)
            for path in top.rglob("*")
            if path.is_file()
        }
        core = sources.tree_id(top / sources.SUBMODULE / "core")
        told = (top / "PKG-INFO").read_text(encoding="utf-8")
    lines = [line.split(None, 3) for line in git("ls-tree", "-r", "-z", "HEAD").split("\0") if line]
    committed = {path: blob for _mode, kind, blob, path in lines if kind == "blob"}
    file = decisions.File(
        archive.name, archive.stat().st_size, email.message_from_string(told)["Version"], core
    )
    return [
        *decisions.same_files(committed, blobs),
        *decisions.names([file], release.version, pin.CORE_TREE),
    ]


def wheels(release: Release) -> list[str]:
    """Each wheel is small, for old systems, in the stable ABI, and from this sdist."""
    if not release.wheels:
        return [f"{release.dist} has no wheel"]
    problems = (
        decisions.missing_platforms(p.name for p in release.wheels) if release.given.all else []
    )
    with tempfile.TemporaryDirectory() as folder:
        package = _package(release, Path(folder))
        for wheel in release.wheels:
            problems += decisions.platform(wheel.name)
            problems += _audited(wheel)
            problems += _inside(wheel, release.version, package)
    return problems


def _package(release: Release, folder: Path) -> dict[str, bytes]:
    """Return the Python files of the sdist, as they are in wheels."""
    for archive in release.sdists:
        with tarfile.open(archive) as files:
            files.extractall(folder, filter="data")
    found = {}
    for source in folder.glob("*/src"):
        for path in source.glob("wamr/**/*"):
            if path.suffix in (".py", ".pyi", ".js", ".typed"):
                found[path.relative_to(source).as_posix()] = path.read_bytes()
    return found


def _inside(wheel: Path, version_: str, package: dict[str, bytes]) -> list[str]:
    problems = []
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        told = email.message_from_bytes(archive.read(name))["Version"]
        found = TREE.search(archive.read("wamr/_wamr_version.py"))
        core = found[1].decode() if found else ""
        file = decisions.File(wheel.name, wheel.stat().st_size, told, core)
        problems += decisions.names([file], version_, pin.CORE_TREE)
        for path, content in package.items():
            if path not in archive.namelist() or archive.read(path) != content:
                problems.append(f"{wheel.name}: {path} is not that of the sdist")
        for path in archive.namelist():
            if path.endswith((".so", ".pyd")):
                strings = STRINGS.findall(archive.read(path))
                where = [str(ROOT), str(Path.home()), tempfile.gettempdir() + "/", "/project/"]
                problems += [
                    f"{wheel.name}: {text}" for text in decisions.paths_inside(strings, where)
                ]
    return problems


def _audited(wheel: Path) -> list[str]:
    commands: list[list[str]] = [[_tool("check-wheel-contents"), str(wheel)]]
    if "-abi3-" in wheel.name:
        commands.append([_tool("abi3audit"), "--strict", str(wheel)])
    if "manylinux" in wheel.name or "musllinux" in wheel.name:
        commands.append([_tool("auditwheel"), "show", str(wheel)])
    problems = []
    for command in commands:
        said = _said(*command)
        if said is not None:
            problems.append(f"{wheel.name}: {Path(command[0]).name} says {said}")
    return problems


def readme(release: Release) -> list[str]:
    """The README renders on the index, and the metadata are complete (twine)."""
    files = [str(path) for path in (*release.sdists, *release.wheels)]
    said = _said(sys.executable, "-m", "twine", "check", "--strict", *files)
    return [f"twine says {said}"] if said is not None else []


def classifiers(release: Release) -> list[str]:
    """The classifiers, the versions of Python and the addresses are those of an index."""
    if not release.sdists:
        return ["there is no sdist to read the metadata from"]
    with tarfile.open(release.sdists[0]) as files:
        member = files.extractfile(f"{release.sdists[0].name.removesuffix('.tar.gz')}/PKG-INFO")
        assert member is not None
        told: email.message.Message = email.message_from_bytes(member.read())
    try:
        from trove_classifiers import classifiers as known
    except ImportError:
        return ["trove-classifiers is missing: pip install --group release"]
    return decisions.metadata(
        told.get_all("Classifier", []),
        known,
        told["Requires-Python"],
        len(told.get_all("Project-URL", [])),
    )


def docs(release: Release) -> list[str]:
    """The manual is built without a warning."""
    del release
    sphinx = _tool("sphinx-build")
    with tempfile.TemporaryDirectory() as out:
        said = _said(sphinx, "-q", "--fail-on-warning", "-b", "html", str(ROOT / "docs"), out)
    return [f"sphinx says {said}"] if said is not None else []


def workflows(release: Release) -> list[str]:
    """The workflows are as zizmor wants them, and actionlint where it is installed."""
    del release
    folder = ROOT / ".github" / "workflows"
    commands = [[_tool("zizmor"), "--offline", "--no-progress", str(folder)]]
    if actionlint := shutil.which("actionlint"):
        commands.append([actionlint, *map(str, sorted(folder.glob("*.yml")))])
    answers = [(Path(command[0]).name, _said(*command)) for command in commands]
    return [f"{name} says {said}" for name, said in answers if said is not None]


def reproducible(release: Release) -> list[str]:
    """A second build, by another CPython in a folder with a space, gives the same bytes."""
    with tempfile.TemporaryDirectory(prefix="another folder é ") as folder:
        again = Path(folder) / "dist"
        python = _another_python()
        before, old = os.environ.get("TMPDIR"), os.umask(0o077)
        try:
            os.environ["TMPDIR"], tempfile.tempdir = folder, None
            built = building.release(again, python=python)
        finally:
            os.umask(old)
            os.environ.pop("TMPDIR") if before is None else os.environ.update(TMPDIR=before)
            tempfile.tempdir = None
        problems = []
        for path in built:
            first = release.dist / path.name
            if not first.is_file():
                problems.append(f"{release.dist} has no {path.name} to compare with")
            elif first.read_bytes() != path.read_bytes():
                kept = Path(shutil.copy2(path, ROOT / "build" / f"again-{path.name}"))
                problems.append(f"{path.name} differs when {python} builds it: see {kept}")
        return problems


def _another_python() -> str:
    """Return a CPython of another version than this one, or this one."""
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    names = [f"3.{minor}" for minor in range(10, 20) if f"3.{minor}" != own]
    places = [
        *(path for name in names if (path := shutil.which(f"python{name}"))),
        *map(str, sorted(Path.home().glob(".pyenv/versions/3.1*/bin/python3"))),
    ]
    asks = "import sys, pip; print(sys.implementation.name, '%d.%d' % sys.version_info[:2])"
    for path in places:
        said = building.answer(path, "-c", asks)
        if said and said.split() != ["cpython", own] and said.startswith("cpython"):
            return path
    return sys.executable


QUESTIONS: dict[str, Callable[[Release], list[str]]] = {
    "version": version,
    "changelog": changelog,
    "tag": tag,
    "tree": tree,
    "pin": pinned,
    "sdist": sdist,
    "wheels": wheels,
    "readme": readme,
    "classifiers": classifiers,
    "docs": docs,
    "workflows": workflows,
    "reproducible": reproducible,
}
NEED_FILES = {"sdist", "wheels", "readme", "classifiers", "reproducible"}


# -- tools -----------------------------------------------------------------------------------------


def _tool(name: str) -> str:
    """Return the path of a command of this environment."""
    path = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if not path:
        raise Failed(f"{name} is missing. Type:  {sys.executable} -m pip install --group release")
    return path


def _said(*command: str) -> str | None:
    """Return the last lines that a command wrote if it fails, else None."""
    try:
        run(*command)
    except Failed as failed:
        lines = [line.strip() for line in str(failed).splitlines() if line.strip()]
        return " / ".join(lines[-4:-1])
    return None


def table(answers: dict[str, list[str]]) -> str:
    """Return the table: a row for each question, and the things to do below those that say no."""
    rows = []
    for name, problems in answers.items():
        what = (QUESTIONS[name].__doc__ or "").strip()
        rows.append(f"{'to do' if problems else 'ok':6} {name:13} {what}")
        rows += [f"       {'':13} - {problem}" for problem in problems]
    missing = sum(1 for problems in answers.values() if problems)
    verdict = f"No release: {missing} of {len(answers)} say no." if missing else "It may go out."
    return "\n".join([*rows, "", verdict])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--dist", type=Path, help="the folder with the sdist and wheels")
    parser.add_argument("--only", default=",".join(QUESTIONS), help="questions, with commas")
    parser.add_argument("--all", action="store_true", help="want wheels for every platform")
    given = parser.parse_args()
    asked = [name.strip() for name in given.only.split(",")]
    for name in asked:
        if name not in QUESTIONS:
            parser.error(f"there is no question {name!r}; choose from {', '.join(QUESTIONS)}")
    dist = given.dist
    if dist is None:
        dist = ROOT / "build" / "release"
        if NEED_FILES.intersection(asked):
            shutil.rmtree(dist, ignore_errors=True)
            building.release(dist)
    release = Release(dist.resolve(), given)
    answers = {}
    for name in asked:
        try:
            answers[name] = QUESTIONS[name](release)
        except Failed as failed:
            answers[name] = [line for line in str(failed).splitlines() if line.strip()][-3:]
    print(table(answers))
    return 1 if any(answers.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
