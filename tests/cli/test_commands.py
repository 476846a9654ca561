"""`wamr validate`, `wamr bench`, and what all commands have in common."""

import json
import subprocess
import sys
from pathlib import Path

from command_line import assert_one_line

import wamr


def test_validate(cli):
    done = cli("validate", "args.wasm")
    assert (done.returncode, done.stdout, done.stderr) == (0, "args.wasm: valid\n", "")
    assert cli("validate", "text.wat").returncode == 0
    assert cli("validate", "throwing.wasm").stdout == "throwing.wasm: valid\n"
    done = cli("validate", "-", input="(module (tag (result i32)))")
    assert done.returncode == 1
    assert "non-empty tag result type" in done.stderr
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
    assert "has no export 'nope'" in assert_one_line(cli("bench", *call, "nope", "arithmetic.wasm"))
    assert "is missing" in assert_one_line(cli("bench", "stranger.wasm"))
    assert "zip" in assert_one_line(cli("bench", "zip.wasm"))
    assert "--seconds" in assert_one_line(cli("bench", "--seconds", "x", "args.wasm"))
    assert "ends the program" in assert_one_line(cli("bench", *call, "_start", "args.wasm"))
    text = """(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1) (func $start (call $exit (i32.const 3))) (start $start))"""
    ends = assert_one_line(cli("bench", "--seconds", "0", "-", input=text))
    assert "ends the program, with exit code 3" in ends
    assert cli("bench", *call, "crash", "arithmetic.wasm").returncode == 134
    done = cli("bench", *call, "throw", "throwing.wasm", "3")
    assert done.returncode == 134
    shown = "wamr bench: throwing.wasm: uncaught exception (i32, f64): (3, 0.5)"
    assert done.stderr.splitlines()[0] == shown
    late = cli("bench", *call, "forever", "--timeout", "0.1", "arithmetic.wasm")
    assert_one_line(late, 124)


# ------------------------------------------------------------------ all commands
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


def test_an_unknown_option_is_named_with_the_command_that_lacks_it(cli):
    told = "wamr bench: unrecognized arguments: --fuel (see wamr bench --help)\n"
    assert assert_one_line(cli("bench", "--fuel", "3", "args.wasm")) == told
    told = "wamr inspect: unrecognized arguments: extra (see wamr inspect --help)\n"
    assert assert_one_line(cli("inspect", "args.wasm", "extra")) == told
    told = "wamr: unrecognized arguments: --fly (see wamr --help)\n"
    assert assert_one_line(cli("--fly")) == told


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
