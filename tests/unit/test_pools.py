"""The pool of freed memories is bounded, zeroed at once, and released when memory is short."""

import subprocess
import sys
import textwrap

import pytest
from bounds import SANITIZED
from mutants import leb
from platforms import keeps_memories, needs_address_limit

pytestmark = [
    keeps_memories,
    needs_address_limit,
    pytest.mark.skipif(
        not sys.platform.startswith("linux"), reason="looks at its own memory in /proc"
    ),
    pytest.mark.skipif(
        SANITIZED,
        reason="AddressSanitizer has memory of its own",
    ),
]

BEGIN = """
import gc, resource, wamr
from wamr import Limits, MemoryLimitError, Store, Table, TableType, ValType
from wamr._backend.binding import ffi, lib

GIB = 1 << 30
MODULE = wamr.Module(wamr.Engine(), '(module (memory (export "m") 1))')

def reserved():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()

def made(count):
    return [wamr.Instance(Store(MODULE.engine), MODULE) for _ in range(count)]

def address(instance):
    return int(ffi.cast("uintptr_t", lib.wpy_memory_data(instance.exports.m._c)))
"""


@pytest.fixture
def script(wat):
    def run(code):
        done = subprocess.run(
            [sys.executable, "-c", BEGIN + textwrap.dedent(code)],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_what_a_freed_memory_held_is_gone_from_the_process(script):
    out = script(
        """
        instance, = made(1)
        instance.exports.m[100:106] = b"secret"
        at = address(instance)
        def there():
            with open("/proc/self/mem", "rb") as file:
                file.seek(at + 100)
                return file.read(6)
        print(there())
        del instance
        print(there())  # it is kept, so its address is still one
        again, = made(1)
        print(address(again) == at, again.exports.m[100:106])
        """
    )
    assert out.splitlines() == ["b'secret'", repr(bytes(6)), f"True {bytes(6)!r}"]


def test_only_so_many_are_kept(script):
    out = script(
        """
        before = reserved()
        instances = made(200)
        most = reserved()
        instances.clear()
        print((most - before) // GIB, (reserved() - before) // GIB)
        """
    )
    most, kept = map(int, out.split())
    assert 800 <= most < 801
    assert 256 <= kept < 257  # 64 of 4 GiB each


def test_one_that_has_grown_is_not_kept(script):
    out = script(
        """
        before = reserved()
        instance, = made(1)
        instance.exports.m.grow(4)
        del instance
        print((reserved() - before) // GIB)
        """
    )
    assert out.split() == ["0"]


# A module with one large passive data segment, up to the bytes of the segment.
DATA = 64 << 20
SEGMENT = b"\0asm\1\0\0\0\x0b" + leb(DATA + 6) + b"\1\1" + leb(DATA)
FULL_POOL = """
made(64)
full = reserved()
resource.setrlimit(resource.RLIMIT_AS, (full, full))  # no more than there is
"""


def test_what_is_kept_makes_room_for_a_table(script):
    out = script(
        FULL_POOL
        + """
table = Table(Store(MODULE.engine), TableType(ValType.FUNCREF, Limits(5_000_000, 5_000_000)))
print(len(table), (full - reserved()) // GIB)
"""
    )
    length, given_back = map(int, out.split())
    assert length == 5_000_000
    assert given_back >= 255


def test_what_is_kept_makes_room_for_a_module(script):
    out = script(
        f"""
data = bytes({DATA})
binary = {SEGMENT!r} + data
"""
        + FULL_POOL
        + """
module = wamr.Module(MODULE.engine, binary)
print((full - reserved()) // GIB)
"""
    )
    assert int(out) >= 255


def test_where_nothing_is_kept_there_is_no_more_room(script):
    out = script(
        """
        resource.setrlimit(resource.RLIMIT_AS, (reserved(), reserved()))
        try:
            Table(Store(MODULE.engine), TableType(ValType.FUNCREF, Limits(5_000_000, 5_000_000)))
        except MemoryLimitError as error:
            print("refused")
        """
    )
    assert out.split() == ["refused"]


@pytest.mark.slow
def test_threads_share_little_address_space(script):
    """While a thread finds out how much there is, no other thread is refused memory."""
    out = script(
        """
        import sys, threading
        sys.setswitchinterval(1e-6)
        refused, most = [], resource.getrlimit(resource.RLIMIT_AS)

        def work(ready):
            store = Store(MODULE.engine)
            ready.wait()
            for _ in range(1500):
                try:
                    wamr.Memory(store, wamr.MemoryType(wamr.Limits(1)))
                except MemoryLimitError as error:
                    refused.append(str(error))

        for mib in 8, 32, 128:
            ready = threading.Barrier(9)
            threads = [threading.Thread(target=work, args=(ready,)) for _ in range(8)]
            for thread in threads:
                thread.start()
            resource.setrlimit(resource.RLIMIT_AS, (reserved() + (mib << 20), most[1]))
            ready.wait()
            for thread in threads:
                thread.join()
            resource.setrlimit(resource.RLIMIT_AS, most)
        print(len(refused), refused[:1])
        """
    )
    assert out == "0 []\n"
