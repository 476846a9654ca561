"""Random programs with exceptions, in both forms, behave as in wasmtime.

`python tests/support/random_exceptions.py COUNT START` compares more programs.
"""

from __future__ import annotations

import mutants
import pytest
from exception_programs import Program
from needs import needs_engine
from random_exceptions import Tally, compare, compare_all

import wamr

needs_engine()
pytestmark = pytest.mark.slow

EACH, CHUNKS = 50, 10  # programs of one form in each test, and the number of tests


@pytest.mark.parametrize("form", ["new", "legacy"])
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_programs_behave_as_in_wasmtime(form: str, chunk: int) -> None:
    tally = Tally()
    for seed in range(chunk * EACH, (chunk + 1) * EACH):
        compare(seed, form, tally, more=100 if seed % 25 == 0 else 0)
    assert tally.differences == []
    # Enough programs return, throw and trap.
    assert min(tally.returned, tally.thrown, tally.trapped) >= EACH // 2, str(tally)


def test_programs_in_several_threads_do_not_affect_each_other() -> None:
    total = Tally()
    for tally in compare_all(range(5000, 5060), ("new", "legacy"), threads=4, more=20):
        total.include(tally)
    assert total.differences == []
    assert total.programs == 120


def test_a_difference_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    tally = Tally()
    monkeypatch.setattr("random_exceptions.Ours.looked_at", lambda self, thrown: (-1, 0))
    for seed in range(5):
        compare(seed, "legacy", tally)
    assert tally.differences
    assert all(line.startswith("legacy ") for line in tally.differences)


@pytest.mark.parametrize("form", ["new", "legacy"])
def test_mutants_are_refused_or_run(form: str) -> None:
    found = set()
    for seed in range(20):
        module = wamr.wat2wasm(Program(seed, form).library)
        found |= {
            mutants.exercise(mutants.mutant(module, i)) for i in range(seed * 40, seed * 40 + 40)
        }
    assert {"refused", "ran"} <= found <= {"refused", "loaded", "ran"}
