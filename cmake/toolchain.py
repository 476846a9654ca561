"""Says what a machine lacks to compile the package, before anything is downloaded or compiled."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

COMPILERS = ("cc", "gcc", "clang")
# How each system calls a compiler with the headers of C and Python.
INSTALL = {
    "apt-get": "apt install build-essential python3-dev",
    "dnf": "dnf install gcc python3-devel",
    "apk": "apk add build-base python3-dev linux-headers",
    "pacman": "pacman -S base-devel",
    "zypper": "zypper install gcc python3-devel",
    "xcode-select": "xcode-select --install",
}
WHEELS = (
    "Or take a wheel, which needs no compiler: those for Linux and macOS are found by a newer pip\n"
    "(python -m pip install --upgrade pip) on CPython 3.10 or later."
)


def missing(environment: Mapping[str, str], include: str | None = None) -> str:
    """Return the sentences that say what is missing and how to install it, or ""."""
    if os.name == "nt":  # iwasm.clang_cl says it
        return ""
    lacks = _compiler(environment) or _headers(include or sysconfig.get_path("include"))
    if not lacks:
        return ""
    return f"{lacks}\n{_how()}\n{WHEELS}"


def _compiler(environment: Mapping[str, str]) -> str:
    path = environment.get("PATH")
    given = shlex.split(environment.get("CC", ""))
    if given:
        if shutil.which(given[0], path=path):
            return ""
        return f"wamr is compiled from its sources, and CC={environment['CC']} names no program."
    if any(shutil.which(name, path=path) for name in COMPILERS):
        return ""
    return "wamr is compiled from its sources here, and this machine has no C compiler."


def _headers(include: str) -> str:
    if Path(include, "Python.h").is_file():
        return ""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return (
        "wamr is compiled from its sources here, and the headers of Python "
        f"{version} are missing ({include}/Python.h)."
    )


def _how() -> str:
    found = [text for tool, text in INSTALL.items() if shutil.which(tool)]
    return f"Type:  {found[0]}" if found else "Install a C compiler and the headers of Python."
