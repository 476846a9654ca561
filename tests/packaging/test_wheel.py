"""The wheel: its contents, what auditwheel and abi3audit say of it, and its use in each Python."""

from __future__ import annotations

import email.message
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import sources

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.packaging,
    pytest.mark.skipif(sys.implementation.name != "cpython", reason="abi3 is CPython's"),
]
linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux's way")

Run = Callable[..., subprocess.CompletedProcess[str]]

SMOKE = """
import sys, wamr, wamr.ffi
assert "site-packages" in wamr.__file__, wamr.__file__
add = "0061736d01000000 01070160027f7f017f 03020100 07070103616464 0000 0a09010700200020016a0b"
assert wamr.load(bytes.fromhex(add)).exports.add(2, 3) == 5
print("ok", sys.version_info[:2])
"""


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_it_is_abi3_for_3_10_and_later(wheel: Path) -> None:
    assert wheel.name.startswith("wamr-0.1.0-cp310-abi3-")


def test_it_works_in_older_pythons_whichever_built_it(root: Path) -> None:
    """Formats like "y#" take another type with the headers of 3.13 than 3.12 and earlier expect."""
    for file in root.glob("src/native/cpython/*.[ch]"):
        text = re.sub(r"/\*.*?\*/", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not re.search(r'"[^"\n]*[a-z]#[^"\n]*"', text), file.name


def test_it_has_the_package_and_nothing_else(names: set[str]) -> None:
    package = {name for name in names if ".dist-info/" not in name}
    assert all(name.startswith("wamr/") for name in package)
    suffixes = {Path(name).suffix for name in package}
    assert suffixes <= {".py", ".pyi", ".typed", ".js", ".so", ".pyd"}
    assert {
        "wamr/__init__.py",
        "wamr/_capi/_generated.py",
        "wamr/_wamr_version.py",
        "wamr/py.typed",
        "wamr/_wamr.pyi",
        "wamr/sandbox/programs/javascript.js",
        "wamr/sandbox/programs/python.py",
    } <= package
    assert (
        len([name for name in package if name.startswith("wamr/_wamr.") and "pyi" not in name]) == 1
    )


def test_it_has_every_licence(names: set[str]) -> None:
    licences = {name.partition("/licenses/")[2] for name in names if "/licenses/" in name}
    assert licences == {"LICENSE", "NOTICE"}  # WAMR has the text of LICENSE


def metadata_of(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        return email.message_from_bytes(archive.read(name))


def test_its_description_is_the_readme_without_pictures(wheel: Path) -> None:
    """An index shows neither files of the repository nor data in links."""
    metadata = metadata_of(wheel)
    assert metadata["Description-Content-Type"] == "text/markdown"
    text = metadata.get_payload()
    assert isinstance(text, str)
    assert text.startswith("# wamr\n\nRun WebAssembly from Python")
    assert "![" not in text
    readme = (ROOT / "README.md").read_text("utf-8")
    assert readme.count("\n## ") == text.count("\n## ") > 3


def test_it_depends_on_cffi_only(wheel: Path) -> None:
    metadata = metadata_of(wheel)
    needed = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]
    assert needed == ["cffi>=1.17"]
    assert metadata["License-Expression"] == "Apache-2.0 WITH LLVM-exception"


def test_it_brings_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/entry_points.txt")]
        assert "wamr = wamr.__main__:main" in archive.read(name).decode().splitlines()


def test_its_files_have_the_modes_of_a_package_whatever_the_umask_was(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        modes = {
            info.filename: info.external_attr >> 16 & 0o777
            for info in archive.infolist()
            if not info.is_dir() and not info.filename.endswith("/RECORD")
        }
    for name, mode in modes.items():
        assert mode == (0o755 if name.endswith(".so") else 0o644), name


def test_it_names_the_tree_of_wamr_that_it_was_built_from(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read("wamr/_wamr_version.py").decode()
    assert f'WAMR_TREE = "{sources.CORE_TREE}"' in text


@linux
def test_check_wheel_contents_accepts_it(wheel: Path, run: Run) -> None:
    run(sys.executable, "-m", "check_wheel_contents", wheel)


def test_it_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size <= 1_000_000


@pytest.fixture(scope="module")
def extension(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    (found,) = [*folder.glob("wamr/_wamr*.so"), *folder.glob("wamr/_wamr*.pyd")]
    return found


@linux
@pytest.mark.skipif(not shutil.which("nm"), reason="needs nm")
def test_the_symbols_of_wamr_are_hidden(extension: Path, run: Run) -> None:
    lines = run("nm", "--dynamic", "--defined-only", extension).stdout.splitlines()
    names = {line.split()[-1] for line in lines}
    assert names == {"PyInit__wamr"}


@linux
@pytest.mark.skipif(not shutil.which("readelf"), reason="needs readelf")
def test_it_is_stripped_and_hardened(extension: Path, run: Run) -> None:
    text = run("readelf", "--wide", "--sections", "--dynamic", extension).stdout
    assert ".symtab" not in text
    assert ".debug_info" not in text
    assert "BIND_NOW" in text or "NOW" in text
    assert "RPATH" not in text
    assert "RUNPATH" not in text


def test_it_tells_nothing_of_the_machine_that_built_it(extension: Path, root: Path) -> None:
    content = extension.read_bytes()
    for path in (root, Path.home(), Path("/tmp/")):
        assert os.fsencode(f"{path}/wamr") not in content
    assert b"/build/" not in content


@linux
def test_auditwheel_and_abi3audit_accept_it(wheel: Path, tmp_path: Path, run: Run) -> None:
    tools = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    run(
        *(sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", tmp_path, wheel),
        env=tools,
    )
    (repaired,) = tmp_path.iterdir()
    assert "manylinux" in repaired.name or "musllinux" in repaired.name
    run(sys.executable, "-m", "abi3audit", "--strict", "--assume-minimum-abi3", "3.10", repaired)


def pythons() -> list[Path]:
    """Return the interpreters here that the wheel supports, one of each version, this one first."""
    found = {sys.version_info[:2]: Path(sys.executable)}
    places = [*Path.home().glob(".pyenv/versions/3.*/bin/python3")]
    places += [Path(path) for minor in range(10, 20) if (path := shutil.which(f"python3.{minor}"))]
    for path in places:
        code = "import sys; print(*sys.version_info[:2], sys.implementation.name)"
        done = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            major, minor, implementation = done.stdout.split()
            version = int(major), int(minor)
            if version >= (3, 10) and implementation == "cpython":
                found.setdefault(version, path)
    return list(found.values())


@pytest.mark.parametrize("python", pythons(), ids=str)
def test_it_works_in_a_virtual_environment(
    python: Path, wheel: Path, tmp_path: Path, run: Run
) -> None:
    run(python, "-m", "venv", "--without-pip", tmp_path / "venv")
    own = tmp_path / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    run(*(sys.executable, "-m", "pip", "--python", own, "install", "--quiet", wheel))
    assert run(own, "-I", "-c", SMOKE, cwd=tmp_path).stdout.startswith("ok")
