"""Private directories, dirs={"/w": {"a.csv": b"…"}}: files, isolation, lifetime, removal."""

from __future__ import annotations

import copy
import gc
import pickle
import stat
import subprocess
import sys
from typing import Any

import pytest
from platforms import needs_links, needs_modes
from time_units import in_units
from wasm_fixtures import (
    CREAT,
    NOTCAPABLE,
    READ,
    SEEK,
    WRITE,
    WasiFunctions,
    program,
)

import wamr

pytestmark = [
    pytest.mark.usefixtures("wat", "place", "trees"),
]
# The program makes links, which paths would follow.
without_paths = pytest.mark.parametrize("trees", ["descriptors"], indirect=True)

FILES = {"a.csv": b"1,2", "sub/b.txt": "déjà", "empty": b"", "deep": {"er": {"c": b"c"}, "no": {}}}
FLAT = {"a.csv": b"1,2", "sub/b.txt": "déjà".encode(), "empty": b"", "deep/er/c": b"c"}
CREATE = {"oflags": CREAT, "rights": READ | WRITE | SEEK}

# Creates or opens "out" in its first directory, and writes three bytes to it.
WRITES = program(
    """(drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 3)
        (i32.const 1) (i64.const 66) (i64.const 0) (i32.const 0) (i32.const 4)))
    (call $say_to (i32.load (i32.const 4)) (i32.const 1027) (i32.const 3)) %s""",
    "outabc",
)


# ------------------------------------------------------------------ what the program sees
def test_the_program_reads_and_writes_the_files(wasi):
    program, files = wasi(FILES)
    error, fd = program.open("sub/b.txt")
    assert (error, program.read(fd)) == (0, "déjà".encode())
    error, fd = program.open("a.csv", rights=READ | WRITE | SEEK)
    assert (error, program.write(fd, b"9")) == (0, 0)
    assert program.path_create_directory(3, "made") == 0
    error, fd = program.open("made/new", **CREATE)
    assert (error, program.write(fd, b"new")) == (0, 0)
    assert program.path_unlink_file(3, "empty") == 0
    assert program.path_rename(3, "deep", 3, "moved") == 0
    assert dict(files) == {
        "a.csv": b"9,2",
        "sub/b.txt": "déjà".encode(),
        "made/new": b"new",
        "moved/er/c": b"c",
    }


def test_the_program_sees_the_guest_path_only(wasi, place):
    program, _ = wasi(FILES)
    assert program.fd_prestat_get(3, program.OUT) == 0
    assert program.fd_prestat_dir_name(3, 2048, program.u32(program.OUT + 4)) == 0
    assert program.memory.read(2048, 3) == b"/w\0"
    assert program.names() == {"a.csv", "sub", "empty", "deep"}
    for path in ("..", "../x", "/", str(place)):
        assert program.open(path)[0] != 0


@needs_links
@without_paths
def test_links_to_the_outside_lead_nowhere(wasi):
    program, _ = wasi(FILES)
    assert program.path_symlink("../..", 3, "up") == 0
    assert program.path_symlink("/etc", 3, "etc") == NOTCAPABLE
    assert program.open("up/x")[0] != 0


@needs_modes
def test_only_this_user_can_enter_the_directory(wasi, place):
    wasi(FILES)
    (base,) = place.iterdir()
    assert stat.S_IMODE(base.stat().st_mode) == 0o700


def test_each_instance_has_its_own_directory():
    config = wamr.WasiConfig(dirs={"/w": {"a": b"1"}})
    source = program("")
    with wamr.load(source, wasi=config) as one, wamr.load(source, wasi=config) as two:
        one.files["/w"]["a"] = b"2"
        one.files["/w"]["b"] = b"3"
        assert dict(two.files["/w"]) == {"a": b"1"}
        assert dict(one.files["/w"]) == {"a": b"2", "b": b"3"}


