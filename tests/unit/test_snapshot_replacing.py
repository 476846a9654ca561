"""Files of snapshots that are saved while other processes have the old ones open."""

from __future__ import annotations

import sys
import threading

import pytest
from platforms import needs_windows
from snapshots import state_instance

from wamr import Snapshot
from wamr._runtime import snapshot_key

pytestmark = pytest.mark.usefixtures("wat")


@pytest.fixture
def path(tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("LOCALAPPDATA", str(cache))
    if sys.platform == "darwin":
        monkeypatch.setattr(snapshot_key.sys, "platform", "linux")
    return tmp_path / "snapshot"


def test_a_file_that_is_being_read_is_replaced_when_it_is_closed(path):
    """On Windows, whoever replaces a file waits for its readers."""
    instance = state_instance()
    snapshot = instance.snapshot()
    snapshot.save(path)
    reading = path.open("rb")
    closing = threading.Timer(0.1, reading.close)
    closing.start()
    before = path.stat().st_ino, path.stat().st_mtime_ns
    snapshot.save(path)
    closing.join()
    assert (path.stat().st_ino, path.stat().st_mtime_ns) != before
    Snapshot.load(path, instance.module).close()
    assert [each.name for each in path.parent.iterdir() if each.is_file()] == [path.name]


@needs_windows
def test_a_file_that_stays_open_is_not_replaced(path):
    instance = state_instance()
    snapshot = instance.snapshot()
    snapshot.save(path)
    before = path.read_bytes()
    with path.open("rb"), pytest.raises(PermissionError) as caught:
        snapshot.save(path)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir() if each.is_file()] == [path.name]
