"""Chains of calls through linked instances and Python, which `chain_model` describes."""

from __future__ import annotations

import struct
from typing import Any

from chain_model import (
    ALIAS,
    FALLBACK,
    FUEL,
    HOST,
    NAMES,
    STACK,
    TYPES,
    Shape,
    added,
    down,
    up,
)
from small_modules import HostError

from wamr import (
    Func,
    FuncType,
    Global,
    GlobalType,
    Instance,
    Limits,
    Memory,
    MemoryType,
    Module,
    ResourceLimits,
    Store,
    Table,
    TableType,
    Trap,
    ValType,
    WasiConfig,
)
from wamr.wat import wat2wasm

_END = """
    (func $spin (loop (br 0)))
    (func $deep (local v128 v128 v128 v128) (call $deep) (call $deep))
    (func $end
        (if (i32.eq (global.get $how) (i32.const 1)) (then unreachable))
        (if (i32.eq (global.get $how) (i32.const 2))
            (then (drop (i32.div_u (i32.const 1) (i32.const 0)))))
        (if (i32.eq (global.get $how) (i32.const 3))
            (then (drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))))
        (if (i32.eq (global.get $how) (i32.const 4))
            (then (drop (i32.trunc_f32_s (f32.const nan)))))
        (if (i32.eq (global.get $how) (i32.const 5))
            (then (drop (i32.load (i32.const 65536)))))
        (if (i32.eq (global.get $how) (i32.const 6))
            (then (drop (table.get $t (i32.const 99999)))))
        (if (i32.eq (global.get $how) (i32.const 7)) (then (call_indirect (i32.const 99999))))
        (if (i32.eq (global.get $how) (i32.const 8)) (then (call_indirect (i32.const 99))))
        (if (i32.eq (global.get $how) (i32.const 9))
            (then (call_indirect (param i32 i32 i32) (i32.const 1) (i32.const 2) (i32.const 3)
                (i32.const 0))))
        (if (i32.eq (global.get $how) (i32.const 10))
            (then (call_indirect (param i32 i32 i32) (i32.const 1) (i32.const 2) (i32.const 3)
                (i32.const 98))))
        (if (i32.eq (global.get $how) (i32.const 11)) (then (call $deep)))
        (if (i32.eq (global.get $how) (i32.const 12)) (then (call $exit (i32.const 77))))
        (if (i32.eq (global.get $how) (i32.const 13)) (then (call $spin)))
        (if (i32.eq (global.get $how) (i32.const 14)) (then (call $raise)))
        (if (i32.eq (global.get $how) (i32.const 15)) (then (call $raise) (call $spin))))"""
_HOW = {
    "return": 0, "unreachable": 1, "divide": 2, "overflow": 3, "convert": 4, "memory": 5,
    "table": 6, "undefined": 7, "uninitialized": 8, "mismatch": 9, "mismatch_host": 10,
    "stack": 11, "exit": 12, "fuel": 13, "timeout": 13, "trap_of_host": 14, "error": 14,
    "keyboard": 14, "grow": 14, "interrupt": 15,
}  # fmt: skip


class ReplacementError(Exception):
    """Raised by a host function that has caught another exception."""


def _code(kind: str, value: str, n: int) -> str:
    if kind == "v128":
        return f"(i32x4.add {value} (i32x4.splat (i32.const {n})))"
    return value if kind.endswith("ref") else f"({kind}.add {value} ({kind}.const {n}))"


def as_tuple(result: Any) -> tuple[Any, ...]:
    if result is None:
        return ()
    return result if isinstance(result, tuple) else (result,)


