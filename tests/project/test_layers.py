"""Modules import from their own layer of the package and from lower ones only, without cycles.

All imports count, also those inside functions and under TYPE_CHECKING. `-rP` shows the figures.
"""

from pathlib import Path

import pytest
from import_graph import Edge, depth, edges_of

import wamr

PROJECT = Path(__file__).parents[2]
ROOT = Path(wamr.__file__).parent

# The layers, lowest first. Each name is a package or a public module.
LAYERS = (
    "_version _wamr_version _base errors types",
    "_wamr _backend",
    "_diagnosis wat",
    "_values _wasi",
    "_runtime",
    "_run",
    "_capi ffi",
    "__init__",
    "sandbox",
    "_cli __main__",
)
ORDER = {name: i for i, names in enumerate(LAYERS) for name in names.split()}

# The imports for type checkers that lead up or close a cycle, and the reason of each.
EXPLAINED = {
    (
        "_base.frame",
        "_runtime.instance",
    ): "Frame.instance is an Instance, and Trap.frames are Frames; instances "
    "raise Traps. The public types refer to each other, so any order of modules has this import.",
    (
        "_runtime.execution",
        "_runtime.func",
    ): "Execution.func is a Func, and Func.execution returns an Execution.",
    ("_runtime.event", "_runtime.func"): "Event.host is a Func, whose executions return Events.",
    (
        "_runtime.snapshot",
        "_runtime.instance",
    ): "Snapshot.instantiate returns an Instance, and Instance.snapshot a Snapshot.",
}


def top(name):
    return name.split(".")[0]


class Graph:
    """The modules and their imports: all, those without an explanation, and those of packages."""

    def __init__(self, modules, edges):
        self.modules, self.all = modules, edges
        self.edges = [e for e in edges if (e.source, e.target) not in EXPLAINED]
        self.of_packages = [
            Edge(top(e.source), top(e.target), str(e), e.typing)
            for e in self.edges
            if top(e.source) != top(e.target)
        ]


@pytest.fixture(scope="module")
def graph():
    files = [*ROOT.rglob("*.py"), *ROOT.rglob("*.pyi")]
    names = {}
    for file in files:
        parts = file.relative_to(ROOT).with_suffix("").parts
        names[file] = ".".join(parts[:-1] if parts[-1] == "__init__" and parts[1:] else parts)
    modules = set(names.values()) | {"_wamr"}
    edges = []
    for file, name in sorted(names.items()):
        where = f"wamr/{file.relative_to(ROOT).as_posix()}"
        edges += edges_of(name, file.read_text("utf-8"), where, modules)
    return Graph(modules, edges)


def test_every_module_has_a_layer_and_every_name_a_module(graph):
    assert {top(name) for name in graph.modules} == ORDER.keys(), (
        "give each module a layer in LAYERS"
    )


def test_no_import_leads_up(graph):
    up = [str(e) for e in graph.edges if ORDER[top(e.source)] < ORDER[top(e.target)]]
    assert not up, "imports from a layer above:\n" + "\n".join(up)


def test_no_imports_form_a_cycle(graph):  # depth() fails and names the cycle
    print(f"{len(graph.modules)} modules on {depth(graph.edges)} levels,", end=" ")
    print(f"{len({e[:2] for e in graph.all})} imports, {len(EXPLAINED)} of them up")


def test_the_packages_form_few_levels(graph):
    packages, levels = {top(name) for name in graph.modules}, depth(graph.of_packages)
    up = [ends for ends in EXPLAINED if top(ends[0]) != top(ends[1])]
    print(f"{len(packages)} packages and public modules on {levels} levels, no cycle,", end=" ")
    print(f"{len({e[:2] for e in graph.of_packages}) + len(up)} imports, {len(up)} of them up")
    assert len(packages) <= 20
    assert levels <= 9, "a call passes too many packages: move what a layer needs of the one below"
    assert len(up) <= 2


