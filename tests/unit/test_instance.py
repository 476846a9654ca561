"""Instances: instantiating, starting, closing, and their state after an error."""

import copy
import gc
import pickle
import weakref

import pytest

from wamr import (
    ClosedError,
    Engine,
    Instance,
    LinkError,
    MemoryLimitError,
    Module,
    ResourceLimits,
    StackOverflowTrap,
    Store,
    Trap,
    TrapCode,
    load,
)

STARTS = """(module $starter
    (import "m" "log" (func $log (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "ready")
    (func $start (i32.store8 (i32.const 100) (i32.const 1)) (call $log (i32.const 1)))
    (func (export "_initialize") (call $log (i32.const 2)))
    (func (export "_start") (call $log (i32.const 3)))
    (func (export "again") (call $log (i32.const 4)))
    (start $start))"""


def test_start_then_initialize_run_and_start_function_of_a_command_does_not(store):
    seen = []
    instance = Instance(store, Module(store, STARTS), {"m": {"log": seen.append}})
    assert seen == [1, 2]
    assert instance.exports.memory[100] == 1
    instance.exports._start()
    assert seen == [1, 2, 3]


def test_segments_are_written_before_the_start_function(store):
    text = """(module (import "m" "look" (func $look)) (memory (export "memory") 1)
        (data (i32.const 0) "ready") (start $look))"""
    seen = []

    def look(caller):
        seen.append(bytes(caller.exports.memory[0:5]))

    from wamr import Func, FuncType

    func = Func(store, FuncType([]), look, access_caller=True)
    Instance(store, Module(store, text), [func])
    assert seen == [b"ready"]


def test_an_initialize_with_another_type_is_just_an_export(store):
    text = """(module (func (export "_initialize") (param i32) (result i32) unreachable))"""
    instance = Instance(store, Module(store, text))
    with pytest.raises(Trap, match="unreachable"):
        instance.exports._initialize(1)


def test_properties(store):
    module = Module(store, "(module $here)")
    instance = Instance(store, module)
    assert instance.module is module
    assert instance.store is store
    assert instance.fuel is None
    assert len(instance.exports) == 0
    assert repr(instance) == "<wamr.Instance of 'here', exports nothing>"
    for name in ("module", "store"):
        with pytest.raises(AttributeError):
            setattr(instance, name, None)


def test_repr_names_exports_and_state(store):
    instance = Instance(
        store, Module(store, '(module (func (export "a")) (memory (export "b") 1))')
    )
    assert repr(instance) == "<wamr.Instance, exports a, b>"
    instance.close()
    assert repr(instance) == "<wamr.Instance, exports a, b, closed>"


# ------------------------------------------------------------------ arguments
def test_bad_arguments(store):
    module = Module(store, "(module)")
    for bad in (None, 5, store.engine, Store):
        with pytest.raises(TypeError, match=f"store must be a Store, not {type(bad).__name__}"):
            Instance(bad, module)
    for bad in (None, 5, b"\0asm", "(module)", Module):
        with pytest.raises(TypeError, match=f"module must be a Module, not {type(bad).__name__}"):
            Instance(store, bad)
    for bad in (5, "imports", b"x", {1, 2}, object()):
        with pytest.raises(TypeError, match=f"imports must be .* not {type(bad).__name__}"):
            Instance(store, module, bad)
    for bad in (5, {}, "x"):
        with pytest.raises(TypeError, match=f"limits must be .* not {type(bad).__name__}"):
            Instance(store, module, limits=bad)
        with pytest.raises(TypeError, match=f"wasi must be .* not {type(bad).__name__}"):
            Instance(store, module, wasi=bad)
    assert len(Instance(store, module, None, wasi=None, limits=None).exports) == 0


def test_module_of_another_engine(store):
    with pytest.raises(ValueError, match="module is of another engine than store"):
        Instance(store, Module(Engine(), "(module)"))


