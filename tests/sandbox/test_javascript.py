# ruff: noqa: E501 - lists of code
"""JavaScript in a sandbox."""

from __future__ import annotations

import pytest
from sandboxes import SMALL, javascript, python

import wamr
from wamr.sandbox import JavaScript, Result, RunLimits, SandboxError


def run(code: str, **rest: object) -> Result:
    return javascript().run(code, **rest)


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("1 + 1", 2),
        ("null", None),
        ("true", True),
        ("'é😀\\0\\n\\u2028'", "é😀\0\n\u2028"),
        ("[]", []),
        ("({})", {}),
        ("({a: [1, {b: null}]})", {"a": [1, {"b": None}]}),
        ("2 ** 53", 2**53),
        ("-0.5", -0.5),
        ("1e300", 1e300),
        ("new Date(0)", "1970-01-01T00:00:00.000Z"),
        ("class A { x = 1 }; new A()", {"x": 1}),
        ("({a: undefined, b: 1})", {"b": 1}),
        ("await Promise.resolve(3)", 3),
        ("Promise.resolve(4)", 4),
        ("let x = 1; x = 5", 5),
        ("JSON.parse('[1]')", [1]),
        ("'7'.repeat(5000)", "7" * 5000),
        ("'1e999'", "1e999"),
    ],
)
def test_a_value_that_is_json_comes_back(code, value):
    result = run(code).check()
    assert (result.value, result.value_is) == (value, "json")


def test_reactions_of_promises_that_nobody_awaits_belong_to_their_run():
    assert run("Promise.resolve('x').then(print); 1").check().stdout == "x\n"
    with javascript().session() as session:
        session.run("Promise.resolve(5).then(value => { globalThis.v = value }); 1").check()
        assert session.run("v").check().value == 5


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("5n", "5n"),
        ("NaN", "NaN"),
        ("[Infinity]", "[Infinity]"),
        ("x => x", "[Function: (anonymous)]"),
        ("Symbol('a')", "Symbol(a)"),
        ("new Map([[1, 'a']])", 'Map(1) {1 => "a"}'),
        ("new Set([1])", "Set(1) {1}"),
        ("[undefined]", "[undefined]"),
        ("[1, , 2]", "[1, undefined, 2]"),
        ("[[,], 1n]", "[[undefined], 1n]"),
        ("/a/g", "/a/g"),
        ("const a = []; a.push(a); a", "[[Circular]]"),
        ("'\\ud800'", "\ufffd"),
        ("10n ** 5000n", f"1{'0' * 5000}n"),
    ],
)
def test_a_value_that_is_no_json_comes_back_as_text(code, text):
    result = run(code)
    assert (result.value, result.value_is) == (text, "repr")


@pytest.mark.parametrize(
    "code", ["", "undefined", "let x = 1", "if (0) 1", "// comment", "console.log(1)"]
)
def test_undefined_is_no_value(code):
    assert (run(code).value, run(code).value_is, run(code).ok) == (None, None, True)


def test_the_console_writes_to_stdout_and_stderr():
    result = run(
        "console.log('a', 1, {b: [1, 'x']}, null); console.error('é'); print('p'); console.warn('w')"
    )
    assert (result.stdout, result.stderr) == ('a 1 {b: [1, "x"]} null\np\n', "é\nw\n")


def test_exceptions_have_the_stack_and_the_lines_of_the_code():
    result = run("function f(x) {\n  x.y.z = 1;\n}\n\nf({});")
    assert result.exception.type == "TypeError"
    lines = result.exception.traceback.splitlines()
    assert lines[0].startswith("TypeError: ")
    assert "at f (<run>:2:" in lines[1]
    assert lines[2].strip() == "x.y.z = 1;"
    assert "<run>:5:" in lines[3]
    assert lines[4].strip() == "f({});"
    assert "cmdline" not in result.exception.traceback


@pytest.mark.parametrize("code", ["1 +", "let let = 1", "}", "await", "'"])
def test_syntax_errors_are_exceptions_of_the_code(code):
    assert run(code).exception.type == "SyntaxError"


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        ("throw 5", "number", "5"),
        ("throw 'x'", "string", "x"),
        ("throw {a: 1}", "object", "{a: 1}"),
        ("throw null", "null", "null"),
        ("throw undefined", "undefined", "undefined"),
        ("Promise.reject(new RangeError('r'))", "RangeError", "r"),
        ("class E extends Error { name = 'E' }; throw new E('m')", "E", "m"),
        ("(function f() { f() })()", "RangeError", "Maximum call stack size exceeded"),
        ("class A extends Error { get name() { throw 1 } }; throw new A('m')", "", "m"),
        ("class A extends Error { get message() { throw 1 } }; throw new A()", "Error", ""),
        ("class A extends Error { get stack() { throw 1 } }; throw new A('m')", "Error", "m"),
        ("const e = new Error('m'); e.name = Object.create(null); throw e", "", "m"),
    ],
)
def test_whatever_is_thrown_is_an_exception(code, kind, text):
    with javascript().session() as session:
        told = session.run(code).exception
        assert (told.type, told.message) == (kind, text)
        assert session.run("1 + 1").value == 2


