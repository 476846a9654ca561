# Types of wamr/ffi.py, whose `__all__` is made at run time, where type checkers do not follow.

from ._backend.binding import ffi as ffi
from ._backend.binding import lib as lib
from ._capi._generated import *  # noqa: F403
from ._capi.helpers import (
    WASM_ARRAY_VEC as WASM_ARRAY_VEC,
)
from ._capi.helpers import (
    WASM_EMPTY_VEC as WASM_EMPTY_VEC,
)
from ._capi.helpers import (
    WASM_F32_VAL as WASM_F32_VAL,
)
from ._capi.helpers import (
    WASM_F64_VAL as WASM_F64_VAL,
)
from ._capi.helpers import (
    WASM_FUNCREF_VAL as WASM_FUNCREF_VAL,
)
from ._capi.helpers import (
    WASM_I32_VAL as WASM_I32_VAL,
)
from ._capi.helpers import (
    WASM_I64_VAL as WASM_I64_VAL,
)
from ._capi.helpers import (
    WASM_INIT_VAL as WASM_INIT_VAL,
)
from ._capi.helpers import (
    WASM_REF_VAL as WASM_REF_VAL,
)
from ._capi.helpers import (
    load_module_file as load_module_file,
)
from ._capi.helpers import (
    wasm_byte_vec_from_bytes as wasm_byte_vec_from_bytes,
)
from ._capi.helpers import (
    wasm_byte_vec_to_bytes as wasm_byte_vec_to_bytes,
)
from ._capi.helpers import (
    wasm_finalizer as wasm_finalizer,
)
from ._capi.helpers import (
    wasm_func_callback as wasm_func_callback,
)
from ._capi.helpers import (
    wasm_func_callback_with_env as wasm_func_callback_with_env,
)
from ._capi.helpers import (
    wasm_memory_buffer as wasm_memory_buffer,
)
from ._capi.helpers import (
    wasm_module_load_error as wasm_module_load_error,
)
from ._capi.helpers import (
    wasm_name_from_str as wasm_name_from_str,
)
from ._capi.helpers import (
    wasm_name_to_str as wasm_name_to_str,
)
from ._capi.helpers import (
    wasm_trap_exception as wasm_trap_exception,
)
from ._capi.helpers import (
    wasm_trap_to_str as wasm_trap_to_str,
)
from ._capi.helpers import (
    wasm_val_value as wasm_val_value,
)
from ._capi.helpers import (
    wasm_val_vec_from_values as wasm_val_vec_from_values,
)
from ._capi.helpers import (
    wasm_val_vec_to_values as wasm_val_vec_to_values,
)
from ._capi.modules import wasm_trust_aot as wasm_trust_aot
from ._capi.texts import (
    wasm_byte_vec_same as wasm_byte_vec_same,
)
from ._capi.texts import (
    wasm_exporttype_same as wasm_exporttype_same,
)
from ._capi.texts import (
    wasm_externtype_same as wasm_externtype_same,
)
from ._capi.texts import (
    wasm_functype_same as wasm_functype_same,
)
from ._capi.texts import (
    wasm_globaltype_same as wasm_globaltype_same,
)
from ._capi.texts import (
    wasm_importtype_same as wasm_importtype_same,
)
from ._capi.texts import (
    wasm_limits_same as wasm_limits_same,
)
from ._capi.texts import (
    wasm_memorytype_same as wasm_memorytype_same,
)
from ._capi.texts import (
    wasm_repr as wasm_repr,
)
from ._capi.texts import (
    wasm_tabletype_same as wasm_tabletype_same,
)
from ._capi.texts import (
    wasm_val_same as wasm_val_same,
)
from ._capi.texts import (
    wasm_valtype_same as wasm_valtype_same,
)

HELPERS: list[str]

def KILOBYTE(n: int) -> int: ...  # noqa: N802
