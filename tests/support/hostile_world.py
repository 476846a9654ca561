"""The objects that hostile.py calls: a world with one of each kind, and the states of a world."""

from contextlib import suppress
from subprocess import DEVNULL

from fed_programs import fed

import wamr
from wamr import Func, FuncType, Instance, Limits, Linker, Module, Store, ValType

I32 = ValType.I32
OF_I32 = wamr.TagType([I32])
MODULE = """(module $m (import "env" "back" (func $back (param i32) (result i32)))
    (import "env" "ref" (func $ref (param externref funcref) (result externref)))
    (tag $own (export "tag") (param i32)) (tag $pair (export "pair") (param exnref externref))
    (table (export "exceptions") 2 4 exnref)
    (global (export "exception") (mut exnref) (ref.null exn))
    (func $throw (export "throw") (param i32) (throw $own (local.get 0)))
    (func (export "throw_ref") (param exnref) (throw_ref (local.get 0)))
    (func (export "join") (param exnref externref) (result exnref)
        (block $h (result exnref)
            (try_table (catch_all_ref $h) (throw $pair (local.get 0) (local.get 1)))
            (unreachable)))
    (func (export "catch") (param i32) (result i32)
        (block $h (result i32)
            (try_table (catch $own $h) (drop (call $back (local.get 0)))
                (call $throw (local.get 0)))
            (unreachable)))
    (memory (export "memory") 1 3) (table $table (export "table") 3 6 funcref)
    (table (export "objects") 2 5 externref) (elem (table $table) (i32.const 0) func $add $back)
    (global (export "counter") (mut i32) (i32.const 4))
    (global (export "constant") i64 (i64.const 5))
    (global (export "object") (mut externref) (ref.null extern))
    (func $add (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "call") (param i32) (result i32) (call $back (local.get 0)))
    (func (export "all") (param i64 f32 f64 v128) (result i64 f32 f64 v128)
        (local.get 0) (local.get 1) (local.get 2) (local.get 3))
    (func (export "pass") (param externref funcref) (result externref)
        (call $ref (local.get 0) (local.get 1)))
    (func (export "give") (param funcref) (result funcref) (local.get 0))
    (func (export "trap") (unreachable))
    (func (export "loop") (loop $l (br $l))))"""
USER = """(module (import "a" "table" (table 3 6 funcref)) (import "a" "memory" (memory 1 3))
    (import "a" "counter" (global $g (mut i32)))
    (import "a" "add" (func $add (param i32 i32) (result i32)))
    (func $get (export "get") (result i32) (call $add (global.get $g) (i32.const 1)))
    (elem (i32.const 2) $get))"""
ALONE = """(module (memory (export "memory") 1 2) (global (export "g") (mut i32) (i32.const 1)))"""
FAILS = """(module (import "a" "table" (table 3 6 funcref)) (memory 1)
    (func $left (result i32) (i32.const 9)) (elem (i32.const 2) $left)
    (data (i32.const 70000) "x"))"""
BINARY = {text: wamr.wat2wasm(text) for text in (MODULE, USER, FAILS, ALONE)}
ENGINE = wamr.Engine()
PROGRAM = wamr.Program([fed()])
MODULES = {text: Module(ENGINE, data) for text, data in BINARY.items()}


class Hostile(Exception):
    """Raised by hostile objects."""


def new_world():
    """Return a new World. A busy machine may not give its calls enough of their 20 ms."""
    while True:
        with suppress(wamr.TimeoutTrap):
            return World()


