"""The public API: its names, parameters and base classes.

SIGNATURES is the contract of the object API, which is compared with the classes parameter by
parameter. A change here is a change of the contract.
"""

import ast
import inspect
import re
import typing

import pytest

import wamr

SIGNATURES = """
def load(source, imports=None, *, wasi=None, limits=None): ...
def wat2wasm(text): ...
def run(args, *, input=None, stdin=None, stdout=None, stderr=None, capture_output=False, text=None,
        encoding=None, errors=None, env=None, dirs=None, timeout=None, limits=None,
        check=False): ...

class Config:
    def __init__(self, *, stack_bytes=1048576, tier="interpreter", cache_dir=None): ...
    stack_bytes: ...
    tier: ...
    cache_dir: ...

class Engine:
    def __init__(self, config=None): ...

class Store:
    def __init__(self, engine=None, *, limits=None): ...
    engine: ...
    def interrupt(self): ...
    def gc(self): ...
    def close(self): ...
    def __enter__(self): ...
    def __exit__(self, *args): ...

class Module:
    def __init__(self, store, source, *, trusted=False): ...
    name: ...
    imports: ...
    exports: ...
    def custom_section(self, name): ...
    def validate(store, source): ...
    def serialize(self): ...
    def deserialize(store, data): ...

class Instance:
    def __init__(self, store, module, imports=None, *, wasi=None, limits=None): ...
    module: ...
    exports: ...
    fuel: ...
    def interrupt(self): ...
    def close(self): ...
    def __enter__(self): ...
    def __exit__(self, *args): ...

class Exports:
    def __getattr__(self, name): ...
    def __getitem__(self, name): ...
    def __iter__(self): ...
    def __len__(self): ...

class Linker:
    def __init__(self, store): ...
    def define(self, module, name, item, *, replace=False): ...
    def get(self, module, name): ...
    def trap_missing(self, module): ...
    def func(self, module, name=None): ...
    def define_instance(self, module, instance): ...
    def define_wasi(self, wasi): ...
    def instantiate(self, module, *, store=None, wasi=None, limits=None): ...

class Extern:
    store: ...
    type: ...

class Func:
    def __init__(self, store, type, callback, *, access_caller=False): ...
    type: ...
    name: ...
    callable: ...
    def __call__(self, *args): ...
    def call(self, *args, timeout=None, fuel=None): ...
    def call_async(self, *args, timeout=None, fuel=None): ...

class Global:
    def __init__(self, store, type, value): ...
    type: ...
    value: ...

class Table:
    def __init__(self, store, type, init=None): ...
    type: ...
    def __len__(self): ...
    def __getitem__(self, index): ...
    def __setitem__(self, index, value): ...
    def grow(self, delta, init=None): ...

class Memory:
    def __init__(self, store, type): ...
    type: ...
    pages: ...
    def __len__(self): ...
    def __getitem__(self, key): ...
    def __setitem__(self, key, value): ...
    def read(self, offset, size): ...
    def write(self, offset, data): ...
    def view(self, offset=0, size=None, *, format="B"): ...
    def grow(self, pages): ...

class Tag:
    def __init__(self, store, type): ...
    type: ...

class Limits:
    def __init__(self, min, max=None): ...
    min: ...
    max: ...

class FuncType:
    def __init__(self, params, results=()): ...
    params: ...
    results: ...

class GlobalType:
    def __init__(self, content, mutable=False): ...
    content: ...
    mutable: ...

class TableType:
    def __init__(self, element, limits): ...
    element: ...
    limits: ...

class MemoryType:
    def __init__(self, limits): ...
    limits: ...

class TagType:
    def __init__(self, params=()): ...
    params: ...

class ImportType:
    module: ...
    name: ...
    type: ...

class ExportType:
    name: ...
    type: ...

class Val:
    def __init__(self, type, value): ...
    type: ...
    value: ...
    def from_bits(type, bits): ...
    bits: ...

class Ref:
    type: ...
    is_null: ...
    value: ...

class Foreign:
    def __init__(self, store, value): ...
    value: ...

class Dir:
    def __init__(self, path, *, writable=False): ...

class WasiConfig:
    def __init__(self, *, args=(), env=None, dirs=None, stdin=b"", stdout=None, stderr=None): ...

class ResourceLimits:
    def __init__(self, *, timeout=None, memory_bytes=None, stack_bytes=None, table_elements=None,
                 fuel=None): ...

class Trap:
    def __init__(self, message): ...
    message: ...
    code: ...
    frames: ...

class ExitTrap:
    exit_code: ...

class WasmException:
    def __init__(self, tag, *values): ...
    tag: ...
    values: ...
    frames: ...

class Frame:
    func_index: ...
    func_name: ...
    func_offset: ...
    module_offset: ...
    module_name: ...
    instance: ...
"""

