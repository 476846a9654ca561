"""Pass strings in both directions: UTF-8 in the module's memory, with a size or a zero at the end.

The module stands for a library of C: it has `malloc` and `free`, and knows bytes only.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import wamr

LIBRARY = """
(module
  (import "host" "log" (func $log (param $text i32) (param $size i32)))
  (memory (export "memory") 1)
  (global $free (mut i32) (i32.const 1024))
  (func (export "malloc") (param $size i32) (result i32)
    (global.get $free) (global.set $free (i32.add (global.get $free) (local.get $size))))
  (func (export "free") (param $text i32) (global.set $free (local.get $text)))
  (data (i32.const 16) "strings 1.0\\00")
  (func (export "version") (result i32) (i32.const 16))
  (func $turn (export "turn") (param $text i32) (param $size i32) (local $end i32) (local $kept i32)
    (local.set $end (i32.add (local.get $text) (local.get $size)))
    (block $done (loop $next
      (local.set $end (i32.sub (local.get $end) (i32.const 1)))
      (br_if $done (i32.ge_s (local.get $text) (local.get $end)))
      (local.set $kept (i32.load8_u (local.get $text)))
      (i32.store8 (local.get $text) (i32.load8_u (local.get $end)))
      (i32.store8 (local.get $end) (local.get $kept))
      (local.set $text (i32.add (local.get $text) (i32.const 1)))
      (br $next))))
  (func (export "say") (param $text i32) (param $size i32)
    (call $log (local.get $text) (local.get $size))
    (call $log (i32.const 65530) (i32.const 100))))
"""

store = wamr.Store()


def log(caller: wamr.Instance, offset: int, size: int) -> None:
    """Print a string of the module: `read` refuses a range that is not within its memory."""
    print("it says:", caller.exports.memory.read(offset, size).decode(errors="replace"))


host = {"log": wamr.Func(store, None, log, access_caller=True)}
exports = wamr.Instance(store, wamr.Module(store, LIBRARY), {"host": host}).exports
memory = exports.memory


@contextmanager
def placed(text: str) -> Iterator[tuple[int, int]]:
    """Put a string into the memory; give its offset and its size in bytes."""
    data = text.encode()
    offset = exports.malloc(len(data))
    try:
        memory.write(offset, data)
        yield offset, len(data)
    finally:
        exports.free(offset)


def zero_terminated(offset: int, most: int = 1000) -> str:
    """Read a string of C; a missing zero is an error, and no endless search."""
    return memory[offset : offset + memory[offset : offset + most].index(0)].decode()


print("version:", zero_terminated(exports.version()))
with placed("stressed") as (offset, size):
    exports.turn(offset, size)
    print("turned:", memory.read(offset, size).decode())

# A size is in bytes, and a character has up to four: code that turns bytes breaks characters.
with placed("Öl") as (offset, size):
    exports.turn(offset, size)
    print(f"{size} bytes:", memory.read(offset, size).decode(errors="replace"))

try:
    with placed("grüße, 世界") as text:
        exports.say(*text)
except IndexError as error:
    print("IndexError:", error)
