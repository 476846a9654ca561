"""Spread work over processes: a compiled Module can be pickled.

Each worker makes an instance of the module that it was sent, and counts primes in its range.
"""

from concurrent.futures import ProcessPoolExecutor

import wamr

PRIMES = """
(module
  (func $is_prime (param $n i32) (result i32) (local $d i32)
    (local.set $d (i32.const 2))
    (loop $next
      (if (i32.gt_u (i32.mul (local.get $d) (local.get $d)) (local.get $n))
        (then (return (i32.gt_u (local.get $n) (i32.const 1)))))
      (if (i32.eqz (i32.rem_u (local.get $n) (local.get $d))) (then (return (i32.const 0))))
      (local.set $d (i32.add (local.get $d) (i32.const 1)))
      (br $next))
    unreachable)
  (func (export "count") (param $from i32) (param $to i32) (result i32) (local $found i32)
    (loop $next
      (local.set $found (i32.add (local.get $found) (call $is_prime (local.get $from))))
      (local.set $from (i32.add (local.get $from) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $from) (local.get $to))))
    (local.get $found)))
"""

workers: dict[str, wamr.Func] = {}


# Runs once in each worker. Modules can be sent; instances can't, as they live in a store.
def start(module: wamr.Module) -> None:
    workers["count"] = wamr.Instance(wamr.Store(), module).exports.count


def count(first: int) -> int:
    return workers["count"](first, first + 25_000)


def main() -> None:
    # Compiled once, here: a worker needs neither the text nor the extra `wat`. A store has the
    # default engine, as those of the workers do.
    module = wamr.Module(wamr.Store(), PRIMES)
    starts = range(0, 100_000, 25_000)
    with ProcessPoolExecutor(2, initializer=start, initargs=(module,)) as pool:
        found = list(pool.map(count, starts))
    for first, number in zip(starts, found, strict=True):
        print(f"{first:>6} to {first + 25_000:>6}: {number} primes")
    print("all:", sum(found))


# Workers that are not forked import this file again.
if __name__ == "__main__":
    main()