def test_several_directories_and_other_kinds_beside_each_other(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    dirs: Any = {
        "/a": {"x": b"1"},
        "/host": wamr.Dir(shared, writable=True),
        "/b": {},
        "/r": shared,
    }
    wasi = WasiFunctions(dirs=dirs)
    assert set(wasi.instance.files) == {"/a", "/b"}
    assert wasi.open("made", dir=5, **CREATE)[0] == 0
    assert list(wasi.instance.files["/b"]) == ["made"]
    assert wasi.open("made", dir=4, **CREATE)[0] == 0
    assert (shared / "made").exists()
    assert wasi.open("other", dir=6, **CREATE)[0] != 0
    wasi.instance.close()


def test_a_linker_takes_them_too():
    store = wamr.Store()
    linker = wamr.Linker(store)
    linker.define_wasi(wamr.WasiConfig(dirs={"/w": {"a": "text"}}))
    with linker.instantiate(wamr.Module(store, program(""))) as instance:
        assert dict(instance.files["/w"]) == {"a": b"text"}


# ------------------------------------------------------------------ what Python sees
def test_the_mapping_reads_writes_and_deletes(wasi):
    program, files = wasi(FILES)
    assert dict(files) == FLAT
    assert list(files) == sorted(FLAT)
    assert len(files) == 4
    assert files == FLAT
    files["new/folder/file"] = "text"
    files["a.csv"] = bytearray(b"x")
    del files["empty"]
    error, fd = program.open("new/folder/file")
    assert (error, program.read(fd)) == (0, b"text")
    assert files["a.csv"] == b"x"
    assert "empty" not in files
    assert files.pop("a.csv") == b"x"
    assert files.get("a.csv") is None
    assert repr(files) == "<wamr private directory: deep/er/c, new/folder/file, sub/b.txt>"
    files.clear()
    assert repr(files) == "<wamr private directory: no files>"


def test_files_that_the_program_has_open_are_replaced_and_removed(wasi):
    program, files = wasi({"a": b"old", "b": b"1", "sub/c": b"2"})
    opened = [program.open(name)[1] for name in ("a", "b", "sub/c")]
    files["a"] = b"new"
    assert dict(files) == {"a": b"new", "b": b"1", "sub/c": b"2"}
    files.clear()
    assert dict(files) == {}
    files["b"] = b"another"
    assert [program.read(fd) for fd in opened] == [b"old", b"1", b"2"]
    assert program.open("a")[0] != 0
    program.instance.close()


@pytest.mark.parametrize(
    "name",
    ["missing", "sub", "sub/missing", "a.csv/x", "", "..", "../x", "/etc/passwd", "a\0", 5, None],
)
def test_names_that_are_no_files_are_key_errors(wasi, name):
    _, files = wasi(FILES)
    assert name not in files
    with pytest.raises(KeyError):
        files[name]
    with pytest.raises(KeyError):
        del files[name]


@needs_links
@without_paths
def test_links_that_the_program_makes_are_not_followed(wasi, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "folder").mkdir()
    program, files = wasi({"a": b"1"})
    assert program.path_symlink("../../../secret", 3, "link") == 0
    assert program.path_symlink("../../..", 3, "dir") == 0
    assert program.path_symlink("a", 3, "inner") == 0
    assert list(files) == ["a"]
    for name in ("link", "dir/secret", "inner"):
        assert name not in files
        with pytest.raises(KeyError):
            files[name]
    files["link"] = b"mine"  # replaces the link
    assert files["link"] == b"mine"
    with pytest.raises(OSError, match="dir"):
        files["dir/made"] = b"x"
    with pytest.raises(KeyError):
        del files["dir/secret"]
    program.instance.close()
    assert (tmp_path / "secret").read_text() == "secret"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "secret", "temporary"]


def test_a_written_file_is_a_new_one(wasi):
    program, files = wasi({"a": b"1"})
    assert program.path_link(3, 0, "a", 3, "b") == 0
    files["a"] = b"2"
    assert dict(files) == {"a": b"2", "b": b"1"}


BAD: list[tuple[Any, type[Exception], str]] = [
    ({"": b""}, ValueError, r"a name in dirs\['/w'\] must be a relative path .* not ''"),
    (
        {"/a": b""},
        ValueError,
        "must be a relative path without '.', '..' and empty parts, not '/a'",
    ),
    ({"a/": b""}, ValueError, "not 'a/'"),
    ({"a//b": b""}, ValueError, "not 'a//b'"),
    ({"../a": b""}, ValueError, "not '../a'"),
    ({"a/..": b""}, ValueError, "not 'a/..'"),
    ({".": b""}, ValueError, "not '.'"),
    ({"a\0b": b""}, ValueError, "contains a NUL character"),
    ({"\ud800": b""}, ValueError, "contains a lone surrogate"),
    ({"a" * 256: b""}, ValueError, "has a part of 256 bytes: 255 are possible"),
    ({"é" * 128: b""}, ValueError, "has a part of 256 bytes"),
    ({"a/" * 2048 + "b": b""}, ValueError, "has more than 4095 bytes"),
    ({5: b""}, TypeError, r"a name in dirs\['/w'\] must be a str, not int"),
    ({None: b""}, TypeError, "must be a str, not NoneType"),
    ({b"a": b""}, TypeError, "must be a str, not bytes"),
    ({"a": None}, TypeError, r"dirs\['/w'\]\['a'\] must be bytes or a str, not NoneType"),
    ({"a": 5}, TypeError, "must be bytes or a str, not int"),
    ({"a": "\ud800"}, ValueError, r"dirs\['/w'\]\['a'\] contains a lone surrogate"),
    ({"s": {"b": 1.5}}, TypeError, r"dirs\['/w'\]\['s'\]\['b'\] must be bytes or a str"),
    ({"s": {"..": b""}}, ValueError, r"a name in dirs\['/w'\]\['s'\] must be a relative path"),
    ({"a": b"", "a/b": b""}, ValueError, "'a' is a file and a directory"),
    ({"a/b": b"", "a": b""}, ValueError, "'a' is a file and a directory"),
    ({"a/b": b"", "a": {"b": b""}}, ValueError, "'a/b' is there twice"),
    ({"a": {"b": b""}, "a/b": {}}, ValueError, "'a/b' is there twice"),
]


