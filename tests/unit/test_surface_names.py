"""The public names: each public name of each public class is in a table here, and no others exist.

PROMISED is the contract. ALSO has the attributes that hold constructor arguments, under the names
of the parameters. Any other public name fails a test. Names inherited from builtins (`Mapping.get`,
`OSError.errno`) are not checked.
"""

import enum
import gc
import importlib
import pkgutil
import subprocess
import sys
import types

import pytest

import wamr

ERROR = "stdout stderr output"  # the captured output of `run`
ERROR = "stdout stderr output files"  # what `run` has captured
TRAP = f"{ERROR} message code frames"
EXTERN = "store type"
PROMISED = {
    "Config": "",
    "Engine": "",
    "Store": "engine interrupt gc close",
    "Module": "name imports exports custom_section validate serialize deserialize",
    "CompletedProcess": "files",
    "Instance": "module exports files fuel interrupt extend_timeout close snapshot reset",
    "Exports": "",
    "Linker": "define get trap_missing func define_instance define_wasi instantiate",
    "Extern": EXTERN,
    "Func": f"{EXTERN} name callable call call_async execution",
    "Execution": "state func send throw close limit",
    "Program": "run run_async session from_session save load stdout stderr close",
    "Session": "feed feed_async end end_async snapshot waiting returncode files stderr close",
    "Snapshot": "instantiate memory_bytes image_bytes alive save load close",
    "Event": "kind host args until awaitable",
    "Global": f"{EXTERN} value",
    "Table": f"{EXTERN} grow",
    "Memory": f"{EXTERN} pages read write view grow",
    "Tag": EXTERN,
    "ValType": "I32 I64 F32 F64 V128 EXTERNREF FUNCREF EXNREF",
    "Limits": "min max",
    "FuncType": "params results parse",
    "GlobalType": "content mutable",
    "TableType": "element limits",
    "MemoryType": "limits",
    "TagType": "params",
    "ImportType": "module name type",
    "ExportType": "name type",
    "Val": "type value from_bits bits",
    "Ref": "type is_null value",
    "Foreign": "value",
    "Dir": "",
    "WasiConfig": "",
    "ResourceLimits": "",
    "WasmError": ERROR,
    "CompileError": ERROR,
    "LinkError": ERROR,
    "ClosedError": ERROR,
    "UnavailableError": ERROR,
    "MemoryLimitError": ERROR,
    "SnapshotError": f"{ERROR} reason",
    "TrapCode": " ".join(wamr.TrapCode.__members__),
    "Trap": TRAP,
    "ExitTrap": f"{TRAP} exit_code",
    "StackOverflowTrap": TRAP,
    "TimeoutTrap": TRAP,
    "FuelTrap": TRAP,
    "OutputLimitTrap": TRAP,
    "WasmException": f"{ERROR} tag values frames",
    "Frame": "func_index func_name func_offset module_offset module_name instance",
}
ALSO = {
    "Config": "stack_bytes tier cache_dir",
    "Engine": "config",
    "Store": "limits",
    "Module": "engine",
    "Instance": "store",
    "Linker": "engine store",
    "Program": "args",
    "Session": "args",
    "Snapshot": "module",
    "ValType": "code",
    "Foreign": "store",
    "Dir": "path writable",
    "ResourceLimits": (
        "timeout memory_bytes stack_bytes table_elements fuel output_bytes file_bytes"
    ),
    "CompileError": "line column",
}
FUNCTIONS = {"load", "run", "run_async", "wat2wasm"}
CONSTANTS = {"FEATURES", "SUSPEND", "WAMR_COMMIT", "WAMR_VERSION", "__version__"}
ALIASES = {"ExternType", "ImportItem", "Imports", "Source", "Stdio", "Value"}
ALIASES |= {"externref", "funcref", "exnref", "i32", "i64", "f32", "f64", "v128"}


def public_names(cls):
    """Return the public names that an object of a class has from our classes."""
    ours = [base for base in cls.__mro__ if base.__module__.startswith("wamr")]
    names = {name for base in ours for name in (*vars(base), *getattr(base, "__annotations__", ()))}
    return {name for name in names if not name.startswith("_")}


def test_the_package_has_the_promised_names_only():
    assert set(PROMISED) | FUNCTIONS | CONSTANTS | ALIASES == set(wamr.__all__)
    shown = {name for name in dir(wamr) if not name.startswith("_")}
    assert shown == set(wamr.__all__) - {"__version__"}


