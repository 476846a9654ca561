"""What an instance exports, as attributes and as a mapping.

`Exports` makes an export's object when it is first asked for and keeps it in its own dictionary, so
that the second `exports.add` is a plain attribute. An export called like a method of a mapping does
not hide that: `exports["get"]` is the export, `exports.get` the method. It holds the instance's
`State`, never the `Instance`: no cycle, everything dies by reference count.
"""

from __future__ import annotations

from collections.abc import Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .func import Func
    from .global_ import Global
    from .instance import State
    from .memory import Memory
    from .table import Table


class Exports(Mapping[str, "Func | Global | Table | Memory"]):
    """exports["add"], exports.add, len, iteration in the module's order.

    A name that is not there is a KeyError, or an AttributeError.
    """

    __slots__ = ("__dict__", "__weakref__", "_wamr_items", "_wamr_state")
    _wamr_items: dict[str, Any]
    _wamr_state: State

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
            item = self._wamr_items[name] = self._wamr_state.export(name)
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


def exports_of(state: State) -> Exports:
    """Return the exports of an instance."""
    exports = _new(Exports)
    _set_state(exports, state)
    _set_items(exports, {})
    return exports


_new = object.__new__
_METHODS = frozenset(dir(Exports))
# Setting an attribute raises; these are its slots, as `object.__setattr__` finds them.
_set_state, _set_items = Exports._wamr_state.__set__, Exports._wamr_items.__set__  # type: ignore[attr-defined]
