"""Draws the results of a run as SVG: the comparison of each line, and the curves of `scaling`.

    python -m benchmarks --plot FILE.svg        draws the run
    python -m benchmarks.plot RUN.json FILE.svg  draws a run that --json saved

It needs no other package. The image has no background and uses colours of medium brightness, so it
fits light and dark pages. It knows the JSON (report.py) only, not the engines.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from xml.sax.saxutils import escape

from .lines import EXTISM, NAMES, US, WASM3, WASMER, WASMTIME, Unit
from .report import read, short, shown

COLOURS = {
    US: "#3b82d6",
    WASMTIME: "#d9822b",
    WASM3: "#3d9a57",
    WASMER: "#9a6dd7",
    EXTISM: "#cf4d7f",
}
INK, FAINT = "#7b8088", "#7b808855"
WIDTH, MARGIN = 960, 16
ROW, LABEL, FIGURE = 19, 300, 80  # of the first part: a line's height; its title; our figure
PANEL, COLUMNS = 210, 3  # of the second: a curve's height; how many stand side by side
STYLE = "font: 12px ui-sans-serif, system-ui, sans-serif"


@dataclass(frozen=True)
class Scale:
    """A logarithmic axis, which maps values to coordinates."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return the powers of ten on the axis; every other one, or fewer, if there are many."""
        first, last = (round(math.log10(value)) for value in (self.low, self.high))
        step = max(1, math.ceil((last - first) / 8))
        return [10.0**power for power in range(first, last + 1, step)]

    @staticmethod
    def of(values: Iterable[float], start: float, end: float, decades: int = 1) -> Scale:
        """Return an axis between powers of ten that contains the values."""
        listed = list(values)
        low = 10.0 ** math.floor(math.log10(min(listed)) + 1e-9)
        high = 10.0 ** math.ceil(math.log10(max(listed)) - 1e-9)
        return Scale(low, max(high, low * 10**decades), start, end)


def drawn(run: Mapping[str, Any]) -> str:
    """Return a run as an SVG document."""
    lines = [line for line in run["lines"] if not line["problem"]]
    single = [line for line in lines if not line.get("point") and _ratios(line)]
    curves: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        if line.get("point") and line["results"]:
            curves.setdefault(line["point"]["curve"], []).append(line)
    parts, height = _head(run, _names(lines))
    if single:
        rows, height = _rows(single, height)
        parts += rows
    if curves:
        panels, height = _panels(curves, height)
        parts += panels
    title = "<title>Benchmarks of wamr</title>"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        f'style="{STYLE}" fill="{INK}">\n{title}\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _names(lines: Iterable[Mapping[str, Any]]) -> list[str]:
    there = {name for line in lines for name in line["results"]}
    return [name for name in NAMES if name in there]


def _ratios(line: Mapping[str, Any]) -> dict[str, float]:
    """Return for each peer how many times as fast, or as small, this package is."""
    results = line["results"]
    ours = results.get(US, {}).get("best")
    if not ours or line["unit"] == "x":
        return {}
    return {
        name: result["best"] / ours
        for name, result in results.items()
        if name != US and result["best"] > 0
    }


# ------------------------------------------------------------------ the head
def _head(run: Mapping[str, Any], names: Sequence[str]) -> tuple[list[str], float]:
    machine = run["machine"]
    versions = machine["versions"]
    where = [machine["python"], machine["system"], f"{machine['cores']} cores"]
    where += [machine["processor"]] if machine.get("processor") else []
    parts = [
        draw_text(MARGIN, 26, "wamr and other engines", weight="bold", size=16),
        draw_text(MARGIN, 46, "; ".join(where)),
    ]
    x = float(MARGIN)
    for name in names:
        text = f"{name} {versions.get(name, '')}".strip()
        parts += [_dot(x + 5, 62, COLOURS[name], name), draw_text(x + 14, 66, text)]
        x += 34 + 6.5 * len(text)
    return parts, 84


