"""The frames of a trap: `wamr.errors.Frame`, and their text."""

from .immutable import Immutable
from .printable import printable_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._runtime.instance import Instance


class Frame(Immutable):
    """A level of the wasm call stack at the time of a trap.

    func_index: the index of the function. func_name: its name in the name section, else that of an
    export, else None. func_offset, module_offset: the offsets in bytes of the instruction, in the
    function's body and in the module; computed at the first access; None if unknown. module_name:
    the name of the module, or None. instance: the Instance; None if it was being made, and in a
    pickle.
    Immutable, comparable, picklable. C: `wasm_frame_t`.

    >>> import wamr
    >>> inst = wamr.load('(module (func (export "f") unreachable))')
    >>> try:
    ...     inst.exports.f()
    ... except wamr.Trap as trap:
    ...     print(trap.frames[0])
    f (function 0, byte 0x1e)
    """

    _fields = (
        "func_index",
        "func_name",
        "func_offset",
        "module_offset",
        "module_name",
        "instance",
    )
    __module__ = "wamr.errors"  # where the class is public; pickles contain the name
    __slots__ = (*_fields, "_locate")
    _locate: "Callable[[], tuple[int | None, int | None]]"
    func_index: int
    func_name: "str | None"
    func_offset: "int | None"
    module_offset: "int | None"
    module_name: "str | None"
    instance: "Instance | None"

    def __init__(
        self,
        func_index: int,
        func_name: "str | None" = None,
        func_offset: "int | None" = None,
        module_offset: "int | None" = None,
        module_name: "str | None" = None,
        instance: "Instance | None" = None,
    ) -> None:
        self._fill(func_index, func_name, func_offset, module_offset, module_name, instance)

    @classmethod
    def _lazy(
        cls,
        func_index: int,
        func_name: "str | None",
        module_name: "str | None",
        instance: object,
        locate: "Callable[[], tuple[int | None, int | None]]",
    ) -> "Frame":
        """Return a frame whose offsets `locate` returns, at the first access."""
        frame = object.__new__(cls)
        for name, value in (
            ("func_index", func_index),
            ("func_name", func_name),
            ("module_name", module_name),
            ("instance", instance),
            ("_locate", locate),
        ):
            object.__setattr__(frame, name, value)
        return frame

    def __getattr__(self, name: str) -> "int | None":
        if name not in ("func_offset", "module_offset"):
            raise AttributeError(f"a Frame has no attribute {name!r}")
        func_offset, module_offset = self._locate()
        object.__setattr__(self, "func_offset", func_offset)
        object.__setattr__(self, "module_offset", module_offset)
        return func_offset if name == "func_offset" else module_offset

    def __reduce__(self) -> "tuple[Any, ...]":
        return type(self), (*self._values()[:-1], None)

    def __str__(self) -> str:
        """Return a line of a traceback: `div (function 3, byte 0x2a) in calc`."""
        name = printable_name(self.func_name or "") or f"function {self.func_index}"
        details = [f"function {self.func_index}"] if self.func_name else []
        if self.module_offset is not None:
            details.append(f"byte {self.module_offset:#x}")
        elif self.func_offset is not None:
            details.append(f"byte {self.func_offset:#x} of its body")
        position = f" ({', '.join(details)})" if details else ""
        module = f" in {printable_name(self.module_name)}" if self.module_name else ""
        return f"{name}{position}{module}"


_MAX_LINES = 40  # of a traceback; a call stack may be ten thousand frames deep


def traceback_lines(frames: "tuple[Frame, ...]") -> "list[str]":
    """Return the frames as lines: repetitions as a count, without the middle of a long stack."""
    runs: list[tuple[str, int]] = []
    for text in map(str, frames):
        if runs and runs[-1][0] == text:
            runs[-1] = (text, runs[-1][1] + 1)
        else:
            runs.append((text, 1))
    lines = []
    for text, times in runs:
        lines.append(f"  at {text}")
        if times > 1:
            plural = "s" if times > 2 else ""
            lines.append(f"  [the same {times - 1} more time{plural}]")
    if len(lines) > _MAX_LINES:
        half = _MAX_LINES // 2
        lines[half:-half] = [f"  [{len(lines) - 2 * half} lines left out]"]
    return lines
