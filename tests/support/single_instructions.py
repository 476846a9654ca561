"""Module text of functions with one instruction each, whose values are ints and bytes.

Floats are passed as the integers of their bits, so that conversions can't change them.
"""

from __future__ import annotations

_INTEGERS = {"f32": "i32", "f64": "i64"}


def function(export: str, instruction: str, params: tuple[str, ...], result: str) -> str:
    """Return a function that applies an instruction, with its immediates, to its parameters."""
    operands = " ".join(_parameter(i, type_) for i, type_ in enumerate(params))
    outer = " ".join(_INTEGERS.get(type_, type_) for type_ in params)
    body = f"({instruction} {operands})"
    if result in _INTEGERS:
        body = f"({_INTEGERS[result]}.reinterpret_{result} {body})"
    result = f"(result {_INTEGERS.get(result, result)})" if result else ""
    return f'(func (export "{export}") (param {outer}) {result} {body})'


def _parameter(index: int, type_: str) -> str:
    value = f"(local.get {index})"
    return f"({type_}.reinterpret_{_INTEGERS[type_]} {value})" if type_ in _INTEGERS else value


def signed(type_: str, value: object) -> object:
    """Return an unsigned int as the signed one that calls take and return."""
    bits = {"i32": 32, "f32": 32, "i64": 64, "f64": 64}.get(type_)
    if bits is None or not isinstance(value, int):
        return value
    return value - (1 << bits) if value >> bits - 1 else value
