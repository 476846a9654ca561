"""The build of the libraries: its folder, its switches, and that a second build does nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import iwasm
from patches import series


def test_each_variant_has_a_folder_of_its_own(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = iwasm.layout(root).build
    monkeypatch.setenv("WAMR_DEBUG", "1")
    monkeypatch.setenv("WAMR_SANITIZE", "undefined,address")
    monkeypatch.setenv("WAMR_WITHOUT_PATCH", "elem-null")
    variant = iwasm.layout(root).build
    assert variant.name == f"{plain.name}-debug-address-undefined-without-patches"
    monkeypatch.setenv("WAMR_LABELS", "0")
    assert "-undefined-switch-without-" in iwasm.layout(root).build.name


def test_labels_are_used_unless_they_are_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, expected in (("", True), ("1", True), ("0", False)):
        monkeypatch.setenv("WAMR_LABELS", value)
        assert iwasm.labels() is expected
    monkeypatch.setenv("WAMR_LABELS", "no")
    with pytest.raises(iwasm.BuildError, match="WAMR_LABELS=no: choose 1"):
        iwasm.labels()


def test_variants_without_patches_share_a_folder(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = set()
    for names in ("elem-null", "resume", "elem-null,resume", ",".join(p.name for p in series())):
        monkeypatch.setenv("WAMR_WITHOUT_PATCH", names)
        folders.add(iwasm.layout(root).build)
    assert len(folders) == 1
    monkeypatch.delenv("WAMR_WITHOUT_PATCH")
    assert iwasm.layout(root).build not in folders


@pytest.mark.parametrize("asked", ["adress", "address,thread"])
def test_sanitizers_that_do_not_exist_or_exclude_each_other(
    asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAMR_SANITIZE", asked)
    with pytest.raises(iwasm.BuildError, match="choose from address, undefined, thread"):
        iwasm.sanitizers()


def test_tools_are_required_only_where_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert iwasm.missing_tools() == ["cmake>=3.16", "ninja"]
    with pytest.raises(iwasm.BuildError, match="pip install cmake"):
        iwasm._tool("cmake")


def test_sanitizers_reach_the_extension_module(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAMR_SANITIZE", "address")
    described = iwasm.describe(iwasm.layout(root))
    assert described.link_args == ["-fsanitize=address"]
    assert "-fsanitize=address" in described.compile_args


@pytest.mark.skipif(bool(iwasm.missing_tools()), reason="needs cmake and ninja")
@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")
def test_building_again_does_nothing(root: Path) -> None:
    place = iwasm.layout(root)
    c_files = place.c_files
    built = iwasm.build(root, None, c_files)
    before = [path.stat().st_mtime_ns for path in built.libraries]
    assert iwasm.build(root, None, c_files) == built
    assert [path.stat().st_mtime_ns for path in built.libraries] == before


def test_a_failing_build_shows_the_output_and_the_command(tmp_path: Path) -> None:
    with pytest.raises(iwasm.BuildError, match=r"no-such-option(?s:.*)This failed:"):
        iwasm._call([iwasm._tool("cmake"), "--no-such-option"], tmp_path)


@pytest.mark.skipif(bool(iwasm.missing_tools()), reason="needs cmake and ninja")
@pytest.mark.skipif(not shutil.which("gcc"), reason="asks gcc")
@pytest.mark.parametrize("labels", [0, 1], ids=["switch", "labels"])
@pytest.mark.parametrize("unaligned", [0, 1], ids=["aligned", "unaligned"])
@pytest.mark.parametrize("name", ["wasm_interp_fast.c", "wasm_loader.c"])
def test_patches_compile_as_they_do_elsewhere(
    root: Path, name: str, labels: int, unaligned: int
) -> None:
    """MSVC lacks labels as values, and some processors lack unaligned access."""
    place = iwasm.layout(root)
    iwasm.build(root, None, place.c_files)
    ninja = [iwasm._tool("ninja"), "-C", place.cmake, "-t", "compdb"]
    units = json.loads(subprocess.run(ninja, capture_output=True, check=True).stdout)
    unit = next(unit for unit in units if unit["file"].endswith(name))
    command = (
        f"{unit['command']} -fsyntax-only -MF /dev/null -Werror=implicit-function-declaration"
        f" -DWASM_ENABLE_LABELS_AS_VALUES={labels}"
        f" -DWASM_CPU_SUPPORTS_UNALIGNED_ADDR_ACCESS={unaligned}"
    )
    done = subprocess.run(
        command, shell=True, cwd=unit["directory"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_target_can_be_windows(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = iwasm.layout(root).c_files
    assert not any(path.parent.name == "windows" for path in here)
    monkeypatch.setenv("WAMR_CROSS", "x86_64-windows")
    there = iwasm.layout(root)
    assert there.build.name == "x86_64-windows"
    assert {path.name for path in there.c_files if path.parent.name == "windows"} >= {"paths.c"}
    assert set(here) < set(there.c_files)
    assert iwasm.describe(there).system_libraries == ["ntdll", "bcrypt", "ws2_32"]
    monkeypatch.setenv("WAMR_CROSS", "vax")
    with pytest.raises(iwasm.BuildError, match="WAMR_CROSS=vax: choose from x86_64-windows"):
        iwasm.layout(root)


def test_only_clang_cl_compiles_for_windows_on_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CC", "VCINSTALLDIR", "ProgramFiles"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("cl.exe", "cc"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    for compiler in ("", "cl.exe", "cc", "clang-cl"):
        monkeypatch.setenv("CC", compiler)
        with pytest.raises(
            iwasm.BuildError, match=r"no wheels of wamr for Windows.*cl\.exe can't compile it"
        ):
            iwasm.clang_cl()
    for name, machine in (("x64", "amd64"), ("ARM64", "arm64")):
        found = tmp_path / name / "Tools" / "Llvm" / name / "bin" / "clang-cl"
        found.parent.mkdir(parents=True)
        found.touch(0o755)
        with monkeypatch.context() as patch:
            patch.setenv("VCINSTALLDIR", str(tmp_path / name))
            patch.setattr("sysconfig.get_platform", lambda machine=machine: f"win-{machine}")
            assert iwasm.clang_cl() == str(found)
    (tmp_path / "clang-cl").write_text("")
    (tmp_path / "clang-cl").chmod(0o755)
    for compiler in ("", "cl.exe", "clang-cl", str(tmp_path / "clang-cl")):
        monkeypatch.setenv("CC", compiler)
        assert iwasm.clang_cl() == str(tmp_path / "clang-cl")


@pytest.mark.skipif(not shutil.which("gcc"), reason="asks CMake, with gcc")
@pytest.mark.parametrize("processor", ["x86_64", "aarch64", "riscv64"])
def test_each_processor_has_simd(root: Path, tmp_path: Path, processor: str) -> None:
    """WAMR turns a half of it off for RISC-V, and then nothing compiles."""
    place = iwasm.layout(root)
    iwasm.build(root, None, place.c_files)
    options = {
        "CMAKE_SYSTEM_NAME": "Linux",
        "CMAKE_SYSTEM_PROCESSOR": processor,
        "CMAKE_MAKE_PROGRAM": iwasm._tool("ninja"),
        "FETCHCONTENT_FULLY_DISCONNECTED": "ON",
        "FETCHCONTENT_SOURCE_DIR_SIMDE": iwasm._simde(place.build / "simde").as_posix(),
        "WAMR_ROOT_DIR": place.tree.as_posix(),
        "WPY_SOURCES": ";".join(path.as_posix() for path in place.c_files),
        "WPY_INCLUDE": place.native.as_posix(),
        "WPY_INTERP": place.interp.as_posix(),
    }
    command = [iwasm._tool("cmake"), "-S", root / "cmake", "-B", tmp_path, "-G", "Ninja"]
    command += [f"-D{name}={value}" for name, value in options.items()]
    subprocess.run(command, capture_output=True, check=True)
    ninja = (tmp_path / "build.ninja").read_text(encoding="utf-8")
    found = {
        name: set(re.findall(r"-DWASM_ENABLE_(SIMDE?=\d)", block))
        for block in ninja.split("\nbuild ")
        for name in re.findall(r"(\w+\.c)\.o: C_COMPILER", block)
    }
    # It calls functions through assembler code, which passes no vectors on RISC-V.
    calls = found.pop("wasm_runtime_common.c")
    assert calls - {"SIMD=1", "SIMDE=1"} == ({"SIMD=0"} if processor == "riscv64" else set())
    assert len(found) > 50
    for name, simd in found.items():
        assert simd == {"SIMD=1", "SIMDE=1"}, name
