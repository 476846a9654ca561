"""Converts module text for processes that have no wasmtime, through a Unix socket.

A request is a 4-byte length and the text. The answer is a byte (1: bytes of a module, 0: the text
of an error), a 4-byte length and the data. wasmtime_socket.py is the other side.
"""

from __future__ import annotations

import socketserver
import struct
import sys
from pathlib import Path

import wasmtime


class Request(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        (size,) = struct.unpack("<I", self.rfile.read(4))
        text = self.rfile.read(size).decode()
        try:
            converted, data = 1, bytes(wasmtime.wat2wasm(text))
        except wasmtime.WasmtimeError as error:
            converted, data = 0, str(error).encode()
        self.wfile.write(struct.pack("<BI", converted, len(data)) + data)


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


if __name__ == "__main__":
    Path(sys.argv[1]).unlink(missing_ok=True)
    with Server(sys.argv[1], Request) as server:
        server.serve_forever()
