# ruff: noqa: E501 - lists of code
"""Functions of the host that Python code in a sandbox calls."""

from __future__ import annotations

import functools
import math

import pytest
from sandboxes import SMALL, greet, python

from wamr.sandbox import Python


def run(code: str, **rest: object):
    return python().run(code, **rest)


# ---- calls
def test_positional_and_keyword_arguments_and_defaults():
    assert run("greet('Ada')").value == "Hello, Ada!"
    assert run("greet('Ada', 'Hi', marks=2)").value == "Hi, Ada!!"
    assert run("greet('Ada', greeting='Ho')").value == "Ho, Ada!"
    assert run("total(1, 2.5, a=3)").value == 6.5
    assert run("total()").value == 0


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("greet()", "greet() missing 1 required positional argument: 'name'"),
        ("greet(name='x')", "greet() got some positional-only arguments passed as keyword"),
        ("greet('a', 'b', 3)", "greet() takes from 1 to 2 positional arguments but 3"),
        ("greet('a', other=1)", "greet() got an unexpected keyword argument 'other'"),
    ],
)
def test_wrong_calls_fail_in_the_code_as_for_any_function(code, text):
    result = run(code)
    assert result.exception.type == "TypeError"
    assert text in result.exception.message
    assert result.tool_calls == 0


def test_signature_help_and_name_are_those_of_the_host():
    shown = run("import inspect; str(inspect.signature(greet))").value
    assert shown == "(name: str, /, greeting: str = 'Hello', *, marks: int = 1) -> str"
    text = run("help(greet)").stdout
    assert "Return a greeting.\n\n    It is polite." in text
    assert shown in text
    assert run("[greet.__name__, greet.__doc__, total.__doc__]").value == [
        "greet",
        "Return a greeting.\n\nIt is polite.",
        None,
    ]
    assert (
        run("import inspect; str(inspect.signature(total))").value
        == "(*numbers: float, **named: float) -> float"
    )
    assert run("greet.__annotations__['marks'] is int").value is True


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        2**70,
        -1.5,
        "",
        "é😀\0\n",
        [],
        {},
        [[{"a": [None]}]],
        {"": {"é": 1}},
        "x" * 2000,
        "3" * 4500,
        "1e999",
        10**4000,
    ],
)
def test_values_cross_in_both_directions(value):
    assert run(f"echo({value!r}) == {value!r}").value is True
    assert run(f"echo(value={value!r})").value == value


def test_tuples_become_lists():
    assert run("echo((1, (2,)))").value == [1, [2]]


@pytest.mark.parametrize(
    "value",
    [
        "{1}",
        "b'x'",
        "{1: 2}",
        "object()",
        "float('nan')",
        "float('inf')",
        "'\\ud800'",
        "[{(1,): 2}]",
        "1j",
        "print",
    ],
)
def test_arguments_that_are_no_json_are_a_type_error_in_the_code(value):
    for call in (f"echo({value})", f"echo(value={value})", f"echo([{value}])"):
        result = run(call)
        assert result.exception.type == "TypeError", call
        assert result.exception.message.startswith("echo(): the arguments must be JSON: ")
        assert result.tool_calls == 0


def test_an_int_that_is_too_long_for_json_is_a_type_error_in_the_code():
    result = run("import sys\nsys.set_int_max_str_digits(0)\necho([10**4300])")
    assert (result.exception.type, result.tool_calls) == ("TypeError", 0)
    assert result.exception.message.endswith("an int of more than 4300 digits is not JSON")


def test_arguments_that_are_too_deep_or_contain_themselves_are_refused():
    for make in ("for i in range(3000): x = [x]", "x.append(x)", "for i in range(150): x = [x]"):
        assert run(f"x = []\n{make}\necho(x)").exception.type == "TypeError"


def test_a_result_that_is_no_json_is_a_type_error_of_the_host():
    with pytest.raises(TypeError, match="tool not_json has returned a set that is not JSON"):
        run("not_json()")
    session = python().session()
    with pytest.raises(TypeError):
        session.run("try:\n  not_json()\nexcept BaseException: pass")
    assert session.closed


@pytest.mark.parametrize(
    "value",
    [
        {1: 2},
        [b"x"],
        math.nan,
        "\ud800",
        object(),
        {"a": {None: 1}},
        functools.reduce(lambda x, _: [x], range(150), []),
    ],
)
def test_results_that_are_no_json_are_refused(value):
    with pytest.raises(TypeError, match=r"tool give has returned an? .* that is not JSON"):
        Python(tools={"give": lambda: value}, limits=SMALL).run("give()")


