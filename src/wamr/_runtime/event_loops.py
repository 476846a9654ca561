"""The running event loop, which has to be one of asyncio."""

from __future__ import annotations

import asyncio
import sys


def running_loop(what: str, advice: str, of: object = None) -> asyncio.AbstractEventLoop:
    """Return the running event loop; RuntimeError, which names another framework that runs.

    what: needs the loop. advice: what can be done in other frameworks. of: whose `what`, or None.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        name = _framework()
        if name in (None, "asyncio"):
            raise
    if of is not None:
        what = f"{of}: {what}"
    raise RuntimeError(f"{what} needs an event loop of asyncio, and {name} runs here. {advice}")


def _framework() -> str | None:
    """Return the name of the async framework that runs, if one of them tells it to sniffio."""
    sniffio = sys.modules.get("sniffio")
    if sniffio is None:
        return None
    try:
        name: str = sniffio.current_async_library()
    except sniffio.AsyncLibraryNotFoundError:
        return None
    return name