BASES = {
    "CompileError": (wamr.WasmError, ValueError),
    "LinkError": (wamr.WasmError,),
    "ClosedError": (wamr.WasmError, ValueError),
    "UnavailableError": (wamr.WasmError, NotImplementedError),
    "MemoryLimitError": (wamr.WasmError, MemoryError),
    "Trap": (wamr.WasmError, RuntimeError),
    "ExitTrap": (wamr.Trap,),
    "StackOverflowTrap": (wamr.Trap, RecursionError),
    "TimeoutTrap": (wamr.Trap, TimeoutError),
    "FuelTrap": (wamr.Trap,),
    "WasmException": (wamr.WasmError,),
    "Func": (wamr.Extern,),
    "Global": (wamr.Extern,),
    "Table": (wamr.Extern,),
    "Memory": (wamr.Extern,),
    "Tag": (wamr.Extern,),
    "Exports": (typing.Mapping,),
}


def promised():
    """Yield pairs of a dotted name and its node in SIGNATURES."""
    for node in ast.parse(SIGNATURES).body:
        if isinstance(node, ast.ClassDef):
            for member in node.body:
                name = getattr(member, "name", None) or member.target.id
                yield f"{node.name}.{name}", member
        else:
            yield node.name, node


PROMISED = dict(promised())


def parameters_of(node):
    """Return the parameters of a def in SIGNATURES as (name, kind, default)."""
    args = node.args
    plain = [*args.posonlyargs, *args.args]
    defaults = [inspect.Parameter.empty] * (len(plain) - len(args.defaults))
    defaults += [ast.literal_eval(default) for default in args.defaults]
    found = [(arg.arg, "plain", value) for arg, value in zip(plain, defaults, strict=True)]
    if args.vararg:
        found.append((args.vararg.arg, "*", inspect.Parameter.empty))
    for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        found.append((arg.arg, "keyword", ast.literal_eval(default)))
    return found


def parameters_there(function):
    kinds = {
        inspect.Parameter.POSITIONAL_ONLY: "plain",
        inspect.Parameter.POSITIONAL_OR_KEYWORD: "plain",
        inspect.Parameter.VAR_POSITIONAL: "*",
        inspect.Parameter.KEYWORD_ONLY: "keyword",
    }
    parameters = list(inspect.signature(function).parameters.values())
    if isinstance(function, type(object.__init__)):  # in C: no keywords
        parameters = [p for p in parameters if p.kind is not p.VAR_KEYWORD]
    return [(p.name, kinds[p.kind], p.default) for p in parameters]


@pytest.mark.parametrize("name", PROMISED)
def test_what_is_promised_is_there_with_its_parameters(name):
    node = PROMISED[name]
    owner, _, attribute = name.rpartition(".")
    holder = getattr(wamr, owner) if owner else wamr
    if isinstance(node, ast.AnnAssign):
        annotated = {key for cls in holder.__mro__ for key in getattr(cls, "__annotations__", {})}
        assert hasattr(holder, attribute) or attribute in annotated
        return
    assert parameters_there(getattr(holder, attribute)) == parameters_of(node)


@pytest.mark.parametrize("name", BASES)
def test_classes_are_also_what_a_programmer_would_catch(name):
    assert issubclass(getattr(wamr, name), BASES[name])
    for base in BASES[name]:
        assert issubclass(getattr(wamr, name), base)


@pytest.mark.parametrize("name", wamr.__all__)
def test_everything_exported_exists(name):
    assert getattr(wamr, name) is not None
    assert name in dir(wamr)


ALIASES = {"ExternType", "ImportItem", "Imports", "Source", "Stdio", "Value"}


def test_everything_promised_is_exported():
    names = {name.partition(".")[0] for name in PROMISED} | set(BASES) | {"WasmError", "TrapCode"}
    names |= ALIASES
    assert names <= set(wamr.__all__)
    assert sorted(wamr.__all__) == sorted(set(wamr.__all__))


@pytest.mark.parametrize("name", sorted(ALIASES))
def test_aliases_are_types_at_run_time_too(name):
    assert typing.get_args(getattr(wamr, name))


def test_nothing_is_made_up_on_demand():
    with pytest.raises(AttributeError, match="module 'wamr' has no attribute 'nonsense'"):
        wamr.nonsense  # noqa: B018
    with pytest.raises(ImportError):
        exec("from wamr import nonsense")


