"""The arguments of hostile.py: wrong values, right values, and which parameters take which."""

from inspect import signature

from hostile_world import BINARY, ENGINE, FAILS, I32, MODULES, OF_I32, USER, Hostile

import wamr
from wamr import Func, FuncType, Limits, ValType


def hostile_object(world, doing):
    """An object whose special methods perform an action before they return, or raise."""

    class Evil:
        def __index__(self):
            doing()
            return 1

        def __hash__(self):
            doing()
            return 1

        __int__ = __len__ = __index__

        def __float__(self):
            doing()
            return 1.0

        def __bool__(self):
            doing()
            return True

        def __eq__(self, other):
            doing()
            return True

        def __repr__(self):
            doing()
            return "evil"

        def __fspath__(self):
            doing()
            return "evil"

        def __call__(self, *args):
            doing()

        def __iter__(self):
            doing()
            return iter((world, self))

        def __getitem__(self, key):
            doing()
            raise IndexError

        def read(self, size):
            doing()
            return b""

        def write(self, data):
            doing()
            return 5

        def fileno(self):
            doing()
            return -1

        armed = False

        def __del__(self):
            if self.armed:
                doing()

    return Evil()


def raising():
    raise Hostile


class Text(str):
    __slots__ = ()

    def __eq__(self, other):
        raise Hostile

    def __hash__(self):
        return 0


PLAIN = [
    *(None, True, 0, 1, -1, 2, 255, 256, 65536, 2**31 - 1, 2**31, -(2**31) - 1, 2**32 - 1, 2**32),
    *(2**63 - 1, 2**63, -(2**63), 2**64, 2**200, -(2**200), 0.0, 1.5, -0.0, float("nan")),
    *(
        float("inf"),
        1e300,
        1j,
        "",
        "add",
        "a\0b",
        "\ud800",
        "env",
        "x" * 5000,
        "(module)",
        "(",
        b"",
    ),
    *(bytes(16), b"\0asm", b"\0asm\1\0\0\0", b"\0aot", bytearray(8), memoryview(bytes(16))[::2]),
    *((), [], {}, (1, 2), [None] * 3, {"env": {}}, {"env": 5}, {1: 2}, {"a": {"add": 5}}, range(3)),
    *(object(), object, int, len, slice(None), slice(1, 5), slice(5, 1, -1), slice(2**70), ...),
    *(NotImplemented, Hostile("x"), Text("add"), lambda *a: None, lambda *a: a, *BINARY.values()),
]


def hostile_values(world, pick):
    closing = pick.choice([world.instance.close, world.store.close, world.neighbour.close])
    return [
        *PLAIN,
        hostile_object(world, raising),
        hostile_object(world, closing),
        hostile_object(world, lambda: world.instance.exports["table"].__setitem__(0, None)),
        hostile_object(world, lambda: world.instance.exports["memory"].grow(1)),
    ]


NUMBERS = ("index", "offset", "size", "delta", "pages", "min", "max", "bits", "number")


