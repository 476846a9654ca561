"""Our C has layers: a file includes and calls what is in its own layer, or in one below.

Read are the `#include "…"` lines, and which of the functions and variables called wpy_… each file
defines and uses. A header's declarations are no use: only the bodies of its inline functions are.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "src" / "native"

# From the roof to the ground; those of one row do not know each other. interp/ is not among them:
# WAMR's files include it, and it knows nothing but WAMR.
LAYERS: list[dict[str, str]] = [
    {"setup": "setup.c"},
    {"cpython": "cpython/*", "capi": "capi/*", "wasi": "wasi/*"},
    # refs.c is in runtime, since what a number stands for is a function, made when it is looked up.
    {"runtime": "runtime/*"},
    {"core": "core/*"},
    {"include": "include/*", "interp": "interp/*"},
]


def layers_of(folder: Path, layers: list[dict[str, str]]) -> dict[str, tuple[int, str]]:
    """Return each file's floor, 0 for the ground, and the name of its layer."""
    found: dict[str, tuple[int, str]] = {}
    for floor, row in enumerate(reversed(layers)):
        for name, patterns in row.items():
            for pattern in patterns.split():
                for path in folder.glob(pattern):
                    if path.suffix in (".c", ".h"):
                        file = path.relative_to(folder).as_posix()
                        assert file not in found, f"{file} is in two layers: {found[file]}, {name}"
                        found[file] = floor, name
    return found


def code_of(path: Path) -> str:
    """Return the text of a file without comments, texts in quotes, and labels of cffi's."""
    text = re.sub(r"/\*.*?\*/", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)


def defined(code: str) -> set[str]:
    """Return the names that a file defines for others: functions and variables."""
    functions = re.findall(r"^(?:\w[\w ]*[ *]+)?(wpy_\w+)\([^;{}]*\)\n\{", code, re.MULTILINE)
    variables = re.findall(
        r"^(?!extern|typedef|struct|enum|static|return)"
        r"\w[\w ]*?[ *]+(wpy_\w+)(?:\[\w*\])?(?: = [^;]*)?;",
        code,
        re.MULTILINE,
    )
    return {*functions, *variables}


def used(code: str, header: bool) -> set[str]:
    """Return the names of ours that a file uses: a header in its bodies only."""
    parts = re.findall(r"\n\{\n.*?\n\}", code, re.DOTALL) if header else [code]
    return {name for part in parts for name in re.findall(r"\bwpy_\w+", part)}


def arrows_of(folder: Path) -> dict[tuple[str, str], set[str]]:
    """Return which files know which: (from, to) and what by."""
    paths = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*.[ch]")}
    codes = {file: code_of(path) for file, path in paths.items()}
    owners: dict[str, str] = {}
    for file, code in codes.items():
        for name in defined(code):
            assert owners.get(name, file) == file, f"{name} is in {owners[name]} and {file}"
            owners[name] = file
    arrows: dict[tuple[str, str], set[str]] = {}
    for file, code in codes.items():
        for name in used(code, file.endswith(".h")):
            if owners.get(name, file) != file:
                arrows.setdefault((file, owners[name]), set()).add(f"{name}()")
        for name in re.findall(
            r'^#include "([^"]+)"', paths[file].read_text("utf-8"), re.MULTILINE
        ):
            beside = (paths[file].parent / name).relative_to(folder).as_posix()
            to = beside if beside in paths else name
            if to in paths:
                arrows.setdefault((file, to), set()).add("#include")
    return arrows


def wrong_arrows(folder: Path, layers: list[dict[str, str]]) -> list[str]:
    """Return a line for each arrow that goes up, or to another layer of the same row."""
    places = layers_of(folder, layers)
    lines = []
    for (start, end), by in sorted(arrows_of(folder).items()):
        (from_floor, from_layer), (to_floor, to_layer) = places[start], places[end]
        if to_floor > from_floor or (to_floor == from_floor and to_layer != from_layer):
            what = ", ".join(sorted(by))
            lines.append(f"{start} ({from_layer}) knows {end} ({to_layer}) by {what}")
    return lines


def circles(folder: Path) -> list[str]:
    """Return a line for each circle of files: all the files that reach each other."""
    next_: dict[str, set[str]] = {}
    for start, end in arrows_of(folder):
        next_.setdefault(start, set()).add(end)

    def reached(file: str) -> set[str]:
        seen: set[str] = set()
        todo = [file]
        while todo:
            for other in next_.get(todo.pop(), set()) - seen:
                seen.add(other)
                todo.append(other)
        return seen

    reach = {file: reached(file) for file in next_}
    found = {
        frozenset(b for b in reach[a] if a in reach.get(b, ())) for a in reach if a in reach[a]
    }
    return sorted(" <-> ".join(sorted(circle)) for circle in found)


