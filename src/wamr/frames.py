"""The frames of a trap: from the notes that C takes while wasm code unwinds.

A note is an instance's tag, a function's index and how far it had come (src/wamr/_native/trap.c).
Most traps are caught without a look at their frames, so notes become frames when somebody asks,
where all of them are of an instance that is kept until then.
"""

from __future__ import annotations

from functools import partial
from struct import Struct

from ._binding import ffi, lib
from .errors import Frame
from .locate import Locator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .instance import State
    from .module import Module

_NOTE = Struct("=QII")  # wpy_frame


def notes_of(who: Any, count: int) -> bytes:
    """Return the notes of what failed last in `who`; wpy_take_error said how many there are."""
    if not count:
        return b""
    array = ffi.new("wpy_frame[]", count)
    taken = lib.wpy_take_frames(who, array, count)
    return bytes(ffi.buffer(array))[: taken * _NOTE.size]


def _made(notes: bytes, state: State, finished: bool) -> tuple[Frame, ...]:
    """Return the frames of notes of one instance; finished: it was made when they were taken."""
    module, instance = state.module, state.instance() if finished else None
    locator = Locator(module)
    return tuple(
        [
            _frame(module, index, compiled, instance, locator)
            for _, index, compiled in _NOTE.iter_unpack(notes)
        ]
    )


def frames_of(
    notes: bytes, state: State | None = None
) -> tuple[Frame, ...] | Callable[[], tuple[Frame, ...]]:
    """Return the frames, or what makes them; state: of the function that was called."""
    if state is not None:
        tag = state.tag
        if _NOTE.unpack_from(notes)[0] == tag and (
            len(notes) == _NOTE.size
            or all(other == tag for other, _, _ in _NOTE.iter_unpack(notes))
        ):
            return partial(_made, notes, state, state.made)
    from .instance import state_of

    found = []
    locators: dict[Module, Locator] = {}
    for tag, index, compiled in _NOTE.iter_unpack(notes):
        other = state_of(tag)
        if other is None:
            found.append(Frame(index))
            continue
        locator = locators.setdefault(other.module, Locator(other.module))
        instance = other.instance() if other.made else None
        found.append(_frame(other.module, index, compiled, instance, locator))
    return tuple(found)


def _frame(module: Module, index: int, compiled: int, instance: Any, locator: Locator) -> Frame:
    name = module._function_name(index)
    return Frame._lazy(index, name, module.name, instance, locator.asked(index, compiled))
