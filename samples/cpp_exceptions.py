"""Let C++ exceptions pass through Python, and catch them there.

This compiles cpp/shop.cpp with `ziglang` from PyPI (`pip install ziglang`). The first time takes a
minute, since Zig compiles its C library, too.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import wamr

try:
    import ziglang
except ImportError:
    raise SystemExit(f"ziglang is not installed.\n{__doc__}") from None

SOURCES = Path(__file__).with_name("cpp")
LIBRARIES = Path(ziglang.__file__).with_name("lib")
INCLUDES = ("", "libcxx/src", "libcxxabi/include", "libcxxabi/src", "libunwind/include")
FLAGS = ("-std=c++23", "-O1", "-g0", "-w", *(f"-I{LIBRARIES / name}" for name in INCLUDES))
EXCEPTIONS = ("-mcpu=generic+exception_handling+multivalue+reference_types", "-fwasm-exceptions")
EXCEPTIONS += ("-mllvm", "-wasm-use-legacy-eh=false")


def zig(*arguments: str) -> None:
    command = [sys.executable, "-m", "ziglang", "c++", "-target", "wasm32-wasi", *arguments]
    subprocess.run(command, check=True)


def compiled(*names: str) -> bytes:
    with TemporaryDirectory() as folder:
        for name in names:
            zig(*FLAGS, *EXCEPTIONS, "-c", str(SOURCES / name), "-o", f"{folder}/{name}.o")
        objects = [f"{folder}/{name}.o" for name in names]
        zig("-O1", "-g0", "-mexec-model=reactor", "-nostdlib++", *objects, "-o", f"{folder}/shop")
        return Path(folder, "shop").read_bytes()


def price(item: int) -> int:
    """Return a price: a host function, which calls C++ in turn."""
    if item == 0:
        raise ValueError("item 0 has no price")
    shop.check(item)  # may throw, and then the C++ exception passes through this function
    return 100 * item


def text(address: int) -> str:
    end = address
    while shop.memory[end]:
        end += 1
    return shop.memory[address:end].decode()


module = compiled("shop.cpp", "exceptions_runtime.cpp")
shop = wamr.load(module, {"env": {"price": price}}, wasi=wamr.WasiConfig()).exports
print("two of item 3:", shop.total(3, 2))

# Thrown by C++, passed on by Python, caught by C++; the destructor of `Reservation` has run.
print("two of item 7:", shop.total_or_missing(7, 2), "- reservations:", shop.reservations())

# Not caught by C++, an exception comes to Python. Its value is the address of the C++ object.
try:
    shop.total(8, 1)
except wamr.WasmException as error:
    print(type(error).__name__, error.tag.type, "-", text(shop.describe(error.values[0])))
print("reservations:", shop.reservations())

# C++ can't catch Python's own exceptions: they pass through it, and no destructor runs.
try:
    shop.total_or_missing(0, 1)
except ValueError as error:
    print("ValueError:", error, "- reservations:", shop.reservations())
