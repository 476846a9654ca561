"""docs/errors.md: each text that is a heading is raised here, or is found in the code."""

import asyncio
import pickle
import re
from pathlib import Path

import argument_errors
import pytest
import session_errors
import snapshot_errors
from wasm_fixtures import program

import wamr
from wamr import (
    Engine,
    ExitTrap,
    Instance,
    Limits,
    Linker,
    Memory,
    MemoryType,
    Module,
    ResourceLimits,
    Store,
    Table,
    TableType,
    Tag,
    TagType,
    ValType,
    WasiConfig,
    WasmException,
    load,
)

SAYS = "(call $say (i32.const 0) (i32.const 2))"
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^### `(.+?)`$", PAGE, re.MULTILINE)

# Errors that need an exhausted system, another build, a second thread, another framework or an
# interpreter of wamr.sandbox: their texts must be in the code.
ELSEWHERE = {
    "… the system has no address space for … in one piece…",
    "… the memories and tables of this process have the … mappings that the system lets them have…",
    "… the system has no memory for …",
    "no memory for the instance's stack of … bytes (stack_bytes)",
    'module text needs the extra "wat": …',
    "dirs is not available on Windows for a directory of the host: …",
    "wamr works in the main interpreter only, and this is a sub-interpreter; …",
    "… needs a CPython for WASI: pip install …",
    "… needs a QuickJS for WASI: pip install …",
    "… would wait for ever: another thread is in its instance …",
    "… another thread was in its instance when this process was forked…",
    "another thread was in this store when this process was forked…",
    "… its host function returned while a call that began later in the same instance…",
    "… another thread was in its instance when the interpreter ended…",
    "interrupted",
    "… needs an event loop of asyncio, and … runs here. …",
    "the code has reached the limit on …",
    "this session has ended",
    "this session was closed while it ran code",
    "tool … has returned … that is not JSON: …",
    "tool … has returned …, which has to be awaited: …",
    "memory is …, and the interpreter alone takes … bytes",
    "the module is not a … interpreter for WASI: it does not export …",
}


def imports(*lines):
    return lambda: load(f"(module {' '.join(lines)})")


def call(body, results="", more="", **named):
    text = f'(module {more} (func $f (export "f") {results} {body}))'
    return lambda: load(text, **named).exports.f()


def in_a_store(make, **limits):
    return lambda: make(Store(limits=ResourceLimits(**limits)))


def wasi(name, type_):
    text = f'(module (import "wasi_snapshot_preview1" "{name}" (func {type_})))'
    return lambda: load(text, wasi=WasiConfig())


