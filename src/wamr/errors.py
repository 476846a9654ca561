"""What can go wrong, as classes, and the only place where WAMR's error texts are understood.

Every class is a `WasmError`, and also the builtin a Python programmer would catch: a `CompileError`
is a `ValueError`, a `TimeoutTrap` a `TimeoutError`. WAMR reports a trap as text ("Exception:
integer divide by zero"); `trap_from_text`, `link_error_from_text` and `compile_error_from_text`
turn such texts into these classes, with the words of the specification as message. This module
imports nothing of the package but the base of `Frame`, and never touches C.
"""

import enum

from ._base.immutable import Immutable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ._runtime.instance import Instance

    _Frames = tuple["Frame", ...] | Callable[[], tuple["Frame", ...]]


class WasmError(Exception):
    """Base of every error that this package raises by a name of its own.

    `stdout` and `stderr` are what `wamr.run` had captured when it was raised, str in text mode;
    None: not captured. `output` is the same as `stdout`.
    """

    stdout: "Any" = None
    stderr: "Any" = None

    @property
    def output(self) -> "Any":
        """What was captured of stdout, by the name that subprocess's exceptions have for it."""
        return self.stdout


class CompileError(WasmError, ValueError):
    """Code that is malformed, invalid or not supported.

    `line` and `column`, counted from 1, tell where, if it was module text.
    """

    line: "int | None"
    column: "int | None"

    def __init__(
        self, message: str = "", *, line: "int | None" = None, column: "int | None" = None
    ) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class LinkError(WasmError):
    """An import is missing, of a wrong type, or asks what WAMR can't do."""


class ClosedError(WasmError, ValueError):
    """The object, or the store or instance it came from, was closed."""


class UnavailableError(WasmError, NotImplementedError):
    """A feature that this build or this installation lacks; the message says how to get it."""


class MemoryLimitError(WasmError, MemoryError):
    """Growing beyond what the type or the limits allow, or beyond what the machine has."""


class TrapCode(enum.Enum):
    """Why wasm code stopped. Where the specification has words for it, they are the value."""

    UNREACHABLE = "unreachable"
    MEMORY_OUT_OF_BOUNDS = "out of bounds memory access"
    TABLE_OUT_OF_BOUNDS = "out of bounds table access"
    UNDEFINED_ELEMENT = "undefined element"
    UNINITIALIZED_ELEMENT = "uninitialized element"
    INDIRECT_CALL_TYPE_MISMATCH = "indirect call type mismatch"
    INTEGER_DIVIDE_BY_ZERO = "integer divide by zero"
    INTEGER_OVERFLOW = "integer overflow"
    INVALID_CONVERSION_TO_INTEGER = "invalid conversion to integer"
    STACK_OVERFLOW = "call stack exhausted"
    OUT_OF_FUEL = "out of fuel"
    TIMEOUT = "timed out"
    INTERRUPTED = "interrupted"
    EXIT = "exit"
    HOST = "host"
    OTHER = "other"

    def __repr__(self) -> str:
        return f"TrapCode.{self.name}"


class Frame(Immutable):
    """One level of the wasm call stack when a trap happened. Pickled without its instance.

    The offsets are of the instruction, in the function's body and in the module's bytes; they are
    found when first asked for.
    """

    _fields = (
        "func_index",
        "func_name",
        "func_offset",
        "module_offset",
        "module_name",
        "instance",
    )
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
        """Return a frame whose offsets `locate` tells."""
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
        """One line of a traceback: `div (function 3, byte 0x2a) in calc`."""
        name = self.func_name or f"function {self.func_index}"
        where = [f"function {self.func_index}"] if self.func_name else []
        if self.module_offset is not None:
            where.append(f"byte {self.module_offset:#x}")
        elif self.func_offset is not None:
            where.append(f"byte {self.func_offset:#x} of its body")
        place = f" ({', '.join(where)})" if where else ""
        return f"{name}{place}{f' in {self.module_name}' if self.module_name else ''}"


_MOST_LINES = 40  # of a traceback; a call stack may be ten thousand frames deep


def _traceback_lines(frames: "tuple[Frame, ...]") -> "list[str]":
    """Write the frames as text, repeated ones counted, the middle of a long stack left out."""
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
    if len(lines) > _MOST_LINES:
        half = _MOST_LINES // 2
        lines[half:-half] = [f"  [{len(lines) - 2 * half} lines left out]"]
    return lines


