"""Pass Python objects to a module, which keeps them without access to their contents.

An externref is any Python object. The module below is a small cache of whatever Python gives it.
"""

import weakref

import wamr

MODULE = """
(module
  (import "env" "made" (func $made (param externref) (result externref)))
  (table $kept (export "kept") 4 externref)
  (global $last (export "last") (mut externref) (ref.null extern))
  (func (export "keep") (param $at i32) (param $what externref)
    (global.set $last (local.get $what))
    (table.set $kept (local.get $at) (local.get $what)))
  (func (export "fetch") (param $at i32) (result externref) (table.get $kept (local.get $at)))
  (func (export "make") (param $at i32) (param $from externref)
    (table.set $kept (local.get $at) (call $made (local.get $from))))
  (func (export "is_free") (param $at i32) (result i32)
    (ref.is_null (table.get $kept (local.get $at)))))
"""


class Picture:
    def __init__(self, name: str) -> None:
        self.name = name


# Callbacks get and return the objects themselves.
inst = wamr.load(MODULE, {"env": {"made": lambda name: Picture(name.upper())}})
exports = inst.exports

# The result is the same object, not a copy.
cat = Picture("cat")
exports.keep(0, cat)
print("the same object:", exports.fetch(0) is cat)

# Any object will do, and None is the null reference.
exports.make(1, "dog")
exports.keep(2, [1, 2, 3])
print("made by a callback:", exports.fetch(1).name)
print("a list:", exports.fetch(2))
print("free:", [bool(exports.is_free(at)) for at in range(4)])

# Tables and globals of references are open to the host, too.
exports.kept[3] = {"set by": "the host"}
print("set by the host:", exports.fetch(3))
print("the last one:", exports.last.value)

# An object lives as long as the module can reach it. Objects that it dropped go when many have
# piled up, or at once with Store.gc().
watch = weakref.ref(cat)
del cat
inst.store.gc()
print("kept by the module:", watch() is not None)
exports.keep(0, None)
inst.store.gc()
print("let go:", watch() is None)
