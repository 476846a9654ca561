"""The exceptions of this package, and making them from WAMR's error texts.

Every class is a subclass of `WasmError` and of the builtin exception that Python programmers would
catch: a `CompileError` is a `ValueError`, a `TimeoutTrap` a `TimeoutError`. WAMR reports errors as
text ("Exception: integer divide by zero"), which `_base.wamr_texts` translates to the words of the
specification. This module uses no C.
"""

import enum

from ._base.arguments import shown_number
from ._base.frame import Frame as Frame  # noqa: PLC0414 - public here
from ._base.frame import traceback_lines
from ._base.wamr_texts import compile_message, is_out_of_memory, link_message, trap_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    _Frames = tuple["Frame", ...] | Callable[[], tuple["Frame", ...]]


class WasmError(Exception):
    """Base of the exceptions that this package defines.

    Attributes `stdout` and `stderr`: the outputs that `wamr.run` has captured, as bytes, or as str
    in text mode; None: not captured. `output`: the same as `stdout`. `files`: the private
    directories of the program that `run` has run, as in its result; None: there are none.

    >>> import wamr
    >>> try:
    ...     wamr.load(b"no module")
    ... except wamr.WasmError as error:
    ...     print(type(error).__name__)
    CompileError
    """

    stdout: "Any" = None
    stderr: "Any" = None
    files: "Mapping[str, Mapping[str, bytes]] | None" = None

    @property
    def output(self) -> "Any":
        """The captured stdout, under its name in the exceptions of subprocess."""
        return self.stdout


