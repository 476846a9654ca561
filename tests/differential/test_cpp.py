"""A command in C++ that throws and catches, compiled with both forms of exceptions.

wasmtime knows the new form only, so the outcomes of the legacy form are compared with those.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cpp import compiled
from differential import DifferentialModule, Outcome
from needs import needs_engine

import wamr

needs_engine()
pytestmark = pytest.mark.slow

SOURCE = Path(__file__).with_name("cpp") / "program.cpp"
PRINTED = """\
+deep +deep +deep +thrower -thrower! -deep! -deep! -deep! int 42
+deep +deep +deep +thrower -thrower! -deep! -deep! -deep! Derived 7
+deep +deep +deep +thrower -thrower! -deep! -deep! -deep! Other 1099511627776
+deep +deep +deep +thrower -thrower! -deep! -deep! -deep! a standard exception
+deep +deep +deep +thrower -thrower! -deep! -deep! -deep! something else
+deep +deep +deep +thrower -thrower! -deep! -deep! -deep! double 2.5, again: something else
+deep +deep +deep +thrower -thrower! -deep! -deep! -deep! Derived at an address
+deep +deep +deep +thrower -thrower -deep -deep -deep returned 2
copy 2
Base 2 in Derived 1
changed: 3
+whole +member +member -member! -member! -whole! in the constructor's handler
not made: 2
+member +member -member! -member! not allocated
+turn -turn +turn -turn +turn -turn\N{SPACE}
left with 20
199990000
rethrown: 5
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DifferentialModule]:
    module = DifferentialModule(compiled(SOURCE, tmp_path_factory.mktemp("new"), "new"))
    yield module
    module.close()


@pytest.fixture(scope="module")
def legacy(tmp_path_factory: pytest.TempPathFactory) -> wamr.Module:
    path = compiled(SOURCE, tmp_path_factory.mktemp("legacy"), "legacy")
    return wamr.Module(wamr.Engine(), path)


def started(module: wamr.Module, *args: str) -> subprocess.CompletedProcess[bytes]:
    return wamr.run([module, *args], capture_output=True)


def test_each_way_to_throw_and_catch(both: DifferentialModule) -> None:
    outcome = both.run()
    assert (outcome.out, outcome.stderr, outcome.code) == (PRINTED, b"", 3)


def test_each_way_in_the_legacy_form(legacy: wamr.Module) -> None:
    done = started(legacy)
    assert (done.stdout.decode(), done.stderr, done.returncode) == (PRINTED, b"", 3)


def test_an_exception_in_a_noexcept_function_terminates(
    both: DifferentialModule, legacy: wamr.Module
) -> None:
    outcome: Outcome = both.run("1")
    assert (outcome.code, outcome.out.splitlines()[-1]) == ("trap", "terminated")
    with pytest.raises(wamr.Trap, match="unreachable"):
        started(legacy, "1")


def test_an_exception_that_leaves_main_is_not_caught(
    both: DifferentialModule, legacy: wamr.Module
) -> None:
    assert both.run("1", "2").code == "exception"
    with pytest.raises(wamr.WasmException) as caught:
        started(legacy, "1", "2")
    assert caught.value.tag.type == wamr.TagType([wamr.ValType.I32])
    assert [frame.func_name for frame in caught.value.frames][:2] == ["__cxa_throw", "main"]
