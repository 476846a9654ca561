"""Each function of our C whose comment says that a lock is held asserts it (core/lock_order.h).

A comment says so with "Under the registry's lock", "Under the module's mutex" or "Under the group's
lock", before the declaration or the definition of the function. Builds with WAMR_DEBUG=1 run the
assertions.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

NATIVE = Path(__file__).resolve().parents[2] / "src" / "native"

ASSERTIONS = {  # what a comment says, and what the body must contain
    r"under the registry's lock": r"ASSERT_HAS_LOCK\(WPY_REGISTRY_LOCK\)",
    r"under the module's mutex": r"ASSERT_HAS_LOCK\(WPY_MODULE_MUTEX\)",
    r"under (?:the|its) group's lock": r"ASSERT_(?:ENTERED|IN_GROUP)|ACQUIRES_LOCK",
}
FUNCTION = re.compile(
    r"/\*((?:(?!\*/).)*)\*/\n((?:\w[^;{}()]*?)\b(\w+)\([^;{}]*\))(?:;|\n\{\n(.*?)\n\})", re.DOTALL
)


def promises(folder: Path) -> dict[str, str]:
    """Return the comments of functions that say that a lock is held, by the function's name."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*.[ch]")):
        for match in FUNCTION.finditer(path.read_text(encoding="utf-8")):
            comment = " ".join(match[1].split()).lower()
            if any(re.search(words, comment) for words in ASSERTIONS):
                found[match[3]] = f"{found.get(match[3], '')} {comment}"
    return found


def bodies(folder: Path) -> dict[str, str]:
    """Return the body of each function, by its name."""
    definition = re.compile(r"^(\w+)\([^;{}]*\)\n\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
    return {
        match[1]: match[2]
        for path in folder.rglob("*.[ch]")
        for match in definition.finditer(path.read_text(encoding="utf-8"))
    }


def broken(folder: Path) -> list[str]:
    """Return a line for each function that doesn't assert the lock that its comment names."""
    code = bodies(folder)
    return [
        f"{name} lacks {assertion}"
        for name, comment in promises(folder).items()
        for words, assertion in ASSERTIONS.items()
        if re.search(words, comment) and not re.search(assertion, code.get(name, ""))
    ]


def test_functions_assert_the_locks_that_their_comments_name():
    assert len(promises(NATIVE)) > 8
    wrong = broken(NATIVE)
    assert not wrong, "assert the lock at the beginning of the function:\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ("    ASSERT_HAS_LOCK(WPY_REGISTRY_LOCK);\n", []),
        ("    return;\n", [r"wpy_f lacks ASSERT_HAS_LOCK\(WPY_REGISTRY_LOCK\)"]),
    ],
)
def test_a_missing_assertion_is_found(tmp_path, body, wrong):
    comment = "/* Frees it. Under the registry's\n   lock. */\n"
    (tmp_path / "a.h").write_text(f"{comment}void wpy_f(int x);\n", encoding="utf-8")
    (tmp_path / "a.c").write_text(f"void\nwpy_f(int x)\n{{\n{body}}}\n", encoding="utf-8")
    assert broken(tmp_path) == wrong