@pytest.mark.parametrize("ends", EXPLAINED)
def test_explained_imports_exist_and_are_for_type_checkers_only(ends, graph):
    found = [edge for edge in graph.all if (edge.source, edge.target) == ends]
    assert found, f"nothing imports so any more: take {ends} out of EXPLAINED"
    assert all(edge.typing for edge in found)


def test_the_c_api_and_the_object_api_share_the_lowest_layers_only(graph):
    allowed = {*LAYERS[1].split(), *LAYERS[0].split(), "_capi", "ffi"}
    wrong = [
        e for e in graph.edges if top(e.source) in {"_capi", "ffi"} and top(e.target) not in allowed
    ]
    assert not wrong, "\n".join(map(str, wrong))


def test_only_two_modules_import_by_names_computed_at_run_time():
    """This test can't see what `import_module` is called with."""
    files = [file for file in ROOT.rglob("*.py") if "import_module" in file.read_text("utf-8")]
    assert {*files} == {ROOT / "__init__.py", ROOT / "_base" / "former_modules.py"}


# ------------------------------------------------------------------ the other Python files
@pytest.mark.parametrize(
    ("folder", "package"),
    [
        ("benchmarks", "benchmarks"),
        ("codegen", "codegen"),
        ("cmake", ""),
        ("tests/support", ""),
        ("tools/release", ""),
    ],
)
def test_the_files_of_a_folder_form_no_cycle(folder, package):
    files = {path.stem: path for path in (PROJECT / folder).glob("*.py")}
    edges = [
        edge
        for name, path in files.items()
        for edge in edges_of(name, path.read_text("utf-8"), f"{folder}/{path.name}", files, package)
    ]
    print(f"{folder}: {len(files)} files, {len(edges)} imports")
    assert edges
    depth(edges)


# ------------------------------------------------------------------ tests of the graph itself
@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("from .b import x", "b"),
        ("from . import b", "b"),
        ("from . import x", "__init__"),
        ("import wamr.p.c as c", "p.c"),
        ("from wamr.p import c, x", "p.c"),
        ("from wamr import x", "__init__"),
        ("def f():\n    from .b import x", "b"),
        ("if TYPE_CHECKING:\n    class A:\n        from .b import x", "b"),
    ],
)
def test_every_kind_of_import_is_found(text, target):
    modules = {"a", "b", "p", "p.c", "__init__"}
    edge = next(edges_of("a", text, "wamr/a.py", modules))
    assert edge.target == target
    assert edge.where == f"wamr/a.py:{len(text.splitlines())}"
    assert edge.typing == ("TYPE_CHECKING" in text)
    assert not list(edges_of("a", "import os, a\nfrom sys import path", "wamr/a.py", modules))


@pytest.mark.parametrize("text", ["import b", "from b import x", "import b as c, os"])
def test_imports_of_scripts_are_found(text):
    found = edges_of("a", f"{text}\nimport os.path", "tools/a.py", {"a", "b"}, "")
    assert [edge.target for edge in found] == ["b"]


def test_imports_within_a_package_are_found():
    modules = {"a", "p", "p.c", "p.d"}
    text = "from .d import x\nfrom ..a import y"
    assert [a.target for a in edges_of("p.c", text, "wamr/p/c.py", modules)] == ["p.d", "a"]
    found = edges_of("p", "from . import c", "wamr/p/__init__.py", modules)
    assert [a.target for a in found] == ["p.c"]


def test_a_cycle_is_reported_with_its_lines():
    ends = [("top", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("b", "low")]
    edges = [Edge(*pair, f"{pair[0]}.py:{i}", False) for i, pair in enumerate(ends, 1)]
    with pytest.raises(AssertionError) as raised:
        depth(edges)
    assert str(raised.value).split("\n")[1:4] == [
        "a.py:2: a imports b",
        "b.py:3: b imports c",
        "c.py:4: c imports a",
    ]
    assert depth(edges[:3]) == 4
