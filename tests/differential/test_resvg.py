"""resvg and usvg, commands in Rust: PNG and SVG are byte for byte equal to wasmtime's."""

from __future__ import annotations

import struct

import pytest
from differential import DifferentialModule, Folder

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40" viewBox="0 0 60 40">'
PICTURES = {
    "rectangle": '<rect width="30" height="20" fill="red"/>',
    "gradient": """<defs><radialGradient id="g"><stop offset="0" stop-color="#fff"/>
        <stop offset="1" stop-color="navy"/></radialGradient></defs>
        <circle cx="30" cy="20" r="18" fill="url(#g)" stroke="black" stroke-dasharray="3 2"/>""",
    "filter": """<filter id="f"><feGaussianBlur stdDeviation="3"/>
        <feTurbulence baseFrequency=".1" numOctaves="2"/>
        <feComposite in="SourceGraphic" operator="arithmetic" k2=".5" k3=".5"/></filter>
        <path d="M5 5 C 20 40 40 0 55 35 Z" filter="url(#f)" opacity=".7"/>""",
    "mask": """<mask id="m"><rect width="60" height="20" fill="#888"/></mask>
        <clipPath id="c"><circle cx="30" cy="20" r="15"/></clipPath>
        <g mask="url(#m)"><rect width="60" height="40" fill="green" clip-path="url(#c)"/></g>""",
    "pattern": """<pattern id="p" width="8" height="8" patternUnits="userSpaceOnUse">
        <path d="M0 0 L8 8" stroke="#c3f" stroke-width="2"/></pattern>
        <ellipse cx="30" cy="20" rx="28" ry="9" fill="url(#p)" opacity=".5"/>""",
    "nothing": "",
}


def folder(picture: str, writable: bool = True) -> Folder:
    return Folder({"in.svg": f"{HEAD}{PICTURES[picture]}</svg>".encode()}, writable)


def size_of(png: bytes | None) -> tuple[int, int]:
    assert png is not None
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert png.endswith(b"IEND\xaeB`\x82")
    width, height = struct.unpack_from(">II", png, 16)
    return width, height


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize(
    ("args", "size"),
    [((), (60, 40)), (("-z", "5"), (300, 200)), (("-w", "33", "--background", "#0f08"), (33, 22))],
)
def test_files(
    resvg: DifferentialModule, picture: str, args: tuple[str, ...], size: tuple[int, int]
) -> None:
    done = resvg.run(*args, "/d/in.svg", "/d/out.png", dirs={"/d": folder(picture)})
    assert (done.code, done.err) == (0, "")
    assert size_of(done.files["/d"]["out.png"]) == size


def test_streams(resvg: DifferentialModule) -> None:
    picture = f"{HEAD}{PICTURES['filter']}</svg>"
    done = resvg.run("--resources-dir", "/", "-", "-c", stdin=picture)
    assert (done.code, size_of(done.stdout)) == (0, (60, 40))
    done = resvg.run("-", "/d/out.png", stdin=picture, dirs={"/d": Folder(writable=True)})
    assert size_of(done.files["/d"]["out.png"]) == (60, 40)


@pytest.mark.parametrize("text", ["", "<svg", "<svg/>", "<a/>", "\xff", HEAD])
def test_what_is_no_picture(resvg: DifferentialModule, text: str) -> None:
    data = text.encode("latin-1")
    dirs = {"/d": Folder({"in.svg": data}, writable=True)}
    done = resvg.run("/d/in.svg", "/d/out.png", dirs=dirs)
    assert done.code == 1
    assert done.err.startswith("Error: ")
    assert done.files["/d"] == {"in.svg": data}


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["--help"], 0, ""),
        (["-V"], 0, ""),
        ([], 1, "Error: "),
        (["--nothing"], 1, "Error: "),
        (["/d/in.svg"], 1, "Error: <out-png> must be set"),
        (["/d/missing.svg", "/d/out.png"], 1, "Error: failed to open the provided file"),
        (["/d/in.svg", "/d/no/out.png"], 1, "Error: No such file or directory (os error 44)"),
        (["/d/in.svg", "/no/out.png"], 1, "Error: failed to find a pre-opened file descriptor"),
        (["/d/in.svg", "/d/../out.png"], 1, "Error: Capabilities insufficient (os error 76)"),
    ],
)
def test_command_lines(resvg: DifferentialModule, args: list[str], code: int, said: str) -> None:
    done = resvg.run(*args, dirs={"/d": folder("gradient")})
    assert done.code == code
    assert done.err.startswith(said)
    assert bool(done.err) == bool(said)
    assert set(done.files["/d"]) == {"in.svg"}


def test_nothing_is_written_into_a_read_only_directory(resvg: DifferentialModule) -> None:
    done = resvg.run("/d/in.svg", "/d/out.png", dirs={"/d": folder("mask", writable=False)})
    assert (done.code, done.err) == (1, "Error: Capabilities insufficient (os error 76).\n")
    dirs = {"/d": folder("mask", writable=False), "/out": Folder(writable=True)}
    done = resvg.run("/d/in.svg", "/out/out.png", dirs=dirs)
    assert size_of(done.files["/out"]["out.png"]) == (60, 40)


@pytest.mark.parametrize("picture", PICTURES)
def test_usvg(usvg: DifferentialModule, picture: str) -> None:
    done = usvg.run("/d/in.svg", "/d/out.svg", dirs={"/d": folder(picture)})
    assert (done.code, done.err) == (0, "")
    assert (done.files["/d"]["out.svg"] or b"").startswith(b"<svg ")
