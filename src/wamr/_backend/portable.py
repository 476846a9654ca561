"""What src/native/cpython/ does, in Python: for implementations without CPython's C API.

The same names with the same meanings, told there. They take every call the long way, which
PyPy's compiler makes short again.
"""

from __future__ import annotations

from _thread import RLock, get_ident
from itertools import count
from struct import pack
from weakref import WeakValueDictionary

from .._wamr import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

    from typing_extensions import Buffer


NULL_REF = 0xFFFFFFFF


class Signature:
    """What functions of one type share."""

    __slots__ = ("doc", "text_signature", "type")

    def __init__(self, type: Any, _kinds: bytes, _results: bytes, _cells: int, doc: str) -> None:  # noqa: A002
        self.type = type
        self.text_signature, _, self.doc = doc.partition("\n--\n\n")


class CallableBase:
    """What calls its `callable`."""

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
        """Be told the host function's handle, which stays its caller's."""


_known: WeakValueDictionary[int, Any] = WeakValueDictionary()  # number of a function -> its Func


def refer(func: Any) -> None:
    """Let it stand for its function when a reference to that comes out, unless another one does."""
    _known.setdefault(lib.wpy_func_ref(func._c), func)


def known(number: int) -> Any:
    """Return what stands for the function of this number, or None."""
    return _known.get(number)


_call: list[Callable[..., Any]] = []


def set_call(class_: Callable[..., Any], _failed: object, _trap: object) -> None:
    """Name the class that calls are left to."""
    _call[:] = [class_]


def bind_export(
    func: CallableBase, address: int, name: str, signature: Signature, owner: Any
) -> None:
    """Let a CallableBase call a function in C: a handle, which is taken over."""
    if not address:
        raise MemoryError
    held = ffi.gc(ffi.cast("wpy_func *", address), lib.wpy_give)
    call = _call[0](owner, address, signature.type, name, held)

    def wasm_function(*args: object) -> Any:
        return call.call(args)

    wasm_function.__name__ = wasm_function.__qualname__ = name
    wasm_function.__doc__ = signature.doc
    wasm_function.__text_signature__ = signature.text_signature  # type: ignore[attr-defined]
    func.callable = wasm_function
    func._lifetime = owner
    func._held = held


def described(address: int, imports: bool) -> list[tuple[Any, ...]]:
    """Return what a module imports or exports, a tuple each."""
    out = ffi.new("const wpy_extern **")
    read = lib.wpy_module_imports if imports else lib.wpy_module_exports
    count = read(ffi.cast("wpy_module *", address), out)
    return [_tuple_of(out[0][i]) for i in range(count)]


def exported(
    address: int, known: dict[bytes, Any], make: Callable[[str, bytes, bytes], Any]
) -> tuple[Any, ...]:
    """Return what a module exports, from what is known or is made."""
    found = []
    for _, _, _, name, type_ in described(address, imports=False):
        text = name.encode()
        key = type_ + text + pack("=I", len(text))
        found.append(known.get(key) or make(name, type_, key))
    return tuple(found)


def _tuple_of(item: Any) -> tuple[Any, ...]:
    module = _bytes(item.module, item.module_size).decode() if item.module else None
    if item.kind in (0, 4):  # a function, a tag
        params = _bytes(item.params, item.param_count)
        results = _bytes(item.results, item.result_count)
        type_ = pack("=BI", item.kind, len(params)) + params + results
    else:
        type_ = pack("=BBBII", item.kind, item.content, item.flags, item.min, item.max)
    return item.kind, item.index, module, _bytes(item.name, item.name_size).decode(), type_


def _bytes(pointer: Any, size: int) -> bytes:
    return bytes(ffi.buffer(pointer, size)) if size else b""


class HostFunctionBase:
    """What C calls under a number: through `host.wpy_py_cells`."""

    __slots__ = ()
    by_cells = True

    def _ready(self, number: int, run: Callable[..., Any]) -> None:
        """Be told the number."""


_MOST_KEPT = 8
_kept: dict[int, list[tuple[int, BaseException]]] = {}  # by thread, the newest last
_numbers = count(1 - lib.WPY_NOT_KEPT)


def keep_raised(
    kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None
) -> int:
    """Let what a function that C has called raised wait in this thread, and return its number."""
    if error is None:
        error = kind()
    if traceback is not None:
        error = error.with_traceback(traceback)
    number = -(next(_numbers) & 0x7FFFFFFF)
    mine = _kept.setdefault(get_ident(), [])
    mine.append((number, error))
    del mine[:-_MOST_KEPT]  # nobody came for them
    return number


def set_thrown(class_: type[BaseException]) -> None:
    """Name the class of the exceptions that are thrown."""
    global _thrown  # noqa: PLW0603
    _thrown = class_


_thrown: Any = ()


def throw_raised(
    kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None
) -> int:
    """Do the same for a host function, whose WasmException is thrown."""
    if error is None:
        error = kind()
    ready = None
    if isinstance(error, _thrown):
        try:
            ready = error._throw()
        except BaseException as other:  # noqa: BLE001 - comes out in its place
            error, traceback = other, None
    number = keep_raised(kind, error, traceback)
    if ready is not None:
        lib.wpy_exception_throw(ffi.cast("wpy_exception *", ready), number)
    return number


