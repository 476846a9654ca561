"""Runs one converted .wast file through the public classes and tells what failed.

The commands are those of the reference interpreter's scripts, as `wasm-tools json-from-wast` writes
them: modules, registrations, actions and assertions. Each failure is (line, command, reason). This
module knows nothing of pytest, of where the files come from, or of what is known to fail.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import wamr

# The suite's words for a trap, where ours say more or something else that is meant.
_SAME_TRAPS = {
    "undefined": ("undefined element", "uninitialized element"),
    "uninitialized": ("uninitialized element",),
    "undefined element": ("undefined element", "out of bounds table access"),
    "uninitialized element 2": ("uninitialized element",),
    "out of bounds": ("out of bounds",),
}


@dataclass
class Report:
    """What a file's run came to."""

    passed: int = 0
    failures: list[tuple[int, str, str]] = field(default_factory=list)


class Runner:
    """One script: its store, its named modules, its registered ones."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = wamr.Store()
        self.report = Report()
        self.current: wamr.Instance | None = None
        self.named: dict[str, wamr.Instance] = {}
        self.definitions: dict[str | None, wamr.Module] = {}
        self.registered: dict[str, Any] = {"spectest": self._spectest()}
        self.externs: dict[int, object] = {}

    def run(self) -> Report:
        """Run all commands."""
        for command in json.loads(self.path.read_text(encoding="utf-8"))["commands"]:
            kind = command["type"]
            try:
                reason = getattr(self, f"do_{kind}")(command)
            except Exception as error:  # a command that must not fail did, or failed otherwise
                reason = (
                    f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
                )
            if reason is None:
                self.report.passed += 1
            else:
                self.report.failures.append((command.get("line", 0), kind, reason))
                if kind == "module":  # what follows would blame the module before
                    self.current = None
        return self.report

    # ---- modules
    def do_module(self, command: dict[str, Any]) -> str | None:
        self.current = None
        self.current = self._instance(self._module(command))
        if "name" in command:
            self.named[command["name"]] = self.current
        return None

    def do_module_definition(self, command: dict[str, Any]) -> str | None:
        self.definitions[command.get("name")] = self._module(command)
        return None

    def do_module_instance(self, command: dict[str, Any]) -> str | None:
        self.current = self._instance(self.definitions[command.get("module")])
        if command.get("instance"):
            self.named[command["instance"]] = self.current
        return None

    def do_register(self, command: dict[str, Any]) -> str | None:
        name = command.get("name")
        self.registered[command["as"]] = self.named[name] if name else self.current
        return None

    def _bytes(self, command: dict[str, Any]) -> bytes:
        binary = command.get("binary_filename") or command["filename"]
        return (self.path.parent / binary).read_bytes()

    def _module(self, command: dict[str, Any]) -> wamr.Module:
        return wamr.Module(self.store, self._bytes(command))

    def _instance(self, module: wamr.Module) -> wamr.Instance:
        return wamr.Instance(self.store, module, self.registered)

    def _spectest(self) -> dict[str, Any]:
        store = self.store
        kinds = wamr.ValType

        def silent(signature: str) -> wamr.Func:
            return wamr.Func(store, wamr.FuncType.parse(signature), lambda *args: None)

        def constant(kind: wamr.ValType, value: float) -> wamr.Global:
            return wamr.Global(store, wamr.GlobalType(kind), value)

        return {
            "print": silent("() -> ()"),
            "print_i32": silent("(i32) -> ()"),
            "print_i64": silent("(i64) -> ()"),
            "print_f32": silent("(f32) -> ()"),
            "print_f64": silent("(f64) -> ()"),
            "print_i32_f32": silent("(i32, f32) -> ()"),
            "print_f64_f64": silent("(f64, f64) -> ()"),
            "global_i32": constant(kinds.I32, 666),
            "global_i64": constant(kinds.I64, 666),
            "global_f32": constant(kinds.F32, 666.6),
            "global_f64": constant(kinds.F64, 666.6),
            "table": wamr.Table(store, wamr.TableType(kinds.FUNCREF, wamr.Limits(10, 20))),
            "memory": wamr.Memory(store, wamr.MemoryType(wamr.Limits(1, 2))),
        }

    # ---- actions
    def _act(self, action: dict[str, Any]) -> tuple[Any, ...]:
        instance = self.named[action["module"]] if action.get("module") else self.current
        if instance is None:
            raise RuntimeError("there is no module")
        export = instance.exports[action["field"]]
        if action["type"] == "get":
            return (export.value,)
        result = export(*[self._value(arg) for arg in action["args"]])
        if result is None and len(export.type.results) != 1:
            return ()
        return result if isinstance(result, tuple) else (result,)

    def do_action(self, command: dict[str, Any]) -> str | None:
        self._act(command["action"])
        return None

    def do_assert_return(self, command: dict[str, Any]) -> str | None:
        got, expected = self._act(command["action"]), command["expected"]
        if len(got) != len(expected):
            return f"{len(got)} results, not {len(expected)}"
        for value, wanted in zip(got, expected, strict=True):
            if not self._is(value, wanted):
                return f"got {value!r}, not {wanted}"
        return None

    def do_assert_trap(self, command: dict[str, Any]) -> str | None:
        try:
            if "action" in command:
                self._act(command["action"])
            else:
                self._instance(self._module(command))
        except wamr.Trap as trap:
            return self._says(trap.message, command["text"])
        return "no trap"

    do_assert_uninstantiable = do_assert_trap

    def do_assert_exhaustion(self, command: dict[str, Any]) -> str | None:
        try:
            self._act(command["action"])
        except wamr.StackOverflowTrap as trap:
            return self._says(trap.message, command["text"])
        return "no trap"

    def do_assert_unlinkable(self, command: dict[str, Any]) -> str | None:
        try:
            self._instance(self._module(command))
        except wamr.LinkError:
            return None
        return "it linked"

    def do_assert_invalid(self, command: dict[str, Any]) -> str | None:
        try:
            self._module(command)
        except wamr.CompileError:
            return None
        return f"it loaded: {command['text']}"

    def do_assert_malformed(self, command: dict[str, Any]) -> str | None:
        if command.get("module_type") == "text":
            return None  # the converter's business, not ours
        return self.do_assert_invalid(command)

    @staticmethod
    def _says(message: str, wanted: str) -> str | None:
        words = _SAME_TRAPS.get(wanted, (wanted,))
        if any(message.startswith(word) for word in words) or wanted.startswith(message):
            return None
        return f"the trap says {message!r}, not {wanted!r}"

    # ---- values
    def _value(self, item: dict[str, Any]) -> Any:
        kind, value = item["type"], item.get("value")
        if kind in ("i32", "i64"):
            return int(value)
        if kind == "f32":
            return struct.unpack("<f", struct.pack("<I", int(value)))[0]
        if kind == "f64":
            return struct.unpack("<d", struct.pack("<Q", int(value)))[0]
        if kind == "v128":
            return _lanes(item["lane_type"], [int(lane) for lane in value])
        if value in (None, "null"):
            return None
        return self.externs.setdefault(int(value), _Extern(int(value)))

    def _is(self, got: Any, wanted: dict[str, Any]) -> bool:
        kind, value = wanted["type"], wanted.get("value")
        if kind == "either":
            return any(self._is(got, choice) for choice in wanted["values"])
        if kind == "i32":
            return isinstance(got, int) and got & 0xFFFFFFFF == int(value) & 0xFFFFFFFF
        if kind == "i64":
            return isinstance(got, int) and got & (1 << 64) - 1 == int(value) & (1 << 64) - 1
        if kind == "f32":
            return isinstance(got, float) and _same_float(struct.pack("<f", got), value, 4)
        if kind == "f64":
            return isinstance(got, float) and _same_float(struct.pack("<d", got), value, 8)
        if kind == "v128":
            return _same_vector(got, wanted["lane_type"], value)
        if value == "null" or kind in ("nullref", "nullfuncref", "nullexternref"):
            return got is None
        if value is None:
            return got is not None if kind != "funcref" else isinstance(got, wamr.Func)
        if kind == "externref":
            return isinstance(got, _Extern) and got.number == int(value)
        return isinstance(got, wamr.Func)


class _Extern:
    """The object behind (ref.extern n)."""

    def __init__(self, number: int) -> None:
        self.number = number


_WIDTHS = {"i8": 1, "i16": 2, "i32": 4, "i64": 8, "f32": 4, "f64": 8}


def _lanes(kind: str, lanes: list[int]) -> bytes:
    width = _WIDTHS[kind]
    return b"".join((lane & (1 << 8 * width) - 1).to_bytes(width, "little") for lane in lanes)


def _same_float(bits: bytes, wanted: str, width: int) -> bool:
    number = int.from_bytes(bits, "little")
    if wanted.startswith("nan"):
        fraction = 23 if width == 4 else 52
        exponent = (1 << (8 if width == 4 else 11)) - 1
        quiet = 1 << fraction - 1
        if number >> fraction & exponent != exponent or not number & quiet:
            return False
        return wanted == "nan:arithmetic" or number & (1 << fraction) - 1 == quiet
    wanted_bits = int(wanted)
    if number == wanted_bits:
        return True
    # A signalling NaN may come out quiet: Python's float is a double.
    value = struct.unpack("<f" if width == 4 else "<d", bits)[0]
    return width == 4 and math.isnan(value) and number == wanted_bits | 1 << 22


def _same_vector(got: Any, kind: str, wanted: list[str]) -> bool:
    if not isinstance(got, bytes) or len(got) != 16:
        return False
    width = _WIDTHS[kind]
    parts = [got[i : i + width] for i in range(0, 16, width)]
    if kind in ("f32", "f64"):
        return all(_same_float(p, w, width) for p, w in zip(parts, wanted, strict=True))
    mask = (1 << 8 * width) - 1
    return all(
        int.from_bytes(p, "little") == int(w) & mask for p, w in zip(parts, wanted, strict=True)
    )
