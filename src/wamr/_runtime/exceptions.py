"""Exceptions that wasm code throws and catches, as Python exceptions.

A WasmException stands for one exception in C as long as it lives: if a host function raises it
again, wasm code catches the same exception, with the same exnref. A WasmException that Python makes
gets its exception in C when it is thrown into wasm, or passed as an exnref, for the first time.
"""

from __future__ import annotations

from .._backend.binding import ffi, lib, set_thrown
from .._backend.handles import handle
from .._backend.waiting import wait_for
from .._base.arguments import type_name
from .._base.shared_objects import SharedObjects
from .._values.exnrefs import set_exception_class
from ..errors import _TracedError
from .state import find_instance_state
from .tag import Tag, find_tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._base.lifetime import Lifetime

_cast, _UINTPTR = ffi.cast, ffi.typeof("uintptr_t")
_EXCEPTION = ffi.typeof("wpy_exception *")


class WasmException(_TracedError):
    """An exception that wasm code has thrown and not caught, or that wasm code may catch.

    tag: a Tag, which tells exceptions apart. values: as many as the tag's type has parameters, each
    as an argument of a call. Attributes `tag`, `values`, a tuple, and `frames`: the wasm call stack
    where wasm code threw it, innermost first; empty if it was raised in Python and hasn't crossed
    wasm code.
    A host function raises a WasmException to throw it into wasm code, of the tag's store. wasm code
    can catch neither a `Trap` nor any other Python exception.
    Raises TypeError, OverflowError, ValueError, ClosedError. Spec: section 4.6.13, `throw`.

    >>> from wamr import Store, Tag, TagType, ValType, WasmException
    >>> exception = WasmException(Tag(Store(), TagType([ValType.I32])), 7)
    >>> exception.tag, exception.values
    (<wamr.Tag (i32)>, (7,))
    """

    __module__ = "wamr"  # where the class is public; tracebacks show the name
    _c: Any = None  # a handle, since wasm knows the exception
    _lifetime: Any = None  # of its tag, where there is no Tag yet
    _tag: Tag | None = None  # made at the first access
    _values: tuple[Any, ...] | None = None  # converted at the first access

    def __init__(self, tag: Tag, *values: object) -> None:
        if not isinstance(tag, Tag):
            raise TypeError(f"tag must be a Tag, not {type_name(tag)}")
        tag._open()
        codec = tag._codec
        super().__init__(tag, *values)
        self._tag = tag
        with tag.store._passing_refs():
            cells = bytearray(codec.bytes)
            codec.pack_arguments(cells, values, tag, f"an exception of {tag._type}")
            self._values = codec.unpack_arguments(cells, tag)

    @property
    def tag(self) -> Tag:
        """The tag."""
        tag = self._tag
        if tag is None:
            if self._c is None:
                raise AttributeError("WasmException.__init__ was not called")
            tag = self._tag = find_tag(lib.wpy_exception_tag(self._c), self._lifetime)
        return tag

    @property
    def args(self) -> tuple[Any, ...]:
        """The arguments: the tag and the values, if no subclass has set others."""
        return _args.__get__(self) or (self.tag, *self.values)

    @args.setter
    def args(self, args: tuple[Any, ...]) -> None:
        _args.__set__(self, args)

    @property
    def values(self) -> tuple[Any, ...]:
        """The values, as many as the tag's type has parameters."""
        values = self._values
        if values is None:
            values = self._values = self._unpacked()
        return values

    def _unpacked(self) -> tuple[Any, ...]:
        codec = self.tag._codec
        with self.tag.store._passing_refs():
            cells = ffi.buffer(lib.wpy_exception_cells(self._c), codec.bytes)
            return codec.unpack_arguments(cells, self.tag)

    def __str__(self) -> str:
        values = ", ".join(map(_shown, self.values))
        return self._with_traceback(f"uncaught exception {self.tag.type}: ({values})")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(_shown, self.args))})"

    def _handle(self) -> Any:
        """Return the handle, made at the first call."""
        if self._c is None:
            tag = self.tag
            codec = tag._codec
            cells = ffi.new("char[]", codec.bytes)
            out = ffi.new("wpy_exception **")
            with tag.store._passing_refs():
                codec.pack_arguments(ffi.buffer(cells), self.values, tag, "an exception")
                status = wait_for(
                    lambda: lib.wpy_exception_new(tag._c, _cast("uint32_t *", cells), out),
                    "throwing an exception",
                )
            if status:
                raise MemoryError("no memory for an exception")
            # atomic: another thread may have thrown the exception, which then has a handle
            self.__dict__.setdefault("_c", handle(out[0]))
        _exceptions.setdefault(int(_cast(_UINTPTR, self._c)), self)
        return self._c

    def _thrown(self) -> tuple[int, int]:
        """Return the address in C and the id of the store, for a host function that raises this.

        The address is 0 if wasm code can't catch the exception. Raises MemoryError, and what
        `wait_for` raises.
        """
        tag = self.tag
        if tag._lifetime.closed:
            return 0, 0
        caller = find_instance_state(lib.wpy_calling_instance_id())
        if caller is not None and caller.store is tag.store:
            caller.link(tag._lifetime)  # it may keep the exception
        return int(_cast(_UINTPTR, self._handle())), id(tag.store)

    def __reduce__(self) -> str:
        raise TypeError("a WasmException cannot be copied or pickled: its tag lives in a store")


def _shown(value: object) -> str:
    # exceptions in exceptions make chains of any length
    return "WasmException(…)" if isinstance(value, WasmException) else repr(value)


_args: Any = BaseException.args
# By address in C. An exception that Python got and that has no exnref isn't here: nothing in wasm
# refers to it.
_exceptions = SharedObjects()


def _exception_from_handle(c: Any, lifetime: Lifetime) -> WasmException:
    """Return the WasmException of a handle, which is taken over.

    lifetime: of its tag, if there is no Tag yet.
    """
    pointer = _cast(_EXCEPTION, c)
    c = handle(pointer)
    address = int(_cast(_UINTPTR, pointer)) if lib.wpy_exception_numbered(pointer) else 0
    known: WasmException | None = _exceptions.get(address) if address else None
    if known is not None:
        return known
    exception = WasmException.__new__(WasmException)
    exception._c = c
    exception._lifetime = lifetime
    if lib.wpy_exception_has_objects(pointer):  # which a closed store forgets
        exception._values = exception._unpacked()
    if address:
        exception = _exceptions.setdefault(address, exception)
    return exception


set_exception_class(WasmException, _exception_from_handle)
set_thrown(WasmException)
