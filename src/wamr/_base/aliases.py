"""The names that users write in annotations of their own: what may stand for what.

Plain aliases, for type checkers and readers. They need `typing`, so only who asks for one imports
this module; the others name them in annotations, which nobody evaluates. Those of what is imported
are in import_aliases.py: nothing of the package is named here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import IO, Literal, TypeAlias

# A str is a path, unless it begins with "(" or ";;" after white space: then it is module text.
Source: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview

# What goes into wasm: an int, a float, 16 bytes, a Func, any object as an externref, None for null.
Value: TypeAlias = int | float | bytes | object | None

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
