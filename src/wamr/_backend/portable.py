"""The names of src/native/cpython/ in Python, for implementations without CPython's C API.

Names and behaviour are the same, and documented there. There is no fast path: every operation takes
the slow path of its subclass, which PyPy compiles.
"""

from __future__ import annotations

from _thread import get_ident
from itertools import count
from struct import pack

from .._base.binary_format import FUNCTION, TAG
from .._base.shared_objects import SharedObjects
from .._wamr import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

    from typing_extensions import Buffer


class Signature:
    """The state that the functions of one type share."""

    __slots__ = ("doc", "text_signature", "type")

    def __init__(self, type: Any, _kinds: bytes, _results: bytes, _cells: int, doc: str) -> None:  # noqa: A002
        self.type = type
        self.text_signature, _, self.doc = doc.partition("\n--\n\n")


class CallableBase:
    """The base of Func: calling it calls `callable`."""

    __slots__ = ("_held", "_lifetime", "callable")
    callable: Callable[..., Any]
    _held: Any
    _lifetime: Any

    def __call__(self, *args: Any) -> Any:
        return self.callable(*args)

    @property
    def _address(self) -> int:
        return int(ffi.cast("uintptr_t", self._held))

    def _of_host(self, address: int) -> None:
        """Take the address of the host function's handle, which stays the caller's."""


_known = SharedObjects()  # by reference number: the Func


def refer(func: Any) -> Any:
    """Register the Func that stands for a C function in Python, unless there is one already.

    Return the one that is registered.
    """
    return _known.setdefault(lib.wpy_func_ref(func._c), func)


def known(number: int) -> Any:
    """Return the Func registered for this reference number, or None."""
    return _known.get(number)


_call: list[Callable[..., Any]] = []


def set_call(class_: Callable[..., Any], _raise_error: object, _trap: object) -> None:
    """Set the class of slow calls, SlowCall."""
    _call[:] = [class_]


def bind_export(
    func: CallableBase, address: int, name: str, signature: Signature, lifetime: Any
) -> None:
    """Make `func` call a C function; address: of a handle, which is taken over."""
    if not address:
        raise MemoryError
    held = ffi.gc(ffi.cast("wpy_func *", address), lib.wpy_release_or_defer)
    call = _call[0](lifetime, address, signature.type, name, held)

    def wasm_function(*args: object) -> Any:
        return call.call(args)

    wasm_function.__name__ = wasm_function.__qualname__ = name
    wasm_function.__doc__ = signature.doc
    wasm_function.__text_signature__ = signature.text_signature  # type: ignore[attr-defined]
    func.callable = wasm_function
    func._lifetime = lifetime
    func._held = held


def described(address: int, imports: bool) -> list[tuple[Any, ...]]:
    """Return a tuple for each import or export of a module: kind, index, module, name, type."""
    out = ffi.new("const wpy_extern **")
    read = lib.wpy_module_imports if imports else lib.wpy_module_exports
    count = read(ffi.cast("wpy_module *", address), out)
    return [_tuple_of(out[0][i]) for i in range(count)]


def exported(
    address: int, known: dict[bytes, Any], make: Callable[[str, bytes, bytes], Any]
) -> tuple[Any, ...]:
    """Return the ExportTypes of a module, those of `known` or new ones from `make`."""
    found = []
    for _, _, _, name, type_ in described(address, imports=False):
        text = name.encode()
        key = type_ + text + pack("=I", len(text))
        found.append(known.get(key) or make(name, type_, key))
    return tuple(found)


def _tuple_of(item: Any) -> tuple[Any, ...]:
    module = _bytes(item.module, item.module_size).decode() if item.module else None
    if item.kind in (FUNCTION, TAG):
        params = _bytes(item.params, item.param_count)
        results = _bytes(item.results, item.result_count)
        type_ = pack("=BI", item.kind, len(params)) + params + results
    else:
        type_ = pack("=BBBII", item.kind, item.content, item.flags, item.min, item.max)
    return item.kind, item.index, module, _bytes(item.name, item.name_size).decode(), type_


def _bytes(pointer: Any, size: int) -> bytes:
    return bytes(ffi.buffer(pointer, size)) if size else b""


class HostFunctionBase:
    """The base of HostFunction, which C calls by its number, through `wpy_py_cells`."""

    __slots__ = ()
    by_cells = True

    def _ready(self, number: int, run: Callable[..., Any]) -> None:
        """Take the number, and the function to call."""


_MAX_KEPT = 8
_kept: dict[int, list[tuple[int, BaseException]]] = {}  # by thread, the newest last
_numbers = count(1 - lib.WPY_EXCEPTION_LOST)


