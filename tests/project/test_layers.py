"""Imports go one way: from a layer of the package to those below it, and never round in a circle.

All imports count, also those inside functions and those for type checkers. `-rP` shows the figures.
"""

from pathlib import Path

import pytest
from arrows import Arrow, arrows_of, floors

import wamr

ROOT = Path(wamr.__file__).parent

# The layers, lowest first: a package is one, and so is each public module.
LAYERS = (
    "_version _wamr_version _base errors types",
    "_wamr _backend",
    "_diagnosis",
    "wat",
    "_values",
    "_runtime",
    "_wasi",
    "_capi ffi",
    "__init__",
    "_cli __main__",
)
ORDER = {name: i for i, names in enumerate(LAYERS) for name in names.split()}

# What imports upwards, for type checkers only, and why.
EXPLAINED = {
    (
        "errors",
        "_runtime.instance",
    ): "Frame.instance is an Instance, and Trap.frames are Frames; instances "
    "raise Traps. The public types go round, so no order of modules is without this.",
}


def read():
    files = [*ROOT.rglob("*.py"), *ROOT.rglob("*.pyi")]
    names = {}
    for file in files:
        parts = file.relative_to(ROOT).with_suffix("").parts
        names[file] = ".".join(parts[:-1] if parts[-1] == "__init__" and parts[1:] else parts)
    modules = set(names.values()) | {"_wamr"}
    arrows = []
    for file, name in sorted(names.items()):
        where = f"wamr/{file.relative_to(ROOT).as_posix()}"
        arrows += arrows_of(name, file.read_text("utf-8"), where, modules)
    return modules, arrows


def top(name):
    return name.split(".")[0]


MODULES, ALL = read()
ARROWS = [arrow for arrow in ALL if (arrow.source, arrow.target) not in EXPLAINED]
ROOMS = [
    Arrow(top(arrow.source), top(arrow.target), str(arrow), arrow.typing)
    for arrow in ARROWS
    if top(arrow.source) != top(arrow.target)
]


def test_every_module_has_a_layer_and_every_name_a_module():
    assert {top(name) for name in MODULES} == ORDER.keys(), "LAYERS of this file says where each is"


def test_no_import_leads_up():
    up = [str(a) for a in ARROWS if ORDER[top(a.source)] < ORDER[top(a.target)]]
    assert not up, "imports of a layer above:\n" + "\n".join(up)


def test_no_imports_lead_round_in_a_circle():  # or `floors` names it
    print(f"{len(MODULES)} modules on {floors(ARROWS)} floors,", end=" ")
    print(f"{len({a[:2] for a in ALL})} arrows, {len(EXPLAINED)} of them up")


def test_the_packages_stand_on_few_floors():
    rooms = {top(name) for name in MODULES}
    print(f"{len(rooms)} rooms on {floors(ROOMS)} floors, {len({a[:2] for a in ROOMS})} arrows")
    assert len(rooms) <= 20
    assert floors(ROOMS) <= 9


@pytest.mark.parametrize("ends", EXPLAINED)
def test_what_is_explained_is_there_and_for_type_checkers_only(ends):
    found = [arrow for arrow in ALL if (arrow.source, arrow.target) == ends]
    assert found, f"nothing imports so any more: take {ends} out of EXPLAINED"
    assert all(arrow.typing for arrow in found)


def test_the_c_api_and_the_objects_share_no_layer_but_the_lowest():
    allowed = {*LAYERS[1].split(), *LAYERS[0].split(), "_capi", "ffi"}
    wrong = [
        a for a in ARROWS if top(a.source) in {"_capi", "ffi"} and top(a.target) not in allowed
    ]
    assert not wrong, "\n".join(map(str, wrong))


def test_only_the_roof_imports_by_names_made_at_run_time():
    """What `import_module` is given, no test can read."""
    files = [file for file in ROOT.rglob("*.py") if "import_module" in file.read_text("utf-8")]
    assert {*files} == {ROOT / "__init__.py", ROOT / "_base" / "former_modules.py"}


# ------------------------------------------------------------------ the test itself
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
def test_every_kind_of_import_is_seen(text, target):
    modules = {"a", "b", "p", "p.c", "__init__"}
    arrow = next(arrows_of("a", text, "wamr/a.py", modules))
    assert arrow.target == target
    assert arrow.where == f"wamr/a.py:{len(text.splitlines())}"
    assert arrow.typing == ("TYPE_CHECKING" in text)
    assert not list(arrows_of("a", "import os, a\nfrom sys import path", "wamr/a.py", modules))


def test_imports_within_a_package_are_seen():
    modules = {"a", "p", "p.c", "p.d"}
    text = "from .d import x\nfrom ..a import y"
    assert [a.target for a in arrows_of("p.c", text, "wamr/p/c.py", modules)] == ["p.d", "a"]
    found = arrows_of("p", "from . import c", "wamr/p/__init__.py", modules)
    assert [a.target for a in found] == ["p.c"]


def test_a_circle_is_shown_with_its_lines():
    ends = [("top", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("b", "low")]
    arrows = [Arrow(*pair, f"{pair[0]}.py:{i}", False) for i, pair in enumerate(ends, 1)]
    with pytest.raises(AssertionError) as raised:
        floors(arrows)
    assert str(raised.value).split("\n")[1:4] == [
        "a.py:2: a imports b",
        "b.py:3: b imports c",
        "c.py:4: c imports a",
    ]
    assert floors(arrows[:3]) == 4
