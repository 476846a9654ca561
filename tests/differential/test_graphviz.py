"""Graphviz, a library: malloc, strings in memory, pictures byte for byte equal to wasmtime's."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET

import pytest
from differential import DifferentialModule, Pair

RECORD = """digraph {
    a [shape=record, label="{x | y | <port> z}"]
    b [label=<<B>bold</B><BR/><TABLE><TR><TD BGCOLOR="red">1</TD><TD>2</TD></TR></TABLE>>]
    a:port -> b
}"""
CLUSTER = """digraph {
    rankdir=LR; node [shape=box, style=filled]
    subgraph cluster_x { label="é 中"; color=blue; a; b }
    a -> b -> c [label="é", color=red]; c -> a [style=dashed]; d -> d
}"""


def large() -> str:
    pick = random.Random(1)
    edges = (f"n{pick.randrange(30)} -> n{pick.randrange(30)}" for _ in range(50))
    return f"digraph {{ {'; '.join(edges)} }}"


GRAPHS = {
    "small": "digraph { a -> b }",
    "cycle": "graph { a -- b -- c -- a }",
    "record": RECORD,
    "cluster": CLUSTER,
    "empty": "digraph {}",
    "large": large(),
}


def render(pair: Pair, dot: str, form: str = "svg", engine: str = "dot") -> bytes | str:
    """Return the picture, or the error message of Graphviz."""
    given = [pair.string(text) for text in (dot, form, engine)]
    size = pair.call("malloc", 4)
    pair.write(size, b"\0" * 4)
    picture = pair.call("graphviz_render", *given, size)
    found = pair.read(picture, pair.number(size)) if picture else None
    if picture:
        pair.call("graphviz_free", picture)
    for address in (*given, size):
        pair.call("free", address)
    return pair.text(pair.call("graphviz_last_error")) if found is None else found


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("engine", ["dot", "neato", "circo", "fdp", "twopi", "osage"])
def test_svg(graphviz: DifferentialModule, graph: str, engine: str) -> None:
    svg = render(graphviz.start(), GRAPHS[graph], engine=engine)
    assert isinstance(svg, bytes)
    root = ET.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert texts >= {"small": {"a", "b"}, "cluster": {"a", "é"}}.get(graph, set())


@pytest.mark.parametrize("form", ["dot", "json", "ps", "plain", "xdot", "fig"])
def test_other_forms(graphviz: DifferentialModule, form: str) -> None:
    pair = graphviz.start()
    for graph in GRAPHS.values():
        assert isinstance(render(pair, graph, form), bytes)
    assert pair.outcome().code == 0


MALFORMED = [
    "",
    "digraph {",
    "digraph { a -> }",
    "graph { a -> b }",
    "no graph",
    "/*",
    "digraph {}}{",
]


@pytest.mark.parametrize("dot", MALFORMED)
def test_malformed_graphs(graphviz: DifferentialModule, dot: str) -> None:
    pair = graphviz.start()
    first = render(pair, dot)
    assert first == "Failed to parse DOT source" or dot == "digraph {}}{"
    # the instance can still be used
    assert isinstance(render(pair, "digraph { a -> b }"), bytes)
    assert pair.outcome().code == 0


@pytest.mark.parametrize(
    ("form", "engine"), [("png", "dot"), ("nothing", "dot"), ("svg", "nothing")]
)
def test_what_it_can_not_do(graphviz: DifferentialModule, form: str, engine: str) -> None:
    said = render(graphviz.start(), "digraph { a }", form, engine)
    assert isinstance(said, str)
    assert said


def test_one_instance_many_pictures(graphviz: DifferentialModule) -> None:
    pair = graphviz.start()
    assert pair.text(pair.call("graphviz_version")).count(".") == 2
    pictures = [render(pair, GRAPHS[name]) for name in ("large", "small", "cluster") * 2]
    assert pictures[:3] == pictures[3:]
    assert render(pair, "digraph {") == render(pair, "digraph {")
