"""The value of a run: of the last statement, if that is an expression, however it is written."""

from __future__ import annotations

import pytest
from sandboxes import python

from wamr.sandbox import Result


def run(code: str) -> Result:
    return python().run(code)


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("x = 1\n\n# end\nx\n# comment\n\n", 1),
        ('x = """\na\n"""\nx', "\na\n"),
        ('print("""\na\n""")', None),
        ("x = [\n1,\n]\nx", [1]),
        ("f = lambda a: (\n  a\n)\nf(\n 3\n)", 3),
        ("x = 1 + \\\n2\nx", 3),
        ("1; 2", 2),
        ("if 1:\n  x = 5\nx", 5),
        ("def f():\n  return 1\n\nf() + f(\n)", 2),
        ("[\n1,\n2\n]", [1, 2]),
        ("x = 3\n(x\n+ 1)", 4),
        ("not 0", True),
        ("(lambda: 5)()", 5),
        ("importance = 4\nimportance", 4),
        ("x = 5\r\nx\r\n", 5),
        ("from __future__ import annotations\ndef f(x: y): pass\nf.__annotations__", {"x": "y"}),
        ("1 if 1 else 2", 1),
        ("x = 1;\nx", 1),
        ("\n\n\n7", 7),
        ("'''doc'''", "doc"),
        ("sum(i\nfor i in range(4))", 6),
        ("(1\nif 1 else\n2)", 1),
        ('str("""\nselect a\nfrom b""")', "\nselect a\nfrom b"),
        ('x = 1\n"""\nimport sys"""', "\nimport sys"),
        ('"""\nimport sys\n#"""', "\nimport sys\n#"),
    ],
)
def test_the_last_expression_is_found_however_it_is_written(code, value):
    result = run(code).check()
    assert (result.value, result.value_is) == (value, "json")


@pytest.mark.parametrize(
    "code",
    [
        "x = 1 + \\\n2",
        'x = """\n5\n"""',
        "x = [\n5\n]",
        "if 0:\n  5",
        "for i in []: i",
        "x = 5\nx += 1",
        "def f():\n  5",
        "5\ny = 6",
        "5\nimport sys",
        "@print\ndef f(): pass",
        "try: 5\nfinally: pass",
        "class A: 5",
        "x = sum(i\nfor i in range(4))",
        'x = """\nimport sys"""',
        "from __future__ import annotations\ndef f(x: y): pass",
    ],
)
def test_what_only_looks_like_a_last_expression_is_none(code):
    assert run(code).check().value_is is None


def test_lines_of_tracebacks_are_right_wherever_the_exception_is():
    for code, line in (
        ("1 / 0", 1),
        ("\n\n1 / 0", 3),
        ("x = 0\n\n(1 /\n  x)", 3),
        ("1 / 0\n5", 1),
        ("x = 0; 1 / x", 1),
    ):
        assert f'"<run 1>", line {line}, in <module>' in run(code).exception.traceback
