"""Tags, which tell exceptions apart. Instances and the host share tags as they share functions.

Two tags are equal only if they are the same object in C: two tags of the same type tell exceptions
apart. exceptions.py makes the exceptions of a tag.
"""

from __future__ import annotations

from .._backend.binding import ffi, lib
from .._backend.handles import handle
from .._base.arguments import already_initialized, type_name
from .._base.lifetime import Lifetime
from .._base.registry import new_key
from .._base.shared_objects import SharedObjects
from .._values.codec import codec_of
from .._values.references import ReferenceContext
from ..types import TagType
from .extern import Extern
from .store import checked_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._values.codec import Codec
    from .store import Store

_cast, _UINTPTR = ffi.cast, ffi.typeof("uintptr_t")


class Tag(Extern, ReferenceContext):
    """A tag: what tells exceptions apart. Modules import it, and exceptions are made with it.

    store: the Store that it lives in. type: a TagType, the types of the values of an exception.
    Raises TypeError, ClosedError. Spec: section 4.5.3, `tag_alloc`.

    >>> from wamr import Store, Tag, TagType, ValType
    >>> Tag(Store(), TagType([ValType.I32]))
    <wamr.Tag (i32)>
    """

    __slots__ = ("__weakref__", "_c", "_codec", "_lifetime", "_type")
    _codec: Codec  # of a function whose arguments are the values
    _type: TagType

    def __init__(self, store: Store, type: TagType) -> None:  # noqa: A002
        if hasattr(self, "_c"):
            raise already_initialized(self)
        checked_store("store", store)
        if not isinstance(type, TagType):
            raise TypeError(f"type must be a TagType, not {type_name(type)}")
        params = type._func_type._param_kinds
        c = lib.wpy_tag_new(params, len(params), store._budget)
        if not c:
            raise MemoryError("no memory for a tag")
        self._init(c, Lifetime(store), type)
        store._register(new_key(), self._lifetime)
        store._ref_holders.add(new_key(), self)

    def _init(self, c: Any, lifetime: Lifetime, type: TagType) -> None:  # noqa: A002
        self._c = handle(c)
        self._lifetime = lifetime
        self._type = type
        self._codec = codec_of(type._func_type)
        _tags.setdefault(int(_cast(_UINTPTR, c)), self)

    @property
    def type(self) -> TagType:
        """The type. Spec: section 2.3.11."""
        return self._type

    def __repr__(self) -> str:
        return f"<wamr.Tag {self._type}{', closed' if self._lifetime.closed else ''}>"


_tags = SharedObjects()  # by address in C


def instance_tag(lifetime: Lifetime, c: Any, type: TagType) -> Tag:  # noqa: A002
    """Return a Tag for a tag of an instance; it takes over `c`, a handle."""
    tag: Tag | None = _tags.get(int(_cast(_UINTPTR, c)))
    if tag is not None and tag._lifetime is lifetime:
        handle(c)  # released at once
        return tag
    return _new_tag(lifetime, c, type)


def _new_tag(lifetime: Lifetime, c: Any, type: TagType) -> Tag:  # noqa: A002
    tag = object.__new__(Tag)
    tag._init(c, lifetime, type)
    return tag


def find_tag(c: Any, lifetime: Lifetime) -> Tag:
    """Return an open Tag for a tag of an exception; `c` is borrowed.

    lifetime: of a new Tag.
    """
    tag: Tag | None = _tags.get(int(_cast(_UINTPTR, c)))
    if tag is not None and not tag._lifetime.closed:
        return tag
    count = lib.wpy_tag_params(c, ffi.NULL, 0)
    params = ffi.new("uint8_t[]", count)
    lib.wpy_tag_params(c, params, count)
    lib.wpy_retain(c)
    return _new_tag(lifetime, c, TagType._from_codes(ffi.buffer(params, count)[:]))
