"""Limit what WebAssembly may use: time, steps, stack; and stop it from another thread.

After each of these the instance can be called again.
"""

import threading

import wamr

MODULE = """
(module
  (func (export "spin") (loop $on (br $on)))
  (func (export "count") (param $n i32) (result i32)
    (loop $next
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $next (local.get $n)))
    (local.get $n))
  (func $deep (export "deep") (param $n i32) (result i32)
    (if (result i32) (local.get $n)
      (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get $n) (i32.const 1)))))
      (else (i32.const 0)))))
"""

store = wamr.Store()
module = wamr.Module(store, MODULE)

# A call can have a timeout of its own.
inst = wamr.Instance(store, module)
try:
    inst.exports.spin.call(timeout=0.05)
except TimeoutError as error:  # a wamr.TimeoutTrap is one
    print("time:", str(error).splitlines()[0])

# Fuel counts branches and calls: the same code needs the same amount on every machine.
print("enough fuel:", inst.exports.count.call(1000, fuel=10_000))
try:
    inst.exports.count.call(1000, fuel=100)
except wamr.FuelTrap as trap:
    print("too little:", trap.message)

# Limits of an instance hold for all its calls: the timeout for each, the fuel for its whole life.
inst = wamr.Instance(store, module, limits=wamr.ResourceLimits(fuel=5000, timeout=10))
inst.exports.count(1000)
used = 5000 - inst.fuel
inst.exports.count(1000)
print("each call uses the same:", 5000 - inst.fuel == 2 * used)
try:
    inst.exports.spin()
except wamr.FuelTrap:
    print("fuel left:", inst.fuel)
inst.fuel = 5000  # a refill
print("refilled:", inst.exports.count(1000))

# A store can have limits for all its instances. A small stack makes recursion end early.
small = wamr.Store(limits=wamr.ResourceLimits(stack_bytes=16 * 1024))
inst = wamr.Instance(small, module)
print("not so deep:", inst.exports.deep(20))
try:
    inst.exports.deep(100_000)
except RecursionError as error:  # a wamr.StackOverflowTrap is one
    print("too deep:", str(error).splitlines()[0])

# Any thread may stop running code; so does Ctrl-C.
timer = threading.Timer(0.5, inst.interrupt)
timer.start()
try:
    inst.exports.spin()
except wamr.Trap as trap:
    print("stopped from a thread:", trap.code.name)
timer.join()
