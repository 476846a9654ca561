"""Codes of the WebAssembly binary format. Spec: chapter 5.

Our C describes imports, exports and signatures with the same codes (src/native/include/wpy.h).
No other file has bare numbers for them.
"""

from __future__ import annotations

MAGIC = b"\0asm"
VERSION = b"\1\0\0\0"
AOT_MAGIC = b"\0aot"  # WAMR's format of compiled code
HEADER_BYTES = 8

# Value types (section 5.3.1 to 5.3.4)
I32, I64, F32, F64, V128 = 0x7F, 0x7E, 0x7D, 0x7C, 0x7B
FUNCREF, EXTERNREF, EXNREF = 0x70, 0x6F, 0x69
VALUE_TYPES = {
    I32: "i32",
    I64: "i64",
    F32: "f32",
    F64: "f64",
    V128: "v128",
    EXTERNREF: "externref",
    FUNCREF: "funcref",
    EXNREF: "exnref",
}
NUMBERS = bytes([I32, I64, F32, F64])

# 32-bit slots that a value takes on WAMR's stack and in a packed call; every other type takes one.
CELLS = {I64: 2, F64: 2, V128: 4}

# Kinds of imports and exports (sections 5.5.5 and 5.5.10)
FUNCTION, TABLE, MEMORY, GLOBAL, TAG = range(5)

# Flags in our C's descriptions of imports and exports
MUTABLE, HAS_MAX = 1, 2

# Ids of sections (section 5.5.2)
CUSTOM_SECTION, EXPORT_SECTION, CODE_SECTION = 0, 7, 10

# Ids of the subsections of the name section (appendix 7.4.1)
MODULE_NAME, FUNCTION_NAMES = 0, 1
