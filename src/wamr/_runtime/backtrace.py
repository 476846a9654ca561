"""The frames of a trap, made from the raw frames that C records while wasm code unwinds.

A raw frame is an instance's id, a function's index and an offset in the interpreter's code
(src/native/runtime/backtrace.c). Few traps are looked at frame by frame, so a `Frame` is made
when somebody asks for it; the instances that they name are kept until then.
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

_RAW_FRAME = Struct("=QII")  # wpy_frame


def take_raw_frames(who: Any, count: int) -> bytes:
    """Return the notes of what failed last in `who`; wpy_take_error said how many there are."""
    if not count:
        return b""
    array = ffi.new("wpy_frame[]", count)
    taken = lib.wpy_take_frames(who, array, count)
    return bytes(ffi.buffer(array))[: taken * _RAW_FRAME.size]


def frames_of(
    raw_frames: bytes, state: InstanceState | None = None
) -> Callable[[], tuple[Frame, ...]]:
    """Return what makes the frames; state: of the function that was called."""
    if state is not None:
        instance_id = state.instance_id
        if _RAW_FRAME.unpack_from(raw_frames)[0] == instance_id and (
            len(raw_frames) == _RAW_FRAME.size or _tags(raw_frames) == {instance_id}
        ):
            return partial(_made, raw_frames, {instance_id: (state, state.made)})
    states = {}
    for instance_id in _tags(raw_frames):
        other = find_instance_state(instance_id)
        if other is not None:
            states[instance_id] = other, other.made
    return partial(_made, raw_frames, states)


def _tags(raw_frames: bytes) -> set[int]:
    return set(memoryview(raw_frames).cast("Q")[::2])


def _made(raw_frames: bytes, states: dict[int, tuple[InstanceState, bool]]) -> tuple[Frame, ...]:
    """Return the frames; states: by instance id, with whether each was finished at the trap."""
    found = []
    instances: dict[int, object | None] = {}
    locators: dict[Module, Locator] = {}
    for instance_id, index, compiled in _RAW_FRAME.iter_unpack(raw_frames):
        if instance_id not in states:
            found.append(Frame(index))
            continue
        state, finished = states[instance_id]
        module = state.module
        if instance_id not in instances:
            instances[instance_id] = state.instance() if finished else None
        locator = locators.get(module)
        if locator is None:
            locator = locators[module] = Locator(module)
        found.append(_frame(module, index, compiled, instances[instance_id], locator))
    return tuple(found)


def _frame(module: Module, index: int, compiled: int, instance: object, locator: Locator) -> Frame:
    name = module._function_name(index)
    return Frame._lazy(index, name, module.name, instance, locator.asked(index, compiled))
