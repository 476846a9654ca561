"""WasiConfig and WASI itself. Stdio is in test_stdio.py, waiting in
test_wasi_waiting.py, directories in test_sandbox.py."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
import wasm_fixtures
from wasm_fixtures import WasiFunctions, descriptors, program

import wamr
from wamr import WasiConfig

pytestmark = pytest.mark.usefixtures("wat")


# ------------------------------------------------------------------ arguments and environment
def strings(wasi: WasiFunctions, kind: str) -> list[bytes]:
    sizes, get = getattr(wasi, f"{kind}_sizes_get"), getattr(wasi, f"{kind}_get")
    assert sizes(wasi.OUT, wasi.OUT + 4) == 0
    count, size = wasi.u32(), wasi.u32(wasi.OUT + 4)
    assert get(1024, 8192) == 0
    found = wasi.memory.read(8192, size).split(b"\0")[:-1]
    starts = [wasi.u32(1024 + 4 * i) for i in range(count)]
    assert [
        wasi.memory.read(at, len(text)) for at, text in zip(starts, found, strict=True)
    ] == found
    return found


def test_arguments_and_environment_are_what_was_given() -> None:
    wasi = WasiFunctions(args=["prog", "", "a b", "é\udcff"], env={"A": "1", "B": "", "C": "x=y"})
    assert strings(wasi, "args") == [b"prog", b"", b"a b", b"\xc3\xa9\xff"]
    assert strings(wasi, "environ") == [b"A=1", b"B=", b"C=x=y"]


def test_nothing_is_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "1")
    wasi = WasiFunctions()
    assert strings(wasi, "args") == strings(wasi, "environ") == []
    assert wasi.fd_prestat_get(3, wasi.OUT) == wasm_fixtures.BADF
    assert wasi.read(0) == b""


def test_a_config_serves_many_instances() -> None:
    config = WasiConfig(args=["x"], stdin=b"once each")
    text = wasm_fixtures.wrapper_module()
    for _ in range(2):
        instance = wamr.load(text, wasi=config)
        memory = instance.exports.memory
        memory.write(64, (8192).to_bytes(4, "little") + (100).to_bytes(4, "little"))
        assert instance.exports.fd_read(0, 64, 1, 128) == 0
        assert memory.read(8192, 9) == b"once each"


@pytest.mark.parametrize(
    ("config", "error", "words"),
    [
        ({"args": "prog"}, TypeError, "args must be a sequence"),
        ({"args": ["a", 1]}, TypeError, r"args\[1\] must be a str, not int"),
        ({"args": [b"a"]}, TypeError, r"args\[0\]"),
        ({"args": ["a\0b"]}, ValueError, r"args\[0\] contains a NUL"),
        ({"args": ["\ud800"]}, ValueError, r"args\[0\] contains a lone surrogate"),
        ({"env": ["A=1"]}, TypeError, "env must be a mapping"),
        ({"env": {"A": 1}}, TypeError, r"env\['A'\] must be a str"),
        ({"env": {1: "A"}}, TypeError, "a name in env"),
        ({"env": {"": "x"}}, ValueError, "a name in env must not be empty"),
        ({"env": {"A=B": "x"}}, ValueError, "contain '='"),
        ({"env": {"A": "\0"}}, ValueError, r"env\['A'\] contains a NUL"),
        ({"dirs": ["/"]}, TypeError, "dirs must be a mapping"),
        ({"dirs": {"/": 1}}, TypeError, r"dirs\['/'\] must be a path"),
        ({"dirs": {"/": b"/"}}, TypeError, r"dirs\['/'\] must be a path"),
        ({"dirs": {"": "/"}}, ValueError, "a guest path in dirs must not be empty"),
        ({"dirs": {"a\0": "/"}}, ValueError, "a guest path in dirs contains a NUL"),
        ({"dirs": {1: "/"}}, TypeError, "a guest path in dirs must be a str"),
        ({"stdin": 1.5}, TypeError, "stdin must be bytes, a file"),
        ({"stdin": True}, TypeError, "stdin must be"),
        ({"stdout": b"x"}, TypeError, "stdout must be None, a file"),
        ({"stderr": object()}, TypeError, "stderr must be None"),
        ({"stdout": subprocess.PIPE}, ValueError, "stdout=PIPE is for wamr.run"),
        ({"stdin": -7}, ValueError, "stdin must be a descriptor"),
        ({"stdin": 1 << 31}, ValueError, "stdin must be a descriptor, not 2147483648"),
        ({"stdout": 10**400}, ValueError, "stdout must be a descriptor, not an int of"),
        ({"stdin": ""}, FileNotFoundError, "No such file or directory: ''"),
        ({"stdout": ""}, FileNotFoundError, "No such file or directory: ''"),
        ({"dirs": {"/": ""}}, FileNotFoundError, "No such file or directory: ''"),
        ({"dirs": {"/": wamr.Dir("", writable=True)}}, FileNotFoundError, "directory: ''"),
        ({"stdin": 10_000}, OSError, r"Bad file descriptor \(stdin=10000\)"),
        ({"stdin": "no/such/file"}, FileNotFoundError, "no/such/file"),
        ({"stdin": "/"}, IsADirectoryError, "/"),
        ({"stdout": "/"}, IsADirectoryError, "/"),
        ({"stdout": "no/such/file"}, FileNotFoundError, "no/such"),
        ({"dirs": {"/": "no/such"}}, FileNotFoundError, "no/such"),
        ({"dirs": {"/": __file__}}, NotADirectoryError, "test_wasi"),
    ],
)
def test_bad_configurations(config: dict, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        WasiConfig(**config)


def test_config_shows_what_is_in_it(tmp_path: Path) -> None:
    config = WasiConfig(args=["p"], env={"A": "b=c"}, dirs={"/x": wamr.Dir("/", writable=True)})
    assert (
        repr(config)
        == "WasiConfig(args=['p'], env={'A': 'b=c'}, dirs={'/x': Dir('/', writable=True)})"
    )
    assert wamr.Dir("/a") == wamr.Dir(Path("/a")) != wamr.Dir("/a", writable=True)
    assert len({wamr.Dir("/a"), wamr.Dir("/a")}) == 1
    with pytest.raises(TypeError):
        wamr.Dir(1)


def test_a_directory_that_goes_away_is_an_error_of_the_instance(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    config = WasiConfig(dirs={"/": tmp_path / "d"}, stdin=b"", stdout=tmp_path / "out")
    (tmp_path / "d").rmdir()
    before = descriptors()
    with pytest.raises(FileNotFoundError):
        wamr.load(wasm_fixtures.wrapper_module(), wasi=config)
    assert descriptors() == before


# ------------------------------------------------------------------ functions
def test_clocks_and_random() -> None:
    wasi = WasiFunctions()
    before = time.time_ns()
    assert wasi.clock_time_get(0, 0, wasi.OUT) == 0
    # The clocks may have different resolutions.
    assert before - 10**8 <= wasi.u64() <= time.time_ns() + 10**8
    assert wasi.clock_time_get(1, 0, wasi.OUT) == 0
    first = wasi.u64()
    assert wasi.clock_time_get(1, 0, wasi.OUT) == 0
    assert wasi.u64() >= first
    assert wasi.clock_res_get(1, wasi.OUT) == 0
    assert 0 < wasi.u64() <= 1_000_000
    assert wasi.clock_time_get(9, 0, wasi.OUT) == wasm_fixtures.INVAL
    assert wasi.random_get(8192, 4096) == 0
    assert len(set(wasi.memory.read(8192, 4096))) > 200
    with pytest.raises(wamr.Trap, match="out of bounds memory access"):
        wasi.random_get(8192, 65536)
    assert wasi.sched_yield() == 0


def test_sockets_are_refused() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wasi = WasiFunctions(stdin=ours)
        before = descriptors()
        assert wasi.sock_accept(0, 0, wasi.OUT) == wasm_fixtures.NOTSOCK
        assert wasi.sock_recv(0, 64, 1, 0, wasi.OUT, wasi.OUT + 8) == wasm_fixtures.NOTSOCK
        assert wasi.sock_send(0, 64, 1, 0, wasi.OUT) == wasm_fixtures.NOTSOCK
        assert wasi.sock_shutdown(0, 3) == wasm_fixtures.NOTSOCK
        assert wasi.sock_open(0, 0, 1, wasi.OUT) == 2
        assert descriptors() == before
        theirs.send(b"but it is a stream")
        assert wasi.read(0) == b"but it is a stream"


@pytest.mark.parametrize("code", [0, 1, 3, 255, 4_000_000_000])
def test_exit_is_a_trap_with_the_code(code: int) -> None:
    wasi = WasiFunctions()
    with pytest.raises(wamr.ExitTrap) as caught:
        wasi.proc_exit(code)
    assert caught.value.exit_code == code
    assert caught.value.code is wamr.TrapCode.EXIT
    assert wasi.write(1, b"it can be called again") == 0


def test_wasi_is_asked_for() -> None:
    with pytest.raises(wamr.LinkError, match=r"fd_write is WASI's.*wasi=WasiConfig"):
        wamr.load(
            '(module (import "wasi_snapshot_preview1" "fd_write" '
            '(func (param i32 i32 i32 i32) (result i32))) (memory (export "memory") 1))'
        )
    with pytest.raises(wamr.LinkError, match="no_such"):
        wamr.load(
            '(module (import "wasi_snapshot_preview1" "no_such" (func)))',
            wasi=WasiConfig(),
        )
    with pytest.raises(wamr.LinkError, match="fd_close"):
        wamr.load(
            '(module (import "wasi_snapshot_preview1" "fd_close" (func (param i64))))',
            wasi=WasiConfig(),
        )


def test_a_function_of_wasi_may_be_ours() -> None:
    seen: list[int] = []
    text = (
        '(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))'
        '(import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))'
        '(memory (export "memory") 1) (func (export "go") (result i32) '
        "(call $exit (i32.const 3)) (call $yield)))"
    )
    mine = {"wasi_snapshot_preview1": {"proc_exit": seen.append}}
    assert wamr.load(text, mine, wasi=WasiConfig()).exports.go() == 0
    assert seen == [3]


def test_start_functions_and_initialize_have_wasi() -> None:
    got: list[bytes] = []
    text = wasm_fixtures.program("", "abc").replace(
        '(func (export "_start") )',
        '(func (export "_initialize") (call $say (i32.const 1024) (i32.const 3)))'
        "(func $begin (call $say (i32.const 1024) (i32.const 1))) (start $begin)",
    )
    wamr.load(text, wasi=WasiConfig(stdout=got.append))
    assert got == [b"a", b"abc"]


def test_half_made_instance_has_wasi() -> None:
    """A failed instance leaves functions in a table. They must still be able to use its WASI."""
    store = wamr.Store()
    table = wamr.Table(store, wamr.TableType(wamr.ValType.FUNCREF, wamr.Limits(2)))
    text = f"""(module {wasm_fixtures.imports()} (import "m" "t" (table 2 funcref))
        (memory (export "memory") 1)
        (func $leave (call $proc_exit (i32.const 7)))
        (func $close (drop (call $fd_close (i32.const 1))))
        (elem (i32.const 0) $leave $close) (elem (i32.const 2) $leave))"""
    with pytest.raises(wamr.Trap, match="out of bounds"):
        wamr.Instance(store, wamr.Module(store, text), {"m": {"t": table}}, wasi=WasiConfig())
    caller = wamr.Module(
        store,
        """(module (import "m" "t" (table 2 funcref)) (type $t (func))
        (func (export "call") (param i32) (call_indirect (type $t) (local.get 0))))""",
    )
    call = wamr.Instance(store, caller, {"m": {"t": table}}).exports.call
    call(1)
    with pytest.raises(wamr.ExitTrap) as caught:
        call(0)
    assert caught.value.exit_code == 7


def test_instances_give_everything_back(tmp_path: Path) -> None:
    def once() -> None:
        wasi = WasiFunctions(dirs={"/": tmp_path, "/2": tmp_path}, stdin=b"x", stdout="inherit")
        wasi.open(".", rights=wasm_fixtures.READDIR)
        wasi.instance.close()
        WasiFunctions(dirs={"/": tmp_path}, stdout=lambda data: None)

    once()
    before = descriptors()
    for _ in range(20):
        once()
    assert descriptors() == before


def test_threads_have_their_own_stdio() -> None:
    def one(number: int, got: list[bytes]) -> None:
        text = program(
            "(local $i i32) (loop $again (call $say (i32.const 1024) (i32.const 2)) (br_if $again "
            "(i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 500))))",
            f"{number}\\n",
        )
        wamr.load(text, wasi=WasiConfig(stdout=got.append)).exports._start()

    outputs: list[list[bytes]] = [[] for _ in range(8)]
    threads = [threading.Thread(target=one, args=(i, outputs[i])) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [b"".join(got) for got in outputs] == [b"%d\n" % i * 500 for i in range(8)]
