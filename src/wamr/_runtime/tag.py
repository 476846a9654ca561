"""Tags: what kind of exception it is.

A tag is shared between instances and the host as functions are. Two are the same only if they are
the same object in C: two tags of one type tell exceptions apart.
"""

from __future__ import annotations

from .._backend.binding import ffi, lib
from .._backend.handles import handle
from .._base.immutable import made_already
from .._base.registry import new_key
from ..types import TagType
from .exceptions import set_tags
from .extern import Lifetime
from .func import RefHolder
from .store import checked_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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


set_tags(Tag, _tag_of)


def _kind(value: object) -> str:
    return type(value).__name__