def test_sessions_keep_state_and_are_separate():
    with javascript().session() as first, javascript().session() as second:
        first.run("let x = 1; function f() { return x }; globalThis.g = 5")
        assert first.run("x++; f() + g").value == 7
        assert second.run("typeof x + typeof g").value == "undefinedundefined"
    assert run("typeof x").value == "undefined"


GLOBALS = "Array Error JSON Map Math Number Object Promise Reflect Set String TypeError parseInt globalThis"


@pytest.mark.parametrize("declared", ["let {} = 1", "class {} {{}}"])
def test_variables_may_have_the_names_of_globals(declared):
    with javascript().session() as session:
        session.run("const random = Math.random").check()
        session.run(";".join(declared.format(name) for name in GLOBALS.split(" "))).check()
        shown = session.run("console.log([1, {a: undefined}], greet('Ada'), -0)").check()
        assert shown.stdout == "[1, {a: undefined}] Hello, Ada! -0\n"
        thrown = session.run("(() => { null.x })()").exception
        assert (thrown.type, "null.x" in thrown.traceback) == ("TypeError", True)
        assert session.run("try { echo(5n) } catch (error) { error.name }").value == "TypeError"
        assert session.run("random() < 1").value is True
        assert session.run("({a: [1, 'x']})").value == {"a": [1, "x"]}


def test_random_numbers_differ_and_timers_run():
    assert len({run("Math.random()").value for _ in range(5)}) == 5
    values = run("Array.from({length: 400}, Math.random)").value
    assert all(0 <= value < 1 for value in values)
    assert 0.4 < sum(values) / 400 < 0.6
    assert (
        run(
            "const os = await import('qjs:os'); await new Promise(done => os.setTimeout(() => done(7), 5))"
        ).value
        == 7
    )


def test_input_is_read_by_lines():
    assert run("[readline(), readline(), readline()]", stdin="a\né\n").value == ["a", "é", None]


def test_preload_runs_scripts_beforehand():
    sandbox = JavaScript(preload=["function twice(x) { return 2 * x }"], limits=SMALL)
    assert sandbox.run("twice(4)").value == 8
    with pytest.raises(SandboxError, match="nothing"):
        JavaScript(preload=["nothing.there"])


# ---- tools
def test_tools_are_functions():
    assert run("greet('Ada')").value == "Hello, Ada!"
    assert run("greet('Ada', 'Hi') + greet.named({marks: 3}, 'Bo')").value == "Hi, Ada!Hello, Bo!!!"
    assert run("[greet.name, greet.doc.slice(0, 8), greet.signature]").value == [
        "greet",
        "Return a",
        "greet(name: str, /, greeting: str = 'Hello', *, marks: int = 1) -> str",
    ]
    assert run("echo({a: ['é😀', null, 1.5]})").value == {"a": ["é😀", None, 1.5]}
    assert run("echo(undefined)").value is None


@pytest.mark.parametrize(
    "value", ["5n", "NaN", "x => x", "new Map()", "[undefined]", "'\\ud800'", "Symbol()"]
)
def test_arguments_that_are_no_json_are_a_type_error_in_the_code(value):
    result = run(f"echo({value})")
    assert result.exception.type == "TypeError"
    assert result.exception.message.startswith("echo(): the arguments must be JSON: ")
    assert result.tool_calls == 0


def test_exceptions_of_tools_are_errors_with_their_name():
    code = "try { fail('KeyError', 'k') } catch (e) { [e instanceof Error, e.name, e.message, e.stack.includes('sandboxes')] }"
    assert run(code).value == [True, "KeyError", "'k'", False]
    assert run("fail('TypeError', 't')").exception.type == "TypeError"
    assert run("greet()").exception.message.startswith("greet() missing 1 required")
    with pytest.raises(TypeError, match="tool not_json has returned a set"):
        run("not_json()")


def test_sizes_and_numbers_of_calls_are_limited():
    assert "more than 5000" in run("echo('x'.repeat(6000))").exception.message
    assert run("echo('é'.repeat(2400)).length").value == 2400
    for text in ("'x'.repeat(6000)", "'é'.repeat(3000)", "'名'.repeat(2000)", "'😀'.repeat(1300)"):
        with javascript().session() as session:  # which goes on
            result = session.run(
                f"try {{ echo({text}) }} catch (error) {{ [error.name, error.message] }}"
            )
            assert result.value[0] == "ValueError"
            assert result.value[1].startswith("echo(): the arguments have ")
            assert result.value[1].endswith(" bytes, more than 5000")
            assert session.run("1 + 1").value == 2


@pytest.mark.parametrize("character", ["x", "é", "名", "😀"])
def test_the_length_of_a_value_counts_bytes_and_leaves_the_session(character):
    most = 10_000 // len(character.encode())
    with javascript().session() as session:
        assert session.run(f"'{character}'.repeat({most - 20})").value == character * (most - 20)
        assert session.run(f"'{character}'.repeat({most + 50})").limit == "output"
        told = session.run(f"throw new Error('{character}'.repeat({most // 2}))")
        assert (told.limit, told.exception.message[:9]) == (None, character * 9)
        assert session.run("1 + 1").value == 2