# ------------------------------------------------------------------ line by line
def _rows(lines: Sequence[Mapping[str, Any]], top: float) -> tuple[list[str], float]:
    values = [ratio for line in lines for ratio in _ratios(line).values()]
    left, right = MARGIN + LABEL + FIGURE, WIDTH - MARGIN - 20
    scale = Scale.of([*values, 1.0], left, right)
    first = top + 44
    bottom = first + ROW * len(lines)
    parts = [
        draw_text(MARGIN, top + 10, "Times as fast as they are", weight="bold", size=14),
        draw_text(left - 34, top + 30, "ours", anchor="end"),
    ]
    for tick in scale.ticks():
        x = scale(tick)
        parts.append(_line(x, first - 8, x, bottom, FAINT))
        parts.append(draw_text(x, top + 30, f"{tick:g}x", anchor="middle"))
    parts.append(_line(scale(1), first - 8, scale(1), bottom, INK, width=1.5))
    for number, line in enumerate(lines):
        y = first + ROW * number + ROW / 2
        ours = line["results"][US]["best"]
        parts.append(draw_text(MARGIN, y + 4, line["title"]))
        figure = shown(ours, cast(Unit, line["unit"]))
        parts.append(draw_text(left - 10, y + 4, figure, anchor="end"))
        ratios = _ratios(line)
        ends = [1.0, *ratios.values()]
        parts.append(_line(scale(min(ends)), y, scale(max(ends)), y, FAINT))
        for name, ratio in ratios.items():
            tip = f"{line['title']}: {short(ratio)} times as fast as {name}"
            parts.append(_dot(scale(ratio), y, COLOURS[name], tip))
    return parts, bottom + 24


# ------------------------------------------------------------------ curves
def _panels(
    curves: Mapping[str, Sequence[Mapping[str, Any]]], top: float
) -> tuple[list[str], float]:
    parts = [draw_text(MARGIN, top + 10, "The same of more and more", weight="bold", size=14)]
    width = (WIDTH - 2 * MARGIN) / COLUMNS
    for number, (title, lines) in enumerate(curves.items()):
        x = MARGIN + width * (number % COLUMNS)
        y = top + 30 + PANEL * (number // COLUMNS)
        parts += _panel(title, lines, x, y, width)
    return parts, top + 40 + PANEL * math.ceil(len(curves) / COLUMNS)


def _panel(
    title: str, lines: Sequence[Mapping[str, Any]], x: float, y: float, width: float
) -> list[str]:
    """Draw one curve for each engine: the cost of one item for growing numbers of items."""
    left, right, top, bottom = x + 58, x + width - 24, y + 26, y + PANEL - 48
    values = [result["best"] for line in lines for result in line["results"].values()]
    across = Scale.of((line["point"]["x"] for line in lines), left, right)
    up = Scale.of((value for value in values if value > 0), bottom, top, decades=2)
    unit = cast(Unit, lines[0]["unit"])
    parts = [draw_text(x, y + 10, title)]
    for tick in up.ticks():
        parts.append(_line(left, up(tick), right, up(tick), FAINT))
        parts.append(draw_text(left - 6, up(tick) + 4, _tick(shown(tick, unit)), anchor="end"))
    free = left - 30.0  # where the next number has room
    for tick in sorted({line["point"]["x"] for line in lines}):
        parts.append(_line(across(tick), bottom, across(tick), bottom + 4, INK))
        if across(tick) >= free:
            parts.append(draw_text(across(tick), bottom + 17, _count(tick), anchor="middle"))
            free = across(tick) + 28
    parts.append(_line(left, bottom, right, bottom, INK))
    parts.append(
        draw_text((left + right) / 2, bottom + 32, lines[0]["point"]["axis"], anchor="middle")
    )
    for name in reversed(_names(lines)):  # ours last: on top
        places = [
            (line["point"]["x"], line["results"][name]["best"])
            for line in lines
            if line["results"].get(name, {}).get("best", 0) > 0
        ]
        points = " ".join(f"{across(a):.1f},{up(b):.1f}" for a, b in places)
        colour = COLOURS[name]
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        for a, b in places:
            tip = f"{name}, {_count(a)} {lines[0]['point']['axis']}: {shown(b, unit)}"
            parts.append(_dot(across(a), up(b), colour, tip, radius=3))
    return parts


def _tick(text: str) -> str:
    number, _, unit = text.partition(" ")
    return f"{float(number):g} {unit}"


def _count(value: float) -> str:
    for size, name in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{name}"
    return f"{value:g}"


# ------------------------------------------------------------------ SVG
def draw_text(
    x: float, y: float, text: str, *, anchor: str = "start", weight: str = "", size: int = 12
) -> str:
    more = f' text-anchor="{anchor}"' if anchor != "start" else ""
    more += f' font-weight="{weight}"' if weight else ""
    more += f' font-size="{size}"' if size != 12 else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{more}>{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, width: float = 1) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{colour}" stroke-width="{width:g}"/>'
    )


def _dot(x: float, y: float, colour: str, tip: str, *, radius: float = 4.5) -> str:
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{colour}">'
        f"<title>{escape(tip)}</title></circle>"
    )


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(drawn(read(Path(sys.argv[1]))), encoding="utf-8")
