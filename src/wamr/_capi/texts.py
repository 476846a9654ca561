"""Descriptions of objects and structs as text, and comparisons by content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._backend.binding import ffi, lib
from . import _generated as c
from . import vectors
from .arguments import struct
from .dead_handles import dead, reason_of
from .handles import CData, typeof
from .helpers import KIND_NAMES, bytes_of, wasm_name_to_str, wasm_trap_to_str

if TYPE_CHECKING:
    from collections.abc import Callable

_LIMITS, _VAL = typeof("wasm_limits_t *"), typeof("wasm_val_t *")

__all__ = [
    "wasm_byte_vec_same",
    "wasm_exporttype_same",
    "wasm_externtype_same",
    "wasm_functype_same",
    "wasm_globaltype_same",
    "wasm_importtype_same",
    "wasm_limits_same",
    "wasm_memorytype_same",
    "wasm_repr",
    "wasm_tabletype_same",
    "wasm_val_same",
    "wasm_valtype_same",
]

_PREFIX, _SUFFIX = "wasm_", "_t *"


def wasm_repr(pointer: Any) -> str:
    """Return a description of a pointer's target: `functype (i32, i64) -> (f32)`, …

    NULL and None are `NULL`; the text of a dead handle says why it is dead.
    """
    if pointer is None:
        return "NULL"
    if not isinstance(pointer, CData):
        raise TypeError(f"wasm_repr: a pointer or struct is expected, not {type(pointer).__name__}")
    type_ = typeof(pointer)
    if type_.kind in ("struct", "union"):
        pointer = ffi.addressof(pointer)
        type_ = typeof(pointer)
    if not pointer:
        return "NULL"
    name = _short(type_)
    if id(pointer) in dead:
        return f"dead {name}: it {reason_of(pointer)}"
    describe = _TEXTS.get(name)
    if describe is None and name.endswith("_vec"):
        return _vec(name.removesuffix("_vec"), pointer)
    return describe(pointer) if describe is not None else f"{name} at {_address(pointer)}"


def _short(type_: Any) -> str:
    name: str = type_.cname.removeprefix("struct ").removeprefix("union ").removesuffix(" *")
    if name == "WASMModuleCommon *":
        return "module"
    return name.removeprefix(_PREFIX).removesuffix("_t")


def _address(pointer: Any) -> str:
    return hex(int(ffi.cast("uintptr_t", pointer)))


def _kind_name(kind: int) -> str:
    return KIND_NAMES.get(kind, f"kind {kind}")


def _valtype(type_: Any) -> str:
    return _kind_name(c.wasm_valtype_kind(type_)) if type_ else "NULL"


def _valtypes(vec: Any) -> str:
    return ", ".join(_valtype(vec.data[index]) for index in range(vec.num_elems))


def _functype_body(type_: Any) -> str:
    params, results = c.wasm_functype_params(type_), c.wasm_functype_results(type_)
    return f"({_valtypes(params)}) -> ({_valtypes(results)})"


def _globaltype_body(type_: Any) -> str:
    prefix = "var" if c.wasm_globaltype_mutability(type_) == lib.WASM_VAR else "const"
    return f"{prefix} {_valtype(c.wasm_globaltype_content(type_))}"


def _limits_body(limits: Any) -> str:
    upper = "" if limits.max == lib.wasm_limits_max_default else str(limits.max)
    return f"{limits.min}..{upper}"


def _tabletype_body(type_: Any) -> str:
    limits = _limits_body(c.wasm_tabletype_limits(type_))
    return f"{_valtype(c.wasm_tabletype_element(type_))} {limits}"


def _memorytype_body(type_: Any) -> str:
    return f"{_limits_body(c.wasm_memorytype_limits(type_))} pages"


def _externtype_body(type_: Any) -> str:
    casts: tuple[tuple[str, Callable[[Any], Any], Callable[[Any], str]], ...] = (
        ("func", c.wasm_externtype_as_functype, _functype_body),
        ("global", c.wasm_externtype_as_globaltype, _globaltype_body),
        ("table", c.wasm_externtype_as_tabletype, _tabletype_body),
        ("memory", c.wasm_externtype_as_memorytype, _memorytype_body),
    )
    name, cast, describe = casts[c.wasm_externtype_kind(type_)]
    return f"{name} {describe(cast(type_))}"


def _importtype(type_: Any) -> str:
    module = wasm_name_to_str(c.wasm_importtype_module(type_))
    name = wasm_name_to_str(c.wasm_importtype_name(type_))
    return f'importtype "{module}" "{name}" {_externtype_body(c.wasm_importtype_type(type_))}'


def _exporttype(type_: Any) -> str:
    name = wasm_name_to_str(c.wasm_exporttype_name(type_))
    return f'exporttype "{name}" {_externtype_body(c.wasm_exporttype_type(type_))}'


def _of_type(name: str, value: Any, get_type: str, delete: str, body: Callable[[Any], str]) -> str:
    type_ = getattr(c, get_type)(value)
    if not type_:
        return f"{name} placeholder"
    try:
        return f"{name} {body(type_)}"
    finally:
        getattr(c, delete)(type_)


def _func(func: Any) -> str:
    return _of_type("func", func, "wasm_func_type", "wasm_functype_delete", _functype_body)


def _global(global_: Any) -> str:
    text = _of_type(
        "global", global_, "wasm_global_type", "wasm_globaltype_delete", _globaltype_body
    )
    if text == "global placeholder":
        return text
    value = ffi.new("wasm_val_t *")
    c.wasm_global_get(global_, value)
    text = f"{text} = {_val_body(value)}"
    c.wasm_val_delete(value)
    return text


def _table(table: Any) -> str:
    text = _of_type("table", table, "wasm_table_type", "wasm_tabletype_delete", _tabletype_body)
    return f"{text}, {c.wasm_table_size(table)} elements"


def _memory(memory: Any) -> str:
    text = _of_type(
        "memory", memory, "wasm_memory_type", "wasm_memorytype_delete", _memorytype_body
    )
    return f"{text}, {c.wasm_memory_size(memory)} pages"


def _extern(extern: Any) -> str:
    casts: tuple[tuple[Callable[[Any], Any], Callable[[Any], str]], ...] = (
        (c.wasm_extern_as_func, _func),
        (c.wasm_extern_as_global, _global),
        (c.wasm_extern_as_table, _table),
        (c.wasm_extern_as_memory, _memory),
    )
    cast, describe = casts[c.wasm_extern_kind(extern)]
    return f"extern {describe(cast(extern))}"


def _val_body(val: Any) -> str:
    name = _kind_name(val.kind)
    if val.kind in (lib.WASM_EXTERNREF, lib.WASM_FUNCREF):
        return f"{name} {_address(val.of.ref) if val.of.ref else 'null'}"
    return f"{name} {getattr(val.of, name)}" if hasattr(val.of, name) else name


def _frame(frame: Any) -> str:
    index, offset = c.wasm_frame_func_index(frame), c.wasm_frame_module_offset(frame)
    return f"frame of function {index} at {offset:#x}"


def _vec(name: str, vec: Any) -> str:
    vec = vectors.read(vectors.vec(name), vec, "wasm_repr", "pointer")
    if name == "byte":
        return f"byte_vec {bytes_of(vec, 'wasm_repr', 'pointer')!r}"
    if name == "val":
        items = [_val_body(vec.data[index]) for index in range(vec.num_elems)]
    else:
        items = [wasm_repr(vec.data[index]) for index in range(vec.num_elems)]
    return f"{name}_vec [{', '.join(items)}]"


def _fields(name: str) -> Callable[[Any], str]:
    def describe(pointer: Any) -> str:
        fields = [n for n, f in typeof(pointer).item.fields if f.type.kind == "primitive"]
        return f"{name} " + ", ".join(f"{field}={getattr(pointer, field)}" for field in fields)

    return describe


_TEXTS: dict[str, Callable[[Any], str]] = {
    "valtype": lambda p: f"valtype {_valtype(p)}",
    "functype": lambda p: f"functype {_functype_body(p)}",
    "globaltype": lambda p: f"globaltype {_globaltype_body(p)}",
    "tabletype": lambda p: f"tabletype {_tabletype_body(p)}",
    "memorytype": lambda p: f"memorytype {_memorytype_body(p)}",
    "externtype": lambda p: f"externtype {_externtype_body(p)}",
    "importtype": _importtype,
    "exporttype": _exporttype,
    "limits": lambda p: f"limits {_limits_body(p)}",
    "val": lambda p: f"val {_val_body(p)}",
    "func": _func,
    "global": _global,
    "table": _table,
    "memory": _memory,
    "extern": _extern,
    "frame": _frame,
    "trap": lambda p: f"trap {wasm_trap_to_str(p)!r}",
    "config": _fields("config"),
    "InstantiationArgs": _fields("InstantiationArgs"),
    "LoadArgs": _fields("LoadArgs"),
}

# ------------------------------------------------------------------ comparisons


def _same(name: str, body: Callable[[Any], str]) -> Callable[[Any, Any], bool]:
    # Called for their checks: a dead or wrong pointer is an error.
    accessors: dict[str, Callable[[Any], object]] = {
        "valtype": c.wasm_valtype_kind,
        "functype": c.wasm_functype_params,
        "globaltype": c.wasm_globaltype_mutability,
        "tabletype": c.wasm_tabletype_limits,
        "memorytype": c.wasm_memorytype_limits,
        "externtype": c.wasm_externtype_kind,
        "importtype": c.wasm_importtype_type,
        "exporttype": c.wasm_exporttype_type,
    }
    access = accessors[name]

    def same(a: Any, b: Any) -> bool:
        access(a)
        access(b)
        if not a or not b:
            return not a and not b
        return body(a) == body(b)

    same.__name__ = same.__qualname__ = f"wasm_{name}_same"
    same.__doc__ = f"Tell whether two `wasm_{name}_t *` are equal by content; NULL equals NULL."
    return same


wasm_valtype_same = _same("valtype", _valtype)
wasm_functype_same = _same("functype", _functype_body)
wasm_globaltype_same = _same("globaltype", _globaltype_body)
wasm_tabletype_same = _same("tabletype", _tabletype_body)
wasm_memorytype_same = _same("memorytype", _memorytype_body)
wasm_externtype_same = _same("externtype", _externtype_body)
wasm_importtype_same = _same("importtype", _importtype)
wasm_exporttype_same = _same("exporttype", _exporttype)


def wasm_limits_same(a: Any, b: Any) -> bool:
    """Tell whether two `wasm_limits_t *` have the same minimum and maximum."""
    a, b = struct(_LIMITS, a, "wasm_limits_same", "a"), struct(_LIMITS, b, "wasm_limits_same", "b")
    if not a or not b:
        return not a and not b
    return bool(a.min == b.min and a.max == b.max)


def wasm_val_same(a: Any, b: Any) -> bool:
    """Tell whether two `wasm_val_t` have the same kind and bits; a NaN equals itself."""
    a, b = struct(_VAL, a, "wasm_val_same", "a"), struct(_VAL, b, "wasm_val_same", "b")
    if not a or not b:
        return not a and not b
    if a.kind != b.kind:
        return False
    size = 4 if a.kind in (lib.WASM_I32, lib.WASM_F32) else 8
    return bool(
        ffi.buffer(ffi.addressof(a.of), size)[:] == ffi.buffer(ffi.addressof(b.of), size)[:]
    )


def wasm_byte_vec_same(a: Any, b: Any) -> bool:
    """Tell whether two `wasm_byte_vec_t *` have the same bytes."""
    function = "wasm_byte_vec_same"
    return bytes_of(a, function, "a") == bytes_of(b, function, "b")
