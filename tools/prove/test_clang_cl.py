"""Our C and WAMR's files that patches change compile as clang-cl compiles them (clang-cl.bash)."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "cmake"))
import iwasm  # noqa: E402

WORK = Path(os.environ["PROVE_WORK"])
NATIVE = ROOT / "src" / "native"
PLACE = iwasm.layout(ROOT)
ZIG = next(WORK.glob("venv/lib/python3*/site-packages/ziglang"))
ARCHS = {"x86_64": "X86_64", "aarch64": "AARCH64"}
NOT_THERE = ("LINUX", "_GNU_SOURCE", "MREMAP", "SIMD", "BUILD_TARGET")

WINDOWS = NATIVE / "windows"  # WAMR's platform layer in our C, where the checkout has it
OURS = sorted({*PLACE.c_files, *WINDOWS.glob("*.c")})
PATCHED = sorted(
    {
        PLACE.tree / name
        for patch in ROOT.glob("cmake/patches/*/*.patch")
        for name in re.findall(r"^\+\+\+ b/(core/iwasm/.*\.c)$", patch.read_text("utf-8"), re.M)
        if "classic" not in name and "libc-wasi" not in name and "/aot/" not in name
    }
)


@cache
def settings() -> list[str]:
    """Return the definitions and folders that CMake gives to our C here, as for Windows."""
    ninja = ["ninja", "-C", str(PLACE.cmake), "-t", "compdb"]
    units = json.loads(subprocess.run(ninja, capture_output=True, check=True).stdout)
    (unit,) = [unit for unit in units if unit["file"].endswith("native/core/lock.c")]
    words = shlex.split(unit["command"])
    defined = [w for w in words if w.startswith("-D") and not any(n in w for n in NOT_THERE)]
    folders = [w.replace("/platform/linux", "/platform/windows") for w in words if w[:1] == "/"]
    if WINDOWS.is_dir():
        folders.insert(0, str(WINDOWS))
    return [
        *defined,
        "-DWASM_ENABLE_SIMD=0",
        *(f"-isystem{f}" for f in folders if Path(f).is_dir()),
    ]


def compiled(source: Path, arch: str, *more: str) -> str:
    """Compile a file to an object; return the errors and warnings."""
    place = WORK / "objects" / f"{arch}-{source.parent.name}-{source.stem}.obj"
    command = [
        *(str(ZIG / "zig"), "clang", f"--target={arch}-pc-windows-msvc", "-c", "-O1", "-std=gnu11"),
        *("-fms-compatibility-version=19.38", "-fno-strict-aliasing", f"-I{NATIVE}", *more),
        *(f"-I{NATIVE / 'interp'}", *settings(), f"-DBUILD_TARGET_{ARCHS[arch]}"),
        *("-DWASM_API_EXTERN=", "-DWASM_RUNTIME_API_EXTERN="),
        *("-DBH_PLATFORM_WINDOWS", "-DWIN32", "-D_WIN32_WINNT=0x0A00", "-D_UCRT"),
        *("-isystem", str(ZIG / "lib/include")),
        *("-isystem", str(ZIG / "lib/libc/include/any-windows-any")),
        *("-include", str(Path(__file__).with_name("msvc_prelude.h"))),
        *("-o", str(place), str(source)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 and place.stat().st_size else done.stderr or "no object"


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("source", OURS, ids=lambda path: path.relative_to(NATIVE).as_posix())
def test_our_c_compiles_without_a_warning(source: Path, arch: str) -> None:
    # as cmake/CMakeLists.txt has it: functions that nobody calls
    ignored = ["-Wno-unused-parameter"] if source.name == "sockets.c" else []
    assert not compiled(source, arch, "-Wall", "-Wextra", "-Werror", *ignored)


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("source", PATCHED, ids=lambda path: path.name)
def test_wamrs_patched_files_compile(source: Path, arch: str) -> None:
    assert not compiled(source, arch, "-w")


@pytest.mark.parametrize("arch", ARCHS)
def test_what_sees_the_code_is_clang_cl(tmp_path: Path, arch: str) -> None:
    wrong = tmp_path / "a.c"
    wrong.write_text(
        "#if defined(__GNUC__) || !defined(_MSC_VER) || !defined(__clang__)\n#error not clang-cl\n"
        '#endif\n#include "compiler.h"\nTHREAD_LOCAL int x;\nint f(int *p)\n{\n'
        "    const void *to = LABEL_ADDRESS(there);\n    ATOMIC_ADD(p, 1);\n    goto *to;\n"
        "there:\n    return x;\n}\n"
    )
    assert not compiled(wrong, arch, "-Wall", "-Wextra", "-Werror")


def test_cl_is_refused_with_a_sentence(tmp_path: Path) -> None:
    source = tmp_path / "a.c"
    source.write_text('#include "compiler.h"\n')
    assert "cl.exe cannot compile wamr: use clang-cl" in compiled(source, "x86_64", "-U__clang__")


def test_an_error_is_found(tmp_path: Path) -> None:
    source = tmp_path / "a.c"
    source.write_text("int f(void) { return preadv2(0); }\n")
    assert "preadv2" in compiled(source, "x86_64", "-Werror")
