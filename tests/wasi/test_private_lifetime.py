"""The lifetime of private directories: when they are removed, by which process, and how."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
from platforms import needs_fork
from wasm_fixtures import CREAT, DIRECTORY, READ, SEEK, WRITE, in_process, program

import wamr

pytestmark = [
    pytest.mark.usefixtures("wat", "place", "trees"),
]

FILES = {"a.csv": b"1,2", "sub/b.txt": "text"}
MAKE = 1 << 9 | 1 << 10 | 1 << 13  # the rights to create and open in a directory
CREATE: dict[str, Any] = {"oflags": CREAT, "rights": READ | WRITE | SEEK}

# Creates or opens "out" in its first directory, and writes three bytes to it.
WRITES = program(
    """(drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 3)
        (i32.const 1) (i64.const 66) (i64.const 0) (i32.const 0) (i32.const 4)))
    (call $say_to (i32.load (i32.const 4)) (i32.const 1027) (i32.const 3))""",
    "outabc",
)


def left(folder: Path) -> int:
    return len(list(folder.iterdir()))


@pytest.mark.parametrize("how", ["close", "with", "store", "drop"])
def test_the_directory_goes_with_the_instance(place, how):
    store = wamr.Store()
    module = wamr.Module(store, program(""))
    instance: Any = wamr.Instance(store, module, wasi=wamr.WasiConfig(dirs={"/w": FILES}))
    files: Any = instance.files["/w"]
    assert left(place) == 1
    if how == "drop":
        del files, instance
        gc.collect()
        assert left(place) == 0
        return
    if how == "with":
        with instance:
            pass
    else:
        (instance if how == "close" else store).close()
    assert left(place) == 0
    assert repr(files) == "<wamr private directory, removed>"
    uses: list[Any] = [
        lambda: files["a.csv"],
        lambda: "a.csv" in files,
        lambda: list(files),
        lambda: len(files),
        lambda: files.__setitem__("a", b""),
        lambda: files.__delitem__("a.csv"),
    ]
    for use in uses:
        with pytest.raises(wamr.ClosedError, match="was removed when its instance was closed"):
            use()
    instance.close()


def test_an_instance_that_is_closed_while_it_runs_keeps_its_directory_to_the_end(place):
    store = wamr.Store()
    imports = '(import "env" "close" (func $close))'
    text = WRITES.replace("(module", f"(module {imports}", 1)
    text = text.replace('(export "_start")', '(export "_start") (call $close)')
    found = []
    running: list[Any] = []

    def close() -> None:
        running.pop().close()
        found.append(left(place))

    config = wamr.WasiConfig(dirs={"/w": {}})
    module = wamr.Module(store, text)
    instance = wamr.Instance(store, module, {"env": {"close": close}}, wasi=config)
    running.append(instance)
    files = instance.files["/w"]
    instance.exports._start()
    assert found == [1]
    assert dict(files) == {"out": b"abc"}


FAILS = {
    "link": ('(module (import "env" "f" (func)))', wamr.LinkError),
    "start": (
        program("").replace("_start", "f").rstrip()[:-1] + "(func $s unreachable) (start $s))",
        wamr.Trap,
    ),
    "segment": (program("").rstrip()[:-1] + '(data (i32.const -1) "x"))', wamr.Trap),
}


@pytest.mark.parametrize("way", FAILS)
def test_nothing_stays_of_an_instance_that_can_not_be_made(place, way):
    source, class_ = FAILS[way]
    with pytest.raises(class_) as caught:
        wamr.load(source, wasi=wamr.WasiConfig(dirs={"/w": FILES}))
    assert left(place) == 0, caught


def test_nothing_stays_if_a_later_directory_can_not_be_opened(place, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    config = wamr.WasiConfig(dirs={"/w": FILES, "/gone": gone})
    gone.rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        wamr.load(program(""), wasi=config)
    assert left(place) == 0, caught


def test_a_tree_too_deep_for_paths_is_read_and_removed(wasi):
    program, files = wasi({})
    above, names = 3, []
    for depth in range(1000):
        assert program.path_create_directory(above, "dddd") == 0
        error, below = program.open(
            "dddd", dir=above, oflags=DIRECTORY, rights=MAKE, inheriting=(1 << 29) - 1
        )
        assert error == 0, depth
        if above != 3:
            program.fd_close(above)
        above = below
        if depth % 200 == 100:
            error, fd = program.open("file", dir=above, **CREATE)
            assert (error, program.write(fd, b"deep")) == (0, 0)
            names.append("dddd/" * (depth + 1) + "file")
    assert len(names) == 5
    assert dict(files.items()) == dict.fromkeys(names[:4], b"deep")  # longer names than paths


def test_the_end_of_the_process_removes_the_directories(place):
    in_process(
        """
        import tempfile
        tempfile.tempdir = sys.argv[1]
        config = wamr.WasiConfig(dirs={"/w": {"a": b"1"}})
        instance = wamr.load(program(""), wasi=config)
        done = wamr.run([program("")], dirs={"/w": {"b": b"2"}})
        assert len(list(Path(sys.argv[1]).iterdir())) == 2
        """,
        place,
    )
    assert left(place) == 0


@needs_fork
def test_the_child_of_a_fork_removes_nothing(place):
    in_process(
        """
        import tempfile
        tempfile.tempdir = sys.argv[1]
        config = wamr.WasiConfig(dirs={"/w": {"a": b"1"}})
        instance = wamr.load(program(""), wasi=config)
        done = wamr.run([program("")], dirs={"/w": {"b": b"2"}})
        child = os.fork()
        if not child:
            assert instance.files["/w"]["a"] == b"1"
            instance.close()
            own = wamr.load(program(""), wasi=config)
            own.files["/w"]["a"] = b"2"
            del done
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert len(list(Path(sys.argv[1]).iterdir())) == 2
        assert dict(instance.files["/w"]) == {"a": b"1"}
        assert dict(done.files["/w"]) == {"b": b"2"}
        """,
        place,
    )
    assert left(place) == 0


def test_a_session_has_the_files_as_long_as_it_or_its_result_is_there(place):
    session = wamr.Session([WRITES], dirs={"/w": {"a": "1"}})
    assert dict(session.files["/w"]) == {"a": b"1"}
    session.files["/w"]["b"] = b"2"
    with session:
        done = session.end()
    del session
    gc.collect()
    assert dict(done.files["/w"]) == {"a": b"1", "b": b"2", "out": b"abc"}
    del done
    gc.collect()
    assert left(place) == 0
