"""`load`: from source to instance in one call."""

from __future__ import annotations

from .instance import Instance
from .module import Module
from .store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._base.aliases import Source
    from .._base.wasi import WasiBase
    from .import_aliases import Imports
    from .limits import ResourceLimits


def load(
    source: Source | Module,
    imports: Imports | None = None,
    *,
    wasi: WasiBase | None = None,
    limits: ResourceLimits | None = None,
) -> Instance:
    """Compile a module and make an instance of it, in a new store.

    source: a path, the bytes of a module, module text (needs the `wat` extra), or a Module, whose
    engine the store uses then. imports, wasi, limits: as in `Instance`.
    Raises what `Module` and `Instance` raise. C: `wasm_module_new`, `wasm_instance_new`.

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
