"""What windows.bash has built for arm64: exports, and that each name exists that is asked for.

The module is linked against the names of CPython's stable ABI. Nothing here runs programs for
Windows on arm64. Only windows.bash runs this file: it sets PROVE_WORK.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import abi3info
import pefile
import pytest

WORK = Path(os.environ["PROVE_WORK"])
OLDEST = (3, 10)  # the wheel's Python
ARM64 = 0xAA64
# Libraries of each Windows 10 and later; UCRT's begin with "api-ms-win-crt-".
SYSTEM = {"kernel32.dll", "ntdll.dll", "bcrypt.dll", "ws2_32.dll", "pathcch.dll"}


@pytest.fixture(scope="module")
def wheel() -> Path:
    (found,) = (WORK / "wheels").glob("*.whl")
    return found


@pytest.fixture(scope="module")
def data(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        assert [name for name in archive.namelist() if name.endswith(".so")] == []
        return archive.read("wamr/_wamr.pyd")


@pytest.fixture(scope="module")
def module(data: bytes) -> pefile.PE:
    return pefile.PE(data=data)


def imports(module: pefile.PE) -> dict[str, set[str]]:
    """Return the names that are taken from each library."""
    return {
        entry.dll.decode().lower(): {one.name.decode() for one in entry.imports}
        for entry in module.DIRECTORY_ENTRY_IMPORT
    }


def in_stable_abi(name: str) -> bool:
    """Return whether the oldest Python has it in its stable ABI."""
    symbol = abi3info.models.Symbol(name)
    found = abi3info.FUNCTIONS.get(symbol) or abi3info.DATAS.get(symbol)
    return found is not None and (found.added.major, found.added.minor) <= OLDEST


def linked(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Compile and link a library as build.py does."""
    (folder / "a.c").write_text(code, encoding="utf-8")
    command = [sys.executable, "-m", "ziglang", "cc", "-target", "aarch64-windows-gnu", "-shared"]
    command += [str(folder / "a.c"), str(WORK / "libpython3.a"), "-o", str(folder / "a.dll")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_wheel_is_for_each_python_from_the_oldest_on(wheel: Path) -> None:
    assert wheel.name.endswith("-cp310-abi3-win_arm64.whl")
    assert wheel.stat().st_size < 1_000_000
    with zipfile.ZipFile(wheel) as archive:
        (tags,) = [name for name in archive.namelist() if name.endswith(".dist-info/WHEEL")]
        text = archive.read(tags).decode()
    assert [line for line in text.splitlines() if line.startswith("Tag:")] == [
        "Tag: cp310-abi3-win_arm64"
    ]


def test_the_module_is_a_library_for_arm64(module: pefile.PE) -> None:
    assert module.FILE_HEADER.Machine == ARM64
    assert module.is_dll()


def test_it_exports_only_its_init_function(module: pefile.PE) -> None:
    names = [symbol.name for symbol in module.DIRECTORY_ENTRY_EXPORT.symbols]
    assert names == [b"PyInit__wamr"]


def test_it_needs_libraries_of_the_system_and_python_only(module: pefile.PE) -> None:
    for library in imports(module):
        assert library.startswith("api-ms-win-crt-") or library in {"python3.dll", *SYSTEM}


def test_each_name_of_python_is_in_the_stable_abi(module: pefile.PE) -> None:
    names = imports(module)["python3.dll"]
    assert len(names) > 80
    assert not sorted(name for name in names if not in_stable_abi(name))


def test_reference_counts_are_those_of_the_oldest_python(module: pefile.PE) -> None:
    """Newer headers call functions that 3.10 lacks, or count in another way."""
    names = imports(module)["python3.dll"]
    assert "_Py_Dealloc" in names
    assert not names & {"_Py_IncRef", "_Py_DecRef", "Py_IncRef", "Py_DecRef", "_Py_SetRefcnt"}


def test_what_exists_nowhere_is_found(tmp_path: Path) -> None:
    init = "__declspec(dllexport) int f(void) { return %s() != 0; }"
    declared = "__declspec(dllimport) int %s(void);\n"
    for name, there in (("Py_IsInitialized", True), ("_PyLong_New", False), ("fork", False)):
        done = linked(declared % name + init % name, tmp_path)
        assert (done.returncode == 0) is there, done.stderr
    assert not in_stable_abi("PyType_GetName")  # since 3.11


def test_no_path_of_this_machine_is_inside(data: bytes) -> None:
    assert str(WORK).encode() not in data
    assert b"unreachable" in data  # a text of the interpreter: it was read
