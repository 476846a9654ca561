"""Let Python's exceptions pass through WebAssembly, and stop it from a callback.

What a callback raises ends the wasm code and comes out of the call as the same object.
"""

import traceback

import wamr

MODULE = """
(module
  (import "env" "lookup" (func $lookup (param i32) (result i32)))
  (func $inner (param i32) (result i32) (call $lookup (local.get 0)))
  (func (export "run") (param i32) (result i32)
    (i32.add (call $inner (local.get 0)) (i32.const 1))))
"""

PRICES = {1: 250, 2: 999, 3: "free"}


class OutOfStockError(Exception):
    def __init__(self, item: int) -> None:
        super().__init__(f"item {item} is out of stock")
        self.item = item


def lookup(item: int) -> int:
    if item == 0:
        # A host function may raise a trap itself, for a fault of the wasm code.
        raise wamr.Trap("item 0 is reserved")
    if item not in PRICES:
        raise OutOfStockError(item)
    return PRICES[item]


run = wamr.load(MODULE, {"env": {"lookup": lookup}}).exports.run
print("item 1:", run(1))

# The exception has its own class and attributes, and the traceback that leads into the callback.
try:
    run(7)
except OutOfStockError as error:
    last = traceback.extract_tb(error.__traceback__)[-1]
    print(f"item 7: {error} (raised in {last.name}, item={error.item})")

# A callback that returns what its type doesn't allow is a TypeError, which names the function.
try:
    run(3)
except TypeError as error:
    print("item 3:", error)

# A Trap raised by a callback gains the wasm calls that led to it.
try:
    run(0)
except wamr.Trap as trap:
    print("item 0:", trap.message, "-", trap.code.name, "-", len(trap.frames), "wasm frames")

# None of this harmed the instance.
print("item 2:", run(2))


# A callback may call wasm code itself, and catch the traps of that call.
def careful(item: int) -> int:
    try:
        return run(item)
    except OutOfStockError:
        return -1


outer = wamr.load(MODULE, {"env": {"lookup": careful}}).exports.run
print("through two instances:", outer(2), outer(8))
