"""The procedural API: every function of wasm_c_api.h under its own name, for programs ported from
C.

    >>> from wamr.ffi import *
    >>> engine = wasm_engine_new()
    >>> store = wasm_store_new(engine)
    >>> wasm_store_delete(store)
    >>> wasm_engine_delete(engine)

What C answers comes back unchanged: NULL (which is falsy, and equal to `ffi.NULL`), false, a
trap. Python raises for mistakes on its own side: TypeError and OverflowError for arguments,
ReferenceError for what is deleted or given away, ValueError where C would crash and has no
answer. docs/procedural.md tells the rules, and what WAMR can't do.

The functions are generated from the header (codegen/wrappers.py); this module puts them
together with the constants, `ffi`, `lib` and the helpers of wamr/_api. It shares the runtime
with the classes, but no objects.
"""

from ._api.arguments import integer
from ._api.helpers import (
    WASM_ARRAY_VEC,
    WASM_EMPTY_VEC,
    WASM_F32_VAL,
    WASM_F64_VAL,
    WASM_FUNCREF_VAL,
    WASM_I32_VAL,
    WASM_I64_VAL,
    WASM_INIT_VAL,
    WASM_REF_VAL,
    load_module_file,
    wasm_byte_vec_from_bytes,
    wasm_byte_vec_to_bytes,
    wasm_finalizer,
    wasm_func_callback,
    wasm_func_callback_with_env,
    wasm_memory_buffer,
    wasm_module_load_error,
    wasm_name_from_str,
    wasm_name_to_str,
    wasm_trap_exception,
    wasm_trap_to_str,
    wasm_val_value,
    wasm_val_vec_from_values,
    wasm_val_vec_to_values,
)
from ._api.modules import wasm_trust_aot
from ._api.texts import (
    wasm_byte_vec_same,
    wasm_exporttype_same,
    wasm_externtype_same,
    wasm_functype_same,
    wasm_globaltype_same,
    wasm_importtype_same,
    wasm_limits_same,
    wasm_memorytype_same,
    wasm_repr,
    wasm_tabletype_same,
    wasm_val_same,
    wasm_valtype_same,
)
from ._binding import ffi, lib
from ._procedural import *  # noqa: F403
from ._procedural import DECLARED as _DECLARED
from ._procedural import LISTS as _LISTS


def KILOBYTE(n: int) -> int:  # noqa: N802
    """As the macro of C."""
    return integer(n, "KILOBYTE", "n") * 1024


# The helpers; what follows is the header's.
__all__ = [
    "KILOBYTE",
    "WASM_ARRAY_VEC",
    "WASM_EMPTY_VEC",
    "WASM_F32_VAL",
    "WASM_F64_VAL",
    "WASM_FUNCREF_VAL",
    "WASM_I32_VAL",
    "WASM_I64_VAL",
    "WASM_INIT_VAL",
    "WASM_REF_VAL",
    "load_module_file",
    "wasm_byte_vec_from_bytes",
    "wasm_byte_vec_same",
    "wasm_byte_vec_to_bytes",
    "wasm_exporttype_same",
    "wasm_externtype_same",
    "wasm_finalizer",
    "wasm_func_callback",
    "wasm_func_callback_with_env",
    "wasm_functype_same",
    "wasm_globaltype_same",
    "wasm_importtype_same",
    "wasm_limits_same",
    "wasm_memory_buffer",
    "wasm_memorytype_same",
    "wasm_module_load_error",
    "wasm_name_from_str",
    "wasm_name_to_str",
    "wasm_repr",
    "wasm_tabletype_same",
    "wasm_trap_exception",
    "wasm_trap_to_str",
    "wasm_trust_aot",
    "wasm_val_same",
    "wasm_val_value",
    "wasm_val_vec_from_values",
    "wasm_val_vec_to_values",
    "wasm_valtype_same",
]
HELPERS = [*__all__, *_LISTS]
__all__ += ["ffi", "lib", *_LISTS, *_DECLARED]  # noqa: PLE0604
