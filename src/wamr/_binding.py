"""The one door to C: every module that needs the extension imports `ffi` and `lib` from here."""

from ._wamr import ffi, lib

__all__ = ["ffi", "lib"]

# Hooks, locks and the fork handlers of our C stand before anything else is called.
if not lib.wpy_setup():
    raise ImportError("wamr: the runtime's locks can't be made")
