"""Serves a folder of sdists and wheels as an index, so that pip installs them as it will from PyPI.

    python tools/release/index.py build/release 8000
    pip install --index-url http://127.0.0.1:8000/simple/ wamr

The pages are those of PEP 503, with hashes. Dependencies have to be in the folder, too:
`pip download --dest build/release cffi` puts them there.
"""

from __future__ import annotations

import argparse
import hashlib
import html
import http.server
import re
from collections import defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote


def normalized(name: str) -> str:
    """Return the name of a project as the pages have it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def projects(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each project in a folder."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        if path.name.endswith((".whl", ".tar.gz")):
            name = (
                path.name.split("-")[0] if path.suffix == ".whl" else path.name.rpartition("-")[0]
            )
            found[normalized(name)].append(path)
    return dict(found)


def page(folder: Path, path: str) -> str | None:
    """Return the page of a path such as /simple/ or /simple/wamr/, or None."""
    known = projects(folder)
    if path == "/simple/":
        links = [f'<a href="/simple/{name}/">{name}</a>' for name in known]
    elif (found := re.fullmatch(r"/simple/([^/]+)/", path)) and found[1] in known:
        links = [_link(file) for file in known[found[1]]]
    else:
        return None
    return "<!DOCTYPE html>\n<html><body>\n" + "<br>\n".join(links) + "\n</body></html>\n"


def _link(file: Path) -> str:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return f'<a href="/files/{quote(file.name)}#sha256={digest}">{html.escape(file.name)}</a>'


def server(folder: Path, port: int) -> http.server.ThreadingHTTPServer:
    """Return a server of the index on this machine; port 0 takes a free one."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            file = folder / unquote(path.removeprefix("/files/"))
            if path.startswith("/files/") and file.parent == folder and file.is_file():
                self._send(200, "application/octet-stream", file.read_bytes())
            elif (text := page(folder, path)) is not None:
                self._send(200, "text/html; charset=utf-8", text.encode())
            else:
                self._send(404, "text/plain", b"not found\n")

        def _send(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *values: Any) -> None:  # noqa: A002
            pass

    return http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    given = parser.parse_args()
    with server(given.folder.resolve(), given.port) as serving:
        print(f"http://127.0.0.1:{serving.server_address[1]}/simple/", flush=True)
        serving.serve_forever()


if __name__ == "__main__":
    main()
