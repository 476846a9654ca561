"""The words of module text that random programs with exceptions are written in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Code = list[str]
Types = tuple[str, ...]

NULLS = {"externref": "ref.null extern", "exnref": "ref.null exn"}
UNARY: Types = ("i32",)


@dataclass
class Label:
    """A block that code can branch to. types: what a branch to it carries."""

    name: str
    types: Types
    loop: bool = False
    caught: bool = False  # in the handler of a legacy try
    delegated: bool = False  # a delegate names this part of it


@dataclass(frozen=True)
class Function:
    name: str
    params: Types
    results: Types


def result(types: Sequence[str]) -> str:
    return f" (result {' '.join(types)})" if types else ""


def param(types: Sequence[str]) -> str:
    return f" (param {' '.join(types)})" if types else ""


def landing(label: Label) -> str:
    """Return the block of the translation to which a delegate to this label branches."""
    return f"$to_{label.name[1:]}"


def resolved(code: Code) -> Code:
    """Return code with the function's own label, which can have no name, as a number."""
    depth, lines = 0, []
    for line in code:
        word = line.split(" ", 1)[0]
        if word in ("end", "delegate"):
            depth -= 1
        lines.append(line.replace("@", str(depth)))
        if word in ("block", "loop", "if", "try", "try_table"):
            depth += 1
    return lines
