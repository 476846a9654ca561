"""The local index serves the files that pip asks for, and no other file of the machine."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools" / "release"))

import index


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "files"
    made.mkdir()
    with zipfile.ZipFile(made / "small_one-1.0-py3-none-any.whl", "w") as wheel:
        info = "small_one-1.0.dist-info"
        wheel.writestr("small_one.py", "answer = 42\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: small-one\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    (made / "other-2.0.tar.gz").write_bytes(b"x")
    (made / "notes.txt").write_text("not served")
    (tmp_path / "secret.whl").write_text("not served either")
    return made


@pytest.fixture
def url(folder: Path) -> Iterator[str]:
    with index.server(folder, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def get(url: str) -> bytes:
    with urllib.request.urlopen(url) as answer:
        return bytes(answer.read())


def test_it_lists_projects_and_files_with_hashes(folder: Path, url: str) -> None:
    assert b'<a href="/simple/small-one/">' in get(f"{url}/simple/")
    wheel = folder / "small_one-1.0-py3-none-any.whl"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    page = get(f"{url}/simple/small-one/").decode()
    assert f'href="/files/{wheel.name}#sha256={digest}"' in page
    assert get(f"{url}/files/{wheel.name}") == wheel.read_bytes()
    assert b"other-2.0.tar.gz" in get(f"{url}/simple/other/")


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/simple/none/", "/simple/small_one/x", "/files/", "/files/../secret.whl"),
        *("/files/%2e%2e/secret.whl", "/files//etc/passwd", "/files/none.whl", "/secret.whl"),
    ],
)
def test_it_serves_nothing_else(url: str, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        get(url + path)
    caught.value.close()


def test_pip_installs_from_it(url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--target", str(tmp_path / "there")]
    options = ["--isolated", "--no-cache-dir", "--index-url", f"{url}/simple/"]
    done = subprocess.run(
        [*command, *options, "Small.One"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "there" / "small_one.py").read_text() == "answer = 42\n"
