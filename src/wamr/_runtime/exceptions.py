"""Tags, and exceptions that wasm code throws, as Python exceptions.

A tag is shared between instances and the host as functions are. Two are the same only if they are
the same object in C: two tags of one type tell exceptions apart. A `WasmException` is one exception
for as long as it lives: raised again in a host function, wasm code catches the same one, with the
same exnref. One that Python makes becomes an exception of wasm when it is first thrown, or passed
as an exnref.
"""

from __future__ import annotations

from .._backend.binding import ffi, lib, set_thrown
from .._backend.handles import handle
from .._base.immutable import made_already
from .._base.registry import new_key
from .._values.codec import codec_of
from ..errors import WasmError, traceback_text
from ..types import TagType
from .exnrefs import set_exceptions
from .extern import Lifetime, waited
from .func import RefHolder
from .state import find_instance_state
from .store import checked_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..errors import Frame
    from .store import Store


class Tag(RefHolder):
    """A tag of exceptions.

    store: where it lives. type: the types of the values that its exceptions carry.
    Raises TypeError, ClosedError. Spec: section 4.5.3, `tag_alloc`.

    >>> from wamr import Store, Tag, TagType, ValType
    >>> Tag(Store(), TagType([ValType.I32]))
    <wamr.Tag (i32)>
    """

    __slots__ = ("__weakref__", "_c", "_lifetime", "_type")
    _type: TagType

    def __init__(self, store: Store, type: TagType) -> None:  # noqa: A002
        if hasattr(self, "_c"):
            raise made_already(self)
        checked_store("store", store)
        if not isinstance(type, TagType):
            raise TypeError(f"type must be a TagType, not {_kind(type)}")
        codes = type._codes
        c = lib.wpy_tag_new(codes, len(codes))
        if not c:
            raise MemoryError("no memory for a tag")
        self._c = handle(c)
        self._type = type
        self._lifetime = Lifetime(store)
        store._closables.add(new_key(), self._lifetime)
        store._ref_holders.add(new_key(), self)

    @property
    def type(self) -> TagType:
        """Its type."""
        return self._type

    def __repr__(self) -> str:
        return f"<wamr.Tag {self._type}{', closed' if self._lifetime.closed else ''}>"


def instance_tag(owner: Lifetime, c: Any, type: TagType) -> Tag:  # noqa: A002
    """Return a Tag for a handle on one of an instance."""
    tag = object.__new__(Tag)
    tag._c = handle(c)
    tag._type = type
    tag._lifetime = owner
    return tag


def _tag_of(c: Any, owner: Lifetime) -> Tag:
    params = ffi.new("uint8_t[]", 64)
    count = lib.wpy_tag_params(c, params, 64)
    if count > 64:
        params = ffi.new("uint8_t[]", count)
        lib.wpy_tag_params(c, params, count)
    return instance_tag(owner, c, TagType._from_codes(bytes(ffi.buffer(params, count))))


class WasmException(WasmError):
    """WebAssembly code has thrown an exception, and no code has caught it.

    tag: says what kind of exception it is. values: as many as the tag's type has parameters.
    A host function raises one to throw it into wasm code, which may catch it. It is no `Trap`:
    traps can't be caught by wasm code.
    Raises TypeError, OverflowError, ValueError for values that don't fit the tag.
    Spec: section 4.4.8, `throw`.

    >>> from wamr import Store, Tag, TagType, ValType, WasmException
    >>> raised = WasmException(Tag(Store(), TagType([ValType.I32])), 7)
    >>> raised.values
    (7,)
    """

    _c: Any = None  # a handle, once wasm code knows it
    _frames: Any = ()
    tag: Tag
    values: tuple[Any, ...]

    def __init__(self, tag: Tag, *values: object) -> None:
        if not isinstance(tag, Tag):
            raise TypeError(f"tag must be a Tag, not {type(tag).__name__}")
        codec = codec_of(tag._type._function)
        cells = bytearray(codec.bytes)
        codec.pack_arguments(cells, values, tag, f"an exception of {tag.type}")
        super().__init__(tag, *values)
        self.tag = tag
        self.values = codec.unpack_arguments(cells, tag)

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
            codec.pack_arguments(ffi.buffer(cells), self.values, tag, "an exception")
            out = ffi.new("wpy_exception **")
            count = codec._pack.size // 4
            status = waited(
                lambda: lib.wpy_exception_new(tag._c, ffi.cast("uint32_t *", cells), count, out),
                "throwing",
            )
            if status:
                raise MemoryError("no memory for an exception")
            self._c = handle(out[0])
        return self._c

    def _throw(self) -> None:
        """Throw it in the wasm code that called the host function which raises it."""
        state = find_instance_state(lib.wpy_calling_instance_id())
        if state is None or self.tag.store is not state.store:
            return  # it comes out where wasm was called, as other exceptions do
        c = self._thrown()
        if waited(lambda: lib.wpy_exception_throw(c), "throwing"):
            raise MemoryError("no memory to throw an exception")

    def __reduce__(self) -> str:
        raise TypeError("a WasmException cannot be copied or pickled: its tag lives in a store")


def _exception_of(c: Any, owner: Lifetime, frames: Any) -> WasmException:
    """Return the exception of a handle in C, which is taken over."""
    c = handle(ffi.cast("wpy_exception *", c))
    count = ffi.new("uint32_t *")
    tag = _tag_of(lib.wpy_exception_values(c, ffi.NULL, 0, count), owner)
    codec = codec_of(tag._type._function)
    cells = ffi.new("char[]", codec.bytes)
    lib.wpy_release(
        lib.wpy_exception_values(c, ffi.cast("uint32_t *", cells), codec.bytes // 4, count)
    )
    values = codec.unpack_arguments(ffi.buffer(cells), tag)
    exception = WasmException.__new__(WasmException, tag, *values)
    exception.tag = tag
    exception.values = values
    exception._c = c
    exception._frames = frames
    return exception


set_exceptions(WasmException, _exception_of)
set_thrown(WasmException)


def _kind(value: object) -> str:
    return type(value).__name__