def test_javascript_calls_tools_within_the_limits_of_the_run():
    small, large = RunLimits(tool_bytes=500), RunLimits(tool_bytes=50_000)
    assert "more than 500" in run("echo('x'.repeat(600))", limits=small).exception.message
    assert run("echo('x'.repeat(6000)).length", limits=large).value == 6000
    assert run("for (;;) try { echo() } catch {}").limit == "tool_calls"


# ---- limits and attacks
@pytest.mark.parametrize(
    ("code", "limit"),
    [
        ("for (;;);", "time"),
        ("await new Promise(() => {})", "time"),
        ("for (;;) try { throw 1 } catch {}", "time"),
        ("/(a|a)*b/.test('a'.repeat(40))", "time"),
        ("({toString() { for (;;); }}) + ''", "time"),
        ("({toJSON() { for (;;); }})", "time"),
        ("async function f() { for (;;) await null }; await f()", "time"),
        ("const a = []; for (;;) a.push(new Uint8Array(1e6))", "memory"),
        ("const a = []; for (;;) a.push({})", "memory"),
        ("let s = 'x'; const a = []; for (;;) a.push(s += s.slice(0, 1e5))", "memory"),
        ("for (;;) console.log('x'.repeat(100))", "output"),
        ("for (;;) console.error('x')", "output"),
        ("'x'.repeat(1e6)", "output"),
        ("Array(2e4).fill(0)", "output"),
    ],
)
def test_what_never_ends_is_stopped(code, limit):
    result = run(
        code, limits=RunLimits(time=0.3 if limit == "time" else 60, memory=24 << 20, output=10_000)
    )
    assert result.limit == limit
    assert len(result.stdout) + len(result.stderr) <= 10_000
    assert run("1 + 1").value == 2


@pytest.mark.parametrize(
    "code",
    [
        "for (const name of Object.getOwnPropertyNames(globalThis)) try { delete globalThis[name] } catch {}",
        "Object.prototype.toJSON = () => 1",
        "Object.prototype.value = 1; ({})",
        "Array.prototype[Symbol.iterator] = null; [1]",
        "String.prototype.replace = () => 'x'; 'é'",
        "JSON.stringify = JSON.parse = null; [1]",
        "Promise.prototype.then = () => {}; 1",
        "Object.defineProperty(Object.prototype, 'exception', {get() { throw 1 }}); null.x",
        "const std = await import('qjs:std'); std.exit(3)",
        "const std = await import('qjs:std'); std.err.puts('\\0'); std.in.getline()",
        "const os = await import('qjs:os'); os.close(2)",
        "const os = await import('qjs:os'); os.close(0); os.close(1)",
        "Error.prepareStackTrace = () => { throw 1 }; null.x",
        "Error.stackTraceLimit = 1e9; null.x",
        "class E extends Error { get name() { throw 1 } get message() { throw 2 } get stack() { throw 3 } }; throw new E()",
        "throw new Proxy({}, {get() { throw 1 }, getPrototypeOf() { throw 2 }})",
        "new Proxy([], {get() { throw 1 }})",
        "({then(f) { f(7) }})",
        "({then() { throw 1 }})",
        "let d = 1; for (let i = 0; i < 1e5; i++) d = [d]; d",
        "throw Object.create(null)",
        "Object.create(null)",
        "eval('(' .repeat(1e5))",
        "const std = await import('qjs:std'); for (let i = 0; i < 99; i++) std.err.puts('\\0{}\\n')",
        "const std = await import('qjs:std'); std.loadFile('/etc/passwd')",
    ],
)
def test_an_engine_that_was_broken_harms_itself_only(code):
    result = run(code, limits=RunLimits(time=2, memory=24 << 20, output=10_000))
    assert isinstance(result, Result)
    assert "root:" not in str(result.value)
    with javascript().session(limits=RunLimits(time=2, memory=24 << 20)) as session:
        session.run(code)
        if not session.closed:
            session.run("1")
    assert run("echo(20) + 1").value == 21


def test_nothing_of_the_host_is_there():
    assert run(
        "const std = await import('qjs:std'); [std.getenviron(), std.loadFile('/etc/passwd'), std.open('/etc/passwd', 'r')]"
    ).value == [{}, None, None]
    assert run("typeof scriptArgs + typeof std + typeof os").value == "undefined" * 3


@pytest.mark.parametrize("preload", ["x", None, 1, [1]])
def test_wrong_preloads_are_refused(preload):
    with pytest.raises(TypeError, match="preload must be scripts"):
        JavaScript(preload=preload)


def test_a_module_that_is_no_engine_is_refused():
    with pytest.raises(
        SandboxError, match="not a JavaScript interpreter for WASI: it does not export"
    ):
        JavaScript(wamr.Module(wamr.Engine(), "(module)"))
    with pytest.raises(SandboxError, match="not a JavaScript interpreter"):
        JavaScript(python()._interpreter.module)
