"""`wamr run`: arguments, directories, environment, limits."""

import os
import re
import select
import subprocess
from functools import partial

import pytest
from command_line import ARITHMETIC, assert_one_line

import wamr
from wamr._cli.command import main
from wamr._cli.execute import check
from wamr._cli.output import Failure
from wamr._runtime import limits
from wamr._wasi import config


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


def test_exnrefs_are_read_and_printed(cli):
    done = cli("run", "--invoke", "same", "throwing.wasm", "null")
    assert (done.returncode, done.stdout, done.stderr) == (0, "null\n", "")
    done = cli("run", "--invoke", "keep", "throwing.wasm", "null", "5")
    assert done.stdout == "WasmException(<wamr.Tag (i32, f64)>, 5, 0.5)\n"
    done = cli("run", "--invoke", "same", "throwing.wasm", "5")
    assert "is of type exnref, of which only null can be written, not '5'" in assert_one_line(done)


def test_what_returns_nothing_prints_nothing(cli):
    done = cli("run", "--invoke", "none", "arithmetic.wasm")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--dir", ".::/g"], "--dir: dirs is not available on Windows for a directory of the host"),
        (["--file-bytes", "1K"], "--file-bytes is not available on Windows: nothing there counts"),
    ],
)
def test_what_windows_lacks_is_one_line(monkeypatch, capsys, options, reason):
    for module, name in ((config, "check_available"), (limits, "check_file_bytes")):
        refuses = partial(getattr(module, name), features=frozenset({"wasi"}))
        monkeypatch.setattr(module, name, refuses)
    assert main(["run", *options, "program.wasm"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"wamr run: {reason}")


def test_a_line_break_in_a_name_does_not_end_the_message(wat):
    text = r"""(module (func (export "a\nb")) (func (export "c")))"""
    module = wamr.Module(wamr.Engine(), wat(text))
    for wanted in ("nope", None):
        with pytest.raises(Failure, match=r"a\\nb, c$"):
            check("names.wasm", module, wanted)


@pytest.mark.parametrize("command", ["run", "validate", "bench", "inspect"])
def test_a_line_break_in_a_path_does_not_end_the_message(cli, here, command):
    code = 1 if command == "validate" else 2
    (here / "two\nlines.wasm").write_bytes(b"PK\x03\x04")
    assert r"two\nlines.wasm: this is no" in assert_one_line(cli(command, "two\nlines.wasm"), code)
    assert r"no\nway.wasm: No such file" in assert_one_line(cli(command, "no\nway.wasm"))


def test_a_line_break_in_an_argument_does_not_end_the_message(cli, here, wat):
    text = r"""(module (func (export "a\nb") (param i32)))"""
    (here / "names.wasm").write_bytes(wat(text))
    call = ("run", "--invoke", "a\nb", "names.wasm")
    assert r"a\nb(i32) -> () takes 1 argument, not 0" in assert_one_line(cli(*call))
    assert r"1 of a\nb must be of type i32, not 'x'" in assert_one_line(cli(*call, "x"))
    assert r"--un\nknown" in assert_one_line(cli("run", "--un\nknown", "names.wasm"))
    assert r"no\nway: No such file" in assert_one_line(
        cli("run", "--dir", "no\nway::/", "cat.wasm")
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(module)", "not a WASI command: it has no _start; it exports no functions"),
        ('(module (memory (export "_start") 1))', "its export '_start' is not a function"),
        ('(module (func (export "_start") (param i32)))', "must be a function () -> (), not (i32)"),
    ],
)
def test_a_module_without_a_start_is_told_what_it_has(wat, text, reason):
    module = wamr.Module(wamr.Engine(), wat(text))
    with pytest.raises(Failure, match=re.escape(reason)):
        check("m.wasm", module, None)


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
        ("nope", [], "has no export 'nope'; --invoke can call add, i64, f32, f64, v128, ref, …"),
        ("mem", [], "'mem' is not a function"),
    ],
)
def test_invoke_says_what_is_wrong(cli, name, given, reason):
    done = cli("run", "--invoke", name, "arithmetic.wasm", *given, encoding="utf-8")
    assert reason in assert_one_line(done)