def traceback_text(first: str, frames: "tuple[Frame, ...]") -> str:
    """Return a line, and the frames below it."""
    if not frames:
        return first
    heading = "WebAssembly traceback (innermost call first):"
    return "\n".join([first, heading, *_traceback_lines(frames)])


class Trap(WasmError, RuntimeError):
    """WebAssembly stopped. Host functions may raise it, too: `Trap("message")`.

    `message` holds the words of the specification where it has some. `frames` are the wasm call
    stack, innermost first; it is empty until the trap has crossed wasm code. `str(trap)` is the
    message and, below it, the frames, and the end of what `wamr.run` has captured of stderr.
    """

    message: str
    _ending: str = ""
    code: TrapCode = TrapCode.HOST
    _frames: "_Frames | list[_Frames]" = ()  # a list: of what is to be made into one

    def __init__(self, message: str) -> None:
        if not isinstance(message, str):
            raise TypeError(f"message must be a str, not {type(message).__name__}")
        super().__init__(message)
        self.message = message

    @property
    def frames(self) -> "tuple[Frame, ...]":
        """The wasm call stack, innermost first; made when first asked for."""
        frames = self._frames
        if not isinstance(frames, tuple):
            made: list[Frame] = []
            for part in frames if isinstance(frames, list) else [frames]:
                made += part if isinstance(part, tuple) else part()
            frames = self._frames = tuple(made)
        return frames

    @frames.setter
    def frames(self, frames: "tuple[Frame, ...]") -> None:
        if not isinstance(frames, tuple):
            raise TypeError(f"frames must be a tuple of Frame, not {type(frames).__name__}")
        self._frames = frames

    def _add_frames(self, more: "_Frames") -> None:
        """Note the frames that it has crossed since."""
        frames = self._frames
        if isinstance(frames, list):
            frames.append(more)
        else:
            self._frames = [frames, more] if frames else more

    def __reduce__(self) -> "str | tuple[Any, ...]":
        _ = self.frames  # as they are, not what makes them
        return super().__reduce__()

    def __str__(self) -> str:
        lines = [self.message]
        if self.frames:
            lines.append("WebAssembly traceback (innermost call first):")
            lines += _traceback_lines(self.frames)
        if self._ending:
            lines.append(self._ending)
        return "\n".join(lines)


class ExitTrap(Trap):
    """The program called `proc_exit`; `exit_code` is what it gave.

    `wamr.run` turns it into a return code.
    """

    exit_code: int
    code = TrapCode.EXIT

    def __init__(self, exit_code: int = 0) -> None:
        if not isinstance(exit_code, int):
            raise TypeError(f"exit_code must be an int, not {type(exit_code).__name__}")
        super().__init__(f"exit with code {exit_code}")
        self.args = (exit_code,)  # what pickle and copy call the class with
        self.exit_code = exit_code


class StackOverflowTrap(Trap, RecursionError):
    """Calls went too deep: the wasm stack, or the native stack below it, was used up."""

    code = TrapCode.STACK_OVERFLOW


class TimeoutTrap(Trap, TimeoutError):
    """The call ran longer than its `timeout`."""

    code = TrapCode.TIMEOUT


class FuelTrap(Trap):
    """The branches and calls that the code was allowed are used up."""

    code = TrapCode.OUT_OF_FUEL


# ------------------------------------------------------------------ from WAMR's texts
_TRAP_PREFIXES = (
    "Exception: ",  # stacks up when a trap passes through several instances
    "WASM module instantiate failed: ",
    "AOT module instantiate failed: ",
)

_NO_TEXT = (TrapCode.EXIT, TrapCode.HOST, TrapCode.OTHER)  # their values are no message of WAMR's
_CODES = {code.value: code for code in TrapCode if code not in _NO_TEXT}
_CODES |= {
    "wasm operand stack overflow": TrapCode.STACK_OVERFLOW,
    "native stack overflow": TrapCode.STACK_OVERFLOW,
    "instruction limit exceeded": TrapCode.OUT_OF_FUEL,
    "timeout": TrapCode.TIMEOUT,
    "terminated by user": TrapCode.INTERRUPTED,
    "data segment does not fit": TrapCode.MEMORY_OUT_OF_BOUNDS,
    "type mismatch: elements segment does not fit": TrapCode.TABLE_OUT_OF_BOUNDS,
}

