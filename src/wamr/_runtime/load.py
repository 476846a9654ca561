"""The one call for the common case."""

from __future__ import annotations

from .instance import Instance
from .module import Module
from .store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._base.aliases import Source
    from .import_aliases import Imports
    from .imports import WasiBase
    from .limits import ResourceLimits


def load(
    source: Source | Module,
    imports: Imports | None = None,
    *,
    wasi: WasiBase | None = None,
    limits: ResourceLimits | None = None,
) -> Instance:
    """Compile and instantiate in a store of its own.

    source: a path, the bytes of a module, module text (needs the `wat` extra), or a Module, which
    is not compiled again: the store is of its engine. imports, wasi, limits: as for `Instance`.
    Raises what `Module` and `Instance` raise.

    >>> import wamr
    >>> inst = wamr.load('(module (func (export "answer") (result i32) (i32.const 42)))')
    >>> inst.exports.answer()
    42
    """
    if isinstance(source, Module):
        module, store = source, Store(source.engine)
    else:
        store = Store()
        module = Module(store, source)
    return Instance(store, module, imports, wasi=wasi, limits=limits)
