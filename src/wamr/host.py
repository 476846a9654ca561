"""Host functions: Python called from wasm.

C knows a host function by a number; `_table` finds its `Host` by it, weakly, since what keeps a
callback alive is the instance that imports it (through `Owner.keep`): so a cycle through wasm is
one that Python's collector sees. An exception of a callback can't pass through C: cffi hands it to
`_failed`, which puts it aside by thread and makes C unwind; whoever called into wasm from Python
then raises it again (`take_pending`), with its identity and traceback. The C side is
src/wamr/_native/host.c.
"""

from __future__ import annotations

from _thread import get_ident
from struct import pack, unpack
from weakref import ref

from ._binding import ffi, lib
from .handles import handle
from .values import codec_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .func import Func
    from .instance import State
    from .store import Store
    from .types import FuncType

_table: list[Any] = []  # host id -> weak reference to its Host
_pending: dict[int, BaseException] = {}  # thread -> the exception on its way through wasm
_defined: set[str] = set()  # the extern "Python" functions that have their Python half

_CLASSES = {0x7F: "i", 0x7E: "i", 0x7D: "d", 0x7C: "d"}
_NAMES = "abcd"
_FAILED_I = 0x8BADF00D5AFEC0DE - (1 << 64)  # as in entry.h
_FAILED_BITS = pack("<Q", 0xFFFFC0DE0BADF00D)
(_FAILED_D,) = unpack("<d", _FAILED_BITS)


def _gone() -> Any:
    raise ReferenceError("the host function is gone: nothing keeps its callback alive")


def _failed(kind: Any, error: BaseException | None, traceback: Any) -> None:
    if error is None:
        error = kind()
    _pending[get_ident()] = error if traceback is None else error.with_traceback(traceback)


def _extern(function: Callable[..., int]) -> Callable[..., int]:
    """Make a function what C calls by its name; an exception makes it answer 1."""
    made: Callable[..., int] = ffi.def_extern(error=1, onerror=_failed)(function)
    return made


def take_pending(number: int) -> BaseException:
    """Return the exception that wasm was unwound for in this thread by this host function."""
    error = _pending.pop(get_ident(), None)
    if error is None:  # Python was too deep to keep it
        return RecursionError("a host function failed where Python could not keep its exception")
    if error.__traceback__ is None and isinstance(error, OverflowError):  # cffi's, of the result
        return out_of_range(number, "the int that it returned")
    return error


def out_of_range(number: int, value: str) -> OverflowError:
    """Return the error for a result that is too large for i32."""
    host = host_of(number) or "a host function"
    return OverflowError(
        f"{host}: its result is out of range for i32 (-2**31 to 2**32 - 1): {value}"
    )


def host_of(number: int) -> Host | None:
    """Return the host function that C knows by this number, if it is alive."""
    try:
        host: Host = _table[number]()
    except (IndexError, ReferenceError):
        return None
    return host


