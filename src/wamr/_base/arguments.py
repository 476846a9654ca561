"""Helpers for checking arguments and for the errors that report a wrong one."""

from __future__ import annotations

from operator import index as as_index

_LONGEST_BITS = 1024  # of an int in a message


def type_name(value: object) -> str:
    """Return the name of the type of `value`, for functions with a parameter called `type`."""
    return type(value).__name__


def shown_number(number: float) -> str:
    """Return the number, or the size of an int that is too long for a message.

    Python refuses to convert an int of thousands of digits, with a ValueError of its own.
    """
    if isinstance(number, int) and number.bit_length() > _LONGEST_BITS:
        return f"{'a negative' if number < 0 else 'an'} int of {number.bit_length()} bits"
    return str(number)


def shown_value(value: object) -> str:
    """Return the type of a value and the beginning of its repr, if that works."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - the type is shown instead
        return type(value).__name__
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '…'}"


def already_initialized(self: object) -> TypeError:
    """Return the error for a second call of the object's `__init__`."""
    return TypeError(f"this {type(self).__name__} was made already: make another one")


def checked_index(name: str, value: object) -> int:
    """Return the argument `name` as an int; TypeError if it has no `__index__`."""
    try:
        return as_index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be an int, not {type(value).__name__}") from None


def checked_bool(name: str, value: object) -> bool:
    """Return the argument `name`; TypeError if it is no bool. For what allows something.

    Any other value is refused: the str "no" would count as true.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be a bool, not {type(value).__name__}")
    return value
