"""Imports that resemble WASI's: a LinkError names their origin, and `wamr inspect` shows it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import wamr

pytestmark = pytest.mark.usefixtures("wat")

OTHERS = [
    ("wasi_snapshot_preview2", "f", "0.2 (preview 2) is for components"),
    ("wasi:io/streams@0.2.0", "[method]output-stream.write", "an interface of WASI 0.2"),
    ("cm32p2|wasi:io/streams@0.2", "f", "an interface of WASI 0.2"),
    ("wasi", "thread-spawn", "wasi-threads, a proposal that this build lacks"),
    ("wasix_32v1", "proc_fork", "WASIX, Wasmer's extension of WASI"),
    ("wasix_64v1", "proc_fork", "WASIX, Wasmer's extension of WASI"),
    ("wasi_ephemeral_nn", "load", "a proposal beside WASI"),
    ("wasi_nn", "load", "wasi-nn, a proposal"),
    ("wasi_snapshot_preview0", "fd_write", "snapshot 0 is called wasi_unstable"),
    ("wasi_snapshot_preview3", "fd_write", "a snapshot of WASI that is not known here"),
    ("wasi_experimental_http", "req", "an experiment of one runtime"),
]


@pytest.mark.parametrize(("module", "name", "words"), OTHERS)
@pytest.mark.parametrize("wasi", [None, wamr.WasiConfig()])
def test_other_abis_are_named(
    module: str, name: str, words: str, wasi: wamr.WasiConfig | None
) -> None:
    source = f'(module (import "{module}" "{name}" (func $f)) (func (export "_start") (call $f)))'
    with pytest.raises(wamr.LinkError) as caught:
        wamr.load(source, wasi=wasi)
    assert str(caught.value).startswith(f"import {module}.{name} is missing: {module!r} is ")
    assert words in str(caught.value)
    with pytest.raises(wamr.LinkError, match="is missing"):
        wamr.run([source])
    seen: list[int] = []  # a host may pass functions of its own under such names
    wamr.load(source, {module: {name: lambda: seen.append(1)}}, wasi=wasi).exports._start()
    assert seen == [1]


def test_a_name_that_is_no_abi_s_is_just_missing() -> None:
    for module in ("env", "wasm", "was", "WASI", "mywasi", "wasi2"):
        with pytest.raises(wamr.LinkError) as caught:
            wamr.load(f'(module (import "{module}" "f" (func)))')
        assert f"import {module}.f is missing" in str(caught.value)
        assert "WASI 0.2" not in str(caught.value)
        assert "proposal" not in str(caught.value)


def test_snapshot_0_is_wasi_too() -> None:
    source = '(module (import "wasi_unstable" "sched_yield" (func (result i32))))'
    with pytest.raises(wamr.LinkError, match=r"wasi_unstable.sched_yield is WASI's"):
        wamr.load(source)
    wamr.load(source, wasi=wamr.WasiConfig())


def inspect(*args: object) -> str:
    command = [sys.executable, "-m", "wamr", "inspect", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_inspect_knows_them(tmp_path: Path) -> None:
    source = """(module (import "wasi_unstable" "sched_yield" (func (result i32)))
        (import "wasi_unstable" "fd_close" (func (param i32) (result i32)))
        (import "wasix_32v1" "proc_fork" (func)) (import "env" "f" (func)))"""
    path = tmp_path / "module.wat"
    path.write_text(source)
    shown = inspect(path)
    assert "WASI: wasi_unstable (snapshot 0, before preview 1)\n" in shown
    assert "WASI: wasix_32v1 (WASIX, " in shown
    found = json.loads(inspect("--json", path))["wasi"]
    assert [(item["module"], item["supported"]) for item in found] == [
        ("wasi_unstable", True),
        ("wasix_32v1", False),
    ]
