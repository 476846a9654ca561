"""The `_initialize` of a reactor: the package runs it once; later calls have no effect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import wamr
from wamr import Func, FuncType, Instance, Linker, Module, Store, Trap

pytestmark = pytest.mark.usefixtures("wat")

# As in wasi-libc: a second call traps.
REACTOR = """(module $reactor
  (import "env" "note" (func $note (param i32)))
  (global $ready (mut i32) (i32.const 0))
  (table (export "table") 2 funcref)
  (elem (i32.const 0) $init)
  (func $init (export "_initialize")
    (if (global.get $ready) (then unreachable))
    (global.set $ready (i32.const 1))
    (call $note (i32.const 1)))
  (func (export "ready") (result i32) (global.get $ready))
  (func (export "again") (call $init))
  (func (export "reference") (result funcref) (ref.func $init)))"""
CLIENT = """(module
  (import "reactor" "_initialize" (func $init))
  (import "reactor" "ready" (func $ready (result i32)))
  (import "reactor" "table" (table 2 funcref))
  (func (export "direct") (result i32) (call $init) (call $init) (call $ready))
  (func (export "indirect") (result i32) (call_indirect (i32.const 0)) (call $ready))
  (export "_initialize" (func $init)))"""


class Reactor:
    def __init__(self, store: Store | None = None) -> None:
        self.seen: list[int] = []
        self.store = store or Store()
        module = Module(self.store, REACTOR)
        self.instance = Instance(self.store, module, {"env": {"note": self.seen.append}})
        self.exports = self.instance.exports

    def assert_ran_once(self) -> None:
        assert self.seen == [1]
        assert self.exports.ready() == 1


def call_awaited(func: Any) -> Any:
    async def main() -> Any:
        return await func.call_async()

    return asyncio.run(main())


CALLS: list[Callable[[Any], Any]] = [
    lambda func: func(),
    lambda func: func.callable(),
    lambda func: func.call(),
    lambda func: func.call(timeout=60, fuel=1000),
    call_awaited,
]


@pytest.mark.parametrize("call", CALLS)
def test_calling_it_again_does_nothing(call: Callable[[Any], Any]) -> None:
    reactor = Reactor()
    reactor.assert_ran_once()
    for _ in range(3):
        assert call(reactor.exports._initialize) is None
        reactor.assert_ran_once()
        assert call(reactor.exports.reference()) is None
        assert call(reactor.exports.table[0]) is None
    reactor.assert_ran_once()


def test_it_is_the_export_that_it_was() -> None:
    reactor = Reactor()
    func = reactor.exports._initialize
    assert func.type == FuncType(())
    assert func.name == "_initialize"
    assert func == reactor.exports.table[0] == reactor.exports.reference()
    with pytest.raises(TypeError, match="takes 0 arguments, not 1"):
        func(1)
    reactor.instance.close()
    with pytest.raises(wamr.ClosedError):
        func()


def test_its_own_code_calls_what_it_likes() -> None:
    reactor = Reactor()
    with pytest.raises(Trap, match="unreachable"):
        reactor.exports.again()
    reactor.exports._initialize()
    reactor.assert_ran_once()


def test_code_of_other_instances_does_no_harm_either() -> None:
    reactor = Reactor()
    client = Instance(reactor.store, Module(reactor.store, CLIENT), {"reactor": reactor.instance})
    for _ in range(2):
        assert client.exports.direct() == 1
        assert client.exports.indirect() == 1
        client.exports._initialize()
    assert client.exports._initialize == reactor.exports._initialize
    reactor.assert_ran_once()


def test_a_linker_hands_it_on() -> None:
    reactor = Reactor()
    linker = Linker(reactor.store)
    linker.define_instance("reactor", reactor.instance)
    assert linker.instantiate(Module(reactor.store, CLIENT)).exports.direct() == 1
    reactor.assert_ran_once()


def test_a_host_function_that_runs_meanwhile_calls_nothing() -> None:
    """`_initialize` has not run yet in the start function, and a call within itself is nested."""
    depth: list[str] = []

    def early(caller: Instance) -> None:
        depth.append("start")
        caller.exports._initialize()

    def within(caller: Instance) -> None:
        depth.append("initialize")
        caller.exports._initialize()

    store = Store()
    module = Module(
        store,
        """(module (import "m" "early" (func $early)) (import "m" "within" (func $within))
        (func (export "_initialize") (call $within)) (start $early))""",
    )
    none = FuncType(())
    imports = [Func(store, none, function, access_caller=True) for function in (early, within)]
    Instance(store, module, imports)
    assert depth == ["start", "initialize"]


def test_each_instance_runs_its_own() -> None:
    store = Store()
    reactors = [Reactor(store) for _ in range(3)]
    for reactor in reactors:
        reactor.exports._initialize()
        reactor.assert_ran_once()


def test_one_that_traps_makes_no_instance() -> None:
    with pytest.raises(Trap, match="unreachable"):
        wamr.load('(module (func (export "_initialize") unreachable))')


def test_without_wasi_and_beside_a_start_it_is_the_same() -> None:
    seen: list[int] = []
    inst = wamr.load(
        """(module (import "m" "note" (func $note (param i32)))
        (func (export "_initialize") (call $note (i32.const 1)))
        (func (export "_start") (call $note (i32.const 2))))""",
        [seen.append],
    )
    inst.exports._initialize()
    assert seen == [1]
    inst.exports._start()
    inst.exports._start()
    assert seen == [1, 2, 2]  # the package never runs `_start` itself


@pytest.mark.parametrize(
    "text",
    [
        '(func (export "_initialize") (param i32) (call $note (i32.const 1)))',
        '(func (export "_initialize") (result i32) (call $note (i32.const 1)) (i32.const 5))',
        '(func (export "initialize") (call $note (i32.const 1)))',
        '(func (export "_initialize2") (call $note (i32.const 1)))',
    ],
)
def test_what_we_did_not_run_is_an_export_as_any(text: str) -> None:
    seen: list[int] = []
    inst = wamr.load(f'(module (import "m" "note" (func $note (param i32))) {text})', [seen.append])
    assert seen == []
    (func,) = inst.exports.values()
    for _ in range(2):
        func(*[0] * len(func.type.params))  # type: ignore[operator, union-attr]
    assert seen == [1, 1]


def test_a_host_function_exported_by_that_name_stays_one() -> None:
    seen: list[str] = []
    inst = wamr.load(
        '(module (import "m" "f" (func $f)) (export "_initialize" (func $f)))',
        [lambda: seen.append("called")],
    )
    assert seen == ["called"]
    inst.exports._initialize()
    assert seen == ["called"] * 2


def test_the_command_line_may_name_it(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from wamr._cli.command import main

    path = tmp_path / "reactor.wat"
    path.write_text(
        """(module (global $ready (mut i32) (i32.const 0))
        (func (export "_initialize")
          (if (global.get $ready) (then unreachable)) (global.set $ready (i32.const 1))))"""
    )
    assert main(["run", "--invoke", "_initialize", str(path)]) == 0
    assert capsys.readouterr().err == ""
