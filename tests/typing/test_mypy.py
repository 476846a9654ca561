"""mypy --strict on test_uses.py and test_refused.py, as a user runs it on the installed package.

Also mypy's stubtest, which compares declarations with the running package: the annotations in the
source, and the stubs of the two generated modules.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import wamr
from wamr._backend.binding import lib

HERE = Path(__file__).parent
IGNORE = re.compile(r"  # type: ignore\[([a-z, -]+)\]")
ERROR = re.compile(r"(\w+\.py):(\d+): error: .*\[([a-z-]+)\]")

# Intended differences between declarations and objects. An unneeded line fails the test.
ALLOWED = r"""
wamr(\.types)?\.(i32|i64|f32|f64|v128)(\..*)?  # Annotated[int, …]: to type checkers an int
wamr\._runtime\.func\.Func\.__(text_)?signature__  # one for each function; the class has its own
wamr\.ffi\.__all__                             # in its source hidden, since it is computed
wamr\._runtime\.(linker\.Function|offsets\.Offsets)
wamr\._wasi\.((files|streams)\.(Read|Write)|config\.Path)
wamr\.(_base\.binary_reader|_diagnosis\.reader|_run\.async_turns)\.T
wamr\._run\.prelude\.Prelude
wamr\._runtime\.(awaitables\.Stepping|turns\.Caller)
wamr\._runtime\.(event\.Kind|execution\.State)
wamr\.sandbox\._(drive\.T|files\.Contents|limits\.LimitName|tools\.Functions|turn\.Next)
wamr\._runtime\.global_\._shown                # recursive_repr is declared without names
wamr\.sandbox\._machine\._bounds               # a cached function
wamr\.sandbox\._tools\.<callable.subtype.of.object>
wamr\.(_wasi\.stdio|_run\.restored)\.<callable.subtype.of.object>  # a narrowed type
"""
# mypy 1.19 and later: these can't be base classes together, which typing can't express before 3.15;
# with CPython 3.14, mypy finds signatures of objects of cffi.
NEWER = (
    r"wamr\._wamr\.(HostFunctionBase|CallableBase|GlobalBase|TableBase|ExternrefTableBase|MemoryBase)"
    r"|wamr\._capi\.handles\.typeof "
)


def mypy(*args, cwd):
    return subprocess.run(
        [sys.executable, "-m", *args], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """Return the output of mypy for a file, with its comments or without them."""
    folder = tmp_path_factory.mktemp("typing")

    def check(name, *, bare=False):
        text = (HERE / name).read_text(encoding="utf-8")
        file = folder / name
        file.write_text(IGNORE.sub("", text) if bare else text, encoding="utf-8")
        return mypy(
            "mypy", "--strict", "--python-version=3.10", "--config-file=", name, cwd=folder
        ).stdout

    return check


@pytest.mark.parametrize("name", ["test_uses.py", "test_refused.py"])
def test_uses_are_right_and_the_expected_errors_are_found(checked, name):
    assert checked(name) == "Success: no issues found in 1 source file\n"


def test_nothing_is_right_that_should_be_an_error(checked):
    name = "test_refused.py"
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    expected = {
        (name, str(number), code.strip())
        for number, line in enumerate(lines, 1)
        for codes in IGNORE.findall(line)
        for code in codes.split(",")
    }
    assert set(ERROR.findall(checked(name, bare=True))) == expected
    assert len(expected) > 35


def test_stubs_say_what_is_there(tmp_path):
    allowed = tmp_path / "allowed.txt"
    allowed.write_text(ALLOWED, encoding="utf-8")
    done = mypy("mypy.stubtest", "wamr", "--concise", f"--allowlist={allowed}", cwd=tmp_path)
    found = [line for line in done.stdout.splitlines() if not re.match(NEWER, line)]
    assert found == []


def test_the_stub_of_the_compiled_module_names_its_functions_and_constants():
    tree = ast.parse(Path(wamr.__file__).with_name("_wamr.pyi").read_text(encoding="utf-8"))
    (declared,) = [
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "_Lib"
    ]
    names = {
        node.name if isinstance(node, ast.FunctionDef) else node.target.id for node in declared.body
    }
    assert names == set(dir(lib))
