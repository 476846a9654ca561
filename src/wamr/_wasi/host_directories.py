"""Whether WASI programs may have directories of this host, beside private ones.

A directory of the host is given to a program only where the operating system lets C open each
component of a path relative to the directory's descriptor. Otherwise a path of the program could
lead out of the directory. This module uses no C.
"""

from __future__ import annotations

from .._backend.features import FEATURES
from ..errors import UnavailableError


def check_available(features: frozenset[str] = FEATURES) -> None:
    """Raise UnavailableError if programs can't be confined to directories on this system."""
    if "wasi-directories" not in features:
        raise UnavailableError(
            "dirs is not available on Windows for a directory of the host: a program could leave "
            "it there, as with the path 'C:/'. Give the program files of its own, as "
            "dirs={'/w': {'a.csv': b'…'}}, or run it on Linux or macOS"
        )
