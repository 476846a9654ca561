"""Linear memory, which Python reads and writes in place.

The address of a memory never changes (src/native/runtime/memory.c), so a Memory keeps one
memoryview and replaces it only after the memory has grown. Every view pins the bytes in C: they
exist as long as any view, whatever is closed meanwhile. The base class in C reads and writes within
the view (src/native/cpython/memory.c); what is outside of it is done here. Bounds are those of
slicing for `memory[…]`, and strict for the methods.
"""

from __future__ import annotations

from .._backend.binding import MemoryBase, ffi, lib
from .._backend.handles import deferrable, handle, reclaim
from .._backend.waiting import wait_for
from .._base.arguments import already_initialized, checked_index, shown_number, type_name
from .._base.lifetime import Lifetime
from .._base.registry import new_key
from ..errors import ClosedError, MemoryLimitError
from ..types import MAX_PAGES, Limits, MemoryType
from .extern import Extern
from .limits import no_room
from .store import checked_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, SupportsIndex

    from typing_extensions import Buffer

    from .store import Store

PAGE = 65_536


class _Pin:
    """A pin on a memory's bytes. It keeps the memory's handle; calling it removes the pin."""

    __slots__ = ("_c",)

    def __init__(self, c: Any) -> None:
        self._c = c
        lib.wpy_memory_pin(c)

    def __call__(self, _: Any) -> None:
        lib.wpy_memory_unpin(self._c)


