"""Link two modules: they share memory, a table and functions, and call each other directly.

A library keeps words and calls a hook for each; an application gives it the words and the hook.
"""

import wamr

LIBRARY = """
(module
  (memory (export "memory") 1)
  (table (export "hooks") 4 funcref)
  (global $end (export "end") (mut i32) (i32.const 0))
  (type $hook (func (param i32) (result i32)))
  (func (export "push") (param $byte i32)
    (i32.store8 (global.get $end) (local.get $byte))
    (global.set $end (i32.add (global.get $end) (i32.const 1))))
  (func (export "map") (param $hook i32) (local $at i32)
    (loop $next
      (i32.store8 (local.get $at)
        (call_indirect (type $hook) (i32.load8_u (local.get $at)) (local.get $hook)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (global.get $end))))))
"""

APPLICATION = """
(module
  (import "lib" "memory" (memory 1))
  (import "lib" "hooks" (table 4 funcref))
  (import "lib" "end" (global $end (mut i32)))
  (import "lib" "push" (func $push (param i32)))
  (import "lib" "map" (func $map (param i32)))
  (func $upper (param i32) (result i32) (i32.and (local.get 0) (i32.const 0xdf)))
  (elem (i32.const 1) $upper)
  (func (export "say")
    (call $push (i32.const 0x77)) (call $push (i32.const 0x61)) (call $push (i32.const 0x73))
    (i32.store8 (global.get $end) (i32.const 0x6d))
    (global.set $end (i32.add (global.get $end) (i32.const 1))))
  (func (export "shout") (call $map (i32.const 1))))
"""

store = wamr.Store()
library = wamr.Instance(store, wamr.Module(store, LIBRARY))

# An instance stands for all that it exports. Nothing is copied: both have the same memory, table
# and global, and $push and $map are called without Python in between.
app = wamr.Instance(store, wamr.Module(store, APPLICATION), {"lib": library})
memory, end, hooks = (library.exports[name] for name in ("memory", "end", "hooks"))

app.exports.say()
print("the application wrote:", memory[0 : end.value])

app.exports.shout()
print("the library called $upper:", memory[0 : end.value])

# The host is the third party: it sees the application's function in the table and adds its own.
print("in the table:", [None if hook is None else hook(ord("a")) for hook in hooks])
hooks[2] = wamr.Func(store, wamr.FuncType.parse("(i32) -> i32"), lambda byte: byte + 1)
library.exports.map(2)
print("the library called Python:", memory[0 : end.value])

# A Linker keeps definitions for many instances, and modules whose imports it lacks are refused.
linker = wamr.Linker(store)
linker.define_instance("lib", library)
again = linker.instantiate(wamr.Module(store, APPLICATION))
again.exports.say()
print("a second application:", memory[0 : end.value])
try:
    linker.instantiate(wamr.Module(store, '(module (import "lib" "push" (func (param f64))))'))
except wamr.LinkError as error:
    print("LinkError:", error)
