# mypy: ignore-errors
"""A part of the program python.py, for the interpreter: asyncio without sockets.

An event loop wakes itself up through a pair of sockets, which WASI doesn't have. Without threads
and signals nothing else wakes it up, so it needs none. asyncio takes long to import, so its module
is adapted when code imports it.
"""

from __future__ import annotations

import sys


class AsyncioFinder:
    """Finds the module with the event loop, and adapts it once it was loaded."""

    def find_spec(self, name, path=None, target=None):
        if name != "asyncio.unix_events":
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                break
        else:
            return None
        spec.loader = _Loader(spec.loader)
        return spec


class _Loader:
    """Loads the module as another loader does, which may load others, too."""

    def __init__(self, loader):
        self._loader = loader

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        self._loader.exec_module(module)
        loop = module._UnixSelectorEventLoop
        loop._make_self_pipe = loop._close_self_pipe = loop._write_to_self = _nothing


def _nothing(loop):
    pass


sys.meta_path.insert(0, AsyncioFinder())