@pytest.mark.parametrize("name", PROMISED)
def test_a_class_has_the_promised_names_only(name):
    cls = getattr(wamr, name)
    promised = {*PROMISED[name].split(), *ALSO.get(name, "").split()}
    of_python = {
        name for base in (enum.Enum, BaseException) if issubclass(cls, base) for name in vars(base)
    }
    assert public_names(cls) - of_python == promised


def test_objects_have_no_public_names_that_their_classes_lack():
    instance = wamr.load('(module (memory 1) (func (export "f") unreachable))')
    try:
        instance.exports.f()
    except wamr.Trap as trap:
        found = [trap, *trap.frames]
    found += [instance, instance.store, instance.module, instance.exports.f, *wamr.ValType]
    found += [instance.store.engine, *instance.module.exports, *wamr.TrapCode]
    for obj in found:
        own = {name for name in getattr(obj, "__dict__", {}) if not name.startswith("_")}
        assert own - set(dir(type(obj))) - {"message", "exit_code"} == set(), obj


@pytest.mark.parametrize("name", ["ref_of_func", "func_of_ref"])
@pytest.mark.parametrize(
    "kind", ["Extern", "Func", "Global", "Table", "Memory", "Tag", "Exports", "Instance"]
)
def test_conversions_of_references_are_private(kind, name):
    assert not hasattr(getattr(wamr, kind), name)


READ_ONLY = {
    "Engine": "config",
    "Store": "engine limits",
    "Module": "name imports exports engine",
    "Instance": "module store",
    "Linker": "engine store",
    "Func": "type name store",
    "Memory": "type pages store",
    "Tag": "type store",
    "Val": "type value bits",
    "Dir": "path writable",
    "ResourceLimits": "fuel timeout",
    "Limits": "min max",
    "FuncType": "params results",
    "TagType": "params",
}


def objects_by_class(store):
    module = wamr.Module(store, "(module (memory 1))")
    return {
        "Engine": store.engine,
        "Store": store,
        "Module": module,
        "Instance": wamr.Instance(store, module),
        "Linker": wamr.Linker(store),
        "Func": wamr.Func(store, wamr.FuncType([]), dict),
        "Memory": wamr.Memory(store, wamr.MemoryType(wamr.Limits(1))),
        "Table": wamr.Table(store, wamr.TableType(wamr.ValType.FUNCREF, wamr.Limits(1))),
        "Global": wamr.Global(store, wamr.GlobalType(wamr.ValType.I32), 1),
        "Tag": wamr.Tag(store, wamr.TagType([wamr.ValType.I32])),
        "Val": wamr.Val(wamr.ValType.I32, 1),
        "Ref": wamr.Ref(None, wamr.ValType.FUNCREF),
        "Foreign": wamr.Foreign(store, 1),
        "Dir": wamr.Dir("."),
        "WasiConfig": wamr.WasiConfig(),
        "Config": wamr.Config(),
        "ResourceLimits": wamr.ResourceLimits(),
        "Limits": wamr.Limits(1),
        "FuncType": wamr.FuncType([]),
        "GlobalType": wamr.GlobalType(wamr.ValType.I32),
        "TagType": wamr.TagType([wamr.ValType.I32]),
        "Frame": wamr.Frame(1),
    }


@pytest.mark.parametrize("name", READ_ONLY)
def test_constructor_arguments_are_read_only_attributes(name, store):
    obj = objects_by_class(store)[name]
    for attribute in READ_ONLY[name].split():
        before = getattr(obj, attribute)
        with pytest.raises(AttributeError):
            setattr(obj, attribute, before)
        with pytest.raises(AttributeError):
            delattr(obj, attribute)
        assert getattr(obj, attribute) == before


def test_the_code_of_a_type_can_not_be_changed():
    """The type is shared by the whole process, and values are converted by its code."""
    with pytest.raises(AttributeError):
        wamr.ValType.I32.code = wamr.ValType.V128.code
    assert wamr.ValType.I32.code == 0x7F


