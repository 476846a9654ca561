"""What an instance exports, as attributes and as a mapping.

`Exports` makes an export's object when it is first asked for and keeps it in its own dictionary, so
that the second `exports.add` is a plain attribute. An export called like a method of a mapping does
not hide that: `exports["get"]` is the export, `exports.get` the method. An Exports holds the state
of its instance, never the `Instance`: no cycle, everything dies by reference count.
"""

from __future__ import annotations

from collections.abc import Mapping
from weakref import ref

from .._backend.binding import lib
from ..errors import ClosedError
from ..types import FuncType, TableType, TagType
from .func import Func, func_of_handle, instance_func
from .global_ import Global, instance_global
from .memory import Memory, instance_memory
from .table import Table, instance_table
from .exceptions import Tag, instance_tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .state import InstanceState


class Exports(Mapping[str, Func | Global | Table | Memory | Tag]):
    """exports["add"], exports.add, len, iteration in the module's order.

    A name that is not there is a KeyError, or an AttributeError.
    """

    __slots__ = ("__dict__", "__weakref__", "_wamr_items", "_wamr_state")
    _wamr_items: dict[str, Any]
    _wamr_state: InstanceState

    def __init__(self) -> None:
        raise TypeError("an Exports is made by its Instance: instance.exports")

    def __getattr__(self, name: str) -> Any:
        if name in Exports.__slots__:  # it was not made by its __init__
            raise AttributeError(f"this Exports has no {name}")
        try:
            return self[name]
        except KeyError:
            raise AttributeError(_no_export(name, list(self))) from None

    def __getitem__(self, name: str) -> Any:
        item = self._wamr_items.get(name)
        if item is None:
            item = self._wamr_items[name] = _made(self._wamr_state, name)
            if name not in _METHODS:
                self.__dict__[name] = item
        return item

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"exports can't be set: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"exports can't be deleted: {name}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._wamr_state.module._exported())

    def __len__(self) -> int:
        return len(self._wamr_state.module._exported())

    def __contains__(self, name: object) -> bool:
        return name in self._wamr_state.module._exported()

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *filter(str.isidentifier, self)]

    def __repr__(self) -> str:
        return f"<wamr.Exports {', '.join(self) or 'nothing'}>"

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __reduce__(self) -> str:
        raise TypeError("an Exports cannot be copied or pickled: it belongs to an instance")


def _no_export(name: str, names: list[str]) -> str:
    """Return what to say of an export that is not there."""
    hint = ""
    if not name.startswith("_"):  # which are asked for by all kinds of things
        from difflib import get_close_matches

        near = get_close_matches(name, names, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
    shown = ", ".join(names) or "nothing"
    shown = shown if len(shown) <= 240 else f"{shown[:240]}…"
    return f"there is no export {name!r}{hint}; there is {shown}"


def exports_of(state: InstanceState) -> Exports:
    """Return the exports of an instance."""
    exports = _new(Exports)
    _set_state(exports, state)
    _set_items(exports, {})
    return exports


_new = object.__new__
_METHODS = frozenset(dir(Exports))
# Setting an attribute raises; these are its slots, as `object.__setattr__` finds them.
_set_state, _set_items = Exports._wamr_state.__set__, Exports._wamr_items.__set__  # type: ignore[attr-defined]


def _made(state: InstanceState, name: str) -> Func | Global | Table | Memory | Tag:
    """Return a new object for an export; KeyError, ClosedError."""
    kind, index, type_ = state.module._exported()[name]
    if state.closed:
        raise ClosedError(f"export {name!r}: its instance is closed")
    if kind == 0:
        assert isinstance(type_, FuncType)
        return _function(state, index, type_, name)
    if kind == 2:
        memory = instance_memory(state, lib.wpy_instance_memory(state.c))
        state._memories = [*(state._memories or ()), ref(memory)]
        return memory
    if kind == 1:
        assert isinstance(type_, TableType)
        return instance_table(state, lib.wpy_instance_table(state.c, index), type_.element)
    if kind == 4:
        assert isinstance(type_, TagType)
        return instance_tag(state, lib.wpy_instance_tag(state.c, index), type_)
    return instance_global(state, lib.wpy_instance_global(state.c, index), type_)


def _function(state: InstanceState, index: int, type_: FuncType, name: str) -> Func:
    if index < state.module._imported_functions():
        c = lib.wpy_instance_func(state.c, index)
        if (
            c and lib.wpy_func_instance_id(c) != state.instance_id
        ):  # one that is exported again: the original
            func = func_of_handle(c)
            if func is not None:
                return func
            raise ClosedError(f"export {name!r}: the function it stands for is gone")
        if c:
            lib.wpy_release(c)
    return instance_func(state, lib.wpy_instance_func_address(state.c, index), type_, name)
