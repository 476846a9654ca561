"""Engines of wasmtime-py that keep what they have compiled in build/wasmtime.

wasmtime needs seconds for a large program, and milliseconds for each of many small ones. Its own
cache knows the module, the settings and the version by which it was compiled.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

CACHE = Path(__file__).parents[2] / "build" / "wasmtime"


def cached_engine(**settings: object) -> Any:
    """Return an engine with these settings of `wasmtime.Config`."""
    import wasmtime

    config = wasmtime.Config()
    for name, value in settings.items():
        setattr(config, name, value)
    CACHE.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="wasmtime-") as folder:
        file = Path(folder, "cache.toml")
        # By default, wasmtime compresses modules that are used often once more, for minutes.
        file.write_text(
            f"[cache]\ndirectory = {json.dumps(str(CACHE), ensure_ascii=False)}\n"
            'optimized-compression-usage-counter-threshold = "1G"\n',
            encoding="utf-8",
        )
        config.cache = str(file)
    return wasmtime.Engine(config)
