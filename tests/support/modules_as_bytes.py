"""Modules from the bytes of their sections, and the error of a refused module."""

from __future__ import annotations

import pytest

from wamr import CompileError, Engine, Module


def refusal(data: bytes) -> str:
    """Return the text of the CompileError for a module."""
    with pytest.raises(CompileError) as caught:
        Module(Engine(), data)
    text = str(caught.value)
    assert "\n" not in text
    return text


def leb(number: int) -> bytes:
    """Return an unsigned LEB128 number."""
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def module(*sections: tuple[int, bytes]) -> bytes:
    """Return a module of these sections; each is its id and its content."""
    parts = [b"\0asm\1\0\0\0"]
    for code, body in sections:
        parts.append(bytes([code]) + leb(len(body)) + body)
    return b"".join(parts)