# ---- exceptions
@pytest.mark.parametrize(
    ("kind", "args"),
    [
        ("ValueError", ("wrong",)),
        ("KeyError", ("key",)),
        ("KeyError", (3,)),
        ("OSError", ("text",)),
        ("OSError", (10**6, "text")),
        ("OSError", (12, "a number that is another error in WASI")),
        ("ZeroDivisionError", ()),
        ("TimeoutError", ("late",)),
        ("StopIteration", ("x",)),
        ("RecursionError", ("r",)),
        ("UnicodeError", ("u",)),
        ("Exception", ("e", "two")),
        ("NotImplementedError", ()),
        (
            "FileNotFoundError",
            (
                2,
                "no",
            ),
        ),
        ("PermissionError", ("é\n",)),
        ("RuntimeWarning", ("w",)),
        ("AssertionError", ()),
        ("StopAsyncIteration", ()),
    ],
)
def test_an_exception_of_a_tool_arrives_with_its_class_and_text(kind, args):
    code = (
        f"try:\n  fail({kind!r}, *{list(args)!r})\n"
        "except Exception as error:\n  caught = [type(error).__name__, str(error)]\ncaught"
    )
    import builtins

    assert run(code).value == [kind, str(getattr(builtins, kind)(*args))]


def test_an_uncaught_exception_of_a_tool_shows_the_code_only():
    result = run("def f():\n    fail('ValueError', 'wrong')\nf()")
    assert result.exception.traceback == (
        "Traceback (most recent call last):\n"
        '  File "<run 1>", line 3, in <module>\n    f()\n'
        "  File \"<run 1>\", line 2, in f\n    fail('ValueError', 'wrong')\n"
        "ValueError: wrong\n"
    )


def test_nothing_else_of_an_exception_crosses():
    code = """
try:
    fail("Secret", "the message")
except Exception as error:
    seen = [type(error).__name__, str(error), repr(error.__cause__), repr(error.__context__)]
    import traceback
    seen.append(traceback.format_exc())
seen
"""
    name, text, cause, context, shown = run(code).value
    assert (name, text, cause, context) == ("Exception", "the message", "None", "None")
    assert "secret" not in shown
    assert __file__ not in shown
    assert "sandboxes.py" not in shown


def test_an_os_error_with_a_file_name_keeps_its_text():
    def read():
        return open("/nothing/there").read()  # noqa: PTH123

    result = Python(tools=[read], limits=SMALL).run("read()")
    assert result.exception.type == "FileNotFoundError"
    assert "/nothing/there" in result.exception.message


def test_exceptions_that_code_cannot_make_become_others():
    class Odd(UnicodeDecodeError):
        pass

    def odd():
        raise Odd("utf-8", b"x", 0, 1, "reason")

    def group():
        raise Group("many")

    class Group(UnicodeEncodeError):
        __init__ = object.__init__

        def __str__(self):
            return "many"

    class Bad(Exception):
        def __str__(self):
            raise ValueError

    def bad():
        raise Bad

    sandbox = Python(tools=[odd, group, bad], limits=SMALL)
    code = "try:\n  {}()\nexcept Exception as e: seen = [isinstance(e, ValueError), str(e)]\nseen"
    is_value_error, text = sandbox.run(code.format("odd")).value
    assert is_value_error
    assert "can't decode" in text
    assert sandbox.run(code.format("group")).value == [True, "many"]
    assert sandbox.run(code.format("bad")).value == [False, ""]


def test_key_errors_keep_their_texts():
    class Missing(KeyError):
        pass

    class Told(KeyError):
        def __str__(self):
            return "told"

    errors = [KeyError((1, 2)), Missing("pear"), Told("pear")]

    def fail(i):
        raise errors[i]

    sandbox = Python(tools=[fail], limits=SMALL)
    for i, error in enumerate(errors):
        told = sandbox.run(f"fail({i})").exception
        assert (told.type, told.message) == ("KeyError", str(error))


@pytest.mark.parametrize("kind", ["KeyboardInterrupt", "SystemExit", "GeneratorExit"])
def test_exceptions_that_are_for_the_host_leave_run(kind):
    session = python().session()
    with pytest.raises(BaseException) as caught:
        session.run(f"try:\n  fail({kind!r}, 'x')\nexcept BaseException: pass")
    assert type(caught.value).__name__ == kind
    assert session.closed


