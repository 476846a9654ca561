"""Load a module and call what it exports: the smallest useful program.

A module may be a path, bytes, or text as here (`pip install "wamr[wat]"`).
"""

import wamr

GREETER = """
(module
  (memory (export "memory") 1)
  (data (i32.const 0) "Hello from WebAssembly!")
  (func (export "greeting") (result i32 i32) (i32.const 0) (i32.const 23))
  (func (export "add") (param i32 i32) (result i32)
    (i32.add (local.get 0) (local.get 1))))
"""

# One call compiles the module and makes an instance of it.
inst = wamr.load(GREETER)

# Exports are attributes. A function takes and returns Python numbers.
print("2 + 3 =", inst.exports.add(2, 3))

# Several results are a tuple. Text is bytes in the module's memory: an offset and a size.
offset, size = inst.exports.greeting()
print(inst.exports.memory.read(offset, size).decode())

# An instance's exports are a mapping, in the module's order.
for name, item in inst.exports.items():
    print(f"{name}: {item.type}")
