"""Linear memory, read and written from Python without copying more than asked for.

A memory's address never changes (src/native/runtime/memory.c), so one memoryview of it is kept and
renewed only when it has grown. Every view pins the bytes in C: they stay while anything looks at
them, whatever is closed meanwhile. Bounds are checked here, by slicing rules for `memory[…]` and
strictly for the rest.
"""

from __future__ import annotations

from .._backend.binding import MemoryBase, ffi, lib
from .._backend.handles import giver, handle
from .._base.immutable import made_already
from .._base.registry import new_key
from ..errors import ClosedError, MemoryLimitError
from ..types import MAX_PAGES, Limits, MemoryType
from .extern import Extern, Lifetime, checked_index, waited
from .limits import no_room
from .store import checked_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, SupportsIndex

    from typing_extensions import Buffer

    from .store import Store

PAGE = 65_536


class _Pin:
    """Lets go of a view's hold on the bytes; keeps the handle that they belong to until then."""

    __slots__ = ("_c",)

    def __init__(self, c: Any) -> None:
        self._c = c
        lib.wpy_memory_pin(c)

    def __call__(self, _: Any) -> None:
        lib.wpy_memory_unpin(self._c)


class Memory(MemoryBase, Extern):
    """Linear memory: bytes that wasm code and Python share.

    store: where it lives. type: its limits, in pages of 65 536 bytes.
    Raises TypeError, ClosedError, MemoryLimitError where there is no room for it.
    C: `wasm_memory_new`. Spec: section 4.5.3, `mem_alloc`.

    >>> from wamr import Limits, Memory, MemoryType, Store
    >>> memory = Memory(Store(), MemoryType(Limits(1, 2)))
    >>> memory.write(8, b"hello")
    >>> memory[8:13], memory.pages
    (b'hello', 1)
    """

    __slots__ = ("__weakref__", "_c", "_lifetime", "_view")
    _view: memoryview | None

    def __init__(self, store: Store, type: MemoryType) -> None:  # noqa: A002
        if hasattr(self, "_c"):
            raise made_already(self)
        checked_store("store", store)
        if not isinstance(type, MemoryType):
            raise TypeError(f"type must be a MemoryType, not {_kind(type)}")
        limits = type.limits
        c = lib.wpy_memory_new(limits.min, limits.max or 0, limits.max is not None, store._budget)
        if not c:
            raise MemoryLimitError(
                f"there is no room for {limits.min} pages: {no_room(store._budget)}"
            )
        self._c = handle(c)
        self._lifetime = HostMade(store, self)
        self._view = None

    @property
    def type(self) -> MemoryType:
        """Its type: `limits.min` is the present size, `max` None where none was declared."""
        has_max = ffi.new("bool *")
        most = lib.wpy_memory_max(self._c, has_max)
        return MemoryType(Limits(lib.wpy_memory_pages(self._c), most if has_max[0] else None))

    @property
    def pages(self) -> int:
        """Its size in pages of 65 536 bytes. C: `wasm_memory_size`."""
        self._open()
        return int(lib.wpy_memory_pages(self._c))

    def __len__(self) -> int:
        self._open()
        return int(lib.wpy_memory_size(self._c))

    def _renewed(self) -> memoryview:
        """Return a view of all there is now; ClosedError."""
        self._open()
        pin = _Pin(self._c)  # first, so that the bytes can't go in between
        size = lib.wpy_memory_size(self._c)
        data = lib.wpy_memory_data(self._c)
        if not data:
            pin(None)
            raise ClosedError("this Memory is closed")
        self._view = view = memoryview(ffi.buffer(ffi.gc(data, giver(pin)), size))
        self._show(int(ffi.cast("uintptr_t", data)), size, view)
        return view

    def _within(self, offset: int, size: int) -> memoryview:
        """Return a view that holds the range; IndexError, ClosedError."""
        view = self._view
        if view is None or self._lifetime.closed or offset + size > len(view):
            view = self._renewed()
        if offset < 0 or size < 0 or offset + size > len(view):
            raise IndexError(
                f"{size} bytes at {offset} are not within the memory's {len(view)} bytes"
            )
        return view

    # What the base's read and write do not do at once: the memory has grown, or something is wrong.
    def _read(self, offset: int, size: int) -> bytes:
        try:
            return self._within(offset, size)[offset : offset + size].tobytes()
        except TypeError:
            return self._read(checked_index("offset", offset), checked_index("size", size))

    def _write(self, offset: int, data: Buffer) -> None:
        if type(data) is not bytes:
            data = _flat("data", data)
        size = len(data)
        try:
            self._within(offset, size)[offset : offset + size] = data
        except TypeError:
            self._write(checked_index("offset", offset), bytes(data))

    def view(self, offset: int = 0, size: int | None = None, *, format: str = "B") -> memoryview:  # noqa: A002
        """Return a writable view, without a copy; it keeps the bytes alive.

        size: in bytes; None: up to the end. format: of its items, as in `struct`.
        A view taken before the memory grows still shows the same bytes.
        Raises IndexError outside, ValueError for a size that is not whole items, ClosedError.
        """
        offset = checked_index("offset", offset)
        if not isinstance(format, str):
            raise TypeError(f"format must be a str, not {_kind(format)}")
        size = max(len(self) - offset, 0) if size is None else checked_index("size", size)
        view = self._within(offset, size)[offset : offset + size]
        if format == "B":
            return view
        try:
            return view.cast(format)  # type: ignore[call-overload, no-any-return]
        except TypeError as error:
            raise ValueError(
                f"{size} bytes are no whole items of format {format!r}: {error}"
            ) from None
        except ValueError:
            raise ValueError(
                f"format must be one character that memoryview.cast knows, not {format!r}"
            ) from None

    # memory[…], likewise: a byte, or the bytes of a slice, as `bytes` would.
    def _item(self, key: SupportsIndex | slice) -> int | bytes:
        if isinstance(key, slice):
            start, stop = _range_of(key, len(self))
            return self.read(start, stop - start)
        position = self._position(key)
        return self._within(position, 1)[position]

    def _set_item(self, key: SupportsIndex | slice, value: SupportsIndex | Buffer) -> None:
        if not isinstance(key, slice):
            byte = checked_index("value", value)
            if not 0 <= byte <= 0xFF:
                raise ValueError(f"value must be a byte, 0 to 255, not {byte}")
            position = self._position(key)
            self._within(position, 1)[position] = byte
            return
        start, stop = _range_of(key, len(self))
        data = _flat("value", value)
        if len(data) != stop - start:
            raise ValueError(f"a slice of {stop - start} bytes takes as many, not {len(data)}")
        self.write(start, data)

    def _position(self, key: SupportsIndex) -> int:
        size = len(self)
        position = checked_index("index", key)
        if not -size <= position < size:
            raise IndexError(f"byte {position} is not within the memory's {size} bytes")
        return position + size if position < 0 else position

    def grow(self, pages: int) -> int:
        """Grow by so many pages and return the old number of them.

        Raises MemoryLimitError past the maximum, or what there is; ValueError below 0; TypeError.
        C: `wasm_memory_grow`. Spec: section 4.5.3, growing memories.
        """
        delta = checked_index("pages", pages)
        if delta < 0:
            raise ValueError(f"pages must not be negative: {delta}")
        self._open()
        old = ffi.new("uint32_t *")
        status = waited(
            lambda: lib.wpy_memory_grow(self._c, min(delta, MAX_PAGES + 1), old),
            "growing this Memory",
        )
        if status == lib.WPY_CLOSED:
            raise ClosedError("this Memory is closed")
        if status:
            raise MemoryLimitError(self._why_not(old[0], delta))
        return int(old[0])

    def _why_not(self, old: int, delta: int) -> str:
        """Return why it can't grow."""
        most = self.type.limits.max
        what = f"can't grow from {old} by {delta} pages"
        if most is not None and old + delta > most:
            return f"{what}: at most {most} pages"
        if old + delta > MAX_PAGES:
            return f"{what}: no more room, it can have at most {MAX_PAGES} pages, 4 GiB"
        return f"{what}: {no_room(self.store._budget)}"

    def _closed_below(self) -> None:
        self._view = None
        self._hide()

    def __repr__(self) -> str:
        if self._lifetime.closed:
            return "<wamr.Memory, closed>"
        pages = self.type.limits.min
        return f"<wamr.Memory, {pages} page{'' if pages == 1 else 's'}>"


