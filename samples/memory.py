"""Share memory with a module: bytes, structures, and NumPy arrays without a copy.

The module brightens an image that Python put into its memory.
"""

import struct

import wamr

MODULE = """
(module
  (memory (export "memory") 1 4)
  (func (export "brighten") (param $at i32) (param $size i32) (param $by i32) (local $value i32)
    (loop $next
      (local.set $size (i32.sub (local.get $size) (i32.const 1)))
      (local.set $value (i32.add (local.get $by)
        (i32.load8_u (i32.add (local.get $at) (local.get $size)))))
      (i32.store8 (i32.add (local.get $at) (local.get $size))
        (select (i32.const 255) (local.get $value) (i32.gt_u (local.get $value) (i32.const 255))))
      (br_if $next (local.get $size))))
  (func (export "average") (param $at i32) (result f64)
    (f64.div (f64.add (f64.load (local.get $at)) (f64.load offset=8 (local.get $at)))
      (f64.const 2))))
"""

exports = wamr.load(MODULE).exports
memory = exports.memory
print(f"{memory.pages} page, {len(memory)} bytes")

# Slices read and write as those of a bytearray. read and write insist on their bounds.
memory[0:4] = bytes([0, 100, 200, 250])
exports.brighten(0, 4, 50)
print("brightened:", list(memory[0:4]))
try:
    memory.read(65_530, 10)
except IndexError as error:
    print("IndexError:", error)

# A view is the memory itself. struct, sockets and files take it as it is.
struct.pack_into("<dd", memory.view(), 64, 1.5, 4.0)
print("average:", exports.average(64))

# It can have another format than bytes, and stays valid when the memory grows.
numbers = memory.view(64, 16, format="d")
memory.grow(1)
numbers[0] = 10.0
print("average after growing:", exports.average(64), f"({memory.pages} pages)")

# Past the maximum is a MemoryError.
try:
    memory.grow(10)
except MemoryError as error:
    print(f"{type(error).__name__}:", error)

# NumPy makes an array of a view, which is the memory, too: no byte is copied in either direction.
try:
    import numpy as np
except ImportError:
    print("NumPy is not installed")
else:
    image = np.frombuffer(memory.view(1024, 12), np.uint8).reshape(3, 4)
    image[:] = np.arange(12).reshape(3, 4) * 20
    exports.brighten(1024, image.size, 60)
    print(image)
