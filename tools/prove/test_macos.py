"""What macos.bash has built: warnings, exports, and that each symbol which is looked up exists.

The linker takes libSystem's symbols from the SDK's list, and leaves what is not in it to be looked
up at run time (-undefined dynamic_lookup). These must be functions and objects of CPython's stable
ABI. Only macos.bash runs this file: it sets PROVE_WORK.
"""

from __future__ import annotations

import os
import re
import subprocess
import zipfile
from pathlib import Path

import abi3info
import pytest

WORK = Path(os.environ["PROVE_WORK"])
OLDEST = (3, 10)  # the wheel's Python
INIT = "_PyInit__wamr"

pytestmark = pytest.mark.parametrize("arch", ["arm64", "x86_64"])


def tool(name: str, *words: object) -> str:
    done = subprocess.run([name, *map(str, words)], capture_output=True, text=True, check=True)
    return done.stdout


def wheel(arch: str) -> Path:
    (found,) = (WORK / "wheels").glob(f"*_{arch}.whl")
    return found


@pytest.fixture
def module(arch: str, tmp_path: Path) -> Path:
    """Return the extension module of the wheel."""
    with zipfile.ZipFile(wheel(arch)) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".so")]
        return Path(archive.extract(name, tmp_path))


def looked_up(module: Path) -> set[str]:
    """Return the symbols that no library on the linker's command line defines."""
    lines = tool("llvm-nm", "-m", "--undefined-only", module).splitlines()
    return {re.findall(r" (_\w+)", line)[0] for line in lines if "(dynamically looked up)" in line}


def in_stable_abi(symbol: str) -> bool:
    """Return whether the oldest Python has it in its stable ABI."""
    name = abi3info.models.Symbol(symbol.removeprefix("_"))
    found = abi3info.FUNCTIONS.get(name) or abi3info.DATAS.get(name)
    return found is not None and (found.added.major, found.added.minor) <= OLDEST


def compiled(folder: Path, arch: str, code: str) -> Path:
    """Compile and link a module as macos.bash does."""
    source, made = folder / "a.c", folder / "a.so"
    source.write_text(code)
    flags = ("-bundle", "-undefined", "dynamic_lookup", f"-Wl,-exported_symbol,{INIT}", "-lm")
    command = [str(WORK / "cc"), *flags, str(source), "-o", str(made)]
    subprocess.run(command, env={**os.environ, "MACOS_ARCH": arch}, check=True)
    return made


def test_our_c_compiles_without_a_warning(arch: str) -> None:
    log = (WORK / "logs" / f"build-{arch}.log").read_text(encoding="utf-8")
    assert len(re.findall(r"^\[\d+/\d+\] Building C object", log, re.MULTILINE)) > 90
    warnings = re.findall(r"^(?:/|src/|build/).*warning: .*", log, re.MULTILINE)
    assert not warnings


def test_the_wheel_is_for_each_python_from_the_oldest_on(arch: str) -> None:
    assert wheel(arch).name.endswith(f"-cp310-abi3-macosx_11_0_{arch}.whl")
    assert wheel(arch).stat().st_size < 1_000_000


def test_the_module_is_of_its_processor_and_signed(arch: str, module: Path) -> None:
    headers = tool("llvm-objdump", "--macho", "--private-headers", module)
    assert {"arm64": "ARM64", "x86_64": "X86_64"}[arch] in headers
    assert " BUNDLE " in headers
    assert arch == "x86_64" or "LC_CODE_SIGNATURE" in headers  # arm64 runs no other code


def test_it_exports_only_its_init_function(arch: str, module: Path) -> None:
    lines = tool("llvm-nm", "--defined-only", "--extern-only", module).splitlines()
    assert [line.split()[-1] for line in lines] == [INIT]


def test_it_needs_the_systems_library_only(arch: str, module: Path) -> None:
    libraries = tool("llvm-objdump", "--macho", "--dylibs-used", module).splitlines()
    assert [line.split()[0] for line in libraries[1:]] == ["/usr/lib/libSystem.B.dylib"]


def test_each_symbol_is_the_systems_or_in_the_stable_abi(arch: str, module: Path) -> None:
    names = looked_up(module)
    assert len(names) > 80
    assert not sorted(name for name in names if not in_stable_abi(name))


def test_what_exists_nowhere_is_found(arch: str, tmp_path: Path) -> None:
    made = compiled(
        tmp_path,
        arch,
        "int memfd_create(const char *, unsigned), PyLong_FromLong(long), _PyLong_New(long);\n"
        "int PyUnstable_Code_New(void), PyType_GetName(void *), close(int);\n"
        "int PyInit__wamr(void) { return memfd_create(0, 0) + PyLong_FromLong(1) + _PyLong_New(1)\n"
        "    + PyUnstable_Code_New() + PyType_GetName(0) + close(3); }\n",
    )
    names = looked_up(made)
    assert "_close" not in names
    assert sorted(name for name in names if not in_stable_abi(name)) == [
        "_PyType_GetName",  # since 3.11
        "_PyUnstable_Code_New",
        "__PyLong_New",
        "_memfd_create",
    ]


def test_no_path_of_this_machine_is_inside(arch: str, module: Path) -> None:
    data = module.read_bytes()
    assert str(WORK).encode() not in data
    assert b"unreachable" in data  # a text of the interpreter, so the right file was read