class HostMade(Lifetime):
    """The origin of a memory that the host made: closes it with its store."""

    __slots__ = ("_memory",)

    def __init__(self, store: Store, memory: Memory) -> None:
        from weakref import ref

        super().__init__(store)
        self._memory = ref(memory)
        store._closables.add(new_key(), self)

    def close(self) -> None:
        """Let the memory's bytes go, if no instance has them."""
        if not self.closed:
            self.closed = True
            memory = self._memory()
            if memory is not None:
                memory._closed_below()
                lib.wpy_memory_close(memory._c)


def instance_memory(owner: Lifetime, c: Any) -> Memory:
    """Return a Memory for a handle on one of an instance."""
    memory = object.__new__(Memory)
    memory._c = handle(c)
    memory._lifetime = owner
    memory._view = None
    return memory


def _range_of(key: slice, size: int) -> tuple[int, int]:
    start, stop, step = key.indices(size)
    if step != 1:
        raise ValueError("a memory's slices have no step")
    return start, max(start, stop)


def _flat(name: str, data: object) -> bytes | memoryview:
    """Return the bytes of whatever has a buffer; TypeError."""
    try:
        view = memoryview(data)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be bytes or another buffer, not {_kind(data)}") from None
    return view.cast("B") if view.c_contiguous and view.nbytes else view.tobytes()


def _kind(value: object) -> str:
    return type(value).__name__
