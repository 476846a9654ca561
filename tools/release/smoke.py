"""Uses an installed wamr in each of its main ways: a test of wheels that needs no other package.

python -I tools/release/smoke.py        # prints one line; an exception means no
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import wamr
import wamr.ffi


def module(*sections: str) -> bytes:
    """Return a module of sections in hexadecimal digits."""
    return bytes.fromhex("0061736d01000000" + "".join(sections))


# (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
ADD = module(
    "0107 01 60027f7f017f", "0302 01 00", "0707 01 03616464 00 00", "0a09 01 07 00 20002001 6a 0b"
)
# (import "m" "f" (func)) (memory (export "m") 1) (func (export "g") (call 0))
# (func (export "u") unreachable)
CALLS = module(
    *("0104 01 600000", "0207 01 016d 0166 00 00", "0303 02 00 00", "0503 01 00 01"),
    *("070d 03 016d 02 00 0167 00 01 0175 00 02", "0a0a 02 04 00 1000 0b 03 00 00 0b"),
)
# A WASI program that does nothing: (memory (export "memory") 1) (func (export "_start"))
PROGRAM = module(
    *("0104 01 600000", "0302 01 00", "0503 01 00 01"),
    *("0713 02 066d656d6f7279 02 00 065f7374617274 00 00", "0a04 01 02 00 0b"),
)


def raises(expected: type[BaseException], call: Any, *arguments: object) -> BaseException:
    """Return the exception that a call raises."""
    try:
        call(*arguments)
    except expected as error:
        return error
    raise AssertionError(f"{call} raised no {expected.__name__}")


def main() -> None:
    exports = wamr.load(ADD).exports
    assert exports.add(2, 3) == 5
    assert exports.add(2**31 - 1, 1) == -(2**31)
    raises(TypeError, exports.add, 2, None)

    mistake = KeyError("mine")

    def fails() -> None:
        raise mistake

    exports = wamr.load(CALLS, {"m": {"f": fails}}).exports
    assert raises(KeyError, exports.g) is mistake
    raises(wamr.Trap, exports.u)
    exports.m.write(8, b"data")
    assert bytes(exports.m[8:12]) == b"data"
    raises(wamr.CompileError, wamr.load, b"\0asm nonsense")

    assert wamr.run([wamr.Module(wamr.Engine(), PROGRAM)]).returncode == 0
    command = [sys.executable, "-m", "wamr", "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert wamr.__version__ in said, said
    print(f"wamr {wamr.__version__} works, {sys.implementation.name} {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