class Chain:
    """The linked instances of a Shape."""

    def __init__(self, shape: Shape) -> None:
        assert shape.possible()
        self.shape = shape
        self.kinds = kinds = TYPES[shape.types]
        self.store = store = Store()
        self.how = Global(store, GlobalType(ValType.I32, mutable=True), 0)
        self.memory = Memory(store, MemoryType(Limits(1, 2)))
        self.raised: list[BaseException] = []  # by host functions, the newest last
        self.caught: list[BaseException] = []  # by host functions in the chain
        self.end = "return"
        self.interrupted = shape.owners[0]  # which instance, by `interrupt`
        self.type = FuncType(list(map(ValType, kinds)), list(map(ValType, kinds)))
        table_type = TableType(ValType.FUNCREF, Limits(100, 100))
        self.table = None if shape.exported else Table(store, table_type)
        self.instances: list[Instance] = []
        for k in range(max(shape.owners) + 1):
            self.instances.append(self._instance(k))
        table = self.instances[0].exports.t if shape.exported else self.table
        assert isinstance(table, Table)
        self.table = table
        self._alias()
        for i, hop in enumerate(shape.hops):
            if hop.plain == "host_indirect":
                table[HOST + i] = Func(store, self.type, self._host(i))
        table[98] = Func(store, FuncType([]), lambda: None)
        self.values = tuple(map(self._value, kinds))

    # ---- making
    def _value(self, kind: str) -> Any:
        return {
            "i32": 2**31 - 3,
            "i64": 2**40,
            "f32": 0.5,
            "f64": -0.25,
            "v128": struct.pack("<4I", 1, 2**32 - 1, 3, 2**31 - 1),
            "externref": self.store,
            "funcref": self.node(0),
        }[kind]

    def node(self, i: int) -> Func:
        func: Func = self.instances[self.shape.owners[i]].exports[f"n{i}"]
        return func

    def _instance(self, k: int) -> Instance:
        kinds, shape = self.kinds, self.shape
        mine = [i for i, owner in enumerate(shape.owners) if owner == k]
        signature = f"(param {' '.join(kinds)}) (result {' '.join(kinds)})"
        imports: dict[str, dict[str, Any]] = {
            "e": {"how": self.how, "raise": self._raise},
            "n": {},
            "h": {},
        }
        lines = [
            '(import "e" "how" (global $how (mut i32)))',
            '(import "e" "raise" (func $raise))',
            '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))',
        ]
        for i in mine:
            if i == len(shape.hops):
                continue
            if shape.hops[i].plain == "import":
                lines.append(f'(import "n" "n{i + 1}" (func $i{i} (type $type)))')
                imports["n"][f"n{i + 1}"] = self.node(i + 1)
            elif shape.hops[i].plain == "host":
                lines.append(f'(import "h" "h{i}" (func $h{i} (type $type)))')
                imports["h"][f"h{i}"] = self._host(i)
        if self.table is None and k:
            self.table = self.instances[0].exports.t
        if self.table is None:
            lines.append('(table $t (export "t") 100 100 funcref)')
        else:
            imports["e"]["t"] = self.table
            lines.append('(import "e" "t" (table $t 100 100 funcref))')
        lines.append("(memory 1)")
        for i in mine:
            lines += [self._function(i, signature), f"(elem (i32.const {i}) $n{i})"]
        text = f"(module ${NAMES[k]} (type $type (func {signature})) {' '.join(lines)} {_END})"
        limits = ResourceLimits(stack_bytes=STACK * (3 if shape.types == "wide" else 1))
        return Instance(
            self.store,
            Module(self.store, wat2wasm(text)),
            imports,
            wasi=WasiConfig(),
            limits=limits,
        )

    def _function(self, i: int, signature: str) -> str:
        kinds, shape = self.kinds, self.shape
        values = [_code(kind, f"(local.get {j})", down(i)) for j, kind in enumerate(kinds)]
        head = f'(func $n{i} (export "n{i}") {signature}'
        if i == len(shape.hops):
            return f"{head} (call $end) {' '.join(values)})"
        hop = shape.hops[i]
        indirect = {"indirect": i + 1, "alias": ALIAS + i + 1, "host_indirect": HOST + i}
        call = "return_call" if hop.tail else "call"
        if hop.plain in indirect:
            values.append(f"(i32.const {indirect[hop.plain]})")
            code = f"({call}_indirect (type $type) {' '.join(values)})"
        else:
            name = {"call": f"$n{i + 1}", "import": f"$i{i}", "host": f"$h{i}"}[hop.plain]
            code = f"({call} {name} {' '.join(values)})"
        if hop.tail:
            return f"{head} {code})"
        locals_ = " ".join([f"(local $r{j} {kind})" for j, kind in enumerate(kinds)])
        taken = " ".join([f"(local.set $r{j})" for j in reversed(range(len(kinds)))])
        results = [_code(kind, f"(local.get $r{j})", up(i)) for j, kind in enumerate(kinds)]
        return f"{head} {locals_} {code} {taken} {' '.join(results)})"

    def _alias(self) -> None:
        nodes = [i + 1 for i, hop in enumerate(self.shape.hops) if hop.plain == "alias"]
        if not nodes:
            return
        kinds = " ".join(self.kinds)
        lines = [
            f'(import "n" "n{i}" (func $n{i} (param {kinds}) (result {kinds})))' for i in nodes
        ]
        lines.append('(import "e" "t" (table 100 100 funcref))')
        lines += [f"(elem (i32.const {ALIAS + i}) $n{i})" for i in nodes]
        assert self.table
        functions = {f"n{i}": self.node(i) for i in nodes}
        imports: dict[str, dict[str, Any]] = {"n": functions, "e": {"t": self.table}}
        module = Module(self.store, wat2wasm(f"(module {' '.join(lines)})"))
        self.alias = Instance(self.store, module, imports)

    # ---- what runs in Python
    def _raise(self) -> None:
        if self.end == "interrupt":
            self.instances[self.interrupted].interrupt()
            return
        if self.end == "grow":
            self.memory.grow(5)
        error = {"trap_of_host": Trap, "error": HostError, "keyboard": KeyboardInterrupt}[self.end]
        self.raised.append(error("mine"))
        raise self.raised[-1]

    def _host(self, i: int) -> Any:
        hop = self.shape.hops[i]

        def host(*values: Any) -> Any:
            try:
                return self.enter(i + 1, hop.way, values)
            except BaseException as error:
                self.caught.append(error)
                if hop.policy == "pass":
                    raise
                if hop.policy == "replace":
                    self.raised.append(ReplacementError(i))
                    raise self.raised[-1]  # noqa: B904 - the context is what the tests look at
            results = [added(k, v, FALLBACK) for k, v in zip(self.kinds, values, strict=True)]
            return None if not results else results[0] if len(results) == 1 else tuple(results)

        return host

    def enter(self, i: int, way: str, values: tuple[Any, ...], **limits: Any) -> Any:
        node = self.node(i)
        if limits:
            return node.call(*values, **limits)
        if way == "func":
            return node(*values)
        if way == "callable":
            return node.callable(*values)
        if way == "call":
            return node.call(*values)
        return node.call(*values, timeout=3600, fuel=FUEL // 2)

    def run(self, end: str) -> Any:
        """Call the chain so that it ends in the given way."""
        self.end = end
        self.how.value = _HOW[end]
        self.raised.clear()
        self.caught.clear()
        last = self.instances[self.shape.owners[-1]]
        for instance in self.instances:
            instance.fuel = FUEL
        if end == "fuel":
            last.fuel = 1000
        limits = {"timeout": 0.001} if end == "timeout" else {}
        return self.enter(0, self.shape.entry, self.values, **limits)
