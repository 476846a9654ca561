"""`async def` host functions: wasm code that waits for the event loop, and occupies no thread.

The code calls `fetch` as any import. `call_async` suspends it until the coroutine has a result.
"""

import asyncio
import threading

import wamr

MODULE = """
(module
  (import "env" "fetch" (func $fetch (param i32) (result i32)))
  (func (export "sum") (param $n i32) (result i32) (local $sum i32)
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (call $fetch (local.get $n))))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func (export "spin") (loop $on (br $on))))
"""
PRICES = {1: 250, 2: 300, 3: 75}


async def fetch(item: int) -> int:
    """Ask a slow service for a price."""
    await asyncio.sleep(0.01)
    if item not in PRICES:
        raise LookupError(f"there is no item {item}")
    return PRICES[item]


async def main() -> None:
    store = wamr.Store()
    module = wamr.Module(store, MODULE)

    def new() -> wamr.Exports:
        return wamr.Instance(store, module, {"env": {"fetch": fetch}}).exports

    # In a thread of the executor, or in slices of 5 ms in the thread of the loop.
    print("in the executor:", await new().sum.call_async(3))
    print("in slices:", await new().sum.call_async(3, slice=0.005))

    # Hundreds of calls wait at once, in no thread.
    before = threading.active_count()
    calls = [asyncio.create_task(new().sum.call_async(3, slice=0.005)) for _ in range(300)]
    await asyncio.sleep(0)
    print("threads for 300 calls:", threading.active_count() - before)
    print("their results:", set(await asyncio.gather(*calls)))

    # Exceptions pass through the wasm code; timeouts bound what is awaited, too.
    try:
        await new().sum.call_async(4)
    except LookupError as error:
        print("LookupError:", error)
    try:
        await new().sum.call_async(3, timeout=0.02)
    except wamr.TimeoutTrap as trap:
        print("TimeoutTrap:", trap.message)

    # Code that never waits shares the loop, slice by slice.
    spinning = asyncio.create_task(new().spin.call_async(slice=0.001))
    print("beside an endless loop:", await new().sum.call_async(2, slice=0.001))
    spinning.cancel()

    # A plain call can't wait.
    try:
        new().sum(1)
    except RuntimeError as error:
        print("RuntimeError:", error)


asyncio.run(main())
