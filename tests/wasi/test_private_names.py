"""Names in private directories on Windows, which takes many for no names."""

from __future__ import annotations

import os

import pytest

import wamr
from wamr._wasi import private_paths, private_trees

pytestmark = [pytest.mark.usefixtures("wat", "place", "trees")]

NO_NAMES = ["C:", "a:b", "nul", "CON.txt", "com1", "LPT\u00b9", "NUL .txt", "a.", "a ", "a*", "a?"]
NO_NAMES += ["a\\b", 'a"', "<a", "a>", "a|b", "a\n", "\x1f", "...", "conout$"]


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_windows_takes_for_no_name_is_refused(wasi, name, trees):
    if trees == "descriptors":  # names of POSIX: files like any others
        _, files = wasi({name: b"1"})
        assert dict(files) == {name: b"1"}
        return
    for path in (name, f"sub/{name}", f"{name}/b"):
        with pytest.raises(ValueError, match="has a part that is no name on this system"):
            wamr.WasiConfig(dirs={"/w": {path: b""}})
    _, files = wasi({})
    with pytest.raises(ValueError, match="the name of a file has a part that is no name"):
        files[name] = b""
    with pytest.raises(KeyError):
        files[name]


@pytest.mark.parametrize("name", ["CONFIG", "a.b", "com", "com10", "~", "nul1", ".a", " a", "é€😀"])
def test_like_names_are_names(wasi, name):
    program, files = wasi({name: b"1", "sub": {name: b"2"}})
    assert dict(files) == {name: b"1", f"sub/{name}": b"2"}
    error, fd = program.open(f"sub/{name}")
    assert (error, program.read(fd)) == (0, b"2")


@pytest.mark.parametrize(
    "files", [{"a": b"", "A": b""}, {"s/a": b"", "S/b": b""}, {"é": {}, "É": {}}]
)
def test_two_spellings_of_a_name(files, trees):
    if trees == "descriptors":
        wamr.WasiConfig(dirs={"/w": files})
        return
    with pytest.raises(ValueError, match="are one name on this system"):
        wamr.WasiConfig(dirs={"/w": files})
    assert private_paths.two_spellings([("a", "b"), ("a", "c"), ("ab",)]) is None


@pytest.mark.skipif(os.name == "nt", reason="two_spellings has found them")
def test_a_file_system_may_take_two_names_for_one(wasi, trees, monkeypatch):
    module = private_trees if trees == "descriptors" else private_paths
    write = module.write

    def without_case(root, parts, data, **options):
        write(root, tuple([part.lower() for part in parts]), data, **options)

    monkeypatch.setattr(module, "write", without_case)
    monkeypatch.setattr(module, "two_spellings", lambda paths: None)
    with pytest.raises(ValueError, match="'b' and another name are one on this file system"):
        wasi({"a": b"1", "B": b"2", "b": b"3"})
    _, files = wasi({"a": b"1", "B": b"2"})
    files["b"] = b"3"
    assert dict(files) == {"a": b"1", "b": b"3"}


@pytest.mark.parametrize(
    ("path", "literal"),
    [
        ("C:\\T\\wamr-1", "\\\\?\\C:\\T\\wamr-1"),
        ("\\\\host\\share\\wamr-1", "\\\\?\\UNC\\host\\share\\wamr-1"),
        ("\\\\?\\C:\\T", "\\\\?\\C:\\T"),
    ],
)
def test_paths_are_taken_literally_on_windows(path, literal, monkeypatch):
    assert private_paths.literal("/tmp/wamr-1") == "/tmp/wamr-1" or os.name == "nt"
    monkeypatch.setattr(private_paths.os, "name", "nt")
    assert private_paths.literal(path) == literal
    monkeypatch.undo()