class CompileError(WasmError, ValueError):
    r"""A module is malformed, invalid or not supported.

    message: the reason. Attributes `line` and `column`: the position in module text, counted from
    1; None for binary modules. Raised by `Module`, `load`, `run` and `wat2wasm`.

    >>> import wamr
    >>> try:
    ...     wamr.load("(module\n  (fnc))")
    ... except wamr.CompileError as error:
    ...     error.line, error.column
    (2, 4)
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
    """An import is missing, has a wrong type, or needs something that WAMR can't do.

    Raised by `Instance`, `load`, `Linker.instantiate` and `run`.

    >>> import wamr
    >>> wamr.load('(module (import "env" "f" (func)))', {"env": {}})
    Traceback (most recent call last):
    ...
    wamr.errors.LinkError: import env.f is missing: it is a function () -> ()
    """


class ClosedError(WasmError, ValueError):
    """The object, or its store or instance, was closed. Raised by most methods.

    >>> import wamr
    >>> inst = wamr.load('(module (func (export "f")))')
    >>> f = inst.exports.f
    >>> inst.close()
    >>> f()
    Traceback (most recent call last):
    ...
    wamr.errors.ClosedError: f() -> (): its instance is closed
    """


class UnavailableError(WasmError, NotImplementedError):
    """This build or installation lacks a feature; the message says how to get it.

    >>> import wamr
    >>> try:
    ...     wamr.Config(tier="auto")
    ... except wamr.UnavailableError:
    ...     print("the interpreter only")
    the interpreter only
    """


class MemoryLimitError(WasmError, MemoryError):
    """A memory or table is larger than its type, the limits, or the system allow.

    Raised by `Memory`, `Memory.grow`, `Table` and `Instance`.

    >>> from wamr import Limits, Memory, MemoryType, Store
    >>> Memory(Store(), MemoryType(Limits(1, 1))).grow(1)
    Traceback (most recent call last):
    ...
    wamr.errors.MemoryLimitError: can't grow from 1 by 1 pages: at most 1 pages
    """


class SnapshotError(WasmError):
    """A snapshot can't be taken, loaded, or made an instance of.

    reason: a word for programs. "closed": the instance, or its execution, has ended. "busy": code
    runs, or a call is suspended that isn't given. "linked": the instance shares something with
    another one. "references": it has references to objects of the host or of other instances.
    "open-files": the program has files open. "preopens-differ", "imports-differ": the new instance
    is given other directories or imports. "stack": its stack is too small. "no-snapshot": none was
    taken. "other-build", "other-module", "damaged", "untrusted": the file is of another build or
    module, is no snapshot, or may be code of somebody else. message: a sentence.

    >>> import wamr
    >>> inst = wamr.load('(module (import "env" "f" (func $f)) (func (export "g") (call $f)))',
    ...                  {"env": {"f": lambda: wamr.Snapshot(inst)}})
    >>> try:
    ...     inst.exports.g()
    ... except wamr.SnapshotError as error:
    ...     print(error.reason)
    busy
    """

    reason: str

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.args[1]} ({self.reason})"


class TrapCode(enum.Enum):
    """The reason of a trap. The values are the words of the specification where it has some.

    >>> import wamr
    >>> wamr.TrapCode("integer divide by zero")
    TrapCode.INTEGER_DIVIDE_BY_ZERO
    """

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
    OUTPUT_LIMIT = "output limit reached"
    TIMEOUT = "timed out"
    INTERRUPTED = "interrupted"
    EXIT = "exit"
    HOST = "host"
    OTHER = "other"

    def __repr__(self) -> str:
        return f"TrapCode.{self.name}"


class _TracedError(WasmError):
    """Base of the errors that stop wasm code, and have its call stack.

    The text shows the stack, and the end of stderr if `wamr.run` has captured it.
    """

    _ending: str = ""
    _frames: "_Frames | list[_Frames]" = ()  # frames, a function that makes them, a list of both

    @property
    def frames(self) -> "tuple[Frame, ...]":
        """The wasm call stack as a tuple of Frame, innermost first; made at the first access."""
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
        """Add frames that the error has crossed after others."""
        frames = self._frames
        if isinstance(frames, list):
            frames.append(more)
        else:
            self._frames = [frames, more] if frames else more

    def _with_traceback(self, message: str) -> str:
        """Return the message, the frames and the end of stderr."""
        parts = [message]
        if self.frames:
            heading = "WebAssembly traceback (innermost call first):"
            parts += [heading, *traceback_lines(self.frames)]
        return "\n".join([*parts, self._ending] if self._ending else parts)


class Trap(_TracedError, RuntimeError):
    """wasm code stopped abnormally. Host functions may raise a Trap, too.

    message: the reason, in the words of the specification where it has some. Attribute `code`: a
    TrapCode, HOST for a Trap that a host function has raised. `frames`: the wasm call stack,
    innermost first; empty until the trap has crossed wasm code. `str(trap)` has the message, the
    frames, and the end of stderr if `wamr.run` has captured it.
    Raises TypeError. C: `wasm_trap_t`. Spec: section 4.2.2, `trap`.

    >>> import wamr
    >>> inst = wamr.load('(module (func (export "f") unreachable))')
    >>> try:
    ...     inst.exports.f()
    ... except wamr.Trap as trap:
    ...     trap.message, trap.code, len(trap.frames)
    ('unreachable', TrapCode.UNREACHABLE, 1)
    """

    message: str = ""  # of a subclass that doesn't call __init__
    code: TrapCode = TrapCode.HOST

    def __init__(self, message: str) -> None:
        if not isinstance(message, str):
            raise TypeError(f"message must be a str, not {type(message).__name__}")
        super().__init__(message)
        self.message = message

    def __reduce__(self) -> "str | tuple[Any, ...]":
        _ = self.frames  # make them: a pickle can't contain the function
        return super().__reduce__()

    def __str__(self) -> str:
        return self._with_traceback(self.message)


class ExitTrap(Trap):
    """A WASI program called `proc_exit`; `wamr.run` turns this into a return code.

    exit_code: the argument of `proc_exit`, 0 to 2**32 - 1. Raises TypeError.

    >>> import wamr
    >>> wamr.ExitTrap(3).exit_code
    3
    """

    exit_code: int = 0
    code = TrapCode.EXIT

    def __init__(self, exit_code: int = 0) -> None:
        if not isinstance(exit_code, int):
            raise TypeError(f"exit_code must be an int, not {type(exit_code).__name__}")
        super().__init__(f"exit with code {shown_number(exit_code)}")
        self.args = (exit_code,)  # for pickle and copy
        self.exit_code = exit_code


class StackOverflowTrap(Trap, RecursionError):
    """The wasm stack or the native stack is exhausted: calls are nested too deeply.

    Raised by calls.

    >>> import wamr
    >>> inst = wamr.load('(module (func $f (export "f") (call $f)))')
    >>> try:
    ...     inst.exports.f()
    ... except RecursionError as trap:
    ...     print(trap.message)
    call stack exhausted
    """

    code = TrapCode.STACK_OVERFLOW


class TimeoutTrap(Trap, TimeoutError):
    """A call took longer than its timeout. Raised by calls and by `Instance`.

    >>> import wamr
    >>> inst = wamr.load('(module (func (export "spin") (loop (br 0))))')
    >>> try:
    ...     inst.exports.spin.call(timeout=0.01)
    ... except TimeoutError as trap:
    ...     print(trap.message)
    timed out
    """

    code = TrapCode.TIMEOUT


class FuelTrap(Trap):
    """The code has executed as many branches and calls as its fuel allows. Raised by calls.

    >>> import wamr
    >>> limits = wamr.ResourceLimits(fuel=1000)
    >>> inst = wamr.load('(module (func (export "spin") (loop (br 0))))', limits=limits)
    >>> try:
    ...     inst.exports.spin()
    ... except wamr.FuelTrap as trap:
    ...     print(trap.message, inst.fuel)
    out of fuel 0
    """

    code = TrapCode.OUT_OF_FUEL


class OutputLimitTrap(Trap):
    """A WASI program has written as much as `ResourceLimits(output_bytes=…)` allows.

    Raised by calls, when the bytes up to the limit have been delivered, and by each later call that
    writes more. With `wamr.run`, the captured ones are `stdout` and `stderr`.

    >>> import wamr
    >>> wamr.OutputLimitTrap.code
    TrapCode.OUTPUT_LIMIT
    """

    code = TrapCode.OUTPUT_LIMIT


# ------------------------------------------------------------------ from WAMR's texts
_CLASSES: "dict[TrapCode, type[Trap]]" = {
    TrapCode.EXIT: ExitTrap,
    TrapCode.STACK_OVERFLOW: StackOverflowTrap,
    TrapCode.TIMEOUT: TimeoutTrap,
    TrapCode.OUT_OF_FUEL: FuelTrap,
    TrapCode.OUTPUT_LIMIT: OutputLimitTrap,
}
_NO_TEXTS = (TrapCode.EXIT, TrapCode.HOST, TrapCode.OTHER)  # their values aren't messages
_CODES = {code.value: code for code in TrapCode if code not in _NO_TEXTS}
_parsed: "dict[str, tuple[type[Trap], str, TrapCode]]" = {}  # by text; a cache
_MAX_PARSED = 100  # texts, some of which contain numbers


def trap_from_text(text: str, frames: "Iterable[Frame]" = (), *, exit_code: int = 0) -> Trap:
    """Return the trap for a text of WAMR's; exit_code: of a program that has exited."""
    parsed = _parsed.get(text)
    if parsed is None:
        parsed = _parse_trap(text)
        if len(_parsed) < _MAX_PARSED:
            _parsed[text] = parsed
    class_, message, code = parsed
    if class_ is Trap:
        trap = Trap.__new__(Trap, message)  # without the check of __init__
        trap.message = message
    else:
        trap = ExitTrap(exit_code) if class_ is ExitTrap else class_(message)
    trap.code = code
    if frames:
        trap._frames = tuple(frames)
    return trap


def _parse_trap(text: str) -> "tuple[type[Trap], str, TrapCode]":
    """Return class, message and code of the trap for a text of WAMR's."""
    message, name = trap_message(text)
    code = TrapCode[name] if name else _CODES.get(message, TrapCode.OTHER)
    return _CLASSES.get(code, Trap), message or (code.value if name else "unknown trap"), code


def link_error_from_text(text: str) -> LinkError:
    """Return the error for WAMR's text of an instantiation that failed before it had any effect."""
    return LinkError(link_message(text))


def compile_error_from_text(text: str) -> CompileError:
    """Return the error for WAMR's text about a module that it rejected."""
    return CompileError(compile_message(text))


def out_of_memory(text: str) -> "MemoryError | None":
    """Return the error if WAMR's text says that only an allocation failed, or None."""
    return MemoryError("out of memory") if is_out_of_memory(text) else None
