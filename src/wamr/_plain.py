"""What src/wamr/_native/cpython/ does, in Python: for implementations without CPython's C API.

The same names with the same meanings, told there. They take every call the long way, which
PyPy's compiler makes short again. This module knows nothing of C.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def function(
    address: int, name: str, doc: str, kinds: bytes, results: bytes, cells: int, call: Any
) -> Callable[..., Any]:
    """Return a plain function that calls a function in C."""

    def wasm_function(*args: object) -> Any:
        return call.general(args)

    wasm_function.__name__ = wasm_function.__qualname__ = name
    signature, _, wasm_function.__doc__ = doc.partition("\n--\n\n")
    wasm_function.__text_signature__ = signature  # type: ignore[attr-defined]
    return wasm_function


class Caller:
    """What calls its `callable`."""

    __slots__ = ("callable",)
    callable: Callable[..., Any]

    def __call__(self, *args: Any) -> Any:
        return self.callable(*args)


class Callback:
    """What C calls under a number: through `host.wpy_py_cells`."""

    __slots__ = ()
    by_cells = True

    def _ready(self, number: int, run: Callable[..., Any]) -> None:
        """Be told the number."""


def take_raised() -> None:
    """Return the exception that waits in this thread: none does here."""


class Window:
    """Bytes in C that can be read and written."""

    __slots__ = ()

    def read(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset` on."""
        data: bytes = self._read(offset, size)  # type: ignore[attr-defined]
        return data

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write `data` from `offset` on."""
        self._write(offset, data)  # type: ignore[attr-defined]

    def _show(self, address: int, size: int, keep: object) -> None:
        """Be told where the bytes are."""

    def _hide(self) -> None:
        """Be told that they are nowhere any more."""
