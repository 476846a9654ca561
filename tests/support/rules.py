"""The rules of this repository that can be read from its files, as functions.

Each function takes files, or their texts, and returns one line for each violation: where it is, and
what to do. tests/project/test_rules.py applies them to the repository, and to made files. This
module knows no file of the repository by name.
"""

from __future__ import annotations

import ast
import functools
import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

MADE = re.compile(
    r"(^|/)(_generated\.pyi?|_wamr(_version)?\.pyi?|_wamr\.c)$"
    r"|\.(so|pyd|pyc)$|(^|/)__pycache__/|\.egg-info/|(^|/)\.\w+_cache/|(^|/)\.coverage"
)
FOLDERS = (
    *("src", "tests", "samples", "benchmarks", "cmake", "codegen", "docs", "tools"),
    *(".github", ".ci"),
)


def paths_of(root: Path) -> list[Path]:
    """Return all files of the repository, without those that a build or a tool made."""
    found = [path for path in root.iterdir() if path.is_file()]
    for folder in FOLDERS:
        found += [path for path in (root / folder).rglob("*") if path.is_file()]
    return sorted(path for path in found if not MADE.search(path.relative_to(root).as_posix()))


def texts_of(root: Path, *ends: str) -> dict[str, str]:
    """Return the texts of the files whose paths have one of these ends, or of all files."""
    found = {path.relative_to(root).as_posix(): path for path in paths_of(root)}
    return {
        name: path.read_text(encoding="utf-8")
        for name, path in found.items()
        if name.endswith(ends or "")
    }


# ------------------------------------------------------------------ length
def long_files(files: Mapping[str, str], most: int, known: Mapping[str, str]) -> list[str]:
    """Check that no file has more lines than `most`, but those that `known` gives a reason for."""
    lengths = {name: text.count("\n") for name, text in files.items()}
    wrong = [
        f"{name} has {lines} lines, more than {most}: split it by concept"
        for name, lines in lengths.items()
        if lines > most and name not in known
    ]
    return wrong + [
        f"{name} has at most {most} lines: take it out of the list of long files"
        for name in known
        if lengths.get(name, 0) <= most
    ]


# ------------------------------------------------------------------ comments
@functools.cache
def parsed(text: str) -> ast.Module:
    return ast.parse(text)


def python_comments(text: str) -> Iterator[tuple[int, str]]:
    """Yield the comments and docstrings of Python code, each with its first line's number."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(parsed(text)):
        if isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None:
            yield node.body[0].lineno, ast.get_docstring(node, clean=False) or ""


def c_comments(text: str) -> Iterator[tuple[int, str]]:
    """Yield the comments of C code, each with its first line's number."""
    for found in re.finditer(r"/\*.*?\*/|//[^\n]*", text, re.DOTALL):
        yield text[: found.start()].count("\n") + 1, found[0]