def leb(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def binary(*sections):
    parts = [bytes([code]) + leb(len(body)) + body for code, body in sections]
    return lambda: Module(Engine(), b"\0asm\1\0\0\0" + b"".join(parts))


def one_function(body):
    section = b"\1" + leb(len(body)) + body
    return binary((1, b"\1\x60\0\0"), (3, b"\1\0"), (10, section))


def trapped_import():
    linker = Linker(Store())
    module = Module(linker.engine, '(module (import "a" "b" (func)) (export "f" (func 0)))')
    linker.trap_missing(module)
    linker.instantiate(module).exports.f()


def exits():
    raise ExitTrap(3)


def call_with(value):
    text = '(module (func (export "f") (param exnref)))'
    return lambda: load(text).exports.f(value)


def suspending():
    """Return exports whose `f` calls a host function that suspends, and whose `g` runs for ever."""
    text = """(module (import "a" "b" (func $b)) (func (export "f") (call $b))
        (func (export "g") (loop (br 0))))"""
    return load(text, {"a": {"b": lambda: wamr.SUSPEND}}).exports


def plain_call_of_what_suspends():
    suspending().f()


def lower_execution_first():
    exports = suspending()
    lower, upper = exports.f.execution(), exports.f.execution()
    next(lower)
    next(upper)
    next(lower)


def call_while_another_is_in_the_middle():
    exports = suspending()
    execution = exports.g.execution(slice=0)
    next(execution)
    exports.f()


async def asynchronous():
    pass


CALL = '(module (import "a" "b" (func $b)) (func (export "f") (call $b)))'


def plain_call_of_what_is_async():
    load(CALL, {"a": {"b": asynchronous}}).exports.f()


def awaited_call_of_what_suspends():
    asyncio.run(suspending().f.call_async())


def host_function_that_waits_for_its_instance():
    exports = load(CALL, {"a": {"b": lambda: asyncio.run(exports.f.call_async())}}).exports
    exports.f()


def execution_within_itself():
    execution = load(CALL, {"a": {"b": lambda: next(execution)}}).exports.f.execution()
    next(execution)


# Each exception holds the one thrown before it.
KEEP = """(loop $l
    (global.set $g (block $h (result exnref)
        (try_table (catch_all_ref $h) (throw $pair (global.get $g))) (unreachable))) (br $l))"""
ONE_PAGE = ResourceLimits(memory_bytes=65_536)
TAG = Tag(Store(), TagType([ValType.I32, ValType.F64]))
ADD = '(module (func (export "add") (param i32)))'
EMSCRIPTEN = '(import "env" "invoke_v" (func))'
MEMORY = MemoryType(Limits(2))
TABLE = TableType(ValType.FUNCREF, Limits(5, 5))
NESTED = one_function(b"\0" + b"\x02\x40" * 65_536 + b"\x0b" * 65_537)
MANY = b"\1\x60" + leb(70_000) + b"\x7f" * 70_000 + b"\0"
LONG = b"\1\x7f\0\x41\1" + b"\x41\1\x6a" * 2000 + b"\x0b"
DIVIDE = "(drop (i32.div_s (i32.const {}) (i32.const {})))"
MAKERS = [
    plain_call_of_what_suspends,
    lower_execution_first,
    call_while_another_is_in_the_middle,
    execution_within_itself,
    plain_call_of_what_is_async,
    awaited_call_of_what_suspends,
    host_function_that_waits_for_its_instance,
    imports("(memory i64 1)"),
    imports(f"(func (local {'i64 ' * 20_000}))"),
    one_function(b"\1" + leb(70_000) + b"\x7f\x0b"),
    NESTED,
    binary((1, MANY)),
    binary((6, LONG)),
    imports("(func (drop (i32.eqz (f32.const 1))))"),
    one_function(b"\0\x27\x0b"),
    binary((1, b"\1\x60\0\0\0")),
    lambda: Module(Engine(), b"\0asm\1\0\0\0\1"),
    lambda: Module(Engine(), b"\0asm\2\0\0\0"),
    lambda: Module(Engine(), b"\0asm\x0d\0\1\0"),
    lambda: Module(Engine(), b"PK\3\4"),
    lambda: Module(Engine(), b"hello"),
    lambda: Module(Engine(), b""),
    lambda: Module(Engine(), b"\0aot\3\0\0\0"),
    lambda: load("(modul)"),
    imports("(tag (result i32))"),
    imports("(func (block (try_table (catch_all_ref 0))))"),
    imports("(func try rethrow 0 end)"),
    imports("(func $f (param i32)) (start $f)"),
    imports('(func (export "a")) (func (export "a"))'),
    imports('(import "a" "b" (func))'),
    imports('(import "a" "b" (func)) (import "a" "c" (func))'),
    lambda: load('(module (import "a" "log" (func)))', {"a": {"lgo": print}}),
    lambda: load('(module (import "a" "log" (memory 1)))', {"a": {"log": print}}),
    lambda: load(
        '(module (import "wasi_snapshot_preview1" "fd_close" (func (param i32) (result i32))))'
    ),
    wasi("fd_close", ""),
    wasi("fd_shut", ""),
    imports(EMSCRIPTEN),
    imports('(import "wbg" "x" (func))'),
    imports('(import "gojs" "runtime.x" (func))'),
    imports('(import "env" "seed" (func (result f64)))'),
    imports('(import "env" "x" (func)) (@custom "linking" "")'),
    lambda: load('(module (import "a" "b" (func)))', []),
    lambda: wamr.run([Module(Engine(), "(module)")]),
    lambda: wamr.run([Module(Engine(), '(module (func (export "_initialize")))')]),
    lambda: load("(module (memory 2))", limits=ResourceLimits(memory_bytes=65_536)),
    in_a_store(lambda store: Memory(store, MEMORY), memory_bytes=10),
    lambda: load("(module (table 2 funcref))", limits=ResourceLimits(table_elements=1)),
    imports("(table 10000001 funcref)"),
    imports('(memory 1) (data (i32.const 65536) "x")'),
    imports("(table 1 funcref) (func $f) (elem (i32.const 1) $f)"),
    lambda: Memory(Store(), MemoryType(Limits(1, 2))).grow(2),
    lambda: Table(Store(), TABLE).grow(1),
    call("unreachable"),
    call("(drop (i32.load (i32.const 65536)))", more="(memory 1)"),
    call("(drop (table.get 0 (i32.const 9)))", more="(table 1 funcref)"),
    call("(call_indirect (i32.const 9))", more="(table 1 funcref)"),
    call("(call_indirect (i32.const 0))", more="(table 1 funcref)"),
    call(
        "(call_indirect (i32.const 0))",
        more="(table funcref (elem $g)) (func $g (param i32))",
    ),
    call(DIVIDE.format(1, 0)),
    call(DIVIDE.format(-(2**31), -1)),
    call("(drop (i32.trunc_f32_s (f32.const nan)))"),
    call("(drop (i32.atomic.load (i32.const 1)))", more="(memory 1)"),
    call(
        "(drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 0)))",
        more="(memory 1)",
    ),
    call("(call $f)"),
    call("(loop (br 0))", limits=ResourceLimits(fuel=10)),
    lambda: wamr.run([program(SAYS)], capture_output=True, limits=ResourceLimits(output_bytes=1)),
    call("(loop (br 0))", limits=ResourceLimits(timeout=0.01)),
    call("(throw_ref (ref.null exn))"),
    call(
        KEEP,
        more="(tag $pair (param exnref)) (global $g (mut exnref) (ref.null exn))",
        limits=ONE_PAGE,
    ),
    call("(throw $t (i32.const 7))", more="(tag $t (param i32))"),
    call_with("no exception"),
    call_with(WasmException(TAG, 1, 2.0)),
    lambda: WasmException(TAG, 1),
    lambda: WasmException(TAG.type, 1),
    lambda: pickle.dumps(WasmException(TAG, 1, 2.0)),
    exits,
    trapped_import,
    lambda: Engine(wamr.Config(tier="auto")),
    lambda: Store(3),
    lambda: load(ADD).exports.add(),
    lambda: Instance(
        (store := Store()),
        Module(store, '(module (import "a" "m" (memory 1)))'),
        {"a": {"m": Memory(Store(), MEMORY)}},
    ),
    lambda: load(ADD).exports.ad,
    *snapshot_errors.MAKERS,
    *argument_errors.MAKERS,
    *session_errors.MAKERS,
]


@pytest.fixture(scope="module")
def raised(wat):
    """Return the text of each error that a function in MAKERS raises."""
    texts = []
    for make in MAKERS:
        with pytest.raises(BaseException) as caught:
            make()
        texts.append(str(caught.value).replace("\n", " "))
    return texts


def pattern(row):
    return re.compile(".*".join(re.escape(part) for part in row.split("…")), re.DOTALL)


@pytest.mark.parametrize("row", ROWS)
def test_each_text_of_the_page_is_one_that_is_raised(raised, row):
    if row not in ELSEWHERE:
        found = [text for text in raised if pattern(row).match(text)]
        assert found, row


def test_what_is_not_raised_here_stands_in_the_code():
    assert set(ROWS) >= ELSEWHERE
    files = [*ROOT.glob("src/wamr/**/*.py"), *ROOT.glob("src/native/**/*.[ch]")]
    code = "".join(path.read_text(encoding="utf-8") for path in files)
    # Joins the pieces of a text that is written on several lines.
    code = re.sub(r'"\s*f?"', "", code)
    for row in ELSEWHERE:
        for part in row.split("…"):
            words = part.replace('"wat"', "").strip(' :"')
            assert words in code or words.replace('"', '\\"') in code, row


def test_each_error_that_is_raised_here_is_on_the_page(raised):
    patterns = [pattern(row) for row in ROWS]
    missing = [text for text in raised if not any(p.match(text) for p in patterns)]
    assert missing == []


def test_each_class_is_named():
    classes = [
        name
        for name in wamr.__all__
        if isinstance(found := getattr(wamr, name), type) and issubclass(found, wamr.WasmError)
    ]
    assert classes
    assert [name for name in classes if not re.search(rf"\b{name}\b", PAGE)] == []


def test_each_trap_code_is_on_the_page():
    for code in wamr.TrapCode:
        if code.value not in ("exit", "host", "other"):
            assert f"### `{code.value}" in PAGE


def test_each_error_has_a_cause_and_says_what_to_do():
    entries = re.findall(r"^### `(.+?)`\n\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert [row for row, _ in entries] == ROWS
    assert len(set(ROWS)) == len(ROWS)
    wrong = [row for row, text in entries if not re.match(r"\S.+\n\n\*\*What to do:\*\* \S", text)]
    assert wrong == []


def test_the_readme_and_the_manual_lead_to_it():
    assert "docs/errors.md" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "errors.md" in (ROOT / "docs" / "exceptions.md").read_text(encoding="utf-8")