class Host:
    """A callback with a type, as C calls it."""

    __slots__ = (
        "__weakref__",
        "_codec",
        "access_caller",
        "callback",
        "fn",
        "id",
        "name",
        "run",
        "store",
        "type",
    )

    def __init__(
        self,
        store: Store,
        type: FuncType,  # noqa: A002
        callback: Callable[..., Any],
        name: str,
        access_caller: bool = False,
    ) -> None:
        kinds, results = type._param_kinds, type._result_kinds
        fn = lib.wpy_host_new(kinds + results, len(kinds), len(results))
        if not fn:
            raise MemoryError("no room for another host function, or its type is too large")
        self.fn = handle(fn)
        self.id = lib.wpy_func_host_id(fn)
        self.store = store
        self.type = type
        self.callback = callback
        self.access_caller = access_caller
        self.name = name
        self._codec = codec_of(type)
        self.run = _with_caller(callback) if access_caller else callback
        if len(results) == 1 and results[0] == 0x7E:
            self.run = self._exact_i64(self.run)
        _define(kinds, results)
        while len(_table) <= self.id:
            _table.append(_gone)
        _table[self.id] = ref(self)

    def __str__(self) -> str:
        return f"host function {self.name}{self._codec.type}"

    # Where references of its arguments come from and go to.
    def ref_of_func(self, func: Func) -> int:
        return _caller().ref_of_func(func)

    def func_of_ref(self, number: int) -> Func | None:
        return _caller().func_of_ref(number)

    def cells(self, args: Any, results: Any) -> None:
        """Run with the arguments in cells, results into cells."""
        codec = self._codec
        if codec.refs:
            self._cells_with_refs(args, results)
            return
        values = codec.unpack_arguments(ffi.buffer(args, codec.bytes), self)
        codec.pack_results(ffi.buffer(results, codec.bytes), self.run(*values), self, self)

    def _cells_with_refs(self, args: Any, results: Any) -> None:
        codec = self._codec
        # What this thread was passing when it came into wasm is on the wasm stack by now.
        passing = self.store._objects.passing
        before = passing.pop(get_ident(), None)
        try:
            objects = self.store._enter_refs()
            try:
                values = codec.unpack_arguments(ffi.buffer(args, codec.bytes), self)
            finally:
                objects.leave()
            result = self.run(*values)
            objects = self.store._enter_refs()
            try:
                codec.pack_results(ffi.buffer(results, codec.bytes), result, self, self)
            finally:
                objects.leave()
        finally:
            if before is not None:
                passing[get_ident()] = before

    def integer(self, result: object) -> int:
        """Return a result that was not just an int as one."""
        buffer = bytearray(8)
        self._codec.pack_results(buffer, result, self, self)
        value: int = self._codec.unpack_results(buffer, self)
        return value

    def real(self, result: object) -> float:
        """The same for a float."""
        buffer = bytearray(8)
        self._codec.pack_results(buffer, result, self, self)
        value: float = self._codec.unpack_results(buffer, self)
        return value

    def no_result(self, result: object) -> int:
        """Raise TypeError, since there was one."""
        self._codec.pack_results(bytearray(8), result, self, self)
        return 0

    def _exact_i64(self, run: Callable[..., Any]) -> Callable[..., int]:
        def exact(*args: Any) -> int:
            result = self.integer(run(*args))
            if result == _FAILED_I:
                lib.wpy_host_genuine()
            return result

        return exact


def _with_caller(callback: Callable[..., Any]) -> Callable[..., Any]:
    from .instance import state_of

    def run(*args: Any) -> Any:
        state = state_of(lib.wpy_caller())
        return callback(None if state is None else state.instance(), *args)

    return run


def _caller() -> State:
    from .instance import state_of

    state = state_of(lib.wpy_caller())
    if state is None:
        raise ReferenceError("the instance that calls is gone")
    return state


# ------------------------------------------------------------------ the Python half of C's entries
def _define(kinds: bytes, results: bytes) -> None:
    """Make sure that C can call functions of this type."""
    shape = None
    if len(results) <= 1 and all(kind in _CLASSES for kind in kinds + results):
        result = _CLASSES[results[0]] if results else "v"
        params = "".join([_CLASSES[kind] for kind in kinds])
        if len(params) <= 3 or params == "iiii":
            shape = f"{result}_{params}"
    if shape is None or shape in _defined:
        return
    result, _, params = shape.partition("_")
    names = ", ".join(_NAMES[: len(params)])
    body = {
        "v": "return 0 if r is None else host.no_result(r)",
        "i": "return r if type(r) is int else host.integer(r)",
        "d": (
            "r = r if type(r) is float else host.real(r)\n"
            "    if r != r and pack('<d', r) == failed:\n        genuine()\n    return r"
        ),
    }[result]
    text = (
        f"def wpy_py_{shape}(host_id{', ' if names else ''}{names}):\n"
        f"    host = table[host_id]()\n    r = host.run({names})\n    {body}\n"
    )
    namespace: dict[str, Any] = {
        "table": _table,
        "genuine": lib.wpy_host_genuine,
        "pack": pack,
        "failed": _FAILED_BITS,
    }
    exec(compile(text, f"<wamr host {shape}>", "exec"), namespace)
    error: Any = {"v": 1, "i": _FAILED_I, "d": _FAILED_D}[result]
    ffi.def_extern(f"wpy_py_{shape}", error=error, onerror=_failed)(namespace[f"wpy_py_{shape}"])
    _defined.add(shape)


@_extern
def wpy_py_cells(host_id: int, args: Any, results: Any) -> int:
    """Call a host function whose type has no entry of its own."""
    _table[host_id]().cells(args, results)
    return 0


@_extern
def wpy_py_signals() -> int:
    """Let Python run its signal handlers, which it does between bytecodes of the main thread."""
    for _ in range(2):
        pass
    return 0
