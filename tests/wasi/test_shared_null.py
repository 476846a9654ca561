"""The null device of standard streams without a descriptor, which all instances share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from wasm_fixtures import BADF, WasiFunctions, descriptors, in_process

pytestmark = [
    pytest.mark.usefixtures("wat"),
    pytest.mark.skipif(os.name == "nt", reason="about descriptors of POSIX"),
]


def test_instances_have_no_descriptors_of_their_own():
    before = descriptors()
    written: list[bytes] = []
    all_wasi = [
        WasiFunctions(stdin=lambda _: b"in", stdout=written.append, stderr=None),
        *[WasiFunctions() for _ in range(50)],
    ]
    assert descriptors() == before
    assert all_wasi[0].read(0) == b"in"
    assert all_wasi[0].write(1, b"out") == all_wasi[0].write(2, b"err") == 0
    assert written == [b"out"]
    for wasi in all_wasi:
        wasi.instance.close()
    assert descriptors() == before


@pytest.mark.parametrize("fd", [0, 1, 2])
def test_a_program_that_closes_a_stream_closes_it_for_itself_only(fd):
    written: list[Any] = []
    for _ in range(2):
        one = WasiFunctions(stdin=b"1", stdout=written.append)
        two = WasiFunctions(stdin=b"2", stdout=written.append)
        assert one.fd_close(fd) == 0
        assert one.fd_close(fd) == BADF
        assert (two.read(0), two.write(1, b"x"), two.write(2, b"y")) == (b"2", 0, 0)
        one.instance.close()
        assert (two.read(0), two.write(1, b"z")) == (b"", 0)
        two.instance.close()
    assert written == [b"x", b"z"] * 2


def test_a_program_that_renumbers_its_streams_changes_no_other():
    written: list[bytes] = []
    one = WasiFunctions(
        stdin=b"1", stdout=written.append, stderr=lambda data: written.append(data * 2)
    )
    two = WasiFunctions(stdout=written.append)
    assert one.fd_renumber(1, 2) == 0
    assert one.write(2, b"a") == 0
    assert one.fd_renumber(0, 2) == 0
    assert one.read(2) == b"1"
    assert one.write(1, b"b") == BADF
    assert (two.write(1, b"c"), two.write(2, b"d"), two.read(0)) == (0, 0, b"")
    assert written == [b"a", b"c"]
    assert WasiFunctions().write(1, b"e") == 0


def test_streams_and_flags_are_as_before(tmp_path: Path):
    wasi = WasiFunctions()
    for fd in (0, 1, 2):
        assert wasi.filetype(fd) == 0
        assert wasi.fd_fdstat_set_flags(fd, 4) != 0
        assert wasi.fd_filestat_set_size(fd, 0) != 0
    assert wasi.read(0) == b""


def test_whoever_closes_all_descriptors_gets_new_ones():
    in_process(
        """
        import tempfile
        def check():
            written = []
            wasi = WasiFunctions(stdin=b"in", stdout=written.append)
            assert wasi.read(0) == b"in"
            assert wasi.write(1, b"out") == wasi.write(2, b"dropped") == 0
            assert written == [b"out"]
            assert [wasi.filetype(fd) for fd in range(3)] == [0, 0, 0]
        check()
        child = os.fork()
        os.closerange(3, 1000)
        files = [os.open(f"/tmp/null{os.getpid()}-{i}", os.O_RDWR | os.O_CREAT) for i in range(20)]
        check()
        assert [os.fstat(file).st_size for file in files] == [0] * 20
        for i in range(20):
            os.unlink(f"/tmp/null{os.getpid()}-{i}")
        if not child:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        """
    )


def test_each_stream_has_a_number_of_its_own_whatever_was_opened_meanwhile():
    # A new descriptor gets the lowest number, so one stream may get what another one had.
    in_process(
        """
        for count in range(8):
            WasiFunctions()
            os.closerange(3, 1000)
            files = [os.open(os.curdir, os.O_RDONLY) for _ in range(count)]
            out, err = [], []
            wasi = WasiFunctions(stdin=b"in", stdout=out.append, stderr=err.append)
            assert wasi.write(2, b"err") == wasi.write(1, b"out") == 0, count
            assert (wasi.read(0), out, err) == (b"in", [b"out"], [b"err"]), count
            assert len(os.listdir("/dev/fd")) == 7 + count, count
        """
    )


def test_threads_that_begin_at_once():
    in_process(
        """
        import threading
        barrier, errors = threading.Barrier(8), []
        def work():
            barrier.wait()
            for _ in range(20):
                wasi = WasiFunctions(stdin=b"in")
                if wasi.read(0) != b"in" or wasi.write(2, b"x"):
                    errors.append(wasi)
        for _ in range(20):
            WasiFunctions()
            os.closerange(3, 1000)
            threads = [threading.Thread(target=work) for _ in range(8)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            assert not errors, errors
            assert len(os.listdir("/dev/fd")) == 7
        """
    )


def test_a_process_without_descriptors_for_it(tmp_path: Path):
    in_process(
        """
        import resource
        module = wamr.Module(wamr.Engine(), program(""))
        config = wamr.WasiConfig()
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 1000))
        try:
            wamr.Instance(wamr.Store(module.engine), module, wasi=config)
        except OSError as error:
            assert "Too many open files" in str(error), error
        else:
            raise AssertionError
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 1000))
        wamr.Instance(wamr.Store(module.engine), module, wasi=config)
        """
    )