def test_a_memory_error_of_a_tool_is_no_limit():
    result = run("fail('MemoryError', 'of the host')")
    assert (result.exception.type, result.limit) == ("MemoryError", None)


# ---- what can be a tool
def test_methods_partials_lambdas_and_objects_can_be_tools():
    class Counter:
        """Counts."""

        def __init__(self):
            self.count = 0

        def step(self, by: int = 1) -> int:
            self.count += by
            return self.count

        def __call__(self, text: str) -> str:
            return text * self.count

    counter = Counter()
    sandbox = Python(
        tools={
            "step": counter.step,
            "times": counter,
            "two": functools.partial(greet, marks=2),
            "f": lambda x: x + 1,
            "length": len,
            "largest": max,
        },
        limits=SMALL,
    )
    code = "import inspect\n[step(), step(by=2), times('a'), two('x'), f(1), length([1]), largest(1, 2), str(inspect.signature(step))]"
    assert sandbox.run(code).check().value == [
        1,
        3,
        "aaa",
        "Hello, x!!",
        2,
        1,
        2,
        "(by: int = 1) -> int",
    ]


def test_default_values_that_are_no_json_stay_on_the_host():
    secret = object()

    def tool(a=secret, b=[1], c=None, d=(1, 2), *, e=b"key"):  # noqa: B006
        return [a is secret, b, c, list(d), e == b"key"]

    sandbox = Python(tools=[tool], limits=SMALL)
    assert sandbox.run("tool()").value == [True, [1], None, [1, 2], True]
    assert sandbox.run("tool(1, c=5)").value == [False, [1], 5, [1, 2], True]
    shown = sandbox.run("import inspect; str(inspect.signature(tool))").value
    assert shown == "(a=..., b=[1], c=None, d=(1, 2), *, e=...)"


def test_names_of_parameters_may_be_any():
    def tool(call, args, kwargs, Default, self, _wamr, name):
        return [call, args, kwargs, Default, self, _wamr, name]

    assert Python(tools=[tool], limits=SMALL).run(
        "tool(1, 2, 3, name=7, _wamr=6, self=5, Default=4)"
    ).value == [1, 2, 3, 4, 5, 6, 7]


OWN = ["_wamr_args", "_wamr_call", "_wamr_kwargs", "_wamr_defaults", "_wamr_Default", "_wamr__args"]


@pytest.mark.parametrize("name", OWN)
def test_names_of_tools_and_parameters_may_be_those_that_the_sandbox_uses_itself(name):
    scope: dict = {}
    exec(f"def first({name}, *, b=[2], **c): return [{name}, b, c]", scope)
    exec(f"def second({name}=[1], *b): return [{name}, b]", scope)
    exec(f"def third(a=[3], *{name}, **d): return [a, {name}, d]", scope)
    tools = {name: scope["first"], "second": scope["second"], "third": scope["third"]}
    code = f"[{name}(1, b=3, c=4), {name}({name}=5), second(), second(1, 2), third(), third(4, 5, d=6)]"
    assert Python(tools=tools, limits=SMALL).run(code).check().value == [
        [1, 3, {"c": 4}],
        [5, [2], {}],
        [[1], []],
        [1, [2]],
        [[3], [], {}],
        [4, [5], {"d": 6}],
    ]


def test_code_may_replace_tools_and_builtins():
    code = "len = greet = print\nimport json, os\njson.dumps = json.loads = os.read = os.write = None\n[echo(1), 2]"
    assert run(code).check().value == [1, 2]


def test_tools_keep_order_and_are_counted():
    seen = []
    sandbox = Python(tools={"put": seen.append}, limits=SMALL)
    result = sandbox.run("for i in range(5): put(i)")
    assert (seen, result.tool_calls) == ([0, 1, 2, 3, 4], 5)


def test_a_tool_may_use_the_sandbox_itself():
    sandbox = Python(tools={"inner": lambda code: sandbox.run(code).value}, limits=SMALL)
    assert sandbox.run("inner('inner(\"20 + 1\") * 2')").value == 42


def test_a_tool_may_not_use_the_session_that_calls_it():
    sandbox = Python(tools={"inner": lambda: session.run("1").value}, limits=SMALL)
    session = sandbox.session()
    result = session.run("inner()")
    assert (result.exception.type, result.exception.message) == (
        "RuntimeError",
        "this session runs code already: one run at a time",
    )
    assert session.run("2").value == 2
