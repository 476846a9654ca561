"""The command line, as its users drive it: in processes, pipes and a terminal."""

import json
import os
import select
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from wasm_fixtures import took

import wamr

ARITHMETIC = """(module
  (memory (export "mem") 1)
  (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
  (func (export "i64") (param i64) (result i64) local.get 0)
  (func (export "f32") (param f32) (result f32) local.get 0)
  (func (export "f64") (param f64) (result f64) local.get 0)
  (func (export "v128") (param v128) (result v128) local.get 0)
  (func (export "ref") (param externref) (result externref) local.get 0)
  (func (export "none"))
  (func (export "two") (result i32 f64) i32.const -1 f64.const 0.5)
  (func $inner unreachable)
  (func (export "crash") call $inner)
  (func (export "pages") (result i32) (drop (memory.grow (i32.const 99))) memory.size)
  (func $deep (export "deep") (param i32) (result i32)
    (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
      (else (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))))
  (func (export "forever") (loop (br 0))))"""

# Writes "hello" and its arguments, one per line, and exits with code 7.
ARGS = """(module
  (import "wasi_snapshot_preview1" "args_get" (func $get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $env (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $esizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func $put (param $from i32) (param $size i32)
    (local $i i32)
    (loop $each (if (i32.lt_u (local.get $i) (local.get $size)) (then
      (if (i32.eqz (i32.load8_u (i32.add (local.get $from) (local.get $i))))
        (then (i32.store8 (i32.add (local.get $from) (local.get $i)) (i32.const 10))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $each))))
    (i32.store (i32.const 16) (local.get $from))
    (i32.store (i32.const 20) (local.get $size))
    (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24))))
  (func (export "_start")
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (drop (call $get (i32.const 1024) (i32.const 4096)))
    (call $put (i32.const 4096) (i32.load (i32.const 4)))
    (drop (call $esizes (i32.const 0) (i32.const 4)))
    (drop (call $env (i32.const 1024) (i32.const 4096)))
    (call $put (i32.const 4096) (i32.load (i32.const 4)))
    (call $exit (i32.const 7))))"""

# Copies stdin to stdout until its end.
CAT = """(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $more
      (i32.store (i32.const 0) (i32.const 64))
      (i32.store (i32.const 4) (i32.const 4096))
      (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (i32.store (i32.const 4) (i32.load (i32.const 8)))
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))
      (br_if $more (i32.load (i32.const 8))))))"""

# Writes "y" for ever, and does not look whether anybody reads it.
YES = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\08\\00\\00\\00\\02\\00\\00\\00y\\n")
  (func (export "_start")
    (loop (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12))) (br 0))))"""

# Writes "y" once, and then does nothing for ever.
BUSY = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\08\\00\\00\\00\\01\\00\\00\\00y")
  (func (export "busy") (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))
    (loop (br 0))))"""

# Makes the file "made" in its first directory; the errno is what it exits with.
MAKE = """(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "made")
  (func (export "_start")
    (call $exit (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 1)
      (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 16)))))"""

PROGRAMS = {
    "arithmetic": ARITHMETIC,
    "args": ARGS,
    "cat": CAT,
    "yes": YES,
    "make": MAKE,
    "busy": BUSY,
}
PROGRAMS |= {
    "reactor": '(module (func (export "_initialize")) (func (export "f")))',
    "library": "(module)",
    "stranger": '(module (import "env" "f\\1b[31m" (func)) (func (export "_start")))',
    "large": '(module (memory 100) (func (export "_start")))',
    "odd": '(module (func (export "_start") (param i32)))',
}


