"""The one call for the common case."""

from __future__ import annotations

from .instance import Instance
from .module import Module
from .store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .aliases import Imports, Source
    from .limits import ResourceLimits
    from .wasi import WasiConfig


def load(
    source: Source,
    imports: Imports | None = None,
    *,
    wasi: WasiConfig | None = None,
    limits: ResourceLimits | None = None,
) -> Instance:
    """Compile and instantiate in a store of its own.

    source: a path, the bytes of a module, or module text (needs the `wat` extra). imports, wasi,
    limits: as for `Instance`. Raises what `Module` and `Instance` raise.

    >>> import wamr
    >>> inst = wamr.load('(module (func (export "answer") (result i32) (i32.const 42)))')
    >>> inst.exports.answer()
    42
    """
    store = Store()
    return Instance(store, Module(store, source), imports, wasi=wasi, limits=limits)