def page_prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield the text of a Markdown page without its code blocks."""
    blank = re.sub(r"^```.*?^```", lambda m: "\n" * m[0].count("\n"), text, flags=re.M | re.DOTALL)
    yield 1, blank


@functools.cache
def comments_of(name: str, text: str) -> list[tuple[int, str]]:
    """Return what a file says in prose, as (line, text)."""
    if name.endswith((".py", ".pyi")):
        return list(python_comments(text))
    if name.endswith((".c", ".h", ".def")):
        return list(c_comments(text))
    if name.endswith(".md"):
        return list(page_prose(text))
    return [(i, line) for i, line in enumerate(text.split("\n"), 1) if line.startswith("#")]


MENTION = re.compile(
    r"(?<![\w/.*<…{-])((?:[\w.-]+/)*[\w-]+\.(?:pyi?|[ch]|def|patch|md|toml|json|yml))\b(?![\w(/*-])"
    r"|`((?:[\w.-]+/)+)`"  # a folder
)


def suffixes_of(paths: Iterable[str]) -> set[str]:
    """Return each end of each path, and of its folders: for `a/b.c`, that and `b.c` and `a/`."""
    known = set()
    for path in paths:
        parts = path.split("/")
        for end in range(1, len(parts) + 1):
            tail = "/" if end < len(parts) else ""
            known |= {"/".join(parts[i:end]) + tail for i in range(end)}
    return known


def unknown_files(files: Mapping[str, str], existing: Iterable[str]) -> list[str]:
    """Check that each file or folder that comments and pages name exists, whole or as an end."""
    known = suffixes_of(existing)
    wrong = []
    for name, text in files.items():
        if not any(_unknown_mentions(text, known)):
            continue  # neither code nor prose; to tell them apart takes ten times as long
        for line, prose in comments_of(name, text):
            for at, mention in _unknown_mentions(prose, known):
                place = line + prose.count("\n", 0, at)
                wrong.append(f"{name}:{place} names {mention}, which does not exist: correct it")
    return wrong


def _unknown_mentions(text: str, known: set[str]) -> Iterator[tuple[int, str]]:
    for found in MENTION.finditer(text):
        mention = re.sub(r"^(\.\.?/)+", "", found[1] or found[2])
        if mention and mention not in known:
            yield found.start(), mention


def private_words(files: Mapping[str, str], words: Mapping[str, str]) -> list[str]:
    """Check that none of these patterns occurs; `words` has what to write instead."""
    wrong = []
    for name, text in files.items():
        for pattern, instead in words.items():
            for found in re.finditer(pattern, text):
                line = text[: found.start()].count("\n") + 1
                wrong.append(f"{name}:{line} says {found[0]!r}: write {instead}")
    return wrong


# ------------------------------------------------------------------ C
def headless_c(files: Mapping[str, str]) -> list[str]:
    """Check that each C file begins with its name and a sentence: `/* a.c: what it holds. */`"""
    wrong = []
    for name, text in files.items():
        base = Path(name).name
        head = re.match(r"/\* (.*?)\*/", text, re.DOTALL)
        words = re.sub(r"\s*\n \*", " ", head[1]) if head else ""
        if not re.match(rf"{re.escape(base)}: .+?[.:?]", words, re.DOTALL):
            wrong.append(f"{name} must begin with `/* {base}: ` and a sentence: what it holds")
    return wrong


C_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
OUR_NAME = re.compile(r"\bwpy_\w*[a-z0-9]\b")  # not the beginning of a name: wpy_api_…


def unknown_names(files: Mapping[str, str]) -> list[str]:
    """Check that the functions and types of ours that comments of C name exist."""
    known = {name for text in files.values() for name in OUR_NAME.findall(C_COMMENT.sub("", text))}
    return [
        f"{file} names {name}, which does not exist: write what it is called now"
        for file, text in files.items()
        for comment in C_COMMENT.findall(text)
        for name in OUR_NAME.findall(comment)
        if name not in known
    ]


C_CODE = re.compile(
    r"^\s*#\s*(?:include\s*[<\"]|(?:define|ifdef|ifndef)\s+\w)"
    r"|\b(?:int|void|char|double|size_t|u?int(?:8|16|32|64)_t|struct \w+)[ *]+\w+(?:\[\w*\])?"
    r"(?: = [^;\n]*;|\([\w *,]*\)\s*[{;])"
    r"|^\s*(?:if|while|switch) \(.*\)\s*\{\s*$"
    r"|\w->\w+(?:\(| = )[^\n]*;",
    re.MULTILINE,
)


def c_in_strings(files: Mapping[str, str]) -> list[str]:
    """Check that no string of Python code holds C code."""
    wrong = []
    for name, text in files.items():
        tree = parsed(text)
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found = C_CODE.search(node.value)
                if found and id(node) not in docstrings:
                    line = found[0].strip().split("\n")[0]
                    wrong.append(
                        f"{name}:{node.lineno} has C in a string ({line}): put it into a C file"
                    )
    return wrong


# ------------------------------------------------------------------ Python
def imported(text: str) -> Iterator[tuple[int, str]]:
    """Yield the names that code imports, with dots: `from .a import b` is `.a.b` and `.a`."""
    for node in ast.walk(parsed(text)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield node.lineno, base
            for alias in node.names:
                yield node.lineno, f"{base}{'' if base.endswith('.') else '.'}{alias.name}"


def imports_of(files: Mapping[str, str], pattern: str, allowed: Iterable[str]) -> list[str]:
    """Check that what the pattern matches is imported in the allowed files and folders only."""
    users = {}
    for name, text in files.items():
        lines = [line for line, target in imported(text) if re.search(pattern, target)]
        if lines:
            users[name] = min(lines)
    allowed = tuple(allowed)
    wrong = [
        f"{name}:{line} must not import this: ask a module of the layer that may"
        for name, line in users.items()
        if not name.startswith(allowed)
    ]
    unused = [entry for entry in allowed if not any(name.startswith(entry) for name in users)]
    return wrong + [f"nothing in {entry} imports this: take it out of the list" for entry in unused]


def skipped_packages(files: Mapping[str, str], packages: Iterable[str]) -> list[str]:
    """Check that no test skips itself where one of these packages is missing."""
    names = "|".join(sorted(re.escape(name) for name in packages))
    pattern = re.compile(rf"(?:importorskip|find_spec)\(\s*[\"']({names})[\"'.]")
    wrong = []
    for name, text in files.items():
        for found in pattern.finditer(text):
            line = text[: found.start()].count("\n") + 1
            wrong.append(f"{name}:{line} skips without {found[1]}: ask for it by needs()")
    return wrong


CLOCKS = {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time"}


def _reads_clock(node: ast.AST, names: set[str]) -> bool:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and (inner.id in names or inner.id in CLOCKS):
            return True
        if isinstance(inner, ast.Attribute) and inner.attr in CLOCKS:
            return True
    return False


def timed_asserts(files: Mapping[str, str]) -> list[str]:
    """Check that no assert depends on how long something took."""
    wrong = []
    for name, text in files.items():
        if not any(clock in text for clock in CLOCKS):
            continue
        for scope in ast.walk(parsed(text)):
            if not isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Module)):
                continue
            names: set[str] = set()
            for node in ast.walk(scope):
                if isinstance(node, ast.Assign) and _reads_clock(node.value, names):
                    names |= {t.id for t in node.targets if isinstance(t, ast.Name)}
            wrong += [
                f"{name}:{node.lineno} asserts a duration: a busy machine takes any time"
                for node in ast.walk(scope)
                if isinstance(node, ast.Assert) and _reads_clock(node.test, names)
            ]
    return sorted({*wrong})


# ------------------------------------------------------------------ what is committed
LOCKS = {"Lock", "RLock", "Condition", "Semaphore", "allocate_lock", "new_lock"}


def taken_locks(files: Mapping[str, str], known: Mapping[str, str]) -> list[str]:
    """Report locks that are made or taken other than by wamr._base.locks.

    known: files that may, and why. A lock is what one of LOCKS has returned, whatever name it has.
    A method `acquire` takes one, as `with` does.
    """
    found, used = [], set()
    for name, text in files.items():
        if not name.endswith(".py"):
            continue
        tree = parsed(text)
        locks = {
            ast.unparse(target).rpartition(".")[2]
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
            for target in node.targets
            if ast.unparse(node.value.func).rpartition(".")[2] in LOCKS
        }
        for node in ast.walk(tree):
            called = node.func if isinstance(node, ast.Call) else None
            made = getattr(called, "id", None) or getattr(called, "attr", None)
            if made in LOCKS - {"new_lock"} and name not in known:
                found.append(
                    f"{name}:{getattr(node, 'lineno', 0)} makes a lock, which the child of a fork "
                    "may find taken: use new_lock() of wamr._base.locks"
                )
            if isinstance(node, (ast.With, ast.AsyncWith)):
                texts = [ast.unparse(item.context_expr) for item in node.items]
                taken = any(
                    text.rpartition(".")[2] in locks or re.search(r"[Ll]ock$", text)
                    for text in texts
                )
            else:
                taken = isinstance(node, ast.Attribute) and node.attr == "acquire"
            if taken and name in known:
                used.add(name)
            elif taken:
                found.append(
                    f"{name}:{getattr(node, 'lineno', 0)} takes a lock, which an exception of a "
                    "signal handler may leave taken: use locked() or SoleUse of wamr._base.locks"
                )
    return found + [f"{name} takes no lock any more" for name in known if name not in used]


def binary_files(files: Mapping[str, bytes]) -> list[str]:
    """Check that no file holds anything but text in UTF-8."""
    wrong = []
    for name, data in files.items():
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            wrong.append(f"{name} is binary: make it in the test, from text")
    return wrong


def unpinned_actions(files: Mapping[str, str]) -> list[str]:
    """Check that workflows name actions by a full commit, with the version as a comment."""
    wrong = []
    for name, text in files.items():
        for found in re.finditer(r"uses: *([^\s#]+)(.*)", text):
            if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d[\w.]*", found[1] + found[2].rstrip()):
                line = text[: found.start()].count("\n") + 1
                wrong.append(
                    f"{name}:{line} uses {found[1]}: name its full commit, and the version "
                    "behind it as a comment (# v1.2.3)"
                )
    return wrong
