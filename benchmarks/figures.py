"""Draws the three best figures of docs/benchmarks.svg as docs/figures.svg: `make pictures`.

    python -m benchmarks.figures docs/benchmarks.svg docs/figures.svg

The README shows it. The figures are read from the picture of a whole run, so both say the same. As
there, colours of medium brightness fit light and dark pages.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from .lines import US, WASMTIME
from .plot import COLOURS, INK, draw_text

# The lines of the run, and what the README calls them.
SHOWN = {
    "add(2, 3), a Func held": "A call from Python",
    "load 650 kB (pywasm3: lazily)": "Load a module of 650 kB",
    "CPython up to its first code": "Load CPython, 26 MB, up to its first code",
}
WIDTH, LEFT, TOP, BAR = 720, 16, 40, 16
LONGEST = 450.0  # of a bar
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True)
class Figure:
    """Our time, and how many times as long the other engine takes."""

    title: str
    seconds: float
    ratio: float


def figures(picture: str) -> Iterator[Figure]:
    """Return the figures in the picture of a run."""
    texts = [element.text or "" for element in ET.fromstring(picture).iter()]
    for line, title in SHOWN.items():
        number, unit = texts[texts.index(line) + 1].split()
        tip = re.compile(rf"{re.escape(line)}: ([\d.]+) times as fast as {WASMTIME}")
        (ratio,) = (found[1] for found in map(tip.fullmatch, texts) if found)
        yield Figure(title, float(number) * SECONDS[unit], float(ratio))


def shown(seconds: float) -> str:
    """Return a time as text."""
    unit, size = next((u, s) for u, s in reversed(SECONDS.items()) if seconds >= s)
    number = seconds / size
    return f"{number:.{0 if number >= 10 else 1}f} {unit.replace('us', 'µs')}"


def drawn(picture: str) -> str:
    """Return the three figures as an SVG document."""
    parts = []
    y = TOP
    for figure in figures(picture):
        parts.append(draw_text(LEFT, y, figure.title, weight="bold", size=16))
        parts.append(
            draw_text(WIDTH - LEFT, y, f"{figure.ratio:.0f} times as fast", anchor="end", size=16)
        )
        for name, times in ((US, 1.0), (WASMTIME, figure.ratio)):
            y += BAR + 6
            length = max(2.0, LONGEST * times / figure.ratio)
            parts.append(
                f'<rect x="{LEFT}" y="{y - BAR + 3}" width="{length:.1f}" height="{BAR}" rx="2" '
                f'fill="{COLOURS[name]}"/>'
            )
            label = f"{name}: {shown(figure.seconds * times)}"
            parts.append(draw_text(LEFT + length + 8, y - 1, label, size=14))
        y += 46
    title = "<title>wamr beside wasmtime-py: a call, loading, starting CPython</title>"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y - 26}" width="{WIDTH}" '
        f'style="font: 14px ui-sans-serif, system-ui, sans-serif" fill="{INK}">\n{title}\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(drawn(Path(sys.argv[1]).read_text("utf-8")), encoding="utf-8")
