"""What makes two builds equal to the byte: compiler options, file modes, and times in archives.

setup.py uses these functions. Each takes something that differs between machines away: the options
that an interpreter was compiled with, the umask and the owner of a checkout, and the time, which
SOURCE_DATE_EPOCH gives (https://reproducible-builds.org/specs/source-date-epoch/).
"""

from __future__ import annotations

import gzip
import re
import shlex
import sysconfig
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path

# Options that choose the machine. The others of an interpreter (-O3, -g, -flto, hardening) are not
# taken over, since the same wheel comes out of each.
MACHINE = re.compile(r"-m(32|64|x32|abi=.*)|--sysroot=.*|--target=.*")
# Both are options of every CPython before 3.12; -fwrapv defines what an overflow does.
ALWAYS = ["-fwrapv", "-DNDEBUG"]


def compiler(
    environment: Mapping[str, str], variables: Mapping[str, object] | None = None
) -> tuple[list[str], list[str]]:
    """Return the commands that compile and that link an extension module on Linux.

    `environment` may give CC, CFLAGS, CPPFLAGS, LDFLAGS and LDSHARED, as for setuptools.
    `variables` are those of the interpreter's own build (sysconfig).
    """
    config = sysconfig.get_config_vars() if variables is None else variables
    given = {name: shlex.split(environment.get(name, "")) for name in _GIVEN}
    command = given["CC"] or shlex.split(str(config.get("CC") or "cc"))
    machine = [w for w in shlex.split(str(config.get("CFLAGS") or "")) if MACHINE.fullmatch(w)]
    compile_ = [*command, *machine, *ALWAYS, *given["CFLAGS"], *given["CPPFLAGS"], "-fPIC"]
    link = given["LDSHARED"] or [*command, *machine, "-shared"]
    return compile_, [*link, *given["LDFLAGS"], *given["CFLAGS"]]


_GIVEN = ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS", "LDSHARED")


def epoch(environment: Mapping[str, str]) -> int:
    """Return the time for archives: that of SOURCE_DATE_EPOCH, or now."""
    given = environment.get("SOURCE_DATE_EPOCH", "")
    if not given:
        return int(time.time())
    if not re.fullmatch(r"[0-9]+", given):
        raise SystemExit(f"SOURCE_DATE_EPOCH={given}: seconds since 1970 are expected, as a number")
    return int(given)


def mode_of(path: Path) -> int:
    """Return the mode that a file or folder gets in archives, whatever the umask was."""
    executable = path.is_dir() or path.stat().st_mode & 0o100
    return 0o755 if executable else 0o644


def set_modes(folder: Path) -> None:
    """Give all files below `folder` the modes of archives."""
    for path in folder.rglob("*"):
        path.chmod(mode_of(path))


def write_archive(archive: Path, folder: Path, seconds: int) -> None:
    """Write `folder` into a .tar.gz file: sorted, of no owner, each file of the same time."""
    with (
        archive.open("wb") as raw,
        # No file name, and level 9: both are in the header.
        gzip.GzipFile("", "wb", 9, raw, mtime=seconds) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in [folder, *sorted(folder.rglob("*"), key=lambda path: path.as_posix())]:
            name = path.relative_to(folder.parent).as_posix()
            member = tarfile.TarInfo(name)
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise SystemExit(f"{path}: an sdist takes files and folders only")
            member.type = tarfile.DIRTYPE if path.is_dir() else tarfile.REGTYPE
            member.size = 0 if path.is_dir() else path.stat().st_size
            member.mtime, member.mode = seconds, mode_of(path)
            if member.isfile():
                with path.open("rb") as content:
                    tar.addfile(member, content)
            else:
                tar.addfile(member)