def take_raised(number: int) -> BaseException | None:
    """Return the exception that waits under that number, or None."""
    mine = _kept.get(get_ident(), [])
    for i, (other, error) in enumerate(mine):
        if other == number:
            del mine[i:]  # what came after it, nobody came for
            if not mine:
                _kept.pop(get_ident(), None)
            return error
    return None


def set_wrapped(classes: tuple[type, ...]) -> None:
    """Name the classes whose instances stand for something else: here all calls look."""


class ExternrefTableBase:
    """Objects by number, for those who only know numbers."""

    __slots__ = ("_indices", "_lock", "_objects", "_spare", "_threads", "_touched", "limit")

    def __init__(self) -> None:
        self._objects: list[Any] = []
        self._indices: dict[int, int] = {}  # id(object) -> number
        self._spare: list[int] = []
        self._touched: set[int] | None = None  # numbers given out during a collection
        self._lock = RLock()  # a signal handler may come in between
        self._threads: dict[int, int] = {}  # thread -> how many of its calls pass references
        self.limit = 0

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def count(self) -> int:
        """How many numbers there are, free ones among them."""
        return len(self._objects)

    @property
    def passing(self) -> int:
        """How many calls pass references."""
        return sum(self._threads.values())

    def number(self, value: object) -> int:
        """Return the number of an object, which is held from now on."""
        if value is None:
            return NULL_REF
        with self._lock:
            number = self._indices.get(id(value))
            if number is None:
                if self._spare:
                    number = self._spare.pop()
                    self._objects[number] = value
                else:
                    number = len(self._objects)
                    self._objects.append(value)
                self._indices[id(value)] = number
            if self._touched is not None:
                self._touched.add(number)
            return number

    def object(self, number: int) -> Any:
        """Return the object of a number that came out of wasm."""
        return None if number == NULL_REF else self._objects[number]

    def enter(self) -> None:
        """Say that this thread passes references from here on."""
        thread = get_ident()
        self._threads[thread] = self._threads.get(thread, 0) + 1

    def leave(self) -> None:
        """Say that it has done so."""
        thread = get_ident()
        left = self._threads[thread] - 1
        if left:
            self._threads[thread] = left
        else:
            del self._threads[thread]

    def aside(self) -> int:
        """Say that what this thread passed is where wasm keeps it; returns what back wants."""
        return self._threads.pop(get_ident(), 0)

    def back(self, count: int) -> None:
        """Say that it is on its way again."""
        if count:
            self._threads[get_ident()] = count

    def begin(self) -> int:
        """Begin to collect: return how many numbers are to be marked; -1: not now."""
        with self._lock:
            if self._touched is not None or self._threads:
                return -1
            self._touched = set()
            return len(self._objects)

    def sweep(self, reached: bytes) -> list[Any] | None:
        """Let go of what was not marked: a list of it; None: not now."""
        gone = []
        with self._lock:
            if self._threads:
                return None
            for identity, number in list(self._indices.items()):
                if number < len(reached) and not reached[number] and number not in self._touched:  # type: ignore[operator]
                    del self._indices[identity]
                    gone.append(self._objects[number])
                    self._objects[number] = None
                    self._spare.append(number)
        return gone

    def end(self) -> None:
        """End a collection."""
        self._touched = None


class TableBase:
    """The elements of a table in C."""

    __slots__ = ("_lifetime",)
    _lifetime: Any

    def _ready(self, _address: int, _kind: int, owner: Any) -> None:
        self._lifetime = owner

    def __len__(self) -> int:
        """Return how many elements there are."""
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
    """The value of a global in C."""

    __slots__ = ("_lifetime",)
    _lifetime: Any

    def _ready(self, _address: int, _kind: int, owner: Any, _mutable: bool) -> None:
        self._lifetime = owner

    @property
    def value(self) -> Any:
        """What it is now; setting a constant raises AttributeError. C: `wasm_global_get`."""
        return self._value()  # type: ignore[attr-defined]

    @value.setter
    def value(self, value: Any) -> None:
        self._set_value(value)  # type: ignore[attr-defined]

    @value.deleter
    def value(self) -> None:
        raise AttributeError("the value of a global can't be deleted")


class MemoryBase:
    """Bytes in C that can be read and written."""

    __slots__ = ()

    def read(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset` on."""
        data: bytes = self._read(offset, size)  # type: ignore[attr-defined]
        return data

    def write(self, offset: int, data: Buffer) -> None:
        """Write `data` from `offset` on."""
        self._write(offset, data)  # type: ignore[attr-defined]

    def __getitem__(self, key: int | slice) -> Any:
        return self._item(key)  # type: ignore[attr-defined]

    def __setitem__(self, key: int | slice, value: int | bytes) -> None:
        self._set_item(key, value)  # type: ignore[attr-defined]

    def _show(self, address: int, size: int, keep: object) -> None:
        """Be told where the bytes are."""

    def _hide(self) -> None:
        """Be told that they are nowhere any more."""