@pytest.fixture(scope="module", autouse=True)
def the_same_package():
    """The processes run elsewhere: a relative path in PYTHONPATH would be another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(wamr.__file__).parent.parent))
        yield


@pytest.fixture(scope="module", autouse=True)
def here(tmp_path_factory, wat):
    folder = tmp_path_factory.mktemp("cli")
    for name, text in PROGRAMS.items():
        (folder / f"{name}.wasm").write_bytes(wat(text))
    (folder / "text.wat").write_text(ARITHMETIC)
    (folder / "wrong.wat").write_text("(module\n  (fun))")
    (folder / "cut.wasm").write_bytes((folder / "args.wasm").read_bytes()[:-140])
    (folder / "zip.wasm").write_bytes(b"PK\x03\x04")
    (folder / "component.wasm").write_bytes(b"\0asm\x0d\0\1\0")
    (folder / "empty.wasm").write_bytes(b"")
    return folder


@pytest.fixture
def cli(here):
    def call(*args, **named):
        named = {"capture_output": True, "text": True, "timeout": 240, "cwd": here} | named
        return subprocess.run([sys.executable, "-m", "wamr", *args], check=False, **named)

    return call


@pytest.fixture
def started(here):
    running = []

    def start(*args, **named):
        process = subprocess.Popen([sys.executable, "-m", "wamr", *args], cwd=here, **named)
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def assert_one_line(done, code=2):
    assert done.returncode == code, done
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("\n")
    assert "Traceback" not in done.stderr
    return done.stderr


# ------------------------------------------------------------------ run
def test_a_program_has_all_behind_the_module_and_passes_its_exit_code(cli):
    done = cli("run", "args.wasm", "--help", "--", "-x", "--dir", "")
    assert done.stdout == "args.wasm\n--help\n--\n-x\n--dir\n\n"
    assert (done.returncode, done.stderr) == (7, "")


def test_a_program_sees_no_variable_but_those_named(cli):
    done = cli("run", "--env", "A=1", "--env=B=x=y", "--env", "C=", "args.wasm")
    assert done.stdout == "args.wasm\nA=1\nB=x=y\nC=\n"


def test_stdin_streams_through(cli, here):
    data = os.urandom(1_000_000)
    done = cli("run", "cat.wasm", input=data, text=False)
    assert (done.returncode, done.stdout) == (0, data)


def test_output_comes_before_the_input_ends(started):
    cat = started("run", "cat.wasm", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for word in (b"one\n", b"two\n"):
        cat.stdin.write(word)
        cat.stdin.flush()
        assert select.select([cat.stdout], [], [], 100)[0]
        assert os.read(cat.stdout.fileno(), 100) == word
    cat.stdin.close()
    assert cat.wait(100) == 0


def test_a_module_comes_from_stdin_and_as_text(cli, here):
    data = (here / "args.wasm").read_bytes()
    assert cli("run", "-", "a", input=data, text=False).stdout == b"program\na\n"
    assert cli("run", "--invoke", "add", "text.wat", "2", "3").stdout == "5\n"
    assert cli("run", "--invoke", "add", "-", "2", "3", input=ARITHMETIC).stdout == "5\n"


def test_a_module_whose_name_looks_like_an_option(cli, here):
    (here / "--env").write_bytes((here / "args.wasm").read_bytes())
    assert cli("run", "--", "--env", "--").stdout == "--env\n--\n"


@pytest.mark.parametrize("ending", ["", ":ro"])
def test_a_directory_is_read_only(cli, tmp_path, ending):
    done = cli("run", "--dir", f"{tmp_path}::/work{ending}", "make.wasm")
    assert done.returncode != 0
    assert not (tmp_path / "made").exists()


def test_a_directory_with_rw_is_writable(cli, tmp_path):
    assert cli("run", "--dir", f"{tmp_path}::/work:rw", "make.wasm").returncode == 0
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize("value", ["x", "x:y", "::", "::/g", ".::", ".:::rw", ""])
def test_a_wrong_directory_says_how_it_must_look(cli, value):
    assert "must look like HOST::GUEST" in assert_one_line(cli("run", "--dir", value, "args.wasm"))


def test_directories_that_are_not_there_or_twice(cli):
    error = assert_one_line(cli("run", "--dir", "nowhere::/g", "args.wasm"))
    assert "No such file or directory" in error
    error = assert_one_line(cli("run", "--dir", "args.wasm::/g", "args.wasm"))
    assert "Not a directory" in error
    error = assert_one_line(cli("run", "--dir", ".::/g", "--dir", "..::/g", "args.wasm"))
    assert "twice" in error


@pytest.mark.parametrize("value", ["A", "=1", ""])
def test_a_wrong_variable(cli, value):
    assert "NAME=VALUE" in assert_one_line(cli("run", "--env", value, "args.wasm"))


@pytest.mark.parametrize(
    ("name", "given", "printed"),
    [
        ("add", ["2", "3"], "5"),
        ("add", ["-2", "0x10"], "14"),
        ("add", ["4294967295", "0"], "-1"),
        ("i64", ["-0x8000000000000000"], "-9223372036854775808"),
        ("f32", ["0.1"], "0.1"),
        ("f32", ["1e39"], "inf"),
        ("f32", ["3.4028234663852886e38"], "3.4028235e+38"),
        ("f32", ["nan"], "nan"),
        ("f64", ["-0x1.8p3"], "-12.0"),
        ("f64", ["0.1"], "0.1"),
        ("f64", ["-inf"], "-inf"),
        ("v128", ["0x0102"], "0x" + "0" * 28 + "0102"),
        ("ref", ["null"], "null"),
        ("two", [], "-1\n0.5"),
    ],
)
def test_invoke_reads_and_prints_by_type(cli, name, given, printed):
    done = cli("run", "--invoke", name, "arithmetic.wasm", *given)
    assert (done.returncode, done.stdout, done.stderr) == (0, printed + "\n", "")


def test_what_returns_nothing_prints_nothing(cli):
    done = cli("run", "--invoke", "none", "arithmetic.wasm")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        ("add", ["1"], "add(i32, i32) -> i32 takes 2 arguments, not 1"),
        ("add", ["1", "2", "3"], "not 3"),
        ("i64", [], "takes 1 argument, not 0"),
        ("add", ["1", "x"], "argument 2 of add must be of type i32, not 'x'"),
        ("add", ["1", "2.5"], "must be of type i32"),
        ("add", ["1", "4294967296"], "out of the range of i32"),
        ("f64", ["one"], "must be of type f64"),
        ("v128", ["0x1" + "0" * 32], "out of the range of v128"),
        ("ref", ["it"], "only null"),
        ("nope", [], "exports no 'nope', but add, i64, f32, f64, v128, ref, …"),
        ("mem", [], "'mem' is no function"),
    ],
)
def test_invoke_says_what_is_wrong(cli, name, given, reason):
    done = cli("run", "--invoke", name, "arithmetic.wasm", *given, encoding="utf-8")
    assert reason in assert_one_line(done)


# ------------------------------------------------------------------ how programs end
def test_a_trap_tells_its_message_and_the_calls(cli):
    done = cli("run", "--invoke", "crash", "arithmetic.wasm")
    assert (done.returncode, done.stdout) == (134, "")
    lines = done.stderr.splitlines()
    assert lines[0] == "wamr run: arithmetic.wasm: trap: unreachable"
    assert "at crash" in lines[-1]
    assert "Traceback (most" not in done.stderr


def test_timeout_ends_as_timeout_does(cli):
    with took(10, 0.2):
        done = cli("run", "--timeout", "0.2", "--invoke", "forever", "arithmetic.wasm")
    assert "timed out after 0.2 s" in assert_one_line(done, 124)


def test_timeout_ends_waiting_too(started):
    cat = started("run", "--timeout", "0.2", "cat.wasm", stdin=subprocess.PIPE)
    assert cat.wait(100) == 124


def test_fuel_and_stack_end_in_traps(cli):
    done = cli("run", "--fuel", "1000", "--invoke", "forever", "arithmetic.wasm")
    assert done.returncode == 134
    assert "out of fuel" in done.stderr
    call = ("--invoke", "deep", "arithmetic.wasm", "2000")
    assert cli("run", *call).stdout == "2000\n"
    done = cli("run", "--stack", "16K", *call)
    assert done.returncode == 134
    assert "call stack exhausted" in done.stderr


def test_memory_is_limited(cli):
    call = ("--invoke", "pages", "arithmetic.wasm")
    assert cli("run", *call).stdout == "100\n"
    assert cli("run", "--memory", "1M", *call).stdout == "1\n"
    assert "large.wasm: " in assert_one_line(cli("run", "--memory", "1M", "large.wasm"))
    assert cli("run", "--memory", "100M", "large.wasm").returncode == 0


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--timeout", "soon"),
        ("--timeout", "-1"),
        ("--timeout", "nan"),
        ("--fuel", "-1"),
        ("--fuel", "1.5"),
        ("--fuel", str(1 << 70)),
        ("--memory", "1X"),
        ("--memory", "-1"),
        ("--memory", str(1 << 70)),
        ("--stack", "many"),
        ("--stack", "1"),
        ("--stack", "9G"),
    ],
)
def test_wrong_limits(cli, option, value):
    error = assert_one_line(cli("run", f"{option}={value}", "large.wasm"))
    assert option.strip("-") in error


@pytest.mark.parametrize("command", ["run", "inspect", "validate", "bench"])
def test_files_that_are_none(cli, here, command):
    assert "No such file" in assert_one_line(cli(command, "nowhere.wasm"))
    assert "Is a directory" in assert_one_line(cli(command, "."))
    assert "MODULE" in assert_one_line(cli(command))
    assert "--nope" in assert_one_line(cli(command, "--nope", "library.wasm"))


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("zip.wasm", "looks like a zip file"),
        ("empty.wasm", "it is empty"),
        ("component.wasm", "component"),
        ("cut.wasm", "unexpected end"),
        ("wrong.wat", "line 2, column 4"),
        ("library.wasm", "no WASI command"),
        ("reactor.wasm", "a reactor"),
        ("odd.wasm", "must be a function () -> ()"),
        ("stranger.wasm", r"env.f\x1b[31m is missing"),
    ],
)
def test_modules_that_do_not_run(cli, file, reason):
    assert reason in assert_one_line(cli("run", file))


def test_all_that_is_missing_is_listed(cli, here, wat):
    imports = " ".join(f'(import "env" "f{i}" (func))' for i in range(12))
    (here / "many.wasm").write_bytes(wat(f'(module {imports} (func (export "_start")))'))
    done = cli("run", "many.wasm")
    lines = done.stderr.split("\n")
    assert done.returncode == 2
    assert lines[0] == "wamr run: many.wasm: of 12 imports, 12 are missing:"
    assert lines[1] == "  import env.f0 is missing: it is a function () -> ()"
    assert lines[11] == "  and 2 more: 2 of 'env'"


# ------------------------------------------------------------------ signals and terminals
posix = pytest.mark.skipif(os.name != "posix", reason="signals and terminals of POSIX")


@posix
@pytest.mark.parametrize("args", [("--invoke", "busy", "busy.wasm"), ("busy.wasm",), ("cat.wasm",)])
def test_ctrl_c(started, args):
    process = started("run", *args, stdin=-1, stdout=-1, stderr=-1)
    process.stdin.write(b"y")  # for the one that copies; it then waits for more
    process.stdin.flush()
    assert process.stdout.read(1) == b"y"
    process.send_signal(signal.SIGINT)
    assert process.wait(100) == 130
    assert process.stderr.read() == b""


@posix
@pytest.mark.parametrize("command", ["run", "inspect"])
def test_who_stops_reading_ends_it_quietly(started, here, wat, command):
    name = "yes.wasm"
    if command == "inspect":
        name = "wide.wasm"
        exports = "".join([f'(export "name-{i}" (func 0))' for i in range(20_000)])
        (here / name).write_bytes(wat(f"(module (func) {exports})"))
    process = started(command, name, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.read(2)
    process.stdout.close()
    assert process.wait(100) == -signal.SIGPIPE
    assert process.stderr.read() == b""


@posix
def test_without_any_stdio(cli, here):
    for args, code in [
        (("run", "args.wasm"), 7),
        (("run", "cat.wasm"), 0),
        (("run", "nowhere.wasm"), 2),
        (("inspect", "args.wasm"), 0),
        (("validate", "-"), 2),
    ]:
        command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-m", "wamr", *args]
        assert subprocess.run(command, cwd=here, check=False, timeout=240).returncode == code, args


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk(cli):
    with Path("/dev/full").open("w") as full:
        done = cli("inspect", "args.wasm", stdout=full, capture_output=False, stderr=-1)
    assert done.returncode == 2
    assert done.stderr == "wamr inspect: No space left on device\n"


@posix
def test_in_a_terminal(here):
    import pty

    ours, theirs = pty.openpty()
    # A session of its own, whose terminal this is: Ctrl-C is a character there.
    code = "import os, sys, fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    code += "os.execv(sys.executable, [sys.executable, '-m', 'wamr', 'run', 'cat.wasm'])"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=here,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    try:
        os.close(theirs)
        os.write(ours, b"typed\n")
        assert _until(ours, b"typed\r\ntyped\r\n") == b"typed\r\ntyped\r\n"  # the echo, and cat's
        os.write(ours, b"\x03")
        assert process.wait(100) == 130
        assert b"Traceback" not in _until(ours, b"\0")
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _until(descriptor, wanted):
    seen = b""
    while wanted not in seen and select.select([descriptor], [], [], 100)[0]:
        try:
            piece = os.read(descriptor, 4096)
        except OSError:  # Linux: the other side is closed
            break
        if not piece:
            break
        seen += piece
    return seen


# ------------------------------------------------------------------ inspect
def test_inspect_for_people(cli):
    done = cli("inspect", "args.wasm")
    assert (done.returncode, done.stderr) == (0, "")
    assert "a WASI command" in done.stdout
    assert "runs here: yes" in done.stdout
    assert "features: wasi" in done.stdout
    assert "wasi_snapshot_preview1  args_get           function  (i32, i32) -> i32" in done.stdout
    assert "memory: at least 1 page of 64 KiB" in done.stdout


def inspected(cli, file, **named):
    done = cli("inspect", "--json", file, **named)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_inspect_agrees_with_the_module(cli, here):
    for path in here.glob("*.wasm"):
        try:
            module = wamr.Module(wamr.Engine(), path)
        except wamr.CompileError:
            continue
        found = inspected(cli, path.name)
        assert found["runs"]
        assert found["problem"] is None
        assert found["size"] == path.stat().st_size
        imports = [(i.module, i.name, str(i.type)) for i in module.imports]
        assert [(i["module"], i["name"], i["type"]) for i in found["imports"]] == imports
        exports = [(e.name, str(e.type)) for e in module.exports]
        assert [(e["name"], e["type"]) for e in found["exports"]] == exports


@pytest.mark.parametrize(
    ("file", "kind"), [("args", "command"), ("reactor", "reactor"), ("library", "library")]
)
def test_inspect_tells_commands_reactors_and_the_rest(cli, file, kind):
    assert inspected(cli, f"{file}.wasm")["kind"] == kind


FEATURES = {
    "": "(func (param f64) (local i64) (if (i32.const 1) (then (call 0 (f64.const 1)))))",
    "bulk-memory": "(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 1)))",
    "exceptions": "(tag)",
    "extended-const": "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
    "memory64": "(memory i64 1)",
    "multi-memory": "(memory 1) (memory 1)",
    "multi-value": "(func (result i32 i32) (i32.const 0) (i32.const 0))",
    "mutable-globals": '(global (export "g") (mut i32) (i32.const 0))',
    "nontrapping-float-to-int": "(func (drop (i32.trunc_sat_f32_s (f32.const 1))))",
    "reference-types": "(table 1 externref)",
    "sign-extension": "(func (drop (i32.extend8_s (i32.const 1))))",
    "simd": "(func (drop (i8x16.extract_lane_s 3 (v128.const i64x2 1 2))))",
    "tail-call": "(func (return_call 0))",
    "threads": "(memory 1 1 shared)",
}


@pytest.mark.parametrize("feature", FEATURES)
def test_inspect_names_the_features(wat, feature):
    from wamr._cli.inspect import described

    found = described(wat(f"(module {FEATURES[feature]})"))
    assert [f["name"] for f in found["features"]] == ([feature] if feature else [])
    supported = feature in wamr.FEATURES or feature in ("", "nontrapping-float-to-int")
    assert all(f["supported"] == supported for f in found["features"])
    assert found["runs"] == supported, found["reason"]
    assert found["problem"] is None


def test_inspect_reads_code_of_every_kind_to_its_end(wat):
    from wamr._diagnosis.sections import Contents

    body = "(loop (br_table 0 0 0 (i32.const 0))) (block (result i32) (i32.const 5)) drop"
    body += "(call_indirect (i32.const 0)) (i64.store offset=9 (i32.const 1) (i64.const -1))"
    body += "(v128.store8_lane 1 (i32.const 0) (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15"
    body += " (v128.const i64x2 0 0) (v128.load8_lane 1 (i32.const 0) (v128.const i64x2 0 0))))"
    body += "(drop (select (result i32) (i32.const 1) (i32.const 2) (i32.const 0)))"
    body += "(drop (ref.is_null (ref.null func)))"
    body += "(memory.copy (i32.const 0) (i32.const 0) (i32.const 0))"
    text = f"(module (memory 1) (table 1 funcref) (func {body * 900}))"
    assert Contents(wat(text)).problem is None


def test_inspect_shows_what_is_broken_or_refused(cli, here):
    done = cli("inspect", "cut.wasm")
    assert done.returncode == 0
    assert "runs here: no: unexpected end" in done.stdout
    assert "malformed: code section: " in done.stdout
    assert "args_get" in done.stdout
    assert inspected(cli, "component.wasm")["kind"] == "component"
    assert "looks like a zip file" in assert_one_line(cli("inspect", "zip.wasm"))


def test_inspect_is_not_obeyed_by_a_terminal(cli):
    assert r"f\x1b[31m" in cli("inspect", "stranger.wasm").stdout


def test_inspect_takes_any_bytes(here):
    from wamr._cli.inspect import as_text, described

    whole = (here / "arithmetic.wasm").read_bytes()
    for at in range(8, len(whole)):
        as_text("cut", described(whole[:at]))
        for byte in (0, 0x7F, 0xFF):
            data = whole[:at] + struct.pack("B", byte) + whole[at + 1 :]
            as_text("changed", described(data))


# ------------------------------------------------------------------ validate and bench
def test_validate(cli):
    done = cli("validate", "args.wasm")
    assert (done.returncode, done.stdout, done.stderr) == (0, "args.wasm: valid\n", "")
    assert cli("validate", "text.wat").returncode == 0
    assert cli("validate", "-", input="(module)").stdout == "stdin: valid\n"
    done = cli("validate", "cut.wasm")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("cut.wasm: unexpected end")
    for file in ("zip.wasm", "component.wasm", "empty.wasm", "wrong.wat"):
        assert cli("validate", file).returncode == 1


def test_bench(cli):
    done = cli("bench", "--seconds", "0.01", "--invoke", "add", "arithmetic.wasm", "2", "3")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()[2:]] == [
        "load",
        "instantiate",
        "call",
    ]
    done = cli("bench", "--seconds", "0", "--json", "--env", "A=1", "args.wasm", "x")
    found = json.loads(done.stdout)
    assert list(found) == ["load", "instantiate", "call"]
    assert all(0 < step["best"] <= step["median"] and step["times"] for step in found.values())
    done = cli("bench", "--seconds", "0", "--json", "library.wasm")
    assert list(json.loads(done.stdout)) == ["load", "instantiate"]


def test_bench_says_what_is_wrong(cli):
    call = ("--seconds", "0", "--invoke")
    assert "takes 2" in assert_one_line(cli("bench", *call, "add", "arithmetic.wasm"))
    assert "exports no" in assert_one_line(cli("bench", *call, "nope", "arithmetic.wasm"))
    assert "is missing" in assert_one_line(cli("bench", "stranger.wasm"))
    assert "zip" in assert_one_line(cli("bench", "zip.wasm"))
    assert "--seconds" in assert_one_line(cli("bench", "--seconds", "x", "args.wasm"))
    assert "ends the program" in assert_one_line(cli("bench", *call, "_start", "args.wasm"))
    assert cli("bench", *call, "crash", "arithmetic.wasm").returncode == 134
    late = cli("bench", *call, "forever", "--timeout", "0.1", "arithmetic.wasm")
    assert_one_line(late, 124)


# ------------------------------------------------------------------ the whole
def test_help_and_version(cli):
    done = cli("--version")
    assert done.stdout == (
        f"wamr {wamr.__version__} (WAMR {wamr.WAMR_VERSION}, {wamr.WAMR_COMMIT[:12]})\n"
    )
    for command in ("run", "inspect", "validate", "bench"):
        done = cli(command, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert f"examples:\n  wamr {command} " in done.stdout
    assert "examples:" in cli("--help").stdout


def test_no_or_an_unknown_command(cli):
    assert "COMMAND" in assert_one_line(cli())
    assert "'fly'" in assert_one_line(cli("fly"))


def test_the_manual_names_every_option(cli):
    root = Path(__file__).parents[2]
    manual = (root / "docs" / "cli.md").read_text(encoding="utf-8")
    for command in ("run", "inspect", "validate", "bench"):
        words = cli(command, "--help").stdout.replace(",", " ").replace(";", " ").split()
        options = {word for word in words if word.startswith("--") and len(word) > 2}
        assert not [o for o in options - {"--help"} if f"`{o}" not in manual], command


def test_importing_the_package_does_not_import_the_command_line():
    code = "import sys, wamr; print([m for m in sys.modules if 'argparse' in m or '_cli' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
