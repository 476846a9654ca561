"""A model of chains of calls: what they must return or raise. `chains` makes and runs them.

A chain is a list of nodes. Node i is a function of one of the instances, and calls node i + 1 in
one of many ways (`HOPS`). The last node ends in one of many ways (`ENDS`), or returns. Each node
adds numbers of its own to its arguments and to its results, so that a lost or misplaced value is
noticed. The model computes the results, the frames of a trap, and the fuel that each instance uses.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from wamr import ExitTrap, FuelTrap, StackOverflowTrap, TimeoutTrap, Trap, TrapCode

NAMES = ("a", "b", "c")

# How a node calls the next one. `alias`: by a reference that another instance made, which imports
# the function; so an instance is entered again where both nodes are its own. `host`: through
# Python.
PLAIN = ("call", "import", "indirect", "alias", "host", "host_indirect")
HOPS = PLAIN + tuple(f"tail_{hop}" for hop in PLAIN)

# What a host function in the chain does with exceptions of the following nodes.
POLICIES = ("pass", "swallow", "replace")

# How a host function calls the next node.
WAYS_IN = ("func", "callable", "call", "limited")

TYPES: dict[str, tuple[str, ...]] = {
    "nothing": (),
    "i32": ("i32",),
    "i64": ("i64",),
    "f64": ("f64",),
    "v128": ("v128",),
    "externref": ("externref",),
    "funcref": ("funcref",),
    "numbers": ("i32", "i64", "f32", "f64"),
    "all": ("i64", "v128", "externref", "f32", "i32", "funcref", "f64"),
    "wide": ("i32", "v128", "i64") * 40,
}

CODES = {
    "unreachable": TrapCode.UNREACHABLE,
    "divide": TrapCode.INTEGER_DIVIDE_BY_ZERO,
    "overflow": TrapCode.INTEGER_OVERFLOW,
    "convert": TrapCode.INVALID_CONVERSION_TO_INTEGER,
    "memory": TrapCode.MEMORY_OUT_OF_BOUNDS,
    "table": TrapCode.TABLE_OUT_OF_BOUNDS,
    "undefined": TrapCode.UNDEFINED_ELEMENT,
    "uninitialized": TrapCode.UNINITIALIZED_ELEMENT,
    "mismatch": TrapCode.INDIRECT_CALL_TYPE_MISMATCH,
    "mismatch_host": TrapCode.INDIRECT_CALL_TYPE_MISMATCH,
    "stack": TrapCode.STACK_OVERFLOW,
    "exit": TrapCode.EXIT,
    "fuel": TrapCode.OUT_OF_FUEL,
    "interrupt": TrapCode.INTERRUPTED,
    "timeout": TrapCode.TIMEOUT,
    "trap_of_host": TrapCode.HOST,
}
RAISED = ("error", "keyboard", "grow")  # by Python, and no trap
ENDS = ("return", *CODES, *RAISED)
AGAIN = ("fuel", "interrupt", "timeout")  # a host function that swallows one may soon see the next
CLASSES: dict[str, type[Trap]] = {
    "stack": StackOverflowTrap,
    "exit": ExitTrap,
    "fuel": FuelTrap,
    "timeout": TimeoutTrap,
}
ALIAS, HOST = 32, 64  # the index in the table where the functions of the nodes begin
FUEL = 10_000_000
EXIT_CODE = 77
STACK = 16384  # few, since a trap has at most a thousand frames


class Hop(NamedTuple):
    """The call from one node to the next."""

    kind: str
    policy: str = "pass"
    way: str = "callable"

    @property
    def plain(self) -> str:
        return self.kind.removeprefix("tail_")

    @property
    def tail(self) -> bool:
        return self.kind.startswith("tail_")


@dataclass(frozen=True)
class Shape:
    """owners: the instance of each node, as an index; hops: one fewer."""

    owners: tuple[int, ...]
    hops: tuple[Hop, ...]
    types: str
    entry: str = "callable"
    exported: bool = False  # the table belongs to the first instance

    def possible(self) -> bool:
        for i, hop in enumerate(self.hops):
            here, there = self.owners[i], self.owners[i + 1]
            if hop.plain == "call" and here != there:
                return False
            if hop.plain == "import" and here <= there:
                return False
        return True


@dataclass
class Expected:
    """The expected outcome: values, or a kind of error with its frames."""

    kind: str = "return"
    values: tuple[Any, ...] = ()
    frames: list[tuple[str, str]] = field(default_factory=list)
    cause: Expected | None = None  # of one that was raised instead


def down(i: int) -> int:
    return 2 * i + 1


def up(i: int) -> int:
    return 100 * (i + 1)


FALLBACK = 5000  # a host function adds this to its arguments, so that its results differ


def added(kind: str, value: Any, n: int) -> Any:
    """Return a value with a node's number added."""
    if kind in ("i32", "i64"):
        half = 1 << (31 if kind == "i32" else 63)
        return (value + n + half) % (2 * half) - half
    if kind in ("f32", "f64"):
        return value + n
    if kind == "v128":
        return struct.pack("<4I", *[(lane + n) % 2**32 for lane in struct.unpack("<4I", value)])
    return value


def expected(shape: Shape, values: tuple[Any, ...], end: str, i: int = 0) -> Expected:
    """Return the expected outcome of node i, called with these values."""
    kinds = TYPES[shape.types]
    here = (NAMES[shape.owners[i]], f"n{i}")
    values = tuple([added(k, v, down(i)) for k, v in zip(kinds, values, strict=True)])
    if i == len(shape.hops):
        if end == "return":
            return Expected(values=values)
        name = NAMES[shape.owners[i]]
        inner = {"fuel": "spin", "timeout": "spin", "stack": "deep"}
        frames = [(name, inner[end])] if end in inner else []
        return Expected(end, frames=[*frames, (name, "end"), here])
    hop = shape.hops[i]
    found = expected(shape, values, end, i + 1)
    if hop.plain.startswith("host") and found.kind != "return" and hop.policy != "pass":
        if hop.policy == "swallow":
            got = tuple([added(k, v, FALLBACK) for k, v in zip(kinds, values, strict=True)])
            found = Expected(values=got)
        else:
            found = Expected("replaced", cause=found)
    if hop.tail:  # whose results are the caller's, and its frame is gone
        return found
    if found.kind == "return":
        found.values = tuple([added(k, v, up(i)) for k, v in zip(kinds, found.values, strict=True)])
    else:
        found.frames = [*found.frames, here]
    return found


def fuel_of_return(shape: Shape) -> list[int]:
    """Return the fuel that each instance uses if the chain returns, as checkpoint.c counts it."""
    used = [0] * (max(shape.owners) + 1)
    native = True  # this node was not called by wasm code of its own instance
    for i, owner in enumerate(shape.owners):
        used[owner] += 1  # its entry
        if i == len(shape.hops):
            used[owner] += 2  # the call of $end, and that one's entry
            break
        hop = shape.hops[i]
        used[owner] += 1  # the call
        own = hop.plain == "call" or (hop.plain == "indirect" and shape.owners[i + 1] == owner)
        if own:
            native = native and hop.tail
            continue
        if not (hop.tail and native):
            used[owner] += 1  # an import returns to wasm code
        native = True
    return used