# ------------------------------------------------------------------ failures
def test_trap_in_the_start_function(store):
    module = Module(store, "(module (func $boom unreachable) (start $boom))")
    with pytest.raises(Trap, match="unreachable") as caught:
        Instance(store, module)
    assert caught.value.code is TrapCode.UNREACHABLE
    (frame,) = caught.value.frames
    assert (frame.func_name, frame.func_index, frame.instance) == ("boom", 0, None)


def test_endless_recursion_in_the_start_function(store):
    with pytest.raises(StackOverflowTrap):
        Instance(store, Module(store, "(module (func $f (call $f)) (start $f))"))


def test_exception_in_the_start_function_comes_out_as_itself(store):
    mine = KeyError("mine")

    def fail(_):
        raise mine

    with pytest.raises(KeyError) as caught:
        Instance(store, Module(store, STARTS), {"m": {"log": fail}})
    assert caught.value is mine


def test_exception_in_initialize(store):
    def fail(step):
        if step == 2:
            raise ZeroDivisionError(step)

    with pytest.raises(ZeroDivisionError):
        Instance(store, Module(store, STARTS), {"m": {"log": fail}})


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('(module (memory 1) (data (i32.const 65536) "x"))', TrapCode.MEMORY_OUT_OF_BOUNDS),
        ('(module (memory 1) (data (i32.const -1) "x"))', TrapCode.MEMORY_OUT_OF_BOUNDS),
        ("(module (table 1 funcref) (func) (elem (i32.const 1) 0))", TrapCode.TABLE_OUT_OF_BOUNDS),
    ],
)
def test_a_segment_out_of_bounds_is_a_trap(store, text, code):
    with pytest.raises(Trap) as caught:
        Instance(store, Module(store, text))
    assert caught.value.code is code


def test_what_was_written_before_a_failing_segment_stays(store):
    from wamr import Limits, Memory, MemoryType

    memory = Memory(store, MemoryType(Limits(1)))
    text = """(module (import "m" "m" (memory 1)) (data (i32.const 0) "one")
        (data (i32.const 65535) "two"))"""
    with pytest.raises(Trap):
        Instance(store, Module(store, text), [memory])
    assert memory[0:3] == b"one"


def test_functions_of_a_failed_instance_stay_callable_in_a_shared_table(store):
    from wamr import Limits, Table, TableType, ValType

    table = Table(store, TableType(ValType.FUNCREF, Limits(2)))
    text = """(module (import "m" "t" (table 2 funcref))
        (import "m" "nine" (func $nine (result i32)))
        (func $f (result i32) (call $nine))
        (elem (i32.const 0) $f) (elem (i32.const 2) $f))"""
    with pytest.raises(Trap, match="out of bounds table access"):
        Instance(store, Module(store, text), [table, lambda: 9])
    gc.collect()
    assert table[0]() == 9
    caller = """(module (import "m" "t" (table 2 funcref)) (type $t (func (result i32)))
        (func (export "go") (result i32) (call_indirect (type $t) (i32.const 0))))"""
    assert Instance(store, Module(store, caller), [table]).exports.go() == 9


def test_without_room_for_its_memory(store):
    with pytest.raises(MemoryError) as caught:
        Instance(
            store,
            Module(store, "(module (memory 10))"),
            limits=ResourceLimits(memory_bytes=9 * 65_536),
        )
    assert isinstance(caught.value, MemoryLimitError)


def test_many_failures_leave_nothing_behind(store):
    module = Module(store, "(module (memory 1) (func $f unreachable) (start $f))")
    unlinked = Module(store, '(module (import "a" "b" (func)))')
    for _ in range(200):
        with pytest.raises(Trap):
            Instance(store, module)
        with pytest.raises(LinkError):
            Instance(store, unlinked)
    gc.collect()  # tracebacks
    assert store._closables.alive() == []


