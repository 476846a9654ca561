"""The base of the package's value objects (types, limits, frames): filled once, equal by value.

A subclass names its fields in `__slots__` and fills them with `_fill` in `__init__`, whose
parameters follow the same order: that is all `==`, `hash`, `repr`, copying and pickling need. It
stands in for `dataclasses`, whose import alone would cost more than the rest of the package. It
knows nothing about WebAssembly.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, NoReturn


def made_already(thing: object) -> TypeError:
    """Return the error for a second call of an object's __init__."""
    return TypeError(f"this {type(thing).__name__} was made already: make another one")


class Immutable:
    """Its fields are what it is: immutable, hashable, equal to one of its class with the same."""

    __slots__ = ()
    _fields: "ClassVar[tuple[str, ...]]" = ()

    def __init_subclass__(cls) -> None:
        if not cls._fields:  # a user's subclass keeps the fields of the class it extends
            cls._fields = tuple(cls.__dict__["__slots__"])

    def _fill(self, *values: object) -> None:
        if hasattr(self, self._fields[-1]):
            raise made_already(self)
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
    """An `Immutable` whose parameters are given by name."""

    __slots__ = ()

    def __reduce__(self) -> "tuple[Any, ...]":
        return _by_name, (type(self), dict(zip(self._fields, self._values(), strict=True)))


def _by_name(cls: "type[Options]", options: "dict[str, object]") -> Options:
    return cls(**options)
