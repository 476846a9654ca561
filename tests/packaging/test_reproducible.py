"""What differs between machines, and must not differ between their builds."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest

import iwasm
import module_options
import reproducible

posix = pytest.mark.skipif(os.name == "nt", reason="file modes and compilers of POSIX")

# -- compiler options ------------------------------------------------------------------------------

DEBIAN = {
    "CC": "x86_64-linux-gnu-gcc",
    "CFLAGS": "-Wsign-compare -DNDEBUG -g -fwrapv -O2 -Wall -g -fstack-protector-strong -flto=auto",
}
PYENV = {"CC": "gcc -pthread", "CFLAGS": "-Wno-unused-result -DNDEBUG -g -fwrapv -O3 -Wall"}


def test_the_options_of_an_interpreter_do_not_count() -> None:
    (debian, link), (pyenv, _) = (reproducible.compiler({}, each) for each in (DEBIAN, PYENV))
    assert debian[1:] == pyenv[2:] == ["-fwrapv", "-DNDEBUG", "-fPIC"]
    assert debian[0] == "x86_64-linux-gnu-gcc"
    assert pyenv[:2] == ["gcc", "-pthread"]
    assert link == ["x86_64-linux-gnu-gcc", "-shared"]


def test_the_options_that_choose_the_machine_stay() -> None:
    flags = "-O3 -m32 --sysroot=/opt/x -march=native -mabi=lp64d -mtune=generic"
    compile_, link = reproducible.compiler({}, {"CC": "gcc", "CFLAGS": flags})
    assert compile_[1:4] == link[1:4] == ["-m32", "--sysroot=/opt/x", "-mabi=lp64d"]
    assert "-march=native" not in compile_


def test_those_of_the_environment_stay() -> None:
    given = {
        "CC": "ccache 'my cc'",
        "CFLAGS": "-O0 '-DA=b c'",
        "CPPFLAGS": "-Ix",
        "LDFLAGS": "-Wl,-z,x",
    }
    compile_, link = reproducible.compiler(given, DEBIAN)
    assert compile_ == ["ccache", "my cc", "-fwrapv", "-DNDEBUG", "-O0", "-DA=b c", "-Ix", "-fPIC"]
    assert link == ["ccache", "my cc", "-shared", "-Wl,-z,x", "-O0", "-DA=b c"]
    assert reproducible.compiler({"LDSHARED": "ld -shared"}, DEBIAN)[1] == ["ld", "-shared"]


def test_an_interpreter_that_says_nothing_gets_cc() -> None:
    assert reproducible.compiler({}, {"CC": None})[0][0] == "cc"


# -- reference counts ------------------------------------------------------------------------------

# Macros and inline functions of Python's headers, which each version defines in another way.
THEIRS = re.compile(r"\b_?Py_(?:X?(?:IN|DE)CREF|X?NewRef|REFCNT|CLEAR)\b|\bob_refcnt\b")


def foreign_counts(root: Path, file: Path, *options: str) -> list[str]:
    """Return the preprocessed lines of a file that count references as Python's headers do.

    Lines of Python's headers themselves are left out.
    """
    compiler, _ = reproducible.compiler(os.environ)
    include = sysconfig.get_path("include")
    where = [f"-I{include}", f"-I{root / 'src' / 'native'}", *map(str, options)]
    command = [*compiler, "-E", "-DPy_LIMITED_API=0x030A0000", *where, str(file)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found, ours = [], True
    for line in text.splitlines():
        if marker := re.match(r'# \d+ "([^"]*)"', line):
            ours = not Path(marker[1]).is_relative_to(include)
        elif ours and THEIRS.search(line):
            found.append(line.strip())
    return found


shared = pytest.mark.skipif(
    sys.implementation.name != "cpython" or bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="these builds have no stable ABI",
)


@posix
@shared
def test_reference_counts_do_not_come_from_pythons_headers(root: Path) -> None:
    first = module_options.for_all(abi3=True)[:2]
    file = root / "tests" / "support" / "reference_counts.c"
    assert foreign_counts(root, file, *first) == []
    assert foreign_counts(root, file)  # without our header there are such lines
    wamr = iwasm.layout(root).include_dirs[1]
    for path in (root / "src" / "native" / "cpython").glob("*.c"):
        assert foreign_counts(root, path, *first, f"-I{wamr}") == [], path.name


def test_only_one_place_has_the_options_of_the_module(root: Path) -> None:
    """setup.py, and the scripts that build for Windows elsewhere, compile with the same ones."""
    scripts = [root / "setup.py", *(root / "cmake").glob("*.py"), *(root / "tools").rglob("*.py")]
    words = ("refcounts.h", "0x030A0000", "-fvisibility")
    having = {path.name for path in scripts if any(word in path.read_text() for word in words)}
    assert having == {"module_options.py"}
    for script in (root / "setup.py", root / "tools" / "prove" / "windows" / "build.py"):
        for name in ("STABLE_ABI", "own_sources", "for_all", "for_own"):
            assert f"module_options.{name}" in script.read_text(), script


def test_each_driver_includes_the_counts_first() -> None:
    assert module_options.for_all(abi3=True)[:2] == ["-include", "cpython/refcounts.h"]
    assert module_options.for_all(abi3=True, cl=True) == ["/FI", "cpython/refcounts.h"]
    for cl in (False, True):
        assert "cpython/refcounts.h" not in module_options.for_all(abi3=False, cl=cl)
    assert "-Werror" in module_options.for_own(strict=True)
    assert "-Werror" not in module_options.for_own(strict=False)


# -- archives --------------------------------------------------------------------------------------


def test_the_epoch_is_the_one_that_is_given() -> None:
    assert reproducible.epoch({"SOURCE_DATE_EPOCH": "1700000000"}) == 1_700_000_000
    assert reproducible.epoch({}) > 1_700_000_000


@pytest.mark.parametrize("text", ["yesterday", "-1", "1.5", " 1", "1e9", "None"])
def test_another_epoch_is_refused(text: str) -> None:
    with pytest.raises(SystemExit, match="seconds since 1970"):
        reproducible.epoch({"SOURCE_DATE_EPOCH": text})


def make(folder: Path, mode: int, names: list[str]) -> Path:
    """Make an archive of these files, which are added in this order and have this mode."""
    for name in names:
        path = folder / "wamr-1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
        path.chmod(mode | (0o100 if name.endswith("run") else 0))
        os.utime(path, (mode, mode))
    return folder / "wamr-1"


@posix
def test_two_archives_are_equal_to_the_byte(tmp_path: Path) -> None:
    names = ["b.py", "a/run", "a/é.txt", "a-b/c", "long/" + "x" * 120 + "/y"]
    one = make(tmp_path / "one", 0o644, names)
    other = make(tmp_path / "another one", 0o600, names[::-1])
    for folder, archive in ((one, "1.tar.gz"), (other, "2.tar.gz")):
        reproducible.write_archive(tmp_path / archive, folder, 1_700_000_000)
    content = (tmp_path / "1.tar.gz").read_bytes()
    assert content == (tmp_path / "2.tar.gz").read_bytes()
    with tarfile.open(tmp_path / "1.tar.gz") as archive:
        members = archive.getmembers()
        archive.extractall(tmp_path / "out", filter="data")
    assert {member.mtime for member in members} == {1_700_000_000}
    assert {(m.uid, m.gid, m.uname, m.gname) for m in members} == {(0, 0, "", "")}
    modes = {m.name: m.mode for m in members}
    assert modes["wamr-1/a/run"] == 0o755
    assert modes["wamr-1/b.py"] == 0o644
    assert {f"wamr-1/{name}" for name in names} <= modes.keys()
    assert (tmp_path / "out" / "wamr-1" / "a" / "é.txt").read_text() == "content of a/é.txt"
    later = tmp_path / "3.tar.gz"
    reproducible.write_archive(later, one, 1_700_000_001)
    assert later.read_bytes() != content
    assert str(tmp_path).encode() not in gzip.decompress(content)


@posix
def test_a_link_is_refused(tmp_path: Path) -> None:
    folder = make(tmp_path, 0o644, ["a"])
    (folder / "link").symlink_to("a")
    with pytest.raises(SystemExit, match="link: an sdist takes files and folders only"):
        reproducible.write_archive(tmp_path / "x.tar.gz", folder, 0)


@posix
def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    folder = make(tmp_path, 0o600, ["a/b", "a/run"])
    (folder / "a").chmod(0o700)
    reproducible.set_modes(folder)
    modes = {p.name: p.stat().st_mode & 0o777 for p in folder.rglob("*")}
    assert modes == {"a": 0o755, "b": 0o644, "run": 0o755}


@posix
@pytest.mark.packaging
def test_two_sdists_are_equal_to_the_byte(root: Path, tmp_path: Path) -> None:
    """The second is built in another folder, with another umask, where an old build left a list."""
    tree = iwasm.sources.resolve(root, iwasm.layout(root).build).path
    left = shutil.ignore_patterns(
        "build", "dist", ".*", "wamr-src", "*.egg-info", "*.so", "__pycache__"
    )
    copy = tmp_path / "another folder é" / "wamr"
    shutil.copytree(root, copy, ignore=left)
    for name in (".gitmodules", ".clang-format", ".pre-commit-config.yaml"):
        shutil.copy2(root / name, copy / name)
    for path in copy.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
    old = copy / "src" / "wamr.egg-info"
    old.mkdir()
    (old / "SOURCES.txt").write_text(f"{copy}/src/native/cpython/memory.c\n")
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1700000000", "WAMR_SRC": str(tree)}
    built = []
    for number, (source, umask) in enumerate([(root, 0o022), (copy, 0o077)]):
        out = tmp_path / str(number)
        command = [
            sys.executable,
            "-m",
            "build",
            "--sdist",
            "-nx",
            "--outdir",
            str(out),
            str(source),
        ]
        done = subprocess.run(
            command, env=environment, umask=umask, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        (archive,) = out.iterdir()
        built.append(archive.read_bytes())
    assert built[0] == built[1]
