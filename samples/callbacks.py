"""Give a module Python functions to call.

The module walks over numbers and asks its host about each; it also speaks, through its memory.
"""

import wamr

MODULE = """
(module
  (import "env" "wanted" (func $wanted (param i32) (result i32)))
  (import "env" "divmod" (func $divmod (param i32 i32) (result i32 i32)))
  (import "env" "scale" (func $scale (param i64 f64) (result f64)))
  (import "env" "print" (func $print (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "counting...")
  (func (export "count") (param $n i32) (result i32) (local $found i32)
    (call $print (i32.const 16) (i32.const 11))
    (loop $next
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (local.set $found (i32.add (local.get $found) (call $wanted (local.get $n))))
      (br_if $next (local.get $n)))
    (local.get $found))
  (func (export "split") (param i32) (result i32 i32)
    (call $divmod (local.get 0) (i32.const 60)))
  (func (export "scaled") (param i64) (result f64)
    (call $scale (local.get 0) (f64.const 0.5))))
"""

store = wamr.Store()


# A plain function is enough: its type is that of the import. Results are checked on the way in.
def wanted(number: int) -> bool:
    return number % 7 == 0


# To know the type before a module asks for it, make a Func. It reads the annotations: int is i32,
# float is f64, and wamr.i64, wamr.f32, wamr.v128, wamr.externref are the rest.
def scale(value: wamr.i64, factor: float) -> float:
    return value * factor


# With access_caller the first argument is the instance that calls, and with it its memory.
def show(caller: wamr.Instance, offset: int, size: int) -> None:
    print("wasm says:", caller.exports.memory.read(offset, size).decode())


scaler = wamr.Func(store, None, scale)
print("the type of scale:", scaler.type)

module = wamr.Module(store, MODULE)
imports = {
    "wanted": wanted,
    "divmod": divmod,  # anything callable; a tuple is several results
    "scale": scaler,
    "print": wamr.Func(store, None, show, access_caller=True),
}
exports = wamr.Instance(store, module, {"env": imports}).exports

print("multiples of seven below 100:", exports.count(100))
print("200 minutes:", exports.split(200))
print("half of 2**40 + 1:", exports.scaled(2**40 + 1))