@pytest.mark.parametrize(("files", "error", "message"), BAD)
def test_bad_names_and_contents(files, error, message, place):
    with pytest.raises(error, match=message):
        wamr.WasiConfig(dirs={"/w": files})
    with pytest.raises(error, match=message):
        wamr.run([program("")], dirs={"/w": files})
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("name", ["", "/a", "..", "a/../b", "a\0", "a" * 256, 5, None])
def test_a_bad_name_can_not_be_written(wasi, name):
    _, files = wasi(FILES)
    with pytest.raises((TypeError, ValueError), match="the name of a file"):
        files[name] = b""
    with pytest.raises(TypeError, match="the contents of 'x' must be bytes or a str, not NoneType"):
        files["x"] = None
    with pytest.raises(IsADirectoryError if sys.platform == "linux" else OSError):
        files["sub"] = b""


def test_a_mapping_that_contains_itself_is_refused():
    files: dict[str, Any] = {}
    files["a"] = files
    with pytest.raises(ValueError, match="more than 100 directories in each other"):
        wamr.WasiConfig(dirs={"/w": files})


def test_a_configuration_keeps_the_files_that_it_was_made_with():
    data, files = bytearray(b"1"), {}
    files["a"] = data
    config = wamr.WasiConfig(dirs={"/w": files, "/x": {}})
    data[:] = b"2"
    files["b"] = b""
    assert repr(config) == (
        "WasiConfig(args=[], env={}, dirs={'/w': <private directory, 1 files>, "
        "'/x': <private directory, 0 files>})"
    )
    with wamr.load(program(""), wasi=pickle.loads(pickle.dumps(config))) as instance:
        assert dict(instance.files["/w"]) == {"a": b"1"}


# ------------------------------------------------------------------ run
def test_run_hands_the_files_on(place):
    done = wamr.run([WRITES % ""], dirs={"/w": {"a": "1"}}, capture_output=True)
    assert isinstance(done, wamr.CompletedProcess)
    assert isinstance(done, subprocess.CompletedProcess)
    assert dict(done.files["/w"]) == {"a": b"1", "out": b"abc"}
    same = pickle.loads(pickle.dumps(done))
    assert same.files == {"/w": {"a": b"1", "out": b"abc"}}
    assert type(same.files["/w"]) is dict
    assert copy.copy(done).files is done.files
    assert len(list(place.iterdir())) == 1
    del done
    gc.collect()
    assert list(place.iterdir()) == []


def test_a_run_without_private_directories_has_no_files():
    done = wamr.run([program("")], dirs={"/w": "."})
    assert done.files == {}
    assert repr(done) == repr(subprocess.CompletedProcess(done.args, 0))
    with pytest.raises(wamr.Trap) as caught:
        wamr.run([program("unreachable")])
    assert caught.value.files is None


LOOP = WRITES % "(loop $l (br $l))"
EXIT = WRITES % "(call $proc_exit (i32.const 3))"
ENDS: dict[str, tuple[str, dict[str, Any], type[Exception]]] = {
    "trap": (WRITES % "unreachable", {}, wamr.Trap),
    "fuel": (LOOP, {"limits": wamr.ResourceLimits(fuel=1000)}, wamr.FuelTrap),
    "check": (EXIT, {"check": True}, subprocess.CalledProcessError),
}


@pytest.mark.parametrize("way", ENDS)
def test_an_exception_hands_the_files_on(way):
    source, named, class_ = ENDS[way]
    with pytest.raises(class_) as caught:
        wamr.run([source], dirs={"/w": {"a": b"1"}}, **named)
    error: Any = caught.value
    assert dict(error.files["/w"]) == {"a": b"1", "out": b"abc"}


@in_units
def test_a_timeout_hands_the_files_on(unit):
    with pytest.raises(subprocess.TimeoutExpired) as caught:
        wamr.run([LOOP], dirs={"/w": {"a": b"1"}}, timeout=unit)
    files: Any = caught.value.files
    assert dict(files["/w"]) == {"a": b"1", "out": b"abc"}


def test_an_exit_code_hands_the_files_on():
    done = wamr.run([EXIT], dirs={"/w": {}})
    assert (done.returncode, dict(done.files["/w"])) == (3, {"out": b"abc"})


def test_an_exception_with_files_of_its_own_keeps_them():
    class FileError(Exception):
        files = ("own",)

    def fail(_: bytes) -> None:
        raise FileError

    with pytest.raises(FileError) as caught:
        wamr.run([program("(call $say (i32.const 0) (i32.const 1))")], stdout=fail, dirs={"/w": {}})
    assert caught.value.files == ("own",)