class World:
    """A store with one object of each kind, and another instance that is linked with them."""

    def __init__(self):
        self.store = Store(
            ENGINE,
            limits=wamr.ResourceLimits(
                timeout=0.02, memory_bytes=1 << 20, table_elements=1000, fuel=1 << 40
            ),
        )
        self.module = Module(ENGINE, BINARY[MODULE])
        self.callback_action = None  # called once, during the next call of a host function
        self.instance = Instance(
            self.store, self.module, {"env": {"back": self.back, "ref": self.ref}}
        )
        self.neighbour = Instance(self.store, MODULES[USER], {"a": self.instance})
        objects = [self.store, self.module, self.instance, self.neighbour, ENGINE]
        objects += [self.instance.exports, self.neighbour.exports]
        objects += self.instance.exports.values()
        objects += self.neighbour.exports.values()
        objects += self.standalone_objects()
        self.kept = dict(self.instance.exports)
        self.other = Store(ENGINE)
        self.objects = objects
        lives = (
            Store,
            Module,
            Instance,
            wamr.Exports,
            wamr.Extern,
            Linker,
            memoryview,
            wamr.Foreign,
            wamr.WasmException,
            wamr.Snapshot,
            wamr.Session,
            wamr.Program,
        )
        self.alive = [obj for obj in objects if isinstance(obj, lives)]

    def standalone_objects(self):
        store = self.store
        host = Func(store, FuncType([I32], [I32]), self.back)
        yield host
        yield Func(
            store, FuncType([ValType.EXTERNREF, ValType.FUNCREF], [ValType.EXTERNREF]), self.ref
        )
        yield host.callable
        yield self.instance.exports["add"].callable
        yield self.instance.exports["memory"].view()
        yield self.instance.exports["memory"].view(8, 16, format="I")
        yield wamr.Memory(store, wamr.MemoryType(Limits(1, 2)))
        table = wamr.Table(store, wamr.TableType(ValType.FUNCREF, Limits(2, 4)), host)
        yield table
        yield wamr.Table(store, wamr.TableType(ValType.EXTERNREF, Limits(2)), self)
        yield wamr.Global(store, wamr.GlobalType(ValType.FUNCREF, True), host)
        yield wamr.Global(store, wamr.GlobalType(ValType.V128, True), bytes(16))
        tag = wamr.Tag(store, OF_I32)
        exception = wamr.WasmException(tag, 7)
        yield from (tag, exception, OF_I32)
        yield wamr.Table(store, wamr.TableType(ValType.EXNREF, Limits(2)), exception)
        yield wamr.Global(store, wamr.GlobalType(ValType.EXNREF, True), exception)
        yield Func(store, FuncType([ValType.EXNREF], []), self.throw)
        yield from (wamr.Ref(exception), wamr.Val(ValType.EXNREF, exception))
        yield self.instance.exports["join"](exception, self)
        linker = Linker(store)
        linker.define_instance("a", self.instance)
        yield linker
        yield Linker(ENGINE)
        yield wamr.Foreign(store, self)
        yield wamr.Ref(host)
        yield wamr.Val(ValType.FUNCREF, host)
        yield wamr.Val(I32, 5)
        alone = Instance(store, MODULES[ALONE])
        snapshot = alone.snapshot()
        yield from (alone, snapshot, snapshot.instantiate(store)[0], wamr.SnapshotError("a", "b"))
        yield from (alone.snapshot, alone.reset, alone.exports["memory"])
        yield wamr.WasiConfig(args=["a"])
        yield wamr.Dir(".")
        yield from (
            wamr.Config(),
            wamr.ResourceLimits(fuel=3, output_bytes=5),
            Limits(1, 2),
            FuncType([I32], [I32]),
        )
        yield from (wamr.MemoryType(Limits(1)), wamr.GlobalType(I32), I32, wamr.TrapCode.EXIT)
        yield wamr.TableType(ValType.FUNCREF, Limits(1))
        yield from (self.module.imports[0], self.module.exports[0])
        for name, timeout in (("trap", 0.02), ("loop", 0.0005)):
            try:
                self.instance.exports[name].call(timeout=timeout)
            except wamr.Trap as trap:
                yield trap
                yield from trap.frames
        yield from (wamr.ExitTrap(3), wamr.CompileError("x"), wamr.ClosedError("x"), wamr.Frame(1))
        yield from (wamr.load, wamr.run, wamr.wat2wasm, wamr.FEATURES)
        limits = wamr.ResourceLimits(timeout=0.02)
        yield wamr.Session([fed()], stderr=DEVNULL, limits=limits)
        yield PROGRAM.session(stdout=self.back, stderr=DEVNULL, limits=limits)
        yield wamr.Program.from_session(PROGRAM.session(limits=limits))
        for name in wamr.__all__:
            obj = getattr(wamr, name)
            if isinstance(obj, type) and not issubclass(obj, (str, int)):
                yield obj

    def back(self, value):
        work, self.callback_action = self.callback_action, None
        if work:
            work()
        return value

    def throw(self, exception):
        self.back(0)
        raise exception or wamr.WasmException(self.instance.exports["tag"], 1)

    def ref(self, value, func):
        self.back(0)
        return value