ARGUMENTS = {
    "Engine": lambda store: (),
    "Store": lambda store: (),
    "Module": lambda store: (store, "(module)"),
    "Instance": lambda store: (store, wamr.Module(store, "(module)")),
    "Linker": lambda store: (store,),
    "Func": lambda store: (store, wamr.FuncType([wamr.ValType.F64]), dict),
    "Memory": lambda store: (store, wamr.MemoryType(wamr.Limits(0))),
    "Table": lambda store: (store, wamr.TableType(wamr.ValType.EXTERNREF, wamr.Limits(0))),
    "Global": lambda store: (store, wamr.GlobalType(wamr.ValType.V128), bytes(16)),
    "Tag": lambda store: (store, wamr.TagType()),
    "Val": lambda store: (wamr.ValType.EXTERNREF, 1),
    "Ref": lambda store: (None, wamr.ValType.EXTERNREF),
    "Foreign": lambda store: (store, 2),
    "Dir": lambda store: ("/",),
    "WasiConfig": lambda store: (),
    "Config": lambda store: (),
    "ResourceLimits": lambda store: (),
    "Limits": lambda store: (2,),
    "FuncType": lambda store: ([wamr.ValType.V128],),
    "GlobalType": lambda store: (wamr.ValType.V128,),
    "TagType": lambda store: ([wamr.ValType.V128],),
    "Frame": lambda store: (2,),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_second_init_is_refused_and_changes_nothing(name, store):
    """State in C, and values cached from the first arguments, would belong to another object."""
    obj = objects_by_class(store)[name]
    before = repr(obj)
    with pytest.raises(TypeError, match=f"this {name} was made already: make another one"):
        obj.__init__(*ARGUMENTS[name](wamr.Store(store.engine)))
    assert repr(obj) == before


def test_exports_are_made_by_instances_only():
    for args in ((), (5,), (None,)):
        with pytest.raises(TypeError):
            wamr.Exports(*args)


@pytest.mark.parametrize("bad", [None, 5, [], "frames"])
def test_frames_are_a_tuple(bad):
    trap = wamr.Trap("x")
    with pytest.raises(TypeError, match="frames must be a tuple of Frame, not "):
        trap.frames = bad
    assert str(trap) == "x"
    trap.frames = (wamr.Frame(3),)
    assert "function 3" in str(trap)


CONSTRUCT_INTERNAL_TYPES = """
import gc, wamr
instance = wamr.load('(module (memory (export "m") 1) (func (export "f") (param externref)))')
kept = [instance.exports.f.callable, instance.exports.m.view(), instance.exports.f]
types = {type(obj) for obj in gc.get_objects() if type(obj).__module__.startswith("wamr")}
types |= {type(kept[0].__self__)}
types |= {base for cls in types for base in cls.__mro__ if base.__module__.startswith("wamr")}
for cls in sorted(types, key=repr):
    for make in (cls, lambda: cls.__new__(cls), lambda: object.__new__(cls)):
        print(cls, flush=True)
        try:
            obj = make()
        except (TypeError, AttributeError):
            continue
        for name in ("callable", "type", "text_signature", "limit", "count"):
            try:
                getattr(obj, name)
            except AttributeError:
                pass
        del obj
        gc.collect()
print("end")
"""


def test_internal_types_can_be_constructed_without_a_crash():
    """`type(func.callable.__self__)()` makes an object without its C function."""
    done = subprocess.run(
        [sys.executable, "-c", CONSTRUCT_INTERNAL_TYPES],
        capture_output=True,
        text=True,
        check=False,
    )
    shown = done.stdout.splitlines() or [""]
    assert done.returncode == 0, f"constructing {shown[-1]}: {done.returncode} {done.stderr}"
    assert shown[-1] == "end"
    assert any("wasm_function" in line for line in shown)


def test_the_type_of_a_callable_can_not_be_constructed():
    cls = type(wamr.load('(module (func (export "f")))').exports.f.callable.__self__)
    for make in (cls, lambda: object.__new__(cls)):
        with pytest.raises(TypeError):
            make()
    gc.collect()


# ------------------------------------------------------------------ the C API
def test_the_c_api_has_the_names_of_the_header_and_helpers_only():
    from wamr import ffi

    names = {name for name in vars(ffi) if not name.startswith("_")}
    assert names - set(ffi.__all__) <= {"HELPERS", "TYPE_CHECKING"}
    assert set(ffi.HELPERS) <= set(ffi.__all__)
    header = set(ffi.__all__) - {"ffi", "lib", *ffi.HELPERS}
    others = {name for name in header if not name.lower().startswith("wasm_")}
    assert others == {
        "Alloc_With_Allocator",
        "Alloc_With_Pool",
        "Alloc_With_System_Allocator",
        "MEMORY_PAGE_SIZE",
    }
    helpers = {name for name in ffi.HELPERS if not name.lower().startswith("wasm_")}
    assert helpers == {"KILOBYTE", "load_module_file"}


def test_public_modules_are_those_with_something_public():
    """Other modules are private, and `dir` hides them."""
    modules = {module.name for module in pkgutil.iter_modules(wamr.__path__)}
    for name in sorted(modules - {"__main__"}):
        module = importlib.import_module(f"wamr.{name}")
        assert isinstance(module, types.ModuleType)
        assert name not in dir(wamr) or name in wamr.__all__  # wamr.load is a function, too
