"""Finds the sources of WAMR and verifies that they are the pinned ones.

Four ways to get the tree are tried, in this order (the README shows them to users):

1. ``WAMR_SRC=/path`` in the environment;
2. ``wamr-src/``, if it is populated: a recursive clone, or an sdist, which carries it;
3. ``git submodule update --init --depth 1 wamr-src``, where this is a git checkout;
4. the crate ``wamrx-sys`` through ``cargo``, which contains the same tree.

In each case the git tree id of ``core/`` is computed, without git, and compared with that of the
pinned commit. This module knows nothing of how the tree is patched (``patches``) or compiled
(``iwasm``).
"""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pin import COMMIT, CORE_TREE, CRATE, EXECUTABLES

SUBMODULE = "wamr-src"

# The parts of the tree that the build needs: they are in an sdist, and in the patched copy.
PARTS = ("core", "build-scripts", "CMakeLists.txt", "LICENSE")

# Files that editors, Python and operating systems leave in a folder.
STRAY = ("*~", ".*", "*.orig", "*.rej", "*.sw?", "*.bak", "*.o", "*.pyc", "__pycache__")

NETWORK_TIMEOUT = 15  # seconds without an answer; then there is no network
DOWNLOAD_TIMEOUT = 600


class SourceError(SystemExit):
    """There is no usable tree. Says what to type; a SystemExit is printed without a traceback."""


@dataclass(frozen=True)
class Tree:
    """A verified tree of WAMR, and the way by which it was found, in words."""

    path: Path
    how: str


def resolve(root: Path, build_dir: Path) -> Tree:
    """Return the verified tree of WAMR, by the first of the four ways that leads to one."""
    tree = _resolve(root.resolve(), build_dir.resolve(), os.environ.get("WAMR_SRC", ""))
    line = f"wamr: sources of WAMR: {tree.how} ({tree.path})"
    print(line, file=sys.stderr, flush=True)
    # pip hides the output of a build that succeeds; the Makefile prints this file.
    (build_dir / "sources.txt").write_text(line + "\n", encoding="utf-8")
    return tree


@functools.cache  # setup.py and build_ffi.py both call this, and git and cargo fail slowly
def _resolve(root: Path, build_dir: Path, given: str) -> Tree:
    if given:
        return _from_environment(Path(given).expanduser())
    submodule = root / SUBMODULE
    if _populated(submodule):
        return _verify(Tree(submodule, f"{SUBMODULE}/"), _repair_hint(root))
    failures = []
    for way in (_unpacked_crate, _from_git, _from_cargo):
        try:
            return way(root, build_dir)
        except _NotThisWay as reason:
            failures.append(str(reason))
    raise SourceError(_no_way(submodule, [text for text in failures if text]))


class _NotThisWay(Exception):
    """Why a way does not lead to a tree; the next one is tried."""


# -- the four ways -------------------------------------------------------------------------------


def _from_environment(path: Path) -> Tree:
    if not (path / "core" / "iwasm").is_dir():
        raise SourceError(
            f"WAMR_SRC={path} is not a tree of WAMR: there is no core/iwasm in it.\n"
            "Point it at the folder that holds core/ and build-scripts/, or `unset WAMR_SRC`."
        )
    return _verify(
        Tree(path.resolve(), "WAMR_SRC"),
        f"Check the commit out:  git -C {path} checkout {COMMIT}\n"
        "or leave the choice to the build:  unset WAMR_SRC",
    )


def _from_git(root: Path, build_dir: Path) -> Tree:
    del build_dir
    if not (root / ".git").exists():
        raise _NotThisWay("git: this folder is not a git checkout")
    if not shutil.which("git"):
        raise _NotThisWay("git: not installed")
    url = _git(root, "config", "-f", ".gitmodules", f"submodule.{SUBMODULE}.url")
    # One reference shows quickly whether there is a network.
    _git(root, "ls-remote", "--exit-code", url.strip(), "HEAD")
    try:
        _git(
            root,
            *("submodule", "--quiet", "update", "--init", "--depth", "1", SUBMODULE),
            timeout=DOWNLOAD_TIMEOUT,
        )
    except _NotThisWay:
        with contextlib.suppress(_NotThisWay):  # leave no half-populated folder
            _git(root, "submodule", "deinit", "--force", SUBMODULE)
        raise
    return _verify(Tree(root / SUBMODULE, "git submodule update"), _repair_hint(root))


