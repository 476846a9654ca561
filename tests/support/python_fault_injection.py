"""Fault injection: a program that uses the whole API while allocations of Python fail.

    python python_fault_injection.py STEP

Each STEP-th allocation fails, one in each run (by CPython's _testcapi). A fault ends in an
assertion, a crash or a traceback. Later allocations of a run must succeed: otherwise CPython 3.11
loops for ever in an exception handler that has no memory for an int. test_python_memory_failures.py
runs it.
"""

import _testcapi
import gc
import sys

from small_modules import HostError

from wamr import (
    CompileError,
    Config,
    Engine,
    Func,
    FuncType,
    Global,
    GlobalType,
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
    Trap,
    ValType,
    WasmException,
    wat2wasm,
)

ALL = wat2wasm("""(module $all
    (import "h" "cb" (func $cb (param i32) (result i32)))
    (import "h" "many" (func $many (param i32 i64 f32 f64 i32 i32) (result i32 i32)))
    (import "h" "refs" (func $refs (param externref funcref) (result externref funcref)))
    (import "h" "m" (memory 1 5)) (import "h" "t" (table $t 2 20 funcref))
    (import "h" "g" (global (mut i32))) (import "h" "x" (global (mut externref)))
    (table $objects (export "objects") 2 10 externref)
    (global (export "gf") (mut funcref) (ref.func $run))
    (func $run (export "run") (param i32) (result i32) (call $cb (local.get 0)))
    (func (export "many") (result i32 i32) (call $many (i32.const 1) (i64.const 2) (f32.const 3)
        (f64.const 4) (i32.const 5) (i32.const 6)))
    (func (export "refs") (param externref funcref) (result externref funcref)
        (call $refs (local.get 0) (local.get 1)))
    (func $div (export "div") (param i32 i32) (result i32)
        (i32.div_s (local.get 0) (local.get 1)))
    (func (export "grow") (result i32) (memory.grow (i32.const 1)))
    (func (export "grow_objects") (param externref) (result i32)
        (table.grow $objects (local.get 0) (i32.const 1)))
    (func $deep (export "deep") (param i32) (result i32) (if (result i32) (local.get 0)
        (then (call $deep (i32.sub (local.get 0) (i32.const 1))))
        (else (call $div (i32.const 1) (local.get 0)))))
    (func $start (drop (call $cb (i32.const 0)))) (start $start)
    (data (i32.const 0) "hello") (elem (i32.const 0) $run $deep))""")
USER = wat2wasm("""(module
    (import "a" "run" (func $run (param i32) (result i32)))
    (import "a" "div" (func $div (param i32 i32) (result i32)))
    (memory (export "memory") 2) (table (export "t") 10 funcref)
    (func (export "go") (result i32) (call $run (i32.const 4)))
    (func (export "trap") (result i32) (call $div (i32.const 4) (i32.const 0)))
    (elem (i32.const 0) $run $div))""")
THROWING = wat2wasm("""(module
    (import "m" "h" (func $h (param exnref) (result exnref))) (import "m" "t" (tag $t (param i32)))
    (tag $pair (export "pair") (param exnref externref i64))
    (table $kept (export "kept") 2 exnref) (global (export "g") (mut exnref) (ref.null exn))
    (func (export "throw") (param i32) (throw $t (local.get 0)))
    (func (export "wrap") (param exnref externref)
        (throw $pair (local.get 0) (local.get 1) (i64.const 3)))
    (func (export "ask") (param exnref) (result exnref) (call $h (local.get 0)))
    (func (export "catch") (result i32)
        (block $c (result i32)
            (try_table (catch $t $c) (drop (call $h (ref.null exn)))) (i32.const -1)))
    (func (export "both") (param i32) (result i32 exnref)
        (block $c (result i32 exnref)
            (try_table (catch_ref $t $c) (throw $t (local.get 0))) (unreachable))))""")
BEYOND = wat2wasm('(module (memory 1) (data (i32.const 65536) "x"))')


def fails(kind, use, *args):
    try:
        use(*args)
    except kind as error:
        return str(error)
    raise AssertionError(f"no {kind.__name__}")


