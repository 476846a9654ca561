"""Type aliases for annotations of users: `Source`, `Value` and `Stdio`.

They need `typing`, so this module is imported only when one of the names is accessed; annotations
in this package, which aren't evaluated, don't import it. Aliases that name classes of this package
are in import_aliases.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import IO, Any, Literal, TypeAlias

# A module: a path, bytes, or module text. A str is text if it begins with "(" or ";;" after white
# space.
Source: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview

# A value for wasm: an int, a float, 16 bytes, a Func, a WasmException, any object as an externref,
# None for null.
Value: TypeAlias = int | float | bytes | object | None

# A standard stream. An int is a descriptor, subprocess.PIPE or DEVNULL; a str is a path. Callables
# take or return bytes, in wamr.run(text=True) str; in an Execution stdin may return None: nothing
# yet.
Stdio: TypeAlias = (
    int
    | Literal["inherit"]  # noqa: PYI051 - for readers
    | bytes
    | str
    | os.PathLike[str]
    | IO[bytes]
    | IO[str]
    | Callable[[bytes], object]
    | Callable[[str], object]
    | Callable[[int], bytes | None]
    | Callable[[int], str]
    | None
)

# What is done with each instance that is made of a snapshot: an export's name, or a function.
OnRestore: TypeAlias = str | Callable[[Any], object] | None