# ------------------------------------------------------------------ states
def fresh(world, make_calls):
    make_calls()


def closed(world, make_calls):
    world.instance.close()
    make_calls()


def store_closed(world, make_calls):
    world.store.close()
    make_calls()


def neighbour_closed(world, make_calls):
    world.neighbour.close()
    make_calls()


def in_callback(world, make_calls):
    world.callback_action = make_calls
    with suppress(wamr.WasmError, TypeError):
        world.instance.exports["call"](1)
    if world.callback_action:
        make_calls()


def in_callback_and_closed(world, make_calls):
    in_callback(world, lambda: (world.instance.close(), make_calls()))


def in_callback_with_references(world, make_calls):
    world.callback_action = make_calls
    with suppress(wamr.WasmError, TypeError):
        world.instance.exports["pass"](world, world.instance.exports["add"])


def failed(world, make_calls):
    """Instantiation failed after it had written a function to the table."""
    try:
        Instance(world.store, MODULES[FAILS], {"a": world.instance})
    except wamr.Trap as trap:
        world.objects += [trap, *trap.frames]
    left = world.instance.exports["table"][2]
    world.objects += [left, left.callable]
    world.alive += [left, left.callable]
    make_calls()


def uninitialized(world, make_calls):
    """The objects were made by object.__new__: __init__ has not run."""
    classes = [obj for obj in world.objects if isinstance(obj, type)]
    world.objects = [
        object.__new__(cls)
        for cls in classes
        if not issubclass(cls, (ValType, wamr.TrapCode, BaseException))
    ]
    world.alive = []
    make_calls()


def initialized_twice(world, make_calls):
    """A second __init__, with the arguments of another object of the class, was refused."""
    other = new_world()
    world.second = other
    wanted = [
        (Store, (), {}),
        (Instance, (other.store, MODULES[USER], {"a": other.instance}), {}),
        (wamr.Memory, (other.store, wamr.MemoryType(Limits(1))), {}),
        (wamr.Table, (other.store, wamr.TableType(ValType.EXTERNREF, Limits(1))), {}),
        (wamr.Global, (other.store, wamr.GlobalType(I32), 3), {}),
        (wamr.Tag, (other.store, wamr.TagType()), {}),
        (wamr.Snapshot, (Instance(other.store, MODULES[ALONE]),), {}),
        (wamr.TagType, ([ValType.V128],), {}),
        (Func, (other.store, FuncType([]), world.back), {}),
        (Module, (ENGINE, BINARY[USER]), {}),
        (wamr.Val, (ValType.EXTERNREF, 4), {}),
    ]
    for obj in world.objects:
        for cls, args, kwargs in wanted:
            if type(obj) is cls:
                with suppress(TypeError):
                    obj.__init__(*args, **kwargs)
                    raise AssertionError(f"{cls} can be made twice")
    make_calls()


STATES = {
    state.__name__: state
    for state in (
        fresh,
        closed,
        store_closed,
        neighbour_closed,
        in_callback,
        in_callback_and_closed,
        in_callback_with_references,
        failed,
        uninitialized,
        initialized_twice,
    )
}
