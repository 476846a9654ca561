"""What raises the errors of arguments, results and closed objects, for docs/errors.md."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator

import wamr

ADD = """(module (memory (export "m") 1)
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))"""
CALL_FOR_A_RESULT = """(module (import "a" "b" (func $b (result i32)))
    (func (export "f") (result i32) (call $b)))"""


def generator() -> Iterator[None]:
    yield


def closed_store() -> None:
    store = wamr.Store()
    store.close()
    wamr.Memory(store, wamr.MemoryType(wamr.Limits(1)))


def closed_memory() -> None:
    instance = wamr.load('(module (memory (export "m") 1))')
    memory = instance.exports.m
    instance.close()
    memory.read(0, 1)


def function_of_a_closed_instance() -> None:
    instance = wamr.load(ADD)
    add = instance.exports.add
    instance.close()
    add(1, 2)


MAKERS = (
    closed_store,
    closed_memory,
    function_of_a_closed_instance,
    lambda: wamr.load("gone.wasm"),
    lambda: wamr.load(ADD).exports.add(2**32, 0),
    lambda: wamr.load(ADD).exports.add(0, 2.0),
    lambda: wamr.Func(wamr.Store(), None, lambda value: value),
    lambda: wamr.load('(module (import "a" "b" (func)))', {"a": {"b": generator}}),
    lambda: wamr.load(CALL_FOR_A_RESULT, {"a": {"b": lambda: "text"}}).exports.f(),
    lambda: wamr.load(CALL_FOR_A_RESULT, {"a": {"b": lambda: 2**40}}).exports.f(),
    lambda: wamr.load(ADD).exports.m.read(65_535, 2),
    lambda: pickle.dumps(wamr.load(ADD)),
    lambda: pickle.dumps(wamr.load(ADD).exports.m),
    lambda: copy.copy(wamr.load(ADD).exports.add),
    lambda: copy.deepcopy(wamr.load(ADD).exports.m),
)
