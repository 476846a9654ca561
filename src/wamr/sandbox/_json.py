"""JSON between a host and code that it doesn't trust.

Values of the host are checked when they are encoded, so that a mistake is found where it was made.
What comes from an interpreter is decoded within bounds: whatever it gets, `decode` raises no
exception but MessageError.
"""

from __future__ import annotations

import json
import math
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_DEPTH = 100
_MAX_DIGITS = 4300  # as int() has it: more take quadratic time
# Matches each number that is too long, or too large for a float, and perhaps text in strings.
_SUSPICIOUS = re.compile(rb"[0-9]{200}|[eE]\+?[0-9]{3}")
_CONTAINERS = (dict, list, tuple)


class MessageError(Exception):
    """A message of an interpreter is not JSON, or is JSON that the host rejects."""


def encode(value: object) -> bytes:
    """Return a value as JSON in UTF-8. Raises TypeError, ValueError."""
    try:
        text = json.dumps(
            value,
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
            default=_refuse,
        )
        data = text.encode()
    except UnicodeEncodeError:
        raise ValueError("a str with a lone surrogate is not JSON") from None
    except RecursionError:
        raise ValueError("it is nested too deeply for JSON") from None
    _check(value, MAX_DEPTH)
    return data


def _refuse(value: object) -> None:
    # json would read `__class__`, which may raise any exception, as proxies do.
    raise TypeError(f"{type(value).__name__} is not a type of JSON")


def _check(value: object, depth: int) -> None:
    """Raise TypeError for a key that isn't a str, ValueError for too deep a value."""
    if depth < 0:
        raise ValueError(f"it is nested too deeply for JSON, more than {MAX_DEPTH} levels")
    items: Any = value
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"keys must be str for JSON, not {type(key).__name__}")
        items = value.values()
    elif not isinstance(value, (list, tuple)):
        return
    for item in items:
        if isinstance(item, _CONTAINERS):
            _check(item, depth - 1)


def decode(data: bytes) -> dict[str, Any]:
    """Return the object in a message of an interpreter. Raises MessageError."""
    decoder = _careful if _SUSPICIOUS.search(data) else _decoder
    try:
        value = decoder.decode(data.decode())
    except (ValueError, RecursionError) as error:
        raise MessageError(f"it is not JSON: {type(error).__name__}") from None
    if not isinstance(value, dict):
        raise MessageError("it is not an object")
    try:
        _check(value, MAX_DEPTH + 3)
        if b"\\u" in data:
            json.dumps(value, ensure_ascii=False).encode()
    except ValueError:
        raise MessageError("it is nested too deeply, or has a lone surrogate") from None
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object has a key twice")
    return value


def _constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > _MAX_DIGITS:
        raise MessageError("a number is too long")
    return int(digits)


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise MessageError("a number is too large")
    return value


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
_careful = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_float
)