def test_it_can_be_called_again_after_every_kind_of_error(store):
    text = """(module (import "m" "fail" (func $fail)) (memory 1)
        (func $deep (export "deep") (call $deep))
        (func (export "trap") unreachable)
        (func (export "oob") (result i32) (i32.load (i32.const 65536)))
        (func (export "host") (call $fail))
        (func (export "ok") (result i32) (i32.const 5)))"""

    def fail():
        raise OSError("mine")

    exports = Instance(store, Module(store, text), [fail]).exports
    for _ in range(3):
        for name, error in (
            ("deep", StackOverflowTrap),
            ("trap", Trap),
            ("oob", Trap),
            ("host", OSError),
        ):
            with pytest.raises(error):
                exports[name]()
            assert exports.ok() == 5


# ------------------------------------------------------------------ the end
EVERYTHING = """(module
    (func (export "f") (result i32) (i32.const 7))
    (memory (export "m") 1) (table (export "t") 1 funcref)
    (global (export "g") (mut i32) (i32.const 3)))"""


def test_close_ends_all_that_is_from_it(store):
    instance = Instance(store, Module(store, EVERYTHING))
    exports = instance.exports
    f, g, m, t = exports.f, exports.g, exports.m, exports.t
    instance.close()
    instance.close()
    for use in (
        f,
        f.callable,
        f.call,
        lambda: g.value,
        lambda: setattr(g, "value", 1),
        lambda: m[0],
        lambda: m[0:1],
        lambda: m.__setitem__(0, 1),
        lambda: m.read(0, 0),
        lambda: m.write(0, b""),
        lambda: m.view(),
        lambda: m.grow(0),
        lambda: len(m),
        lambda: m.pages,
        lambda: t[0],
        lambda: t.__setitem__(0, None),
        lambda: t.grow(0),
        lambda: len(t),
        lambda: instance.fuel,
        lambda: setattr(instance, "fuel", 1),
    ):
        with pytest.raises(ClosedError, match="closed") as caught:
            use()
        assert isinstance(caught.value, ValueError)
    assert instance.module.exports == Module(store, EVERYTHING).exports
    assert list(exports) == ["f", "m", "t", "g"]


def test_exports_not_asked_for_before_are_closed_too(store):
    instance = Instance(store, Module(store, EVERYTHING))
    instance.close()
    for name in instance.exports:
        with pytest.raises(ClosedError, match=f"export '{name}': its instance is closed"):
            instance.exports[name]
        with pytest.raises(ClosedError):
            getattr(instance.exports, name)


def test_with_closes(store):
    with Instance(store, Module(store, EVERYTHING)) as instance:
        f = instance.exports.f
        assert f() == 7
    with pytest.raises(ClosedError):
        f()


def test_closing_one_leaves_the_others(store):
    module = Module(store, EVERYTHING)
    one, other = Instance(store, module), Instance(store, module)
    one.close()
    assert other.exports.f() == 7


def test_interrupt_of_what_does_not_run_is_lost(store):
    instance = Instance(store, Module(store, EVERYTHING))
    instance.interrupt()
    assert instance.exports.f() == 7
    instance.close()
    instance.interrupt()


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickle.dumps])
def test_no_copies(store, how):
    instance = Instance(store, Module(store, EVERYTHING))
    with pytest.raises(TypeError, match="an Instance cannot be copied or pickled"):
        how(instance)
    with pytest.raises(TypeError, match="an Exports cannot be copied or pickled"):
        how(instance.exports)


def test_dies_by_reference_count():
    """An instance is freed without the collector, including host functions and memory views."""
    gc.collect()
    gc.disable()
    try:
        instance = load(
            """(module (import "m" "f" (func)) (memory (export "m") 1)
                (func (export "f") (call 0)))""",
            {"m": {"f": lambda: None}},
        )
        instance.exports.f()
        instance.exports.m.write(0, b"x")
        gone = [weakref.ref(obj) for obj in (instance, instance._state, instance.store)]
        del instance
        assert [ref() for ref in gone] == [None] * 3
    finally:
        gc.enable()


def test_a_subclass_keeps_its_own(store):
    class Plugin(Instance):
        def __init__(self, store, title):
            super().__init__(store, Module(store, EVERYTHING))
            self.title = title

        def seven(self):
            return self.exports.f()

    plugin = Plugin(store, "mine")
    assert (plugin.title, plugin.seven()) == ("mine", 7)