def test_star_gives_all_and_only_that():
    namespace = {}
    exec("from wamr import *", namespace)
    del namespace["__builtins__"]
    assert sorted(namespace) == sorted(wamr.__all__)


def test_public_classes_say_what_they_are():
    for name in wamr.__all__:
        thing = getattr(wamr, name)
        if isinstance(thing, type):
            assert thing.__doc__, name
            assert f"{thing.__module__}.".startswith("wamr."), name


STORE = wamr.Store()
MADE = [  # what each class can be made from
    (wamr.Engine, ()),
    (wamr.Store, ()),
    (wamr.Module, (STORE, "(module)")),
    (wamr.Instance, (STORE, wamr.Module(STORE, "(module)"))),
    (wamr.Linker, (STORE,)),
    (wamr.Func, (STORE, wamr.FuncType([]), dict)),
    (wamr.Memory, (STORE, wamr.MemoryType(wamr.Limits(1)))),
    (wamr.Table, (STORE, wamr.TableType(wamr.ValType.FUNCREF, wamr.Limits(1)))),
    (wamr.Global, (STORE, wamr.GlobalType(wamr.ValType.I32), 1)),
    (wamr.Tag, (STORE, wamr.TagType([wamr.ValType.I32]))),
    (wamr.Val, (wamr.ValType.I32, 1)),
    (wamr.Ref, (None, wamr.ValType.FUNCREF)),
    (wamr.Foreign, (STORE, [])),
    (wamr.Config, ()),
    (wamr.ResourceLimits, ()),
    (wamr.WasiConfig, ()),
    (wamr.Dir, (".",)),
    (wamr.Limits, (1,)),
    (wamr.GlobalType, (wamr.ValType.I32,)),
    (wamr.TagType, ([wamr.ValType.I32],)),
    (wamr.Trap, ("message",)),
    (wamr.WasmException, (wamr.Tag(STORE, wamr.TagType([wamr.ValType.I32])), 1)),
    (wamr.Frame, (1,)),
]


@pytest.mark.parametrize(("base", "args"), MADE, ids=[base.__name__ for base, _ in MADE])
def test_classes_can_be_extended(base, args):
    class Extended(base):
        def more(self):
            return self

    made = Extended(*args)
    assert made.more() is made
    assert made == made
    assert isinstance(hash(made), int)
    assert repr(made)


@pytest.mark.parametrize(
    ("base", "args"),
    [row for row in MADE if not issubclass(row[0], (wamr.Frame, wamr.Trap, wamr.WasmException))],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_its_init_never_made_is_an_attribute_error(base, args):
    """As in a subclass whose __init__ doesn't call `super().__init__(…)`."""
    empty = base.__new__(base)
    raised = 0
    for name in ("__repr__", *(name for name in dir(base) if not name.startswith("_"))):
        try:
            value = getattr(empty, name)
            if callable(value) and name != "call_async":
                value()
        except (AttributeError, TypeError, wamr.ClosedError):
            raised += 1
    assert raised > 0 or base is wamr.Engine  # which has no attributes of its own
    del empty  # which prints nothing: pytest fails for exceptions in finalizers


def test_versions():
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", wamr.__version__)
    assert wamr.WAMR_VERSION == "2.4.3"
    assert re.fullmatch(r"[0-9a-f]{40}", wamr.WAMR_COMMIT)
    assert {"simd", "tail-call", "bulk-memory", "reference-types"} <= wamr.FEATURES
    assert {"exceptions", "legacy-exceptions"} <= wamr.FEATURES
    assert type(wamr.FEATURES) is frozenset


def test_a_wasm_exception_is_no_trap():
    """wasm code can catch the one, and not the other."""
    assert not issubclass(wamr.WasmException, wamr.Trap)
    assert not issubclass(wamr.Trap, wamr.WasmException)
    assert not issubclass(wamr.WasmException, RuntimeError)


def test_trap_codes():
    assert {code.name for code in wamr.TrapCode} == {
        "UNREACHABLE",
        "MEMORY_OUT_OF_BOUNDS",
        "TABLE_OUT_OF_BOUNDS",
        "UNDEFINED_ELEMENT",
        "UNINITIALIZED_ELEMENT",
        "INDIRECT_CALL_TYPE_MISMATCH",
        "INTEGER_DIVIDE_BY_ZERO",
        "INTEGER_OVERFLOW",
        "INVALID_CONVERSION_TO_INTEGER",
        "STACK_OVERFLOW",
        "OUT_OF_FUEL",
        "TIMEOUT",
        "INTERRUPTED",
        "EXIT",
        "HOST",
        "OTHER",
    }
