"""The engines that are installed here, and the cases of those that support a measurement."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from functools import cache

from .lines import EXTISM, US, WASM3, WASMER, WASMTIME, Unavailable
from .optional import Extism, Wasmer
from .peers import Peer, Wamr, Wasm3, Wasmtime
from .timing import Case


@cache
def this_package() -> Wamr:
    """Return the adapter of this package."""
    return Wamr()


def peers() -> tuple[Peer, ...]:
    """Return the installed engines, this package first."""
    return tuple(_installed()[0])


def missing() -> dict[str, str]:
    """Return the engines that are not installed, and why."""
    return _installed()[1]


@cache
def _installed() -> tuple[list[Peer], dict[str, str]]:
    found: list[Peer] = [this_package()]
    absent = {}
    for kind in (Wasmtime, Wasm3, Wasmer, Extism):
        try:
            found.append(kind())
        except ImportError as error:
            absent[kind.name] = str(error)
    return found, absent


def supported_cases(ask: Callable[[Peer], Case]) -> dict[str, Case]:
    """Return the case of each engine that supports a measurement."""
    cases = {}
    for peer in peers():
        try:
            cases[peer.name] = ask(peer)
        except Unavailable:
            continue
    return cases


def versions() -> dict[str, str]:
    """Return the version of each installed engine."""
    packages = {WASMTIME: "wasmtime", WASM3: "pywasm3", US: "wamr"}
    packages |= {WASMER: "wasmer", EXTISM: "extism"}
    found = {}
    for peer in peers():
        try:
            found[peer.name] = importlib.metadata.version(packages[peer.name])
        except importlib.metadata.PackageNotFoundError:
            found[peer.name] = "from the source folder"
    return found
