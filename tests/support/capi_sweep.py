"""Deletes the C API objects that a test has left, so that leaks of the C API are found.

It knows the registries of wamr._capi, and records each vector that C makes.
"""

from __future__ import annotations

import functools

from wamr import ffi as api
from wamr._capi import _generated, lists

ffi = api.ffi

# The vectors that C has made since the last sweep, by the address of their data, each with a copy
# of its struct. Where an address was reused, the entry is the latest vector. The test's own struct
# may still hold the address of a vector that it has passed on.
MADE = {}


def _record(module, name):
    original = getattr(module, name)

    @functools.wraps(original)
    def recorded(vec, pointer, *more, **named):
        answer = original(vec, pointer, *more, **named)
        if "owner" not in named and pointer and pointer.data:
            MADE[int(ffi.cast("uintptr_t", pointer.data))] = vec, ffi.new(vec.ctype, pointer[0])
        return answer

    setattr(module, name, recorded)


for _module, _name in (
    (_generated, "made"),
    (_generated, "fill"),
    (lists, "made"),
):
    _record(_module, _name)


def sweep():
    """Delete what a test has left, as a C program would; then no handle may be left.

    A handle that can't be deleted fails this test only: the next one begins with empty registries.
    """
    from wamr._capi import handles, vectors

    made = list(MADE.values())
    MADE.clear()
    try:
        for engine in [tracked.handle for tracked in {*handles.kind("engine").live.values()}]:
            while not api.wasm_repr(engine).startswith("dead"):
                api.wasm_engine_delete(engine)
        for vec, copy in made:
            block = vectors.blocks.get(copy.data)
            if block is None or (not isinstance(block, int) and block.owner is not None):
                continue  # deleted already, or deleted with its owner
            if not isinstance(block, int):
                copy.num_elems = len(block.children or ())
            getattr(api, f"wasm_{vec.name}_vec_delete")(copy)
        for kind in list(handles.KINDS.values()):
            for tracked in {*kind.live.values()}:
                if tracked.owner is None and tracked.kind is kind:
                    for _ in range(tracked.count):
                        getattr(api, kind.delete)(tracked.handle)
        left = sorted({str(tracked.kind) for tracked in handles.by_address.values()})
        assert not left, left
        assert not vectors.blocks
    finally:
        handles.by_address.clear()
        vectors.blocks.clear()
        for kind in handles.KINDS.values():
            kind.live.clear()
