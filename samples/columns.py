"""Work on columns of pyarrow and pandas in a module's memory: no byte of a column is copied.

The module is a filter that converts and counts; `pip install "wamr[data]"` brings the packages.
"""

import numpy as np
import pandas as pd
import pyarrow as pa

import wamr

MODULE = """
(module
  (memory (export "memory") 1 1024)
  (func (export "reserve") (param $pages i32) (result i32)
    (i32.mul (memory.grow (local.get $pages)) (i32.const 65536)))
  (func (export "to_celsius") (param $at i32) (param $count i32) (result i32) (local $frost i32)
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get $count)))
      (f64.store (local.get $at) (f64.div
        (f64.sub (f64.load (local.get $at)) (f64.const 32)) (f64.const 1.8)))
      (local.set $frost (i32.add (local.get $frost)
        (f64.lt (f64.load (local.get $at)) (f64.const 0))))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br $next)))
    (local.get $frost)))
"""

inst = wamr.load(MODULE, limits=wamr.ResourceLimits(memory_bytes=64 << 20, timeout=10))
exports, memory = inst.exports, inst.exports.memory

ROWS = 500_000
size = 8 * ROWS
at = exports.reserve(-(-size // 65_536))
place = memory.view(at, size)

# Three objects show the same bytes. Data from a file or a socket are written here once.
numbers = np.frombuffer(place, np.float64)
arrow = pa.Array.from_buffers(pa.float64(), ROWS, [None, pa.py_buffer(place)])
frame = pd.DataFrame({"temperature": numbers}, copy=False)
numbers[:] = np.linspace(-4, 104, ROWS)

address = numbers.ctypes.data
print("pyarrow has the same bytes:", arrow.buffers()[1].address == address)
print("pandas has the same bytes:", np.shares_memory(frame["temperature"].to_numpy(), numbers))
print("in Fahrenheit:", frame["temperature"].iloc[[0, -1]].tolist())

allocated = pa.total_allocated_bytes()
print("below zero:", exports.to_celsius(at, ROWS))
print("in Celsius:", [arrow[0].as_py(), arrow[-1].as_py()])
print(f"pandas: mean {frame['temperature'].mean():.3f}, max {frame['temperature'].max():.1f}")
print("allocated by pyarrow meanwhile:", pa.total_allocated_bytes() - allocated)

# Batches of a table: each row range is an offset. Nothing is sliced out of the memory either.
numbers[:] = 212.0
table = pa.table({"temperature": arrow})
for start in range(0, ROWS, 200_000):
    rows = min(200_000, ROWS - start)
    exports.to_celsius(at + 8 * start, rows)
    print(f"rows {start} to {start + rows}:", table["temperature"][start].as_py())