def use_exceptions(store):
    """Throw, catch, keep and pass exceptions."""
    thrown = None

    def host(exception):
        if thrown is not None:
            raise thrown
        return exception

    tag = Tag(store, TagType([ValType.I32]))
    inst = Instance(store, Module(store, THROWING), [host, tag])
    e = inst.exports
    try:
        e.throw(7)
    except WasmException as error:
        assert (error.tag, error.values) == (tag, (7,))  # noqa: PT017
    one = WasmException(tag, 5)
    obj = [one]
    try:
        e.wrap(one, obj)
    except WasmException as error:
        two = error
    assert two.tag == e.pair
    assert two.values == (one, obj, 3)
    assert e.ask(two) is two
    assert e.ask(None) is None
    number, caught = e.both(9)
    assert (number, caught.values) == (9, (9,))
    e.g.value = e.kept[0] = caught
    assert e.g.value is e.kept[0] is caught
    thrown = one
    assert e.catch() == 5
    assert fails(WasmException, e.ask, None) == str(one)
    assert len(one.frames) == 1
    inst.close()


def use_whole_api():
    """Use the whole API; this may raise MemoryError at any point, and nothing else."""
    limits = ResourceLimits(memory_bytes=1 << 22, table_elements=100)
    store = Store(Engine(Config(stack_bytes=65_536)), limits=limits)
    module = Module(store, ALL)
    assert (module.name, len(module.imports), len(module.exports)) == ("all", 7, 9)
    fails(CompileError, Module, store, ALL[:-20])

    def callback(x):
        if x == 99:
            raise HostError
        return inst.exports.run(1) if x == 98 else x + 1

    memory = Memory(store, MemoryType(Limits(1, 5)))
    table = Table(store, TableType(ValType.FUNCREF, Limits(2, 20)))
    x = Global(store, GlobalType(ValType.EXTERNREF, mutable=True), "object")
    many = FuncType.parse("(i32, i64, f32, f64, i32, i32) -> (i32, i32)")
    imports = {
        "cb": callback,
        "many": Func(store, many, lambda *args: (1, len(args))),
        "refs": lambda one, two: (one, two),
        "m": memory,
        "t": table,
        "g": Global(store, GlobalType(ValType.I32, mutable=True), 1),
        "x": x,
    }
    inst = Instance(store, module, {"h": imports})
    e = inst.exports
    assert (e.run(1), e.run(98), e.many()) == (2, 2, (1, 6))
    fails(HostError, e.run, 99)
    obj = object()
    assert e.refs(obj, e.div) == (obj, e.div)
    assert e.refs(None, Func(store, FuncType([]), print))[0] is None
    table[1] = e.div
    assert (table.grow(2, e.run), table[1], table[3]) == (2, e.div, e.run)
    e.objects[0] = obj
    assert (e.objects.grow(2, obj), e.grow_objects([]), e.objects[0]) == (2, 4, obj)
    x.value = [1]
    e.gf.value = e.gf.value
    view = memory.view()
    assert (memory.grow(1), e.grow(), bytes(view[:5])) == (1, 2, b"hello")
    assert "integer divide by zero" in fails(Trap, e.deep, 20)
    assert e.div.call(6, 3, timeout=50, fuel=100) == 2

    use_exceptions(store)
    user = Instance(store, Module(store, USER), {"a": inst})
    assert user.exports.go() == 5
    fails(Trap, user.exports.trap)
    user.exports.t[5] = e.refs
    assert user.exports.t[0](1) == 2
    linker = Linker(store)
    linker.define_instance("a", inst)
    assert linker.instantiate(Module(store, USER)).exports.go() == 5
    fails(Trap, Instance, store, Module(store, BEYOND))
    store.gc()
    user.close()
    store.close()
    assert view[0] == ord("h")


def main(step):
    """Make each step-th allocation of Python fail; print how many of these raised an error."""
    problems = []
    sys.unraisablehook = lambda args: problems.append(repr(args.exc_value))
    for _ in range(3):
        use_whole_api()
    gc.disable()  # a collection would change the number of allocations
    count = errors = fine = 0
    while fine < 20:
        _testcapi.set_nomemory(count + 1, count + 2)
        try:
            use_whole_api()
            fine += 1
        except (MemoryError, SystemError):  # CPython raises the latter for a `raise` without memory
            errors += 1
            fine = 0
        finally:
            _testcapi.remove_mem_hooks()
        gc.collect()
        count += step
    use_whole_api()
    # A destructor without memory can't raise, so Python prints the error. Anything else is a fault.
    assert set(problems) <= {"MemoryError()"}, problems
    print(errors)


if __name__ == "__main__":
    main(int(sys.argv[1]))
