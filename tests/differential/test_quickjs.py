"""QuickJS, a reactor: each of its functions returns and prints the same as in wasmtime."""

from __future__ import annotations

import struct

import pytest
from differential import DifferentialModule, Folder, Job, Outcome, Pair


def start(pair: Pair, *args: str) -> int:
    """Create QuickJS's runtime with a command line, which evaluates a script; return 0 or -1."""
    addresses = [pair.string(arg) for arg in ("qjs", *args)]
    vector: int = pair.call("malloc", 4 * len(addresses) + 4)
    pair.write(vector, struct.pack(f"<{len(addresses) + 1}I", *addresses, 0))
    result: int = pair.call("qjs_init_argv", len(addresses), vector)
    return result


def run(quickjs: DifferentialModule, *args: str, job: Job | None = None) -> tuple[int, Outcome]:
    pair = quickjs.start(job)
    result = start(pair, *args)
    return result, pair.outcome()


@pytest.mark.parametrize(
    ("script", "printed"),
    [
        ("print(1 + 1)", "2"),
        ("print(2n ** 100n, 0.1 + 0.2, 1 / 3, NaN, -0, 1e21)", None),
        ("print(Math.sin(1e5), Math.exp(1.5), Math.cbrt(2), Math.hypot(1, 2))", None),
        ("print([...'aé😀'].length, 'é'.normalize('NFD').length)", "3 2"),
        ("print(JSON.stringify({b: [1, 2.5, null], a: 'é\\u2028'}, null, 1))", None),
        ('print(JSON.parse(\'{"a": [1, {"b": null}]}\').a[1].b)', "null"),
        ("print(Object.keys({b: 1, a: 2, 1: 3}), [3, 1, 2].toSorted())", "1,b,a 1,2,3"),
        ("class A { #x = 1; get x() { return this.#x } } print(new A().x)", "1"),
        ("print(/(?<year>\\d{4})-(\\p{L}+)/u.exec('2024-éa').groups.year)", "2024"),
        ("function* g() { yield* [1, 2] } print([...g()], new Map([[1, 2]]).get(1))", "1,2 2"),
        ("print(new Date(0).toISOString())", "1970-01-01T00:00:00.000Z"),
        ("print(new Uint8Array([1, 2, 300]), new Float32Array([0.1])[0])", None),
        ("Promise.resolve(1).then(print); print('first')", "first"),
        ("function f(n) { return n ? 1 + f(n - 1) : 0 } print(f(300))", "300"),
        ("let a = []; for (let i = 0; i < 1e5; i++) a.push(i * i % 7); print(a.sort())", None),
        ("let s = ''; for (let i = 0; i < 1e5; i++) s += 'ab'; print(s.length)", "200000"),
        ("try { null.x } catch (e) { print(e instanceof TypeError, e.message) }", None),
        ("print(typeof std, typeof os, typeof require, typeof setTimeout)", None),
    ],
)
def test_scripts(quickjs: DifferentialModule, script: str, printed: str | None) -> None:
    result, done = run(quickjs, "-e", script)
    assert (result, done.code, done.err) == (0, 0, "")
    assert done.out.strip() == printed or printed is None
    assert done.out.strip()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("throw new Error('é')", "Error: é\n"),
        ("throw {a: 1}", "[object Object]\n"),
        ("1 +", "SyntaxError: unexpected token"),
        ("nothing", "ReferenceError: nothing is not defined\n"),
        ("null.x", "TypeError: cannot read property 'x' of null\n"),
        ("new RegExp('('.repeat(5000) + ')'.repeat(5000))", "SyntaxError: too many captures\n"),
        ("function f() { throw new RangeError('deep') }\nf()", "at f (<cmdline>:1:"),
    ],
)
def test_errors(quickjs: DifferentialModule, script: str, said: str) -> None:
    result, done = run(quickjs, "-e", script)
    assert (result, done.out) == (-1, "")
    assert said in done.err


def test_a_large_output(quickjs: DifferentialModule) -> None:
    _, done = run(quickjs, "-e", "for (let i = 0; i < 300; i++) print('é'.repeat(i * 20), i)")
    assert done.out == "".join(f"{'é' * (i * 20)} {i}\n" for i in range(300))


def test_endless_recursion_ends(quickjs: DifferentialModule) -> None:
    result, done = run(quickjs, "-e", "function f(n) { return f(n + 1) } f(0)")
    assert (result, done.code) == ("trap", "trap")


FILES = Folder(
    {
        "main.js": b"import {twice} from './lib.js'; print(twice(21), scriptArgs, import.meta.url)",
        "lib.js": b"export const twice = x => x * 2",
        "data": "dätä".encode(),
    },
    writable=True,
)
WRITING = """
const file = std.open('/d/new', 'w'); file.puts('from é'); file.close();
os.mkdir('/d/sub'); os.rename('/d/data', '/d/sub/data');
print(os.readdir('/d')[0].sort(), std.loadFile('/d/sub/data'), os.stat('/d/new')[0].size);
print(std.open('/d/missing', 'r'), os.remove('/d/missing'), os.readdir('/elsewhere')[1]);
"""


@pytest.mark.parametrize(
    ("args", "result", "printed"),
    [
        (["/d/main.js", "a", "b"], 0, "42 /d/main.js,a,b file:///d/main.js\n"),
        (["/d/missing.js"], 1, ""),
        (["--std", "-e", "print(std.getenv('NAME')); std.exit(3)"], 3, "é\n"),
        (["--std", "-e", "print(std.in.getline(), std.in.readAsString())"], 0, "line rest\n\n"),
        (["--std", "-m", "-e", "import * as s from 'qjs:std'; s.puts('module\\n')"], 0, "module\n"),
        (["--memory-limit", "2000", "-e", "for (const a = [];;) a.push([1, 2, 3])"], -1, ""),
        (["--std", "-e", "std.err.puts('error'); os.sleep(5); print(1)"], 0, "1\n"),
        (["--std", "-e", WRITING], 0, None),
    ],
)
def test_what_it_gets_from_the_host(
    quickjs: DifferentialModule, args: list[str], result: int, printed: str | None
) -> None:
    job = Job(env={"NAME": "é"}, stdin=b"line\nrest\n", dirs={"/d": FILES})
    found, done = run(quickjs, *args, job=job)
    assert (found, done.out) == (result, done.out if printed is None else printed)
    assert ("new" in done.files["/d"]) == (printed is None)


def test_one_instance_many_runtimes(quickjs: DifferentialModule) -> None:
    pair = quickjs.start()
    for number in range(3):
        code = f"globalThis.x = (globalThis.x || 0) + 1; print('run', {number}, x)"
        assert start(pair, "-e", code) == 0
        assert pair.call("qjs_get_context") > 0
        assert start(pair, "-e", "print('a second one')") == -1
        pair.call("qjs_destroy")
        assert pair.call("qjs_get_context") == 0
    assert pair.outcome().out == "run 0 1\nrun 1 1\nrun 2 1\n"
