"""Backtraces: the frames of a trap, from the raw frames that C records while wasm code unwinds.

A raw frame consists of an instance id, a function index and an offset in the interpreter's code
(src/native/runtime/backtrace.c). The frames of few traps are ever read, so `Frame` objects are made
at the first access; until then, the states of their instances are kept alive.
"""

from __future__ import annotations

from functools import partial
from struct import Struct

from .._backend.binding import ffi, lib
from ..errors import Frame
from .offsets import OffsetResolver
from .state import InstanceState, find_instance_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .module import Module

_RAW_FRAME = Struct("=QII")  # wpy_frame


def take_raw_frames(origin: Any, count: int) -> bytes:
    """Take the raw frames of `origin`'s newest error; count: as wpy_take_error reported."""
    if not count:
        return b""
    array = ffi.new("wpy_frame[]", count)
    taken = lib.wpy_take_frames(origin, array, count)
    return bytes(ffi.buffer(array))[: taken * _RAW_FRAME.size]


def frames_of(
    raw_frames: bytes, state: InstanceState | None = None
) -> Callable[[], tuple[Frame, ...]]:
    """Return a function that makes the frames; state: of the function that was called."""
    if state is not None:
        instance_id = state.instance_id
        if _RAW_FRAME.unpack_from(raw_frames)[0] == instance_id and (
            len(raw_frames) == _RAW_FRAME.size or _instance_ids(raw_frames) == {instance_id}
        ):
            return partial(_make_frames, raw_frames, {instance_id: (state, state.started)})
    states = {}
    for instance_id in _instance_ids(raw_frames):
        other = find_instance_state(instance_id)
        if other is not None:
            states[instance_id] = other, other.started
    return partial(_make_frames, raw_frames, states)


def _instance_ids(raw_frames: bytes) -> set[int]:
    return set(memoryview(raw_frames).cast("Q")[::2])


def _make_frames(
    raw_frames: bytes, states: dict[int, tuple[InstanceState, bool]]
) -> tuple[Frame, ...]:
    """Return the frames; states: by instance id, each with whether it had started at the trap."""
    frames = []
    instances: dict[int, object | None] = {}
    resolvers: dict[Module, OffsetResolver] = {}
    for instance_id, index, compiled in _RAW_FRAME.iter_unpack(raw_frames):
        if instance_id not in states:
            frames.append(Frame(index))
            continue
        state, started = states[instance_id]
        module = state.module
        if instance_id not in instances:
            instances[instance_id] = state.instance() if started else None
        resolver = resolvers.get(module)
        if resolver is None:
            resolver = resolvers[module] = OffsetResolver(module)
        frames.append(_make_frame(module, index, compiled, instances[instance_id], resolver))
    return tuple(frames)


def _make_frame(
    module: Module, index: int, compiled: int, instance: object, resolver: OffsetResolver
) -> Frame:
    name = module._function_name(index)
    resolve = resolver.resolver_for(index, compiled)
    return Frame._lazy(index, name, module.name, instance, resolve)