def _git(root: Path, *arguments: str, timeout: float = NETWORK_TIMEOUT) -> str:
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -oBatchMode=yes"}
    command = ["git", "-c", "core.autocrlf=false", *arguments]
    return _run(f"git {arguments[0]}", command, root, os.environ | quiet, timeout)


def _from_cargo(root: Path, build_dir: Path) -> Tree:
    del root
    if not shutil.which("cargo"):
        raise _NotThisWay("cargo: not installed")
    crate, _, version = CRATE.partition("=")
    if not crate:
        raise _NotThisWay(f"cargo: no crate carries commit {COMMIT[:12]}")
    manifest = build_dir / "wamr-crate" / "Cargo.toml"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(_MANIFEST.format(crate=crate, version=version), encoding="utf-8")
    (manifest.parent / "lib.rs").touch()
    command = ["cargo", "metadata", "--format-version", "1", "--manifest-path", str(manifest)]
    answer = _run("cargo metadata", command, build_dir, None, DOWNLOAD_TIMEOUT)
    packages = json.loads(answer)["packages"]
    found = [p["manifest_path"] for p in packages if p["name"] == crate]
    if not found:
        raise _NotThisWay(f"cargo: knows no package {crate}")
    tree = _verify(_crate_tree(Path(found[0]).parent), _CRATE_HINT)
    _crate_record(build_dir).write_text(found[0], encoding="utf-8")
    return tree


# No Rust is compiled. cargo downloads the crate where only Rust's registry can be reached. The tree
# id verifies the result, so no lock file is needed.
_MANIFEST = """\
[package]
name = "wamr-sources"
version = "0.0.0"
edition = "2021"
publish = false

[lib]
path = "lib.rs"

[dependencies]
{crate} = "={version}"
"""


def _unpacked_crate(root: Path, build_dir: Path) -> Tree:
    """Use the crate that cargo unpacked for an earlier build, without a network."""
    del root
    try:
        manifest = Path(_crate_record(build_dir).read_text(encoding="utf-8"))
    except OSError:
        raise _NotThisWay from None
    if not manifest.is_file():
        raise _NotThisWay
    return _verify(_crate_tree(manifest.parent), _CRATE_HINT)


def _crate_record(build_dir: Path) -> Path:
    return build_dir / "wamr-crate" / "unpacked"


def _crate_tree(crate: Path) -> Tree:
    return Tree(crate / "wasm-micro-runtime", f"cargo, crate {crate.name}")


_CRATE_HINT = "Remove the unpacked crate; cargo unpacks it again from its checked archive."


def _run(
    name: str, command: list[str], cwd: Path, environment: dict[str, str] | None, timeout: float
) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            timeout=timeout,
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        raise _NotThisWay(f"{name}: no answer within {timeout:.0f} s") from None
    except subprocess.CalledProcessError as failed:
        lines = [line for line in failed.stderr.splitlines() if line.strip()]
        raise _NotThisWay(f"{name}: {lines[-1].strip() if lines else failed}") from None
    except OSError as failed:
        raise _NotThisWay(f"{name}: {failed}") from None
    return done.stdout


# -- verification --------------------------------------------------------------------------------


def tree_id(
    folder: Path, *, skip: frozenset[str] = frozenset(), executables: frozenset[str] | None = None
) -> str:
    """Return the id that git gives to the tree in `folder`, leaving out the paths in `skip`.

    `executables` are the paths of executable files; None: those of the pinned tree.
    """
    modes = EXECUTABLES if executables is None else executables
    return _tree_hash(folder, "", skip, modes).hex()


