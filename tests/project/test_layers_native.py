"""The layers of our C: a file may include and call its own layer and those below it, nothing above.

The test reads the `#include "…"` lines, and which functions and variables named wpy_… each file
defines and uses. Declarations in a header are not uses; the bodies of its inline functions are.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "src" / "native"

# From the top to the bottom. Layers of one row must not use each other. WAMR's files include those
# of interp/, which use nothing but WAMR.
LAYERS: list[dict[str, str]] = [
    {"setup": "setup.c", "extension": "extension.h"},
    {"cpython": "cpython/*", "capi": "capi/*", "wasi": "wasi/*"},
    {"runtime": "runtime/*"},
    {"core": "core/*"},
    {"include": "include/*", "interp": "interp/*", "windows": "windows/*"},
    {"compiler": "compiler.h"},
]


def layers_of(folder: Path, layers: list[dict[str, str]]) -> dict[str, tuple[int, str]]:
    """Return the level of each file, 0 for the lowest, and the name of its layer."""
    found: dict[str, tuple[int, str]] = {}
    for level, row in enumerate(reversed(layers)):
        for name, patterns in row.items():
            for pattern in patterns.split():
                for path in folder.glob(pattern):
                    if path.suffix in (".c", ".h"):
                        file = path.relative_to(folder).as_posix()
                        assert file not in found, f"{file} is in two layers: {found[file]}, {name}"
                        found[file] = level, name
    return found


def code_of(path: Path) -> str:
    """Return the text of a file without comments and the contents of string literals."""
    text = re.sub(r"/\*.*?\*/", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)


def defined(code: str) -> set[str]:
    """Return the functions and variables that a file defines with external linkage."""
    functions = re.findall(r"^(?:\w[\w ]*[ *]+)?(wpy_\w+)\([^;{}]*\)\n\{", code, re.MULTILINE)
    variables = re.findall(
        r"^(?!extern|typedef|struct|enum|static|return)"
        r"\w[\w ]*?[ *]+(wpy_\w+)(?:\[\w*\])?(?: = [^;]*)?;",
        code,
        re.MULTILINE,
    )
    return {*functions, *variables}


def unit_of(file: str) -> str:
    """Return the file whose functions a file defines: windows_wait.c has those of wait.c."""
    return file.replace("/windows_", "/")


def used(code: str, header: bool) -> set[str]:
    """Return the names wpy_… that a file uses; of a header, only those in function bodies."""
    parts = re.findall(r"\n\{\n.*?\n\}", code, re.DOTALL) if header else [code]
    return {name for part in parts for name in re.findall(r"\bwpy_\w+", part)}


def dependencies_of(folder: Path) -> dict[tuple[str, str], set[str]]:
    """Return for each pair of files (user, used) the names that the first uses of the second."""
    paths = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*.[ch]")}
    codes = {file: code_of(path) for file, path in paths.items()}
    owners: dict[str, str] = {}
    # Sorted: a .c file may have, for one platform, the functions that its header has inline.
    for file, code in sorted(codes.items()):
        for name in defined(code):
            owner = owners.setdefault(name, unit_of(file))
            assert Path(owner).stem == Path(unit_of(file)).stem, f"{name} is in {owner} and {file}"
    dependencies: dict[tuple[str, str], set[str]] = {}
    for file, code in codes.items():
        for name in used(code, file.endswith(".h")):
            if owners.get(name, unit_of(file)) != unit_of(file):
                dependencies.setdefault((file, owners[name]), set()).add(f"{name}()")
        for name in re.findall(
            r'^#include "([^"]+)"', paths[file].read_text("utf-8"), re.MULTILINE
        ):
            sibling = (paths[file].parent / name).relative_to(folder).as_posix()
            to = sibling if sibling in paths else name
            if to in paths:
                dependencies.setdefault((file, to), set()).add("#include")
    return dependencies


def wrong_dependencies(folder: Path, layers: list[dict[str, str]]) -> list[str]:
    """Return a line for each dependency on a higher layer, or on another one of the same row."""
    places = layers_of(folder, layers)
    lines = []
    for (start, end), by in sorted(dependencies_of(folder).items()):
        (from_level, from_layer), (to_level, to_layer) = places[start], places[end]
        if to_level > from_level or (to_level == from_level and to_layer != from_layer):
            what = ", ".join(sorted(by))
            lines.append(f"{start} ({from_layer}) uses {end} ({to_layer}): {what}")
    return lines


def cycles(folder: Path) -> list[str]:
    """Return a line for each cycle: all units that depend on each other.

    A unit is a .c file with the header of its name, whose inline functions may call it.
    """
    next_: dict[str, set[str]] = {}
    for pair in dependencies_of(folder):
        start, end = (file.rpartition(".")[0] for file in pair)
        if start != end:
            next_.setdefault(start, set()).add(end)

    def reached(unit: str) -> set[str]:
        seen: set[str] = set()
        todo = [unit]
        while todo:
            for other in next_.get(todo.pop(), set()) - seen:
                seen.add(other)
                todo.append(other)
        return seen

    reach = {unit: reached(unit) for unit in next_}
    found = {
        frozenset(b for b in reach[a] if a in reach.get(b, ())) for a in reach if a in reach[a]
    }
    return sorted(" <-> ".join(sorted(cycle)) for cycle in found)


def test_each_file_of_our_c_has_one_layer():
    files = {p.relative_to(NATIVE).as_posix() for p in NATIVE.rglob("*.[ch]")}
    without = sorted(files - layers_of(NATIVE, LAYERS).keys())
    assert not without, f"add these files to a layer in {Path(__file__).name} (LAYERS): {without}"


def test_no_file_uses_a_higher_layer_or_one_of_the_same_row():
    wrong = wrong_dependencies(NATIVE, LAYERS)
    assert not wrong, (
        "move the function down, or call it through a struct of function pointers:\n"
        + "\n".join(wrong)
    )


def test_no_files_depend_on_each_other_in_a_cycle():
    found = cycles(NATIVE)
    assert not found, "move what both need to a third file:\n" + "\n".join(found)


def test_known_dependencies_are_found():
    found = dependencies_of(NATIVE)
    assert "wpy_group_wait()" in found["runtime/enter.h", "core/lock.c"]
    assert "#include" in found["runtime/call.c", "runtime/enter.h"]
    assert "wpy_instance_ops()" in found["runtime/instantiate.c", "runtime/instance.c"]
    assert "wpy_call_now()" in found["cpython/function.c", "runtime/call.c"]
    assert "wpy_self()" in found["runtime/backtrace.c", "core/thread.c"]
    # core.h declares functions of lock.c, but calls none.
    assert ("core/core.h", "core/lock.c") not in found


def declarations(header: Path) -> list[tuple[str, str]]:
    """Return the functions that a header declares, each with the label before it.

    A label is a comment that begins with the names of files: `/* runtime/call.c */`, or
    `/* ---- group.c ---- */` for a file in the header's own folder.
    """
    pattern = (
        r"^/\*(?: ----)? ((?:[\w/]+\.c(?:, )?)+)"
        r"|^\w(?:(?![;{}]|\n\n).)*?\b(wpy_\w+)\([^;{}]*\);"
    )
    found, label = [], ""
    text = header.read_text(encoding="utf-8")
    for match in re.finditer(pattern, text, re.MULTILINE | re.DOTALL):
        if match[1]:
            label = match[1]
        else:
            found.append((match[2], label))
    return found


def defining_files(folder: Path) -> dict[str, str]:
    """Return the .c file that defines each function and variable."""
    return {
        name: unit_of(path.relative_to(folder).as_posix())
        for path in folder.rglob("*.c")
        for name in defined(code_of(path))
    }


def wrong_labels(header: Path, folder: Path) -> list[str]:
    """Return a line for each declaration that is not under the name of the file that defines it."""
    owners = defining_files(folder)
    lines = []
    for name, label in declarations(header):
        owner = owners.get(name, "no file")
        named = re.findall(r"[\w/]+\.c", label)
        if owner not in named and owner not in [f"{header.parent.name}/{file}" for file in named]:
            lines.append(f"{header.name}: {name} is in {owner}, not in {label}")
    return lines


@pytest.mark.parametrize(
    "header",
    [
        "include/wpy.h",
        "include/now.h",
        "core/core.h",
        "runtime/runtime.h",
        "runtime/activation.h",
        "wasi/wasi.h",
    ],
)
def test_headers_name_the_file_that_defines_each_function(header):
    assert declarations(NATIVE / header), f"no declarations found in {header}"
    wrong = wrong_labels(NATIVE / header, NATIVE)
    assert not wrong, "move the declaration to the section of its file:\n" + "\n".join(wrong)


@pytest.mark.parametrize("layer", ["core", "runtime", "wasi", "cpython"])
def test_headers_declare_functions_of_their_own_layer_only(layer):
    owners = defining_files(NATIVE)
    wrong = [
        f"{layer}/{header.name} declares {name}, which is in {owners[name]}"
        for header in sorted((NATIVE / layer).glob("*.h"))
        for name, _ in declarations(header)
        if owners.get(name, layer).partition("/")[0] != layer
    ]
    assert not wrong, "move the declaration to a header of its layer:\n" + "\n".join(wrong)


def test_a_label_that_names_another_file_is_found(small):
    folder = small()
    header = folder / "labels.h"
    header.write_text("/* left.c */\nint wpy_left(int x);\nint wpy_right(int x);\n")
    assert wrong_labels(header, folder) == ["labels.h: wpy_right is in right.c, not in left.c"]


SMALL = [{"top": "top.c"}, {"left": "left.c", "right": "right.c"}, {"bottom": "bottom.*"}]


@pytest.fixture
def small(tmp_path):
    """Return a function that makes a folder of four files with the given return values."""

    def make(**bodies: str) -> Path:
        for name in ("top", "left", "right", "bottom"):
            body = bodies.get(name, "x")
            text = f'#include "bottom.h"\n\nint\nwpy_{name}(int x)\n{{\n    return {body};\n}}\n'
            (tmp_path / f"{name}.c").write_text(text, encoding="utf-8")
        header = "".join(f"int wpy_{name}(int x);\n" for name in ("top", "left", "right", "bottom"))
        (tmp_path / "bottom.h").write_text(header, encoding="utf-8")
        return tmp_path

    return make


def test_a_call_of_a_lower_layer_is_allowed(small):
    folder = small(top="wpy_left(x)", left="wpy_bottom(x)")
    assert wrong_dependencies(folder, SMALL) == []
    assert cycles(folder) == []


@pytest.mark.parametrize(
    ("bodies", "line"),
    [
        ({"bottom": "wpy_top(x)"}, "bottom.c (bottom) uses top.c (top): wpy_top()"),
        ({"left": "wpy_right(x)"}, "left.c (left) uses right.c (right): wpy_right()"),
        ({"left": "x; /* wpy_right(x) */"}, None),
        ({"left": 'f("wpy_right(x)")'}, None),
    ],
)
def test_a_call_of_a_higher_layer_is_reported_with_both_files(small, bodies, line):
    assert wrong_dependencies(small(**bodies), SMALL) == ([line] if line else [])


def test_an_include_of_a_higher_layer_is_reported_with_both_files(small):
    folder = small()
    (folder / "top.h").write_text("int x;\n", encoding="utf-8")
    (folder / "left.c").write_text('#include "top.h"\n', encoding="utf-8")
    layers = [{"top": "top.*"}, *SMALL[1:]]
    assert wrong_dependencies(folder, layers) == ["left.c (left) uses top.h (top): #include"]


def test_an_inline_function_is_a_use_and_a_declaration_is_not(small):
    folder = small()
    header = folder / "bottom.h"
    body = "static inline int\nwpy_near(int x)\n{\n    return wpy_left(x);\n}\n"
    header.write_text(header.read_text(encoding="utf-8") + body, encoding="utf-8")
    assert wrong_dependencies(folder, SMALL) == ["bottom.h (bottom) uses left.c (left): wpy_left()"]


def test_a_cycle_is_reported_with_all_its_files(small):
    folder = small(left="wpy_bottom(x)", bottom="wpy_left(x)")
    assert cycles(folder) == ["bottom <-> left"]


def test_an_inline_function_may_call_the_file_of_its_header(small):
    folder = small()
    header = folder / "bottom.h"
    body = "static inline int\nwpy_near(int x)\n{\n    return wpy_bottom(x);\n}\n"
    header.write_text(header.read_text(encoding="utf-8") + body, encoding="utf-8")
    assert cycles(folder) == []


def test_a_file_in_two_layers_is_refused(small):
    with pytest.raises(AssertionError, match=r"top\.c is in two layers"):
        layers_of(small(), [{"top": "top.c"}, {"all": "*.c"}])
