"""Runs one converted script of the official suite with the object API.

The commands are those of the reference interpreter's scripts, as `wasm-tools json-from-wast` writes
them: modules, registrations, actions and assertions. A failure is (line, command, reason). This
module knows nothing of pytest, of the source of the scripts, or of known failures.

As a program it is a worker: it reads the paths of scripts, one a line, runs each script in a forked
child, so that a crash or a hang affects no other script, and writes a line of JSON for each. With
the argument `suspend` every function is called as an execution, which stops at each check.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import values

import wamr
from wamr._backend.binding import lib

# Seconds for one script.
TIMEOUT = 200 * (10 if os.environ.get("PROVE_EMULATED") else 1)
# After so many stops a script stops only at every 997th check; None: at each check to the end.
MANY = None if os.environ.get("WAMR_SUSPEND_EVERYTHING") else 20_000
SUSPENDING = sys.argv[1:] == ["suspend"]

NO_SECTION = b"\0asm\1\0\0\0\xff"  # a module with a section of an unknown kind

# Messages that differ between the suite and the specification; all others must be equal.
_TRAPS = {
    "undefined": ("undefined element",),
    "uninitialized": ("uninitialized element",),
    "uninitialized element 2": ("uninitialized element",),
    "uninitialized element 7": ("uninitialized element",),
    "indirect call": ("indirect call type mismatch",),
    "out of bounds": ("out of bounds memory access", "out of bounds table access"),
}


@dataclass
class Report:
    """The result of running a script."""

    passed: int = 0
    text: int = 0  # malformed text, left to the converter
    failures: list[tuple[int, str, str]] = field(default_factory=list)
    stops: int = 0


class Runner:
    """One script: its store, its named modules, its registered modules."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = wamr.Store()
        self.report = Report()
        self.current: wamr.Instance | None = None
        self.named: dict[str, wamr.Instance] = {}
        self.definitions: dict[str | None, wamr.Module] = {}
        self.registered: dict[str, Any] = {"spectest": _spectest(self.store)}

    def run(self) -> Report:
        """Run all commands."""
        for command in json.loads(self.path.read_text(encoding="utf-8"))["commands"]:
            kind = command["type"]
            if kind == "assert_malformed" and command["module_type"] == "text":
                self.report.text += 1
                continue
            do = getattr(self, f"do_{kind}", None)
            if do is None:
                reason = "this runner has no such command"
            else:
                try:
                    reason = do(command)
                except (
                    Exception
                ) as error:  # a command failed that must not fail, or failed differently
                    text = str(error).partition("\n")[0]
                    reason = f"{type(error).__name__}: {text}"
            if reason is None:
                self.report.passed += 1
            else:
                self.report.failures.append((command["line"], kind, reason))
        return self.report

    # ---- modules
    def do_module(self, command: dict[str, Any]) -> None:
        self.current = None  # later commands must not use the previous module if this one fails
        if "name" in command:
            self.named.pop(command["name"], None)
        self.current = self._instance(self._module(command))
        if "name" in command:
            self.named[command["name"]] = self.current

    def do_module_definition(self, command: dict[str, Any]) -> None:
        self.definitions[command.get("name")] = self._module(command)

    def do_module_instance(self, command: dict[str, Any]) -> None:
        self.current = None
        self.current = self._instance(self.definitions[command.get("module")])
        if command.get("instance"):
            self.named[command["instance"]] = self.current

    def do_register(self, command: dict[str, Any]) -> None:
        name, current = command.get("name"), self.current
        instance = self.named[name] if name else current
        if instance is None:
            raise LookupError("there is no module")
        self.registered[command["as"]] = instance

    def _module(self, command: dict[str, Any]) -> wamr.Module:
        binary = command.get("binary_filename") or command["filename"]
        return wamr.Module(self.store, (self.path.parent / binary).read_bytes())

    def _instance(self, module: wamr.Module) -> wamr.Instance:
        return wamr.Instance(self.store, module, self.registered)

    # ---- actions
    def _act(self, action: dict[str, Any]) -> tuple[Any, ...]:
        instance = self.named[action["module"]] if action.get("module") else self.current
        if instance is None:
            raise LookupError("there is no module")
        export = instance.exports[action["field"]]
        if action["type"] == "get":
            return (export.value,)
        arguments = [values.argument(item) for item in action["args"]]
        result = self._suspended(export, arguments) if SUSPENDING else export(*arguments)
        if result is None and len(export.type.results) != 1:
            return ()
        return result if isinstance(result, tuple) else (result,)

    def _suspended(self, export: wamr.Func, arguments: list[Any]) -> Any:
        """Call a function as an execution, and count its stops."""
        execution = export.execution(*arguments, slice=0)
        try:
            while True:
                next(execution)
                self.report.stops += 1
                if self.report.stops == MANY:
                    lib.wpy_debug_set_slice(997)
        except StopIteration as end:
            return end.value

    def do_action(self, command: dict[str, Any]) -> None:
        self._act(command["action"])

    def do_assert_return(self, command: dict[str, Any]) -> str | None:
        got, expected = self._act(command["action"]), command["expected"]
        if len(got) != len(expected):
            return f"{len(got)} results, not {len(expected)}"
        for value, wanted in zip(got, expected, strict=True):
            if not values.is_(value, wanted):
                return f"got {value!r}, not {wanted}"
        return None

    def do_assert_trap(self, command: dict[str, Any]) -> str | None:
        try:
            if "action" in command:
                self._act(command["action"])
            else:
                self._instance(self._module(command))
        except wamr.Trap as trap:
            words = _TRAPS.get(command["text"], (command["text"],))
            if trap.message.partition(": ")[0] in words:  # details may follow
                return None
            return f"the trap says {trap.message!r}, not {command['text']!r}"
        return "no trap"

    def do_assert_exception(self, command: dict[str, Any]) -> str | None:
        try:
            self._act(command["action"])
        except wamr.WasmException:
            return None
        return "no exception"

    do_assert_exhaustion = do_assert_uninstantiable = do_assert_trap

    def do_assert_unlinkable(self, command: dict[str, Any]) -> str | None:
        module = self._module(command)
        try:
            self._instance(module)
        except wamr.LinkError:
            return None
        return f"it linked: {command['text']}"

    def do_assert_invalid(self, command: dict[str, Any]) -> str | None:
        try:
            self._module(command)
        except wamr.CompileError:
            return None
        return f"it loaded: {command['text']}"

    do_assert_malformed = do_assert_invalid


def _spectest(store: wamr.Store) -> dict[str, Any]:
    """Return the module `spectest`, from which all scripts may import."""
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


# ---- the worker


def _answer(path: str) -> None:
    """Run a script and print the result; in the child, where there is fork."""
    report = Runner(Path(path)).run()
    print(json.dumps(vars(report)), flush=True)


def _in_child(path: str) -> None:
    pid = os.fork()
    if pid == 0:
        signal.alarm(TIMEOUT)
        try:
            _answer(path)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        name = f"no end within {TIMEOUT} s" if number == signal.SIGALRM else f"signal {number}"
        print(json.dumps({"died": name}), flush=True)
    elif status:
        print(json.dumps({"died": "an error of the runner"}), flush=True)


def main() -> None:
    """Run scripts until the input ends."""
    faulthandler.enable()
    if SUSPENDING:
        lib.wpy_debug_set_slice(1)
    with contextlib.suppress(wamr.CompileError):  # imports what else each child would import
        wamr.Module(wamr.Engine(), NO_SECTION)
    serve = _in_child if hasattr(os, "fork") else _answer
    for line in iter(sys.stdin.readline, ""):
        serve(line.rstrip("\n"))


if __name__ == "__main__":
    main()
