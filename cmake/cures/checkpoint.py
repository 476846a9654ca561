"""The one check that stops wasm: fuel, timeouts, signals, cancellation."""

from __future__ import annotations

from . import Cure

CURES: tuple[Cure, ...] = ()