def _raised(kind: type[BaseException] | None, error: BaseException | None) -> BaseException:
    if error is not None:
        return error
    if kind is None:
        return SystemError("Python code failed without setting an exception")
    return kind()


def keep_raised(
    kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
) -> int:
    """Keep the exception of a function that C has called, for this thread; return its number."""
    error = _raised(kind, error)
    if traceback is not None:
        error = error.with_traceback(traceback)
    number = -(next(_numbers) & 0x7FFFFFFF)
    mine = _kept.setdefault(get_ident(), [])
    mine.append((number, error))
    del mine[:-_MAX_KEPT]  # never taken
    return number


def take_raised(number: int) -> BaseException | None:
    """Return the exception that is kept under this number, or None."""
    mine = _kept.get(get_ident(), [])
    for i, (other, error) in enumerate(mine):
        if other == number:
            del mine[i:]  # the newer ones were never taken
            if not mine:
                _kept.pop(get_ident(), None)
            return error
    return None


def set_thrown(class_: type[BaseException]) -> None:
    """Set the class of the exceptions that wasm code may catch."""
    _thrown[:] = [class_]


_thrown: list[Any] = []


def set_suspend(token: object) -> None:
    """Do nothing: here Python code sees what host functions return."""


def throw_raised(
    kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
) -> int:
    """Keep the exception of a host function; a WasmException is thrown in wasm code."""
    error = _raised(kind, error)
    address = store_id = 0
    if isinstance(error, tuple(_thrown)):
        try:
            address, store_id = error._thrown()  # type: ignore[attr-defined]
        except BaseException as other:  # noqa: BLE001 - raised instead
            error, traceback = other, None
    number = keep_raised(kind, error, traceback)
    if address:
        lib.wpy_exception_throw(ffi.cast("wpy_exception *", address), store_id, number)
    return number


def set_wrapped(classes: tuple[type, ...]) -> None:
    """Do nothing: here every value passes the check for `Wrapped`."""


class TableBase:
    """The base of Table."""

    __slots__ = ("_lifetime",)
    _lifetime: Any

    def _ready(self, _address: int, _kind: int, lifetime: Any) -> None:
        self._lifetime = lifetime

    def __len__(self) -> int:
        """Return the number of elements."""
        return int(self._size())  # type: ignore[attr-defined]

    def __getitem__(self, index: int, /) -> Any:
        """Return an element; IndexError outside. C: `wasm_table_get`."""
        return self._item(index)  # type: ignore[attr-defined]

    def __setitem__(self, index: int, value: Any, /) -> None:
        """Set an element; IndexError outside, TypeError, ValueError. C: `wasm_table_set`."""
        self._set_item(index, value)  # type: ignore[attr-defined]

    def grow(self, delta: int, init: Any = None) -> int:
        """Grow by so many elements and return the old size.

        Raises ValueError past the maximum or below 0, TypeError. C: `wasm_table_grow`.
        """
        return int(self._grow(delta, init))  # type: ignore[attr-defined]


class GlobalBase:
    """The base of Global."""

    __slots__ = ("_lifetime",)
    _lifetime: Any

    def _ready(self, _address: int, _kind: int, lifetime: Any, _mutable: bool) -> None:
        self._lifetime = lifetime

    @property
    def value(self) -> Any:
        """The present value; setting a constant raises AttributeError. C: `wasm_global_get`."""
        return self._value()  # type: ignore[attr-defined]

    @value.setter
    def value(self, value: Any) -> None:
        self._set_value(value)  # type: ignore[attr-defined]

    @value.deleter
    def value(self) -> None:
        raise AttributeError("the value of a global can't be deleted")


class MemoryBase:
    """The base of Memory."""

    __slots__ = ()

    def read(self, offset: int, size: int) -> bytes:
        """Return `size` bytes at `offset`; IndexError outside."""
        data: bytes = self._read(offset, size)  # type: ignore[attr-defined]
        return data

    def write(self, offset: int, data: Buffer) -> None:
        """Write `data` at `offset`; IndexError outside."""
        self._write(offset, data)  # type: ignore[attr-defined]

    def __getitem__(self, key: int | slice) -> Any:
        return self._item(key)  # type: ignore[attr-defined]

    def __setitem__(self, key: int | slice, value: int | bytes) -> None:
        self._set_item(key, value)  # type: ignore[attr-defined]

    def _show(self, address: int, size: int, keep: object) -> None:
        """Take the address and size of the bytes; `keep` keeps them alive."""

    def _hide(self) -> None:
        """Forget the bytes: the memory has been closed."""
