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


def module(*sections: tuple[int, bytes]) -> bytes:
    """Return a module of these sections; each is its id and its content, of up to 127 bytes."""
    parts = [b"\0asm\1\0\0\0"]
    for code, body in sections:
        parts.append(bytes([code, len(body)]) + body)
    return b"".join(parts)
