"""The hooks that real linking and direct host calls need."""

from __future__ import annotations

from . import Cure

CURES: tuple[Cure, ...] = ()
