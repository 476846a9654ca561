"""Edits the patches of WAMR as commits, and moves them to another version of WAMR.

    python cmake/upstream.py edit               make build/wamr-edit, a git repository: WAMR's tree,
                                                then one commit for each patch
    python cmake/upstream.py export             write the commits back to cmake/patches
    python cmake/upstream.py upgrade COMMIT [--from FOLDER]
                                                move the patches to that commit of WAMR, export
                                                them, and rewrite the pin
    python cmake/upstream.py finish             the rest of an upgrade that had conflicts

Edit the repository with any tool. ``git commit --fixup`` and ``git rebase -i --autosquash`` change
a patch, and a new commit adds one. The message of a commit is the head of its patch: the subject,
the reason, and the fields of ``patches.FIELDS`` as trailers. The trailer ``Patch:`` names the file.
``make wamr-edit``, ``wamr-export``, ``wamr-upgrade COMMIT=…`` and ``wamr-upgrade-finish`` run these
commands. Only developers need them: a build uses no git.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import iwasm
import patches
import pin
import sources

ROOT = Path(__file__).resolve().parents[1]
BASE = "upstream"  # the tag of the commit with WAMR's own tree
STATE = "exported.json"  # in .git: the patches and the commit that correspond
PATCH = "Patch"  # the trailer that names the file; a patch's head does not have it
TRAILERS = (*patches.FIELDS[1:], PATCH)

# The user's configuration must not affect the result: the same patches give the same commits.
CONFIGURATION = {
    "core.autocrlf": "false",
    "core.fileMode": "true",
    "core.hooksPath": os.devnull,
    "commit.gpgSign": "false",
    "diff.algorithm": "myers",
    "diff.context": "3",
    "diff.noprefix": "false",
    "diff.mnemonicPrefix": "false",
    "merge.conflictStyle": "diff3",
    "user.name": "wamr",
    "user.email": "wamr@localhost",
}
DATE = "2000-01-01T00:00:00Z"


class UpstreamError(SystemExit):
    """The user has to do or decide something; printed without a traceback."""


@dataclass(frozen=True)
class Repository:
    """The git repository with the patches as commits."""

    path: Path

    def git(self, *arguments: str, check: bool = True, message: str | None = None) -> str:
        """Run git, with `message` as its input, and return its output."""
        dates = {"GIT_AUTHOR_DATE": DATE, "GIT_COMMITTER_DATE": DATE, "GIT_EDITOR": "true"}
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env=os.environ | dates,
            input=message,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
        if done.returncode and check:
            raise UpstreamError(f"git {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def commits(self) -> list[str]:
        """Return the ids of the commits that are patches, oldest first."""
        return self.git("rev-list", "--reverse", f"{BASE}..HEAD").split()


# -- edit ----------------------------------------------------------------------------------------


def edit(path: Path) -> Repository:
    """Make the repository from the patches; refuse where it has commits that were not exported."""
    repository = Repository(path)
    if (path / ".git").is_dir() and (changes := _not_exported(repository)):
        raise UpstreamError(
            f"{path} has {changes}. Keep that with `make wamr-export`, or remove the folder."
        )
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    repository.git("init", "--quiet", "--initial-branch=patches")
    for name, value in CONFIGURATION.items():
        repository.git("config", name, value)
    paths = iwasm.layout(ROOT)
    paths.build.mkdir(parents=True, exist_ok=True)
    _commit_tree(repository, sources.resolve(ROOT, paths.build).path, f"WAMR {pin.COMMIT}")
    repository.git("tag", BASE)
    for patch in patches.series(patches.FOLDER):
        _apply(repository, patch)
        repository.git("add", "--all", "--force")
        repository.git(
            "commit", "--quiet", "--file=-", "--cleanup=verbatim", message=_message(patch)
        )
    _record_state(repository)
    return repository


def _digest() -> str:
    """Return a hash of all files in cmake/patches."""
    files = sorted(path for path in patches.FOLDER.rglob("*") if path.is_file())
    content = b"".join(hashlib.sha256(path.read_bytes()).digest() for path in files)
    return hashlib.sha256(content + repr(files).encode()).hexdigest()


def _record_state(repository: Repository) -> None:
    """Store which patches and which commit correspond, after an edit or an export."""
    state = {"patches": _digest(), "head": repository.git("rev-parse", "HEAD").strip()}
    (repository.path / ".git" / STATE).write_text(json.dumps(state), encoding="utf-8")


def _recorded(repository: Repository) -> dict[str, str]:
    """Return what `_record_state` has stored; nothing, if the repository was only half made."""
    try:
        found: dict[str, str] = json.loads((repository.path / ".git" / STATE).read_bytes())
    except FileNotFoundError:
        return {}
    return found


def _commit_tree(repository: Repository, tree: Path, message: str) -> None:
    """Commit the parts of `tree` that the build needs."""
    for part in sources.PARTS:
        target = repository.path / part
        if target.is_dir():
            shutil.rmtree(target)
        if (tree / part).is_dir():
            shutil.copytree(tree / part, target, symlinks=True)
        else:
            shutil.copyfile(tree / part, target)
    repository.git("add", "--all", "--force")
    repository.git("commit", "--quiet", "--allow-empty", "--message", message)


def _apply(repository: Repository, patch: patches.Patch) -> None:
    for name, hunks in patch.edits.items():
        path = repository.path / name
        text = path.read_bytes().decode("utf-8") if path.exists() else ""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(patches.patched(text, name, hunks).encode("utf-8"))


def _message(patch: patches.Patch) -> str:
    values = {**patch.fields, PATCH: patch.path.relative_to(patches.FOLDER).as_posix()}
    names = (*TRAILERS[:-1], patches.BUILD, PATCH)
    trailers = "".join(f"{name}: {values[name]}\n" for name in names if name in values)
    return f"{patch.fields['Subject']}\n\n{patch.reason}\n\n{trailers}"


def _not_exported(repository: Repository) -> str:
    if repository.git("status", "--porcelain").strip():
        return "changes that are not committed"
    if (repository.path / ".git" / "rebase-merge").exists():
        return "a rebase that is not finished"
    if repository.git("rev-parse", "HEAD").strip() == _recorded(repository).get("head"):
        return ""
    written = {path: path.read_text(encoding="utf-8") for path in patches.FOLDER.rglob("*.patch")}
    try:
        return "" if dict(_exported(repository)) == written else "commits that are not exported"
    except UpstreamError:
        return "commits that can't be exported"


# -- export --------------------------------------------------------------------------------------


def export(repository: Repository) -> list[Path]:
    """Write each commit as a patch, and the series; return the files, in order."""
    if repository.git("status", "--porcelain").strip():
        raise UpstreamError(f"{repository.path} has changes that are not committed. Commit them.")
    if _recorded(repository).get("patches") != _digest():
        raise UpstreamError(
            f"{patches.FOLDER} has changed since {repository.path} was made, and an export would "
            "undo that. Restore it with git, or remove the repository and `make wamr-edit` again."
        )
    found = _exported(repository)
    names = [path.relative_to(patches.FOLDER).as_posix() for path, _ in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UpstreamError(f"Two commits have the trailer '{PATCH}: {twice[0]}'. Squash them.")
    for path in set(patches.FOLDER.rglob("*.patch")) - {path for path, _ in found}:
        path.unlink()
    for path, text in found:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    (patches.FOLDER / "series").write_text(_SERIES + "".join(f"{name}\n" for name in names))
    _record_state(repository)
    return [path for path, _ in found]


_SERIES = """\
# The order in which the patches are applied. See docs/developing.md.
"""


def _exported(repository: Repository) -> list[tuple[Path, str]]:
    return [_patch(repository, commit) for commit in repository.commits()]


def _patch(repository: Repository, commit: str) -> tuple[Path, str]:
    subject, body = repository.git("show", "--no-patch", "--format=%s%n%b", commit).split("\n", 1)
    if subject.startswith(("fixup!", "squash!", "amend!")):
        raise UpstreamError(
            f"'{subject}' is not folded yet:\n"
            f"  git -C {repository.path} rebase --interactive --autosquash {BASE}"
        )
    reason, trailers = _split(body)
    if missing := [name for name in TRAILERS if not trailers.get(name)]:
        raise UpstreamError(
            f"The message of commit {commit[:12]} ('{subject}') lacks the trailers "
            f"{', '.join(missing)}. It has to end as this:\n\n"
            "  Forwarded: no\n  Test: tests/patches/test_bugs.py::test_name\n"
            "  Gone-when: WAMR checks the count itself\n  Patch: bugs/name.patch\n"
        )
    values = {"Subject": subject, **trailers}
    names = (*patches.FIELDS, patches.BUILD)
    head = "".join(f"{name}: {values[name]}\n" for name in names if name in values)
    diff = repository.git(
        "diff", "--no-color", "--no-ext-diff", "--no-renames", f"{commit}^", commit
    )
    kept = re.sub(r"(?m)^(?:diff --git|index|new file mode) .*\n", "", diff)
    return patches.FOLDER / trailers[PATCH], f"{head}\n{reason}\n---\n{kept}"


def _split(body: str) -> tuple[str, dict[str, str]]:
    """Split the body of a commit message into the reason and the trailers."""
    lines = body.rstrip().split("\n")
    first = len(lines)
    while first and lines[first - 1].partition(":")[0] in (*TRAILERS, patches.BUILD):
        first -= 1
    trailers = dict(line.split(":", 1) for line in lines[first:])
    return "\n".join(lines[:first]).strip(), {k: v.strip() for k, v in trailers.items()}


# -- upgrade -------------------------------------------------------------------------------------


def upgrade(commit: str, folder: Path | None, path: Path) -> str:
    """Move the patches to `commit`, whose tree is in `folder` or is fetched; return a report."""
    repository = edit(path)
    tree = folder or _fetched(commit, path.with_name("wamr-upgrade"))
    pinned = _pin_of(commit, tree)
    repository.git("checkout", "--quiet", "-B", "next", BASE)
    _commit_tree(repository, tree, f"WAMR {commit}")
    repository.git("tag", "--force", "next-upstream")
    before = _names(repository, f"{BASE}..patches")
    repository.git("checkout", "--quiet", "patches")
    (path / ".git" / "next-pin.json").write_text(json.dumps(pinned), encoding="utf-8")
    repository.git(
        "rebase", "--quiet", "--empty=drop", "--onto", "next-upstream", BASE, check=False
    )
    if (path / ".git" / "rebase-merge").exists():
        where = repository.git("status", "--short", "--untracked-files=no")
        raise UpstreamError(
            f"A patch conflicts with {commit[:12]}:\n{where}"
            f"Resolve the conflict in {path}, then `git add` and `git rebase --continue` until the "
            "rebase ends, and type  make wamr-upgrade-finish"
        )
    return finish(repository, before)


def _pin_of(commit: str, tree: Path) -> dict[str, Any]:
    """Return the content of upstream.json for `commit`, whose tree is in the folder `tree`."""
    core = tree / "core"
    files = [path for path in core.rglob("*") if path.is_file() and not path.is_symlink()]
    executables = sorted(p.relative_to(core).as_posix() for p in files if os.access(p, os.X_OK))
    header = (core / "version.h").read_text(encoding="utf-8")
    parts = ("MAJOR", "MINOR", "PATCH")
    numbers = [re.search(rf"WAMR_VERSION_{part}\s+(\d+)", header) for part in parts]
    crate = tree.parent.name if tree.parent.name.startswith("wamrx-sys-") else ""
    return {
        "version": ".".join(number[1] if number else "0" for number in numbers),
        "commit": commit,
        "core_tree": sources.tree_id(core, executables=frozenset(executables)),
        "crate": "=".join(crate.rsplit("-", 1)) if crate else "",
        "executables": executables,
    }


def finish(repository: Repository, before: list[str] | None = None) -> str:
    """Export the moved patches, and rewrite the pin; return a report."""
    next_pin = repository.path / ".git" / "next-pin.json"
    if not next_pin.is_file():
        raise UpstreamError("There is no upgrade to finish. Begin one: make wamr-upgrade COMMIT=…")
    before = _names(repository, f"{BASE}..ORIG_HEAD") if before is None else before
    pinned = json.loads(next_pin.read_text(encoding="utf-8"))
    repository.git("tag", "--force", BASE, "next-upstream")
    gone = [name for name in before if name not in _names(repository, f"{BASE}..HEAD")]
    export(repository)
    pin.write(pinned)
    _git_link(pinned["commit"])
    next_pin.unlink()
    count = len(repository.commits())
    return "\n".join(
        [
            f"WAMR is {pinned['version']}, {pinned['commit'][:12]}: {count} patches",
            *(f"  became empty, and is gone: {name}" for name in gone),
            "Build, run the tests, prove the patches (tests/patches/prove.py), and name the",
            "commit in the changelog.",
        ]
    )


def _names(repository: Repository, commits: str) -> list[str]:
    form = f"--format=%(trailers:key={PATCH},valueonly,separator=%x2C)"
    return repository.git("log", "--reverse", form, commits).split()


def _fetched(commit: str, path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    name = f"submodule.{sources.SUBMODULE}.url"
    url = Repository(ROOT).git("config", "--file", ".gitmodules", name).strip()
    repository = Repository(path)
    repository.git("init", "--quiet")
    try:
        repository.git("fetch", "--quiet", "--depth", "1", url, commit)
    except UpstreamError as error:
        hint = "FROM=/path takes the tree of that commit from a folder instead."
        raise UpstreamError(f"{error}{hint}") from None
    repository.git("checkout", "--quiet", "--force", "FETCH_HEAD")
    return path


def _git_link(commit: str) -> None:
    """Make the submodule point to `commit`."""
    entry = f"160000,{commit},{sources.SUBMODULE}"
    Repository(ROOT).git("update-index", "--add", "--cacheinfo", entry)


# -- command line --------------------------------------------------------------------------------


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("command", choices=("edit", "export", "upgrade", "finish"))
    parser.add_argument("commit", nargs="?", help="of upgrade: the commit's full id")
    parser.add_argument("--from", dest="folder", type=Path, help="of upgrade: its tree")
    given = parser.parse_args()
    path = ROOT / "build" / "wamr-edit"
    if given.command == "edit":
        repository = edit(path)
        print(f"{path}: {len(repository.commits())} patches, one commit each, on the tag '{BASE}'")
    elif given.command == "export":
        print(f"{patches.FOLDER}: {len(export(Repository(path)))} patches")
    elif given.command == "finish":
        print(finish(Repository(path)))
    elif re.fullmatch(r"[0-9a-f]{40}", given.commit or ""):
        print(upgrade(given.commit, given.folder, path))
    else:
        raise UpstreamError("Give the full id of the commit: make wamr-upgrade COMMIT=<40 digits>")


if __name__ == "__main__":
    main()