def test_each_file_of_our_c_has_one_layer():
    files = {p.relative_to(NATIVE).as_posix() for p in NATIVE.rglob("*.[ch]")}
    without = sorted(files - layers_of(NATIVE, LAYERS).keys())
    assert not without, f"say in {Path(__file__).name} (LAYERS) which layer these are in: {without}"


def test_no_file_knows_a_layer_above_it_or_beside_it():
    wrong = wrong_arrows(NATIVE, LAYERS)
    assert not wrong, (
        "move what is called down, or call it by a record of functions:\n" + "\n".join(wrong)
    )


def test_no_files_go_round_in_a_circle():
    found = circles(NATIVE)
    assert not found, "part what they need of each other from the rest:\n" + "\n".join(found)


def test_what_is_read_is_what_there_is():
    arrows = arrows_of(NATIVE)
    assert "wpy_group_wait()" in arrows["runtime/enter.h", "core/lock.c"]
    assert "#include" in arrows["runtime/call.c", "runtime/enter.h"]
    assert "wpy_instance_kind()" in arrows["runtime/instantiate.c", "runtime/instance.c"]
    assert "wpy_call_now()" in arrows["cpython/function.c", "runtime/call.c"]
    assert "wpy_self()" in arrows["core/backtrace.c", "core/thread.c"]
    assert ("core/core.h", "core/lock.c") not in arrows  # it declares, and calls nothing


SMALL = [{"roof": "roof.c"}, {"left": "left.c", "right": "right.c"}, {"ground": "ground.*"}]


@pytest.fixture
def small(tmp_path):
    """Return a folder of four files, with what each is given."""

    def make(**bodies: str) -> Path:
        for name in ("roof", "left", "right", "ground"):
            body = bodies.get(name, "x")
            text = f'#include "ground.h"\n\nint\nwpy_{name}(int x)\n{{\n    return {body};\n}}\n'
            (tmp_path / f"{name}.c").write_text(text, encoding="utf-8")
        header = "".join(
            f"int wpy_{name}(int x);\n" for name in ("roof", "left", "right", "ground")
        )
        (tmp_path / "ground.h").write_text(header, encoding="utf-8")
        return tmp_path

    return make


def test_a_call_downwards_is_welcome(small):
    folder = small(roof="wpy_left(x)", left="wpy_ground(x)")
    assert wrong_arrows(folder, SMALL) == []
    assert circles(folder) == []


@pytest.mark.parametrize(
    ("bodies", "line"),
    [
        ({"ground": "wpy_roof(x)"}, "ground.c (ground) knows roof.c (roof) by wpy_roof()"),
        ({"left": "wpy_right(x)"}, "left.c (left) knows right.c (right) by wpy_right()"),
        ({"left": "x; /* wpy_right(x) */"}, None),
        ({"left": 'f("wpy_right(x)")'}, None),
    ],
)
def test_a_call_upwards_is_told_with_both_ends(small, bodies, line):
    assert wrong_arrows(small(**bodies), SMALL) == ([line] if line else [])


def test_an_include_upwards_is_told_with_both_ends(small):
    folder = small()
    (folder / "roof.h").write_text("int x;\n", encoding="utf-8")
    (folder / "left.c").write_text('#include "roof.h"\n', encoding="utf-8")
    layers = [{"roof": "roof.*"}, *SMALL[1:]]
    assert wrong_arrows(folder, layers) == ["left.c (left) knows roof.h (roof) by #include"]


def test_an_inline_function_calls_and_a_declaration_does_not(small):
    folder = small()
    header = folder / "ground.h"
    body = "static inline int\nwpy_near(int x)\n{\n    return wpy_left(x);\n}\n"
    header.write_text(header.read_text(encoding="utf-8") + body, encoding="utf-8")
    assert wrong_arrows(folder, SMALL) == ["ground.h (ground) knows left.c (left) by wpy_left()"]


def test_a_circle_is_told_with_all_its_files(small):
    folder = small(left="wpy_ground(x)", ground="wpy_left(x)")
    assert circles(folder) == ["ground.c <-> left.c"]


def test_a_file_in_two_layers_is_refused(small):
    with pytest.raises(AssertionError, match=r"roof\.c is in two layers"):
        layers_of(small(), [{"roof": "roof.c"}, {"all": "*.c"}])