def plausible_values(world):
    """Return roughly valid values by the name of a parameter, so that calls get past the checks."""
    funcs = [obj for obj in world.objects if isinstance(obj, Func)]
    number = [
        0,
        1,
        2,
        3,
        5,
        -1,
        8,
        65535,
        65536,
        hostile_object(world, raising),
        hostile_object(world, world.instance.close),
    ]
    data = [b"", b"abcd", bytearray(5), memoryview(bytes(8)), bytes(16)]
    value = [1, 2.5, bytes(16), None, world, *funcs, *world.objects]
    callbacks = [
        world.back,
        world.ref,
        len,
        raising,
        lambda *a: None,
        hostile_object(world, world.store.close),
    ]
    tags = [obj for obj in world.objects if isinstance(obj, wamr.Tag)]
    externs = [obj for obj in world.objects if isinstance(obj, wamr.Extern)]
    imports = [{"env": {"back": world.back, "ref": world.ref}}, {"a": world.instance}, externs, {}]
    imports += [{"a": world.kept}, {"env": {"back": funcs[0], "ref": funcs[-1]}}, None]
    types = [FuncType([I32], [I32]), FuncType([ValType.FUNCREF], [ValType.FUNCREF]), None]
    types += [wamr.MemoryType(Limits(1)), wamr.TableType(ValType.FUNCREF, Limits(1)), *ValType]
    types += [wamr.GlobalType(kind, True) for kind in ValType]
    types += [OF_I32, wamr.TagType([ValType.EXNREF, ValType.EXTERNREF])]
    names = ["a", "env", "back", "add", "table", "memory", "counter", "tag", "throw", "", "x"]
    modules = [world.module, MODULES[USER], MODULES[FAILS]]
    limits = [Limits(1), Limits(0, 3), wamr.ResourceLimits(timeout=0.01), None]
    return {
        "store": [world.store, world.store, ENGINE, world.other],
        "module": [*modules, "env", "a"],
        "instance": [world.instance, world.neighbour],
        "type": types,
        "callback": callbacks,
        "function": callbacks,
        "imports": imports,
        "name": names,
        "item": externs + callbacks,
        "source": [*BINARY.values(), b"\0asm\1\0\0\0", "(module)"],
        "data": data,
        "value": value,
        "init": [None, *funcs, *exceptions_of(world), world],
        "limits": limits,
        "wasi": [None, wamr.WasiConfig()],
        "func": funcs,
        "tag": tags,
        "params": [[I32], [ValType.FUNCREF, ValType.V128], [ValType.EXNREF], []],
        "results": [[I32], []],
        "path": ["."],
        "timeout": [0.01, None, 0, hostile_object(world, raising)],
        "fuel": [0, 5, None],
        "slice_fuel": [1, 5, None],
        "seconds": [0, 0.01],
        "key": [*number, slice(1, 3), slice(65530, 65540), slice(None)],
        **dict.fromkeys(NUMBERS, number),
        "content": list(ValType),
        "element": list(ValType),
    }


def exceptions_of(world):
    return [obj for obj in world.objects if isinstance(obj, wamr.WasmException)]


def fitting(type_, world, pick):
    """Return arguments for a function of this type."""
    funcs = [None, *(obj for obj in world.objects if isinstance(obj, Func))]
    choices = {
        "i32": [0, 1, -5, 2**32 - 1, wamr.Val(I32, 3), hostile_object(world, world.instance.close)],
        "i64": [0, 2**63, -1],
        "f32": [0.5, 1e300, hostile_object(world, world.store.close)],
        "f64": [0.5, float("nan"), 3],
        "v128": [bytes(16), bytearray(16)],
        "externref": [None, world, [], world.store, hostile_object(world, raising)],
        "funcref": funcs,
        "exnref": [None, *exceptions_of(world)],
    }
    return tuple(pick.choice(choices[str(kind)]) for kind in type_.params)


def arguments(found, world, pick, values):
    """Choose the arguments of a call: right ones, wrong ones, or both."""
    how = pick.random()
    if isinstance(getattr(found, "__self__", found), Func) and how < 0.6:
        return fitting(getattr(found, "__self__", found).type, world, pick)
    right = {}
    if how < 0.75:
        try:
            parameters = signature(found).parameters.values()
        except (TypeError, ValueError):
            parameters = ()
        known = plausible_values(world)
        for parameter in parameters:
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and len(right) < 4:
                right[parameter.name] = known.get(parameter.name, values)
        if right and how < 0.6:
            return tuple(map(pick.choice, right.values()))
    count = len(right) or pick.choice((0, 1, 1, 1, 2, 2, 3, 4))
    args = [pick.choice(values) for _ in range(count)]
    for position, choices in enumerate(right.values()):
        if pick.random() < 0.7:
            args[position] = pick.choice(choices)
    return tuple(args)