def _tree_hash(
    folder: Path, prefix: str, skip: frozenset[str], executables: frozenset[str]
) -> bytes:
    entries: list[tuple[bytes, bytes]] = []  # (sort key, record)
    for entry in os.scandir(folder):
        path = prefix + entry.name
        name = os.fsencode(entry.name)
        if path in skip:
            continue
        if entry.is_symlink():
            target = os.fsencode(Path(entry).readlink())
            record = b"120000 %s\0%s" % (name, _object_hash(b"blob", target))
        elif entry.is_dir():
            content = _tree_hash(Path(entry), path + "/", skip, executables)
            if content == _EMPTY_TREE:
                continue  # git does not record empty folders
            entries.append((name + b"/", b"40000 %s\0%s" % (name, content)))
            continue
        else:
            mode = b"100755" if path in executables else b"100644"
            record = b"%s %s\0%s" % (mode, name, _object_hash(b"blob", Path(entry).read_bytes()))
        entries.append((name, record))
    return _object_hash(b"tree", b"".join(record for _, record in sorted(entries)))


def blob_id(file: Path) -> str:
    """Return the id that git gives to the content of a file."""
    return _object_hash(b"blob", file.read_bytes()).hex()


def _object_hash(kind: bytes, content: bytes) -> bytes:
    head = b"%s %d\0" % (kind, len(content))
    return hashlib.sha1(head + content, usedforsecurity=False).digest()


_EMPTY_TREE = _object_hash(b"tree", b"")


def _verify(tree: Tree, hint: str) -> Tree:
    """Return `tree` if its core/ is the pinned one; otherwise raise an error with the reason."""
    core = tree.path / "core"
    missing = [part for part in PARTS if not (tree.path / part).exists()]
    if missing:
        raise SourceError(
            f"The tree of WAMR in {tree.path} is incomplete: {', '.join(missing)} missing.\n{hint}"
        )
    found = tree_id(core)
    if found == CORE_TREE or os.environ.get("WAMR_ALLOW_OTHER") == "1":
        return tree
    raise SourceError(
        f"The tree of WAMR in {tree.path} is not that of commit {COMMIT[:12]}:\n"
        f"its core/ has the tree id {found} instead of {CORE_TREE}.\n"
        f"{_difference(core) or hint}\n"
        "To build it all the same, at your own risk:  export WAMR_ALLOW_OTHER=1"
    )


def _difference(core: Path) -> str:
    """Return a text for the usual reasons of another tree id: stray files, line ends; or ""."""
    paths = sorted(p.relative_to(core).as_posix() for p in core.rglob("*"))
    stray = [p for p in paths if any(fnmatch.fnmatch(p.rpartition("/")[2], s) for s in STRAY)]
    if stray and tree_id(core, skip=frozenset(stray)) == CORE_TREE:
        shown = "\n".join(f"  {core / path}" for path in stray[:10])
        more = f"\n  … {len(stray) - 10} more" if len(stray) > 10 else ""
        return (
            f"Only files that don't belong there make the difference; delete them:\n{shown}{more}"
        )
    config = core / "config.h"
    if config.is_file() and b"\r\n" in config.read_bytes():
        return (
            "Its line ends were converted. Undo that:\n"
            f"  git -C {core.parent} config core.autocrlf false\n"
            f"  git -C {core.parent} rm -r -q --cached . && git -C {core.parent} reset -q --hard"
        )
    return ""


# -- error texts ---------------------------------------------------------------------------------


def _populated(submodule: Path) -> bool:
    """Return whether the folder has files. An interrupted clone leaves .git only."""
    return submodule.is_dir() and any(entry.name != ".git" for entry in submodule.iterdir())


def _repair_hint(root: Path) -> str:
    if (root / ".git").exists():
        return f"Check it out again:  git submodule update --init --force --depth 1 {SUBMODULE}"
    return "Unpack the source distribution again."


def _no_way(submodule: Path, failures: list[str]) -> str:
    reasons = "".join(f"\n  - {failure}" for failure in failures)
    return (
        f"The sources of WAMR (commit {COMMIT[:12]}) are nowhere to be found. Tried:\n"
        f"  - WAMR_SRC is not set\n  - {submodule} is empty{reasons}\n"
        "Any one of these helps; then build again:\n"
        "  export WAMR_SRC=/path/to/wasm-micro-runtime      # a tree that you have\n"
        f"  git submodule update --init --depth 1 {SUBMODULE}   # where there is a network to it\n"
        "  apt install cargo                                # 1.68 or later; takes Rust's crate\n"
        "  pip install wamr                                 # a wheel, or an sdist with the tree"
    )
