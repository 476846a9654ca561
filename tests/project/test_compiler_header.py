"""What compilers spell differently is in one header of our C, src/native/compiler.h.

The test reads our C and the lines that patches add to WAMR. tests/packaging/test_compilers.py
compiles what the header says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import rules

ROOT = Path(__file__).resolve().parents[2]
HEADER = "src/native/compiler.h"
# Files that use an extension of a compiler for a reason that doesn't concern the header.
ALLOWED = {
    "src/native/interp/floating.h": "instructions of processors, which no builtin has",
}

EXTENSIONS = re.compile(
    r"""__attribute__ | __declspec | __forceinline | __extension__ | __typeof | \b typeof \b
    | __builtin_\w+ | __sync_\w+ | __atomic_\w+ | __ATOMIC_\w+ | \b _?Interlocked\w+ | stdatomic\.h
    | \b _Atomic \b | \b __thread \b | \b _Thread_local \b | threads\.h | \b _Noreturn \b
    | \b _Alignas \b | \b alignas \b | __restrict | \b __?inline | \b __int128
    | \b (?:__)? asm (?:__)? \b | [<]alloca\.h[>] | [<]malloc\.h[>] | \b goto \s* \*
    | (?: [=,({] | return ) \s* && \s* [A-Za-z_]
    | __GNUC__ | __clang__ | _MSC_VER | __MINGW(?:32|64)__ | _M_(?:X64|IX86|ARM64|ARM)\b
    | \#\s*pragma""",
    re.VERBOSE,
)


def compiler_extensions(files: Mapping[str, str]) -> list[str]:
    """Return a line for each use of a compiler's extension, and each test for a certain compiler.

    Of a patch, only the added lines are read.
    """
    wrong = []
    for name, text in files.items():
        if name.endswith(".patch"):
            text = re.sub(r"(?m)^(?!\+(?!\+\+ )).*", "", text)
        text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", "", m[0]), text, flags=re.DOTALL)
        for found in EXTENSIONS.finditer(text):
            line = text[: found.start()].count("\n") + 1
            wrong.append(f"{name}:{line} spells {found[0].strip()}: use a macro of {HEADER}")
    return wrong


def test_only_one_header_spells_what_compilers_spell_differently() -> None:
    texts = rules.texts_of(ROOT, ".c", ".h", ".def", ".patch")
    ours = {name: text for name, text in texts.items() if name.startswith(("src/", "cmake/"))}
    found = compiler_extensions(ours)
    excepted = (HEADER, *ALLOWED)
    assert not [line for line in found if not line.startswith(excepted)]
    for name in excepted:
        assert any(line.startswith(name) for line in found), f"take {name} out of the list"


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("static __thread int x;", 1),
        ("static __attribute__((noinline)) void f(void);", 1),
        ("__declspec(noinline) void f(void);", 1),
        ("x = __builtin_clz(y);", 1),
        ("x = __atomic_load_n(p, __ATOMIC_RELAXED);", 2),
        ("void *to = &&label;\n    goto *to;", 2),
        ("#if defined(_MSC_VER)\n#include <malloc.h>\n#endif", 2),
        ('__asm__ volatile("");', 1),
        ("x = a && b;\n    y = a\n        && b;", 0),
        ("/* __thread */ x = ATOMIC_LOAD(p);", 0),
    ],
)
def test_an_extension_of_a_compiler_is_reported(code: str, wrong: int) -> None:
    assert len(compiler_extensions({"src/native/a.c": code})) == wrong
    added = "".join(f"+{line}\n" for line in code.splitlines())
    assert len(compiler_extensions({"a.patch": f"--- a/x.c\n+++ b/x.c\n{added}"})) == wrong


def test_lines_that_a_patch_only_shows_or_removes_are_wamrs() -> None:
    patch = "+++ b/x.c\n static __thread int x;\n-__declspec(x)\n+int y;"
    assert compiler_extensions({"a.patch": patch}) == []