class Memory(MemoryBase, Extern):
    """Linear memory: bytes that wasm code and Python share.

    store: the Store that it lives in. type: a MemoryType; its limits count pages of 65 536 bytes.
    `len(memory)` is its size in bytes; `memory[i]` and `memory[a:b]` work as on a bytearray, except
    that slices have no step and assignments keep the size.
    Raises TypeError, ClosedError, MemoryLimitError if there is no room.
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
            raise already_initialized(self)
        checked_store("store", store)
        if not isinstance(type, MemoryType):
            raise TypeError(f"type must be a MemoryType, not {type_name(type)}")
        limits = type.limits
        given = limits.min, limits.max or 0, limits.max is not None, store._budget
        c = lib.wpy_memory_new(*given)
        if not c and reclaim():
            c = lib.wpy_memory_new(*given)
        if not c:
            raise MemoryLimitError(
                f"there is no room for {limits.min} pages: {no_room(store._budget)}"
            )
        self._c = handle(c, PAGE * (1 + limits.min))
        self._view = None
        self._lifetime = _HostMemoryLifetime(store, self)
        if store._closed:
            store._close_late(self._lifetime)

    @property
    def type(self) -> MemoryType:
        """The type; its `limits.min` is the present size in pages. C: `wasm_memory_type`."""
        has_max = ffi.new("bool *")
        maximum = lib.wpy_memory_max(self._c, has_max)
        return MemoryType(Limits(lib.wpy_memory_pages(self._c), maximum if has_max[0] else None))

    @property
    def pages(self) -> int:
        """The size in pages of 65 536 bytes; ClosedError. C: `wasm_memory_size`."""
        self._open()
        return int(lib.wpy_memory_pages(self._c))

    def __len__(self) -> int:
        self._open()
        return int(lib.wpy_memory_size(self._c))

    def _renew_view(self) -> memoryview:
        """Replace the view by one of the present size, and return it; ClosedError."""
        self._open()
        pin = _Pin(self._c)  # first, so that no other thread frees the bytes
        size = lib.wpy_memory_size(self._c)
        data = lib.wpy_memory_data(self._c)
        if not data:
            pin(None)
            raise ClosedError("this Memory is closed")
        self._view = view = memoryview(ffi.buffer(ffi.gc(data, deferrable(pin)), size))
        self._show(int(ffi.cast("uintptr_t", data)), size, view)
        if self._lifetime.closed:  # another thread has closed it since
            self._detach()
        self._open()
        return view

    def _within(self, offset: int, size: int) -> memoryview:
        """Return the view, which contains this range; IndexError, ClosedError."""
        view = self._view
        if view is None or self._lifetime.closed or offset + size > len(view):
            view = self._renew_view()
        if offset < 0 or size < 0 or offset + size > len(view):
            raise IndexError(
                f"{shown_number(size)} bytes at {shown_number(offset)} are not within the memory's "
                f"{len(view)} bytes"
            )
        return view

    # Called by `read` and `write` of the base class if the memory has grown, or on an error.
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

    # for errors about the number of arguments
    _read.__qualname__, _write.__qualname__ = "Memory.read", "Memory.write"

    def view(self, offset: int = 0, size: int | None = None, *, format: str = "B") -> memoryview:  # noqa: A002
        r"""Return a writable memoryview of the bytes, without a copy. It keeps the bytes alive.

        offset, size: in bytes; size None: to the end. format: of the items, one character of the
        module `struct`. A view from before the memory has grown shows the same bytes as before.
        Raises IndexError outside, ValueError for a wrong format or a size that is no multiple of
        the item's, TypeError, ClosedError. C: `wasm_memory_data`.

        >>> from wamr import Limits, Memory, MemoryType, Store
        >>> memory = Memory(Store(), MemoryType(Limits(1)))
        >>> numbers = memory.view(0, 8, format="i")
        >>> numbers[1] = -1
        >>> memory[4:8]
        b'\xff\xff\xff\xff'
        """
        offset = checked_index("offset", offset)
        if not isinstance(format, str):
            raise TypeError(f"format must be a str, not {type_name(format)}")
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

    # The same for `memory[…]`: a byte, or the bytes of a slice, by the rules of `bytes`.
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
                raise ValueError(f"value must be a byte, 0 to 255, not {shown_number(byte)}")
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
            raise IndexError(
                f"byte {shown_number(position)} is not within the memory's {size} bytes"
            )
        return position + size if position < 0 else position

    def grow(self, pages: int) -> int:
        """Grow by `pages` pages of 65 536 bytes; return the old size in pages.

        Raises MemoryLimitError past the maximum of the type, the limits, or the system's memory;
        ValueError below 0, TypeError, ClosedError.
        C: `wasm_memory_grow`. Spec: section 4.5.3, growing memories.

        >>> from wamr import Limits, Memory, MemoryType, Store
        >>> memory = Memory(Store(), MemoryType(Limits(1, 2)))
        >>> memory.grow(1), memory.pages
        (1, 2)
        """
        delta = checked_index("pages", pages)
        if delta < 0:
            raise ValueError(f"pages must not be negative: {shown_number(delta)}")
        self._open()
        old = ffi.new("uint32_t *")

        def attempt() -> int:
            return int(lib.wpy_memory_grow(self._c, min(delta, MAX_PAGES + 1), old))

        status = wait_for(attempt, "growing this Memory")
        if status == lib.WPY_CLOSED:
            raise ClosedError("this Memory is closed")
        problem = status and self._maximum_error(old[0], delta)
        if status and not problem and reclaim():
            status = wait_for(attempt, "growing this Memory")
        if status:
            problem = problem or no_room(self.store._budget)
            raise MemoryLimitError(
                f"can't grow from {old[0]} by {shown_number(delta)} pages: {problem}"
            )
        return int(old[0])

    def _maximum_error(self, old: int, delta: int) -> str:
        """Return what to say if a memory may never have so many pages; "": this one may."""
        maximum = self.type.limits.max
        if maximum is not None and old + delta > maximum:
            return f"at most {maximum} pages"
        if old + delta > MAX_PAGES:
            return f"no more room, it can have at most {MAX_PAGES} pages, 4 GiB"
        return ""

    def _detach(self) -> None:
        """Let go of the bytes, since the memory is being closed."""
        self._view = None
        self._hide()

    def __repr__(self) -> str:
        if self._lifetime.closed:
            return "<wamr.Memory, closed>"
        pages = self.type.limits.min
        return f"<wamr.Memory, {pages} page{'' if pages == 1 else 's'}>"


class _HostMemoryLifetime(Lifetime):
    """The lifetime of a host-made memory, which is closed with its store."""

    __slots__ = ("_memory",)

    def __init__(self, store: Store, memory: Memory) -> None:
        from weakref import ref

        super().__init__(store)
        self._memory = ref(memory)
        store._closables.add(new_key(), self)

    def close(self) -> None:
        """Free the memory's bytes, unless an instance has imported them."""
        if not self.closed:
            self.closed = True
            memory = self._memory()
            if memory is not None:
                memory._detach()
                lib.wpy_memory_close(memory._c)


def instance_memory(lifetime: Lifetime, c: Any) -> Memory:
    """Return a new Memory for a memory of an instance; it takes over `c`, a reference."""
    memory = object.__new__(Memory)
    memory._c = handle(c)
    memory._lifetime = lifetime
    memory._view = None
    return memory


def _range_of(key: slice, size: int) -> tuple[int, int]:
    start, stop, step = key.indices(size)
    if step != 1:
        raise ValueError("a memory's slices have no step")
    return start, max(start, stop)


def _flat(name: str, data: object) -> bytes | memoryview:
    """Return the bytes of an object with a buffer; TypeError if it has none."""
    try:
        view = memoryview(data)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be bytes or another buffer, not {type_name(data)}") from None
    return view.cast("B") if view.c_contiguous and view.nbytes else view.tobytes()
