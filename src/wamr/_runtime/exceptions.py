"""Exceptions that wasm code throws, as Python exceptions.

A `WasmException` is one exception for as long as it lives: raised again in a host function, wasm
code catches the same one, with the same exnref. One that Python makes becomes an exception of wasm
when it is first thrown, or passed as an exnref. A tag makes the values' types known; `tag.py`, which
knows functions, names its class here (`set_tags`).
"""

from __future__ import annotations

from weakref import WeakValueDictionary

from .._backend.binding import ffi, lib, set_thrown
from .._backend.handles import handle
from .._values.codec import codec_of
from .._values.externrefs import NULL_REF
from ..errors import WasmError, traceback_text
from ..types import ValType
from .extern import waited
from .state import find_instance_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..errors import Frame
    from .extern import Lifetime
    from .tag import Tag


class WasmException(WasmError):
    """WebAssembly code has thrown an exception, and no code has caught it.

    tag: says what kind of exception it is. values: as many as the tag's type has parameters.
    A host function raises one to throw it into wasm code, which may catch it. It is no `Trap`:
    traps can't be caught by wasm code.
    Raises TypeError, OverflowError, ValueError for values that don't fit the tag, ClosedError.
    Spec: section 4.4.8, `throw`.

    >>> from wamr import Store, Tag, TagType, ValType, WasmException
    >>> raised = WasmException(Tag(Store(), TagType([ValType.I32])), 7)
    >>> raised.values
    (7,)
    """

    _c: Any = None  # a handle, once wasm code knows it
    _frames: Any = ()
    _values: tuple[Any, ...] | None = None  # not looked at yet
    tag: Tag

    def __init__(self, tag: Tag, *values: object) -> None:
        if not isinstance(tag, _tags[0]):
            raise TypeError(f"tag must be a Tag, not {type(tag).__name__}")
        tag._open()
        codec = codec_of(tag._type._function)
        cells = bytearray(codec.bytes)
        super().__init__(tag, *values)
        self.tag = tag
        objects = tag.store._enter_refs()
        try:
            codec.pack_arguments(cells, values, tag, f"an exception of {tag.type}")
            self._values = codec.unpack_arguments(cells, tag)
        finally:
            objects.leave()

    @property
    def values(self) -> tuple[Any, ...]:
        """As many as the tag's type has parameters."""
        if self._values is None:
            self._values = _values_of(self._c, self.tag)
        return self._values

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The wasm call stack at the throw, innermost first; empty if Python has raised it."""
        if not isinstance(self._frames, tuple):
            self._frames = self._frames()
        return self._frames

    def __str__(self) -> str:
        shown = ", ".join(map(repr, self.values))
        return traceback_text(f"uncaught exception {self.tag._type}: ({shown})", self.frames)

    def _thrown(self) -> Any:
        """Return its handle in C, made if there is none yet."""
        if self._c is None:
            tag = self.tag
            codec = codec_of(tag._type._function)
            cells = ffi.new("char[]", codec.bytes)
            out = ffi.new("wpy_exception **")
            count = codec._pack.size // 4
            objects = tag.store._enter_refs()
            try:
                codec.pack_arguments(ffi.buffer(cells), self.values, tag, "an exception")
                status = waited(
                    lambda: lib.wpy_exception_new(
                        tag._c, ffi.cast("uint32_t *", cells), count, out
                    ),
                    "throwing",
                )
            finally:
                objects.leave()
            if status:
                raise MemoryError("no memory for an exception")
            self._c = handle(out[0])
            _known[_address(out[0])] = self
        return self._c

    def _throw(self) -> int | None:
        """Bring it to the wasm code that called the host function which raises it.

        The address of its handle in C, for our C to throw; None: that code can't catch it.
        """
        state = find_instance_state(lib.wpy_caller())
        if state is None or self.tag.store is not state.store:
            return None  # it comes out where wasm was called, as other exceptions do
        c = self._thrown()
        if waited(lambda: lib.wpy_exception_ready(c), "throwing"):
            raise MemoryError("no memory to throw an exception")
        return _address(c)

    def __reduce__(self) -> str:
        raise TypeError("a WasmException cannot be copied or pickled: its tag lives in a store")


_tags: tuple[type, Callable[[Any, Lifetime], Tag]] = (type(None), lambda c, owner: c)


def set_tags(class_: type, make: Callable[[Any, Lifetime], Tag]) -> None:
    """Name the class of tags, and what makes one of a handle in C and what it belongs to."""
    global _tags  # noqa: PLW0603
    _tags = class_, make


# By its address in C, which is no other's while the handle is there.
_known: WeakValueDictionary[int, WasmException] = WeakValueDictionary()


def exception_of(c: Any, owner: Lifetime, frames: Any = ()) -> WasmException:
    """Return the exception of a handle in C, which is taken over: the same one each time."""
    c = handle(ffi.cast("wpy_exception *", c))
    exception = _known.get(_address(c))
    if exception is None:
        tag = _tag_of(c, owner)
        exception = WasmException.__new__(WasmException, tag)
        exception.tag = tag
        exception._c = c
        if ValType.EXNREF not in tag.type.params:
            exception._values = _values_of(c, tag)
            exception.args = (tag, *exception._values)
        # else when they are asked for: code can make chains of any length
        exception = _known.setdefault(_address(c), exception)
    if frames:
        exception._frames = frames
    return exception


def _tag_of(c: Any, owner: Lifetime) -> Tag:
    count = ffi.new("uint32_t *")
    return _tags[1](lib.wpy_exception_values(c, ffi.NULL, 0, count), owner)


def _values_of(c: Any, tag: Tag) -> tuple[Any, ...]:
    count = ffi.new("uint32_t *")
    codec = codec_of(tag._type._function)
    cells = ffi.new("char[]", codec.bytes)
    room = codec.bytes // 4
    lib.wpy_release(lib.wpy_exception_values(c, ffi.cast("uint32_t *", cells), room, count))
    values: tuple[Any, ...] = codec.unpack_arguments(ffi.buffer(cells), tag)
    return values


def _address(c: Any) -> int:
    return int(ffi.cast("uintptr_t", c))


def exnref_of(value: object, place: Any, c: Any, where: object) -> int:
    """Return the number of an exception, None or a WasmException, for the group of `c`.

    place: whose store it must be of.
    """
    if value is None:
        return NULL_REF
    if not isinstance(value, WasmException):
        raise TypeError(
            f"{where} must be a WasmException or None (exnref), not {type(value).__name__}"
        )
    if value.tag.store is not place.store:
        raise ValueError(f"{where} is an exception of another store")
    ref = ffi.new("uint32_t *")
    exception = value._thrown()
    if waited(lambda: lib.wpy_exception_ref(exception, c, ref), "passing an exception"):
        raise MemoryError("no memory for a reference to an exception")
    return int(ref[0])


set_thrown(WasmException)
