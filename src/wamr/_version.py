"""The version of this package, and that of WAMR."""

from __future__ import annotations

from ._wamr_version import WAMR_COMMIT, WAMR_VERSION

__all__ = ["WAMR_COMMIT", "WAMR_VERSION", "__version__"]

__version__ = "0.1.0"
