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
answer. docs/c-api.md tells the rules, and what WAMR can't do.

The functions are generated from the header (codegen/wrappers.py); this module puts them
together with the constants, `ffi`, `lib` and the helpers of wamr/_api. It shares the runtime
with the classes, but no objects.
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
    """As the macro of C."""
    return _integer(n, "KILOBYTE", "n") * 1024


# What is ours; the rest is the header's. Type checkers, which can't follow lists that are computed,
# take from the imports above what `from wamr.ffi import *` gives.
if not TYPE_CHECKING:
    HELPERS = ["KILOBYTE", "wasm_trust_aot", *_helpers.__all__, *_texts.__all__, *_LISTS]
    __all__ = ["ffi", "lib", *HELPERS, *_DECLARED]  # noqa: PLE0604
