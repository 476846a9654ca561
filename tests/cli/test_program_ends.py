"""`wamr run`: how programs end, and the exit code and message of each end."""

import subprocess

import pytest
from command_line import assert_one_line
from wasm_fixtures import took


def test_a_trap_tells_its_message_and_the_calls(cli):
    done = cli("run", "--invoke", "crash", "arithmetic.wasm")
    assert (done.returncode, done.stdout) == (134, "")
    lines = done.stderr.splitlines()
    assert lines[0] == "wamr run: arithmetic.wasm: trap: unreachable"
    assert "at crash" in lines[-1]
    assert "Traceback (most" not in done.stderr


@pytest.mark.parametrize("call", [["throwing.wasm"], ["--invoke", "throw", "throwing.wasm", "42"]])
def test_an_uncaught_exception_tells_its_values_and_the_calls(cli, call):
    done = cli("run", *call)
    assert (done.returncode, done.stdout) == (134, "")
    lines = done.stderr.splitlines()
    assert lines[0] == "wamr run: throwing.wasm: uncaught exception (i32, f64): (42, 0.5)"
    assert "at fail" in lines[2]
    assert "Traceback (most" not in done.stderr


def test_an_exception_that_is_caught_ends_nothing(cli):
    for name, printed in (("catch", "42\n"), ("legacy", "7\n")):
        done = cli("run", "--invoke", name, "throwing.wasm", "42")
        assert (done.returncode, done.stdout, done.stderr) == (0, printed, "")


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


def test_output_is_limited(cli):
    done = cli("run", "--output-bytes", "5", "yes.wasm")
    assert (done.returncode, done.stdout) == (134, "y\ny\ny")
    assert "trap: output limit reached: stdout and stderr together take at most 5" in done.stderr
    assert cli("run", "--output-bytes", "1K", "args.wasm").returncode == 7
    done = cli("bench", "--seconds", "0", "--output-bytes", "5", "yes.wasm")
    assert (done.returncode, "output limit reached" in done.stderr) == (134, True)


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
        ("--output-bytes", "-1"),
        ("--output-bytes", "much"),
        ("--output-bytes", str(1 << 70)),
        ("--file-bytes", "-1"),
        ("--file-bytes", "much"),
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
    assert option in error


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
        ("library.wasm", "not a WASI command"),
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
