"""The base class of the package's value objects: types, limits, frames.

A subclass lists its fields in `__slots__`, in the order of the parameters of `__init__`, and sets
them with `_fill`. `==`, `hash`, `repr`, copying and pickling follow from that. `dataclasses` isn't
used because importing it takes longer than importing the rest of the package. This module knows
nothing about WebAssembly.
"""

from .arguments import already_initialized

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, NoReturn


class Immutable:
    """An immutable, hashable object; equal to another of its class with equal fields."""

    __slots__ = ()
    _fields: "ClassVar[tuple[str, ...]]" = ()

    def __init_subclass__(cls) -> None:
        if not cls._fields:  # a user's subclass keeps the fields of the class it extends
            cls._fields = tuple(cls.__dict__["__slots__"])

    def _fill(self, *values: object) -> None:
        if hasattr(self, self._fields[-1]):
            raise already_initialized(self)
        for field, value in zip(self._fields, values, strict=True):
            object.__setattr__(self, field, value)

    def _values(self) -> "tuple[Any, ...]":
        return tuple([getattr(self, field) for field in self._fields])

    def __setattr__(self, name: str, value: object) -> "NoReturn":
        raise AttributeError(f"{type(self).__name__} is immutable: can't set {name!r}")

    def __delattr__(self, name: str) -> "NoReturn":
        raise AttributeError(f"{type(self).__name__} is immutable: can't delete {name!r}")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self is other or self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), *self._values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join([repr(value) for value in self._values()])})"

    def __copy__(self) -> "Immutable":
        return self

    def __deepcopy__(self, memo: object) -> "Immutable":
        return self

    def __reduce__(self) -> "tuple[Any, ...]":
        return type(self), self._values()


class Options(Immutable):
    """An `Immutable` whose `__init__` takes keyword arguments only."""

    __slots__ = ()

    def __reduce__(self) -> "tuple[Any, ...]":
        return _by_name, (type(self), dict(zip(self._fields, self._values(), strict=True)))


def _by_name(cls: "type[Options]", options: "dict[str, object]") -> Options:
    return cls(**options)
