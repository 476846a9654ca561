"""Installed as `wasmtime` where wasmtime has no package; has only the parser of module text.

The parser runs on the machine that proves: wat_server.py, behind the socket WAMR_WAT_SOCKET.
"""

from __future__ import annotations

import os
import socket
import struct


class WasmtimeError(Exception):
    """The text is no module."""


def wat2wasm(text: str | bytes) -> bytearray:
    data = text.encode() if isinstance(text, str) else text
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(os.environ["WAMR_WAT_SOCKET"])
        server.sendall(struct.pack("<I", len(data)) + data)
        with server.makefile("rb") as answer:
            converted, size = struct.unpack("<BI", answer.read(5))
            answered = answer.read(size)
    if not converted:
        raise WasmtimeError(answered.decode())
    return bytearray(answered)
