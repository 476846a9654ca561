"""The names that users write in annotations of their own: what may stand for what.

Plain aliases, for type checkers and readers. They need `typing` and most of the package, so only
who asks for one imports this module; the others name them in annotations, which nobody evaluates.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, Literal, TypeAlias

from .exports import Exports
from .func import Func
from .global_ import Global
from .instance import Instance
from .memory import Memory
from .table import Table

# A str is a path, unless it begins with "(" or ";;" after white space: then it is module text.
Source: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview

# What goes into wasm: an int, a float, 16 bytes, a Func, any object as an externref, None for null.
Value: TypeAlias = int | float | bytes | object | None

ImportItem: TypeAlias = Func | Global | Table | Memory | Callable[..., Any]
Imports: TypeAlias = (
    Sequence[ImportItem] | Mapping[str, Mapping[str, ImportItem] | Instance | Exports]
)

# An int is a descriptor, or subprocess.PIPE or DEVNULL; a str is a path. Callables are about bytes,
# and in wamr.run(text=True) about str.
Stdio: TypeAlias = (
    int
    | Literal["inherit"]  # noqa: PYI051 - said for readers
    | bytes
    | str
    | os.PathLike[str]
    | IO[bytes]
    | IO[str]
    | Callable[[bytes], object]
    | Callable[[str], object]
    | Callable[[int], bytes]
    | Callable[[int], str]
    | None
)
