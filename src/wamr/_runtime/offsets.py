"""Where the frames of a trap are in the bytes of their module.

The interpreter does not know; C finds out by loading the module once more
(src/native/runtime/offsets.c). That takes as long as loading, so it is done only when an offset is
looked at, and then for all frames of the trap that are of the same module.
"""

from __future__ import annotations

from .._backend.binding import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .module import Module

    Offsets = tuple[int | None, int | None]

_UNKNOWN = 0xFFFFFFFF


class Locator:
    """Finds the places of one trap's frames in one module."""

    __slots__ = ("_found", "_module", "_places")

    def __init__(self, module: Module) -> None:
        self._module = module
        self._places: set[tuple[int, int]] = set()
        self._found: dict[tuple[int, int], Offsets] | None = None

    def asked(self, function: int, compiled: int) -> Callable[[], Offsets]:
        """Return what tells a frame's offsets, in its function's body and in the module."""
        place = (function, compiled)
        if compiled:
            self._places.add(place)

        def locate() -> Offsets:
            if not compiled:
                return None, None
            if self._found is None:
                self._found = self._locate()
            return self._found.get(place, (None, None))

        return locate

    def _locate(self) -> dict[tuple[int, int], Offsets]:
        places = sorted(self._places)
        imported = self._module._imported_functions()
        array = ffi.new("wpy_location[]", len(places))
        for item, (function, compiled) in zip(array, places, strict=True):
            item.function, item.compiled = function - imported, compiled
        data = self._module.serialize()
        if not lib.wpy_resolve_offsets(ffi.from_buffer(data), len(data), array, len(places)):
            return {}
        bodies = self._module._bodies({item.function for item in array})
        return {
            place: (item.offset - bodies[item.function], item.offset)
            for place, item in zip(places, array, strict=True)
            if item.offset != _UNKNOWN
        }
