"""Offsets: the positions of a trap's frames in the bytes of their module.

A raw frame has an offset in the interpreter's code. C translates it by loading the module again
(src/native/runtime/offsets.c). That takes as long as loading, so it is done when an offset is read
for the first time, for all frames of the trap in the same module.
"""

from __future__ import annotations

from .._backend.binding import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .module import Module

    Offsets = tuple[int | None, int | None]

_UNKNOWN = 0xFFFFFFFF


class OffsetResolver:
    """Resolves the offsets of one trap's frames in one module, all of them at once."""

    __slots__ = ("_module", "_offsets", "_positions")

    def __init__(self, module: Module) -> None:
        self._module = module
        self._positions: set[tuple[int, int]] = set()
        self._offsets: dict[tuple[int, int], Offsets] | None = None

    def resolver_for(self, function: int, compiled: int) -> Callable[[], Offsets]:
        """Return a function that returns a frame's offsets in the function body and in the module.

        function: its index. compiled: the offset in the interpreter's code; 0: unknown.
        """
        position = (function, compiled)
        if compiled:
            self._positions.add(position)

        def resolve() -> Offsets:
            if not compiled:
                return None, None
            if self._offsets is None:
                self._offsets = self._resolve()
            return self._offsets.get(position, (None, None))

        return resolve

    def _resolve(self) -> dict[tuple[int, int], Offsets]:
        positions = sorted(self._positions)
        imported = self._module._imported_functions()
        array = ffi.new("wpy_location[]", len(positions))
        for item, (function, compiled) in zip(array, positions, strict=True):
            item.function, item.compiled = function - imported, compiled
        data = self._module.serialize()
        if not lib.wpy_resolve_offsets(ffi.from_buffer(data), len(data), array, len(positions)):
            return {}
        bodies = self._module._bodies({item.function for item in array})
        return {
            position: (item.offset - bodies[item.function], item.offset)
            for position, item in zip(positions, array, strict=True)
            if item.offset != _UNKNOWN
        }
