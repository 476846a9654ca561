"""The frames of a trap: from the notes that C takes while wasm code unwinds.

A note is an instance's tag, a function's index and how far it had come (native/core/backtrace.c).
Most traps are caught without a look at their frames, so notes become frames when somebody asks; the
instances that they are of are kept until then.
"""

from __future__ import annotations

from functools import partial
from struct import Struct

from .._backend.binding import ffi, lib
from ..errors import Frame
from .offsets import Locator
from .state import InstanceState, find_instance_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .module import Module

_NOTE = Struct("=QII")  # wpy_frame


def notes_of(who: Any, count: int) -> bytes:
    """Return the notes of what failed last in `who`; wpy_take_error said how many there are."""
    if not count:
        return b""
    array = ffi.new("wpy_frame[]", count)
    taken = lib.wpy_take_frames(who, array, count)
    return bytes(ffi.buffer(array))[: taken * _NOTE.size]


def frames_of(notes: bytes, state: InstanceState | None = None) -> Callable[[], tuple[Frame, ...]]:
    """Return what makes the frames; state: of the function that was called."""
    if state is not None:
        tag = state.tag
        if _NOTE.unpack_from(notes)[0] == tag and (
            len(notes) == _NOTE.size or _tags(notes) == {tag}
        ):
            return partial(_made, notes, {tag: (state, state.made)})
    states = {}
    for tag in _tags(notes):
        other = find_instance_state(tag)
        if other is not None:
            states[tag] = other, other.made
    return partial(_made, notes, states)


def _tags(notes: bytes) -> set[int]:
    return set(memoryview(notes).cast("Q")[::2])


def _made(notes: bytes, states: dict[int, tuple[InstanceState, bool]]) -> tuple[Frame, ...]:
    """Return the frames; states: by tag, and whether each was finished when the trap came."""
    found = []
    instances: dict[int, object | None] = {}
    locators: dict[Module, Locator] = {}
    for tag, index, compiled in _NOTE.iter_unpack(notes):
        if tag not in states:
            found.append(Frame(index))
            continue
        state, finished = states[tag]
        module = state.module
        if tag not in instances:
            instances[tag] = state.instance() if finished else None
        locator = locators.get(module)
        if locator is None:
            locator = locators[module] = Locator(module)
        found.append(_frame(module, index, compiled, instances[tag], locator))
    return tuple(found)


def _frame(module: Module, index: int, compiled: int, instance: object, locator: Locator) -> Frame:
    name = module._function_name(index)
    return Frame._lazy(index, name, module.name, instance, locator.asked(index, compiled))
