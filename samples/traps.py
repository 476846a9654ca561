"""Find out why and where WebAssembly stopped.

A trap is an exception with a code, the words of the specification, and the wasm call stack.
"""

import wamr

MODULE = """
(module $calc
  (memory 1)
  (table 2 funcref)
  (func $divide (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func $mean (param i32 i32) (result i32) (call $divide (local.get 0) (local.get 1)))
  (func (export "mean") (param i32 i32) (result i32) (call $mean (local.get 0) (local.get 1)))
  (func (export "peek") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "call") (param i32) (call_indirect (local.get 0)))
  (func (export "truncate") (param f64) (result i32) (i32.trunc_f64_s (local.get 0)))
  (func $forever (export "forever") (call $forever))
  (func (export "give_up") unreachable))
"""

exports = wamr.load(MODULE).exports
print("mean:", exports.mean(10, 4))

# str(trap) is what a log needs: the reason and, below it, the calls.
try:
    exports.mean(10, 0)
except wamr.Trap as trap:
    print(trap)
    # For programs, the frames have the same.
    print("innermost:", trap.frames[0].func_name, "of", trap.frames[0].module_name)

# The trap's code tells the reasons apart.
attempts = {
    "peek": (70_000,),
    "call": (5,),
    "truncate": (1e10,),
    "give_up": (),
}
for name, arguments in attempts.items():
    try:
        exports[name](*arguments)
    except wamr.Trap as trap:
        print(f"{name}: {trap.code.name}: {trap.message}")

# Every trap is a RuntimeError; some are what Python would raise, too: this one a RecursionError.
try:
    exports.forever()
except wamr.StackOverflowTrap as trap:
    print(f"forever: {type(trap).__name__} after more than 100 calls: {len(trap.frames) > 100}")

# After a trap the instance can be called again. What the code had written is still there.
print("mean again:", exports.mean(9, 3))