# What the specification's words would hide, and texts of WAMR's that read like notes to itself.
_REWORDED = {
    "wasm auxiliary stack overflow": (
        TrapCode.STACK_OVERFLOW,
        "call stack exhausted: the program's own stack, in its memory, is full",
    ),
    "wasm auxiliary stack underflow": (
        TrapCode.OTHER,
        "the program's own stack, in its memory, was popped beyond its end",
    ),
    "allocate memory failed": (TrapCode.OTHER, "out of memory"),
    "allocate linear memory failed": (TrapCode.OTHER, "out of memory: no linear memory"),
    "unknown function": (TrapCode.OTHER, "unknown function: no such function index"),
}

_CLASSES: "dict[TrapCode, type[Trap]]" = {
    TrapCode.STACK_OVERFLOW: StackOverflowTrap,
    TrapCode.TIMEOUT: TimeoutTrap,
    TrapCode.OUT_OF_FUEL: FuelTrap,
}


_known: "dict[str, tuple[type[Trap], str, TrapCode]]" = {}  # what was made of texts before


def trap_from_text(text: str, frames: "Iterable[Frame]" = (), *, exit_code: int = 0) -> Trap:
    """Return the trap that WAMR's `text` tells of; exit_code: what a "wasi proc exit" gave."""
    known = _known.get(text)
    if known is None:
        known = _understood(text)
        if len(_known) < 100:  # some texts hold numbers
            _known[text] = known
    class_, message, code = known
    if class_ is Trap:
        trap = Trap.__new__(Trap, message)  # what __init__ checks is known
        trap.message = message
    else:
        trap = ExitTrap(exit_code) if class_ is ExitTrap else class_(message)
    trap.code = code
    if frames:
        trap._frames = tuple(frames)
    return trap


def _understood(text: str) -> "tuple[type[Trap], str, TrapCode]":
    """Return class, message and code for a text of WAMR's."""
    text = _without_prefixes(text, _TRAP_PREFIXES)
    if text == "wasi proc exit":
        return ExitTrap, text, TrapCode.EXIT
    if text in _REWORDED:
        code, message = _REWORDED[text]
    else:
        code = _CODES.get(text, TrapCode.OTHER)
        message = text if code is TrapCode.OTHER else code.value
    return _CLASSES.get(code, Trap), message or "unknown trap", code


def link_error_from_text(text: str) -> LinkError:
    """Return the error for WAMR's text of an instantiation that failed before it had any effect."""
    text = _without_prefixes(text, _TRAP_PREFIXES)
    return LinkError(_REWORDED[text][1] if text in _REWORDED else text or "unknown reason")


_COMPILE_PREFIXES = (
    "WASM module load failed: ",
    "AOT module load failed: ",
    "WASM module instantiate failed: ",  # said of names while loading
)

_EXPLAINED = {
    "": "the module was refused without a reason",
    "WASM module load failed": "the module was refused without a reason",
    "allocate memory failed": "out of memory",
    "magic header not detected": "magic header not detected: this is no WebAssembly module",
    "null load arguments": "unexpected end: the module is empty",
    "unexpected end": "unexpected end: the module is cut short",
    "unknown binary version": "unknown binary version: only version 1 of the core format runs here",
}


def compile_error_from_text(text: str) -> CompileError:
    """Return the error for WAMR's text of a failed load, in words that are mostly the spec's."""
    text = " ".join(_without_prefixes(text, _COMPILE_PREFIXES).split())
    head, found, opcode = text.partition("unsupported opcode ")
    if found and not head:
        text = "unsupported opcode " + " ".join([f"0x{byte}" for byte in opcode.split()])
    return CompileError(_EXPLAINED.get(text, text))


_MEMORY = {
    "allocate memory failed",
    "failed to allocate bitmaps",
    "init fd table failed",
    "out of memory",
    "out of memory for WASI's descriptors",
}


def out_of_memory(text: str) -> "MemoryError | None":
    """Return the error if a module was not loaded or instantiated for lack of memory only."""
    prefixes = (*_COMPILE_PREFIXES, "Init wasi environment failed: ")
    return MemoryError("out of memory") if _without_prefixes(text, prefixes) in _MEMORY else None


def _without_prefixes(text: str, prefixes: "tuple[str, ...]") -> str:
    shortened = True
    while shortened:
        shortened = False
        for prefix in prefixes:
            if text.startswith(prefix):
                text, shortened = text[len(prefix) :], True
    return text.strip()
