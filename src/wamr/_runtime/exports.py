"""The exports of an instance, as attributes and as a mapping.

`Exports` makes the object of an export at the first access and stores it in its `__dict__`, so that
the next `exports.add` is a plain attribute. An export doesn't hide a method of the same name:
`exports["get"]` is the export, `exports.get` the method. An Exports refers to the state of its
instance, not to the `Instance`, so there is no reference cycle.
"""

from __future__ import annotations

from collections.abc import Mapping
from weakref import ref

from .._backend.binding import lib
from .._base.binary_format import FUNCTION, MEMORY, TABLE, TAG
from .._base.printable import printable_name, printable_names, quoted_name
from ..errors import ClosedError
from ..types import FuncType, TableType, TagType
from .func import Func, func_from_handle, instance_func
from .global_ import Global, instance_global
from .memory import Memory, instance_memory
from .table import Table, instance_table
from .tag import Tag, instance_tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .state import InstanceState


class Exports(Mapping[str, Func | Global | Table | Memory | Tag]):
    """The exports of an instance: a read-only mapping whose items are attributes, too.

    Iteration follows the module's order. An unknown name raises KeyError, as an attribute
    AttributeError; an export of a closed instance that wasn't accessed before raises ClosedError.
    C: `wasm_instance_exports`. Spec: section 4.2.6.

    >>> import wamr
    >>> inst = wamr.load('(module (func (export "two") (result i32) (i32.const 2)))')
    >>> list(inst.exports), inst.exports["two"] is inst.exports.two
    (['two'], True)
    """

    __slots__ = ("__dict__", "__weakref__", "_wamr_items", "_wamr_state")
    _wamr_items: dict[str, Any]
    _wamr_state: InstanceState

    def __init__(self) -> None:
        raise TypeError("an Exports is made by its Instance: instance.exports")

    def __getattr__(self, name: str) -> Any:
        if name in Exports.__slots__:  # of an object that exports_of didn't make
            raise AttributeError(f"this Exports has no {name}")
        try:
            return self[name]
        except KeyError:
            raise AttributeError(_unknown_name(name, list(self))) from None

    def __getitem__(self, name: str) -> Any:
        item = self._wamr_items.get(name)
        if item is None:
            # another thread may have made it meanwhile
            item = self._wamr_items.setdefault(name, _make_export(self._wamr_state, name))
            if name not in _METHODS:
                self.__dict__[name] = item
        return item

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"exports can't be set: {printable_name(name)}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"exports can't be deleted: {printable_name(name)}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._wamr_state.module._exported())

    def __len__(self) -> int:
        return len(self._wamr_state.module._exported())

    def __contains__(self, name: object) -> bool:
        return name in self._wamr_state.module._exported()

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *filter(str.isidentifier, self)]

    def __repr__(self) -> str:
        return f"<wamr.Exports {printable_names(self, 'nothing')}>"

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __reduce__(self) -> str:
        raise TypeError("an Exports cannot be copied or pickled: it belongs to an instance")


def _unknown_name(name: str, names: list[str]) -> str:
    """Return the message for an unknown name."""
    hint = ""
    if not name.startswith("_"):  # libraries probe for such names
        from difflib import get_close_matches

        near = get_close_matches(name, names, 1)
        hint = f"; did you mean {quoted_name(near[0])}?" if near else ""
    shown = printable_names(names, "nothing")
    shown = shown if len(shown) <= 240 else f"{shown[:240]}…"
    return f"there is no export {quoted_name(name)}{hint}; there is {shown}"


def exports_of(state: InstanceState) -> Exports:
    """Return a new Exports for an instance."""
    exports = _new(Exports)
    _set_state(exports, state)
    _set_items(exports, {})
    return exports


_new = object.__new__
_METHODS = frozenset(dir(Exports))
# `Exports.__setattr__` raises, so the slots are set through their descriptors.
_set_state, _set_items = Exports._wamr_state.__set__, Exports._wamr_items.__set__  # type: ignore[attr-defined]


def _make_export(state: InstanceState, name: str) -> Func | Global | Table | Memory | Tag:
    """Return a new object for an export; KeyError, ClosedError."""
    kind, index, type_ = state.module._exported()[name]
    if state.closed:
        raise ClosedError(f"export {quoted_name(name)}: its instance is closed")
    if kind == FUNCTION:
        assert isinstance(type_, FuncType)
        return _function(state, index, type_, name)
    if kind == MEMORY:
        memory = instance_memory(state, lib.wpy_instance_memory(state.c))
        state.memories(add=True).append(ref(memory))
        return memory
    if kind == TABLE:
        assert isinstance(type_, TableType)
        return instance_table(state, lib.wpy_instance_table(state.c, index), type_.element)
    if kind == TAG:
        assert isinstance(type_, TagType)
        return instance_tag(state, lib.wpy_instance_tag(state.c, index), type_)
    return instance_global(state, lib.wpy_instance_global(state.c, index), type_)


def _function(state: InstanceState, index: int, type_: FuncType, name: str) -> Func:
    if index < state.module._imported_functions():
        c = lib.wpy_instance_func(state.c, index)
        # re-exported: return the original
        if c and lib.wpy_func_instance_id(c) != state.instance_id:
            func = func_from_handle(c)
            if func is not None:
                return func
            raise ClosedError(f"export {quoted_name(name)}: the function it stands for is gone")
        if c:
            lib.wpy_release(c)
    return instance_func(state, lib.wpy_instance_func_address(state.c, index), type_, name)
