"""The C API: every function of wasm_c_api.h under its own name, for programs ported from C.

    >>> from wamr.ffi import *
    >>> engine = wasm_engine_new()
    >>> store = wasm_store_new(engine)
    >>> wasm_store_delete(store)
    >>> wasm_engine_delete(engine)

Results of C are returned unchanged: NULL (which is false, and equal to `ffi.NULL`), false, a trap.
Mistakes in Python raise exceptions: TypeError and OverflowError for wrong arguments, ReferenceError
for objects that were deleted or handed over, ValueError where C would crash. docs/c-api.md has the
rules, and what WAMR can't do.

The functions are generated from the header (codegen/wrappers.py). This module combines them with
the constants, `ffi`, `lib` and the helpers of wamr/_capi. The object API uses the same runtime, but
shares no objects with the C API.
"""

from ._backend.binding import ffi as ffi  # noqa: PLC0414
from ._backend.binding import lib as lib  # noqa: PLC0414
from ._capi import helpers as _helpers
from ._capi import texts as _texts
from ._capi._generated import *  # noqa: F403
from ._capi._generated import DECLARED as _DECLARED
from ._capi._generated import LISTS as _LISTS
from ._capi.arguments import integer as _integer
from ._capi.helpers import *  # noqa: F403
from ._capi.modules import wasm_trust_aot as wasm_trust_aot  # noqa: PLC0414
from ._capi.texts import *  # noqa: F403

TYPE_CHECKING = False


def KILOBYTE(n: int) -> int:  # noqa: N802
    """Return `n` * 1024, as the macro of C does. Raises TypeError."""
    return _integer(n, "KILOBYTE", "n") * 1024


# HELPERS are ours; the other names are the header's. Type checkers can't evaluate these lists: for
# them, `from wamr.ffi import *` imports what is imported above.
if not TYPE_CHECKING:
    HELPERS = ["KILOBYTE", "wasm_trust_aot", *_helpers.__all__, *_texts.__all__, *_LISTS]
    __all__ = ["ffi", "lib", *HELPERS, *_DECLARED]  # noqa: PLE0604
