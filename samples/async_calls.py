"""Call WebAssembly from asyncio: in parallel, with timeouts, cancelled for real.

`call_async` runs a call in a thread, so the event loop goes on; cancelling stops the wasm code.
"""

import asyncio

import wamr

MODULE = """
(module
  (func (export "sum") (param $n i64) (result i64) (local $sum i64)
    (loop $next
      (local.set $sum (i64.add (local.get $sum) (local.get $n)))
      (local.set $n (i64.sub (local.get $n) (i64.const 1)))
      (br_if $next (i64.ne (local.get $n) (i64.const 0))))
    (local.get $sum))
  (func (export "spin") (loop $on (br $on))))
"""


async def main() -> None:
    store = wamr.Store()
    module = wamr.Module(store, MODULE)

    # Instances that are not linked run at the same time, each in a thread of its own.
    workers = [wamr.Instance(store, module).exports for _ in range(4)]
    calls = [worker.sum.call_async(100_000 * at) for at, worker in enumerate(workers, 1)]
    print("sums:", await asyncio.gather(*calls))

    # The loop is free while wasm code runs.
    spin = workers[0].spin
    task = asyncio.create_task(spin.call_async())
    ticks = 0
    while ticks < 5:
        await asyncio.sleep(0.01)
        ticks += 1
    print("ticks while it spins:", ticks, "- done:", task.done())

    # Cancelling the task stops the code: the instance can be called again.
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled; the next call:", await workers[0].sum.call_async(10))

    # So does a timeout, that of asyncio as well as that of the call.
    try:
        await asyncio.wait_for(spin.call_async(), 0.05)
    except asyncio.TimeoutError:
        print("asyncio's timeout")
    try:
        await spin.call_async(timeout=0.05)
    except wamr.TimeoutTrap as trap:
        print("the call's timeout:", trap.message)


asyncio.run(main())
