"""Files of snapshots that may be code: the key of a user, and what is not trusted."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from snapshots import (
    ASKS,
    copy_of,
    finish,
    reason_of,
    state_instance,
    suspended,
    with_digest,
)

from wamr import Program, Snapshot
from wamr._runtime import snapshot_file, snapshot_key

pytestmark = pytest.mark.usefixtures("wat")

HEADER = snapshot_file._HEADER
SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Give each test a cache directory, and so a key, of its own."""
    directory = tmp_path / "cache"
    directory.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_CACHE_HOME", str(directory))
    monkeypatch.setenv("LOCALAPPDATA", str(directory))
    if sys.platform == "darwin":
        monkeypatch.setattr(snapshot_key.sys, "platform", "linux")
    return directory


@pytest.fixture
def path(tmp_path):
    return tmp_path / "snapshot"


def test_a_file_with_a_suspended_call_is_code_that_only_its_user_loads(path, cache):
    instance, execution = suspended()
    Snapshot(instance, execution).save(path)
    module = instance.module
    Snapshot.load(path, module)
    key = cache / "wamr" / "snapshot-key"
    key.write_bytes(bytes(32))
    reason, text = reason_of(Snapshot.load, path, module)
    assert reason == "untrusted"
    assert (
        "may be anybody's: this user has not saved it on this machine. trusted=True loads" in text
    )
    made, copied = Snapshot.load(path, module, trusted=True).instantiate(imports=ASKS)
    assert finish(copied, 1) == 8
    key.write_bytes(b"short")
    assert reason_of(Snapshot.load, path, module)[0] == "untrusted"
    key.unlink()
    assert reason_of(Snapshot.load, path, module)[0] == "untrusted"
    made.close()


@pytest.mark.parametrize("trusted", [None, 1, "no"])
def test_trust_is_a_bool(path, trusted):
    instance, execution = suspended()
    Snapshot(instance, execution).save(path)
    for load in (Snapshot.load, Program.load):
        with pytest.raises(
            TypeError, match=f"trusted must be a bool, not {type(trusted).__name__}"
        ):
            load(path, instance.module, trusted=trusted)


def test_a_file_without_a_suspended_call_needs_no_trust(path, cache):
    instance = state_instance()
    instance.snapshot().save(path)
    (cache / "wamr" / "snapshot-key").unlink()
    path.chmod(0o666)
    copy_of(Snapshot.load(path, instance.module))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
@pytest.mark.parametrize(
    ("what", "mode"),
    [("file", 0o620), ("file", 0o602), ("key", 0o640), ("key", 0o604), ("directory", 0o777)],
)
def test_what_others_could_have_written_or_read_is_not_trusted(path, cache, what, mode):
    instance, execution = suspended()
    Snapshot(instance, execution).save(path)
    key = cache / "wamr" / "snapshot-key"
    {"file": path, "key": key, "directory": key.parent}[what].chmod(mode)
    assert reason_of(Snapshot.load, path, instance.module)[0] == "untrusted"
    Snapshot.load(path, instance.module, trusted=True)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="there are no user ids")
def test_what_belongs_to_another_user_is_not_trusted(path, monkeypatch):
    instance, execution = suspended()
    Snapshot(instance, execution).save(path)
    monkeypatch.setattr(os, "getuid", lambda: path.stat().st_uid + 1)
    assert reason_of(Snapshot.load, path, instance.module)[0] == "untrusted"


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no symbolic links")
def test_a_key_that_is_a_symbolic_link_is_not_used(path, cache, tmp_path):
    instance, execution = suspended()
    Snapshot(instance, execution).save(path)
    key = cache / "wamr" / "snapshot-key"
    key.rename(tmp_path / "elsewhere")
    key.symlink_to(tmp_path / "elsewhere")
    assert reason_of(Snapshot.load, path, instance.module)[0] == "untrusted"


def test_without_a_place_for_a_key_a_file_is_saved_and_not_trusted(path, cache, monkeypatch):
    path.parent.joinpath("file").write_bytes(b"")
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(path.parent / "file"))
    instance, execution = suspended()
    Snapshot(instance, execution).save(path)
    assert reason_of(Snapshot.load, path, instance.module)[0] == "untrusted"
    Snapshot.load(path, instance.module, trusted=True)
    assert list(cache.iterdir()) == []


def test_a_forged_mac_or_contents_with_an_old_mac_are_not_trusted(path):
    instance, execution = suspended()
    Snapshot(instance, execution).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-32] + bytes(32))
    path.chmod(0o600)
    assert reason_of(Snapshot.load, path, instance.module)[0] == "untrusted"
    contents = bytearray(whole[:-64])
    contents[-1] ^= 1
    path.write_bytes(with_digest(bytes(contents))[:-32] + whole[-32:])
    assert reason_of(Snapshot.load, path, instance.module)[0] == "untrusted"
