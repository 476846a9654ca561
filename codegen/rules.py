"""The rules for the generated wrappers: what the header does not say, and names for its types.

BY_HAND lists the functions that are written by hand, with reasons. The other tables say where
WAMR differs from the marks in its header. `wrappers.py` and `capi_stub.py` generate Python from
them.
"""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass

from .header import Function, Header, HeaderError, Type

# Functions that are written by hand, by their module in wamr._capi, and why.
BY_HAND = {
    "engines": {
        "wasm_engine_new": "the process has one engine, with a count: C returns one pointer",
        "wasm_engine_new_with_config": "the process has one engine: C returns one pointer",
        "wasm_engine_delete": "deletes the stores that are left, and refuses while one runs",
        "wasm_store_new": "the store is the parent of its objects",
        "wasm_store_delete": "deletes what is left in it, and refuses inside its own callback",
    },
    "modules": {
        "wasm_module_new": "AOT code is refused unless it is trusted",
        "wasm_module_new_ex": "AOT code is refused; C may keep pointers to the caller's bytes",
        "wasm_module_deserialize": "AOT code is refused unless it is trusted",
        "wasm_module_validate": "AOT code is refused unless it is trusted",
        "wasm_module_delete": "C keeps the module until its store ends",
        "wasm_module_share": "in C, the module and the shared module are one pointer",
        "wasm_module_obtain": "in C, the modules of all stores are one pointer",
    },
    "functions": {
        "wasm_func_new": "takes a Python function",
        "wasm_func_new_with_env": "takes a Python function, and runs the finalizer once",
        "wasm_func_copy": "copies share their callback",
        "wasm_extern_copy": "copies of a function share their callback",
        "wasm_func_call": "one thread at a time in a store; exceptions of callbacks; references",
    },
    "objects": {
        "wasm_table_get": "returns a reference, or the pointer itself that is in the table",
        "wasm_table_set": "takes the reference over if it can set it",
        "wasm_global_new": "the value may hold a reference",
        "wasm_global_get": "the value may hold a new reference",
        "wasm_global_set": "C accepts values of any kind, and sets constants",
        "wasm_val_delete": "C frees the struct, which belongs to Python",
    },
    "instances": {
        "wasm_instance_new": "imports must be of this store; functions of other instances",
        "wasm_instance_new_with_args": "imports must be of this store; functions of others",
        "wasm_instance_new_with_args_ex": "imports must be of this store; functions of others",
        "wasm_instance_delete": "C frees it with the store, and runs the finalizer now",
    },
}

# Additions to docstrings, where the prototype does not say enough.
NOTES = {
    "wasm_func_call": (
        "NULL: the call has succeeded and written `results`. Otherwise the trap says what failed",
        "in the function, or which of `args` and `results` does not fit its type: see",
        "wasm_trap_to_str, and wasm_trap_exception for the exception of a callback.",
    ),
    "wasm_func_new": ("`callback` is made with @wasm_func_callback, or a function pointer.",),
    "wasm_func_new_with_env": (
        "`callback` is made with @wasm_func_callback_with_env, and `env` any object; or a function",
        "pointer and a pointer.",
    ),
    "wasm_instance_new": (
        "`imports` are in the order of wasm_module_imports. NULL: `trap` says which import does",
        "not fit, or what failed in the start function.",
    ),
    "wasm_module_new": (
        "NULL: the bytes are no valid module, or the module uses exceptions, for which wasm-c-api",
        "has no functions; wasm_module_load_error says why.",
    ),
    "wasm_store_delete": ("Deletes the objects that are left in the store; runs finalizers.",),
    "wasm_engine_delete": ("With the last handle, deletes the stores that are left, too.",),
    "wasm_memory_grow": (
        "False: the maximum, or what the machine has, is reached. Data pointers stay valid.",
    ),
    "wasm_table_set": ("True: a reference to a function is taken over.",),
    "wasm_trap_new": ("As in C, `message` ends with a NUL.",),
}

# Results that belong to the caller, though the header does not mark them as `own`.
OWN_RESULTS = re.compile(
    r"wasm_\w+_as_ref(_const)?|wasm_ref_as_(func|global|table|memory|extern)(_const)?"
    r"|wasm_extern_new_empty"
)
# Results that are the argument with one more handle on it.
COUNTED = re.compile(
    r"wasm_(trap|foreign|instance)_copy|wasm_ref_as_(trap|foreign|instance)(_const)?"
    r"|wasm_engine_new_with_args"
)
# Results that are the argument as another type.
VIEWS = re.compile(
    r"wasm_(?!ref_)\w+_as_(extern|externtype)(_const)?|wasm_(extern|externtype)_as_(?!ref)\w+"
)
# Results marked as `own` that are the argument itself. A config must not be owned twice.
ARGUMENT_BACK = re.compile(r"wasm_config_set_\w+")
# Parameters for which NULL would crash C, in functions that cannot report an error.
NEVER_NULL = {
    "wasm_func_param_arity": "func",
    "wasm_func_result_arity": "func",
    "wasm_val_init_ptr": "out",
    "wasm_val_ptr": "val",
    "wasm_name_new_from_string": "s",
    "wasm_name_new_from_string_nt": "s",
}
# Names for parameters that have none in the header, by type.
NAMES = {
    "size_t": "size",
    "bool": "enable",
    "wasm_valkind_t": "kind",
    "wasm_externkind_t": "kind",
    "wasm_mutability_t": "mutability",
    "mem_alloc_type_t": "type",
    "MemAllocOption": "option",
    "wasm_name_t": "name",
    "wasm_message_t": "message",
    "wasm_val_t": "val",
    "wasm_limits_t": "limits",
    "wasm_func_callback_t": "callback",
    "wasm_func_callback_with_env_t": "callback",
    "char": "name",
    "void": "info",
    "function": "finalizer",
}
INTEGERS = {
    "size_t",
    "uint32_t",
    "wasm_valkind_t",
    "wasm_externkind_t",
    "wasm_mutability_t",
    "mem_alloc_type_t",
    "wasm_table_size_t",
    "wasm_memory_pages_t",
}
# Structs that callers allocate.
STRUCTS = {"wasm_val_t", "wasm_limits_t", "MemAllocOption", "LoadArgs", "InstantiationArgs"}
# Vectors of objects that belong to a store. Types belong to none.
STORED = {"extern", "frame"}
VECTOR_TYPES = {"wasm_name_t": "byte", "wasm_message_t": "byte"}


@dataclass(frozen=True)
class Named:
    """A parameter and its name in Python."""

    name: str
    type: Type


def handle(type_: Type, kinds: set[str]) -> str | None:
    """Return `func` for `wasm_func_t *`; None for other types."""
    name = type_.name.removeprefix("wasm_").removesuffix("_t")
    return name if type_.pointers == 1 and not type_.array and name in kinds else None


def vector_of(type_: Type, vectors: set[str]) -> str | None:
    """Return `val` for `wasm_val_vec_t *`; None for other types."""
    if type_.pointers != 1 or type_.array:
        return None
    if type_.name in VECTOR_TYPES:
        return VECTOR_TYPES[type_.name]
    name = type_.name.removeprefix("wasm_").removesuffix("_vec_t")
    return name if type_.name.endswith("_vec_t") and name in vectors else None


def constant(ctype: str) -> str:
    """Return the name of the generated variable for the type of a pointer to this struct."""
    return "_" + ctype.removeprefix("wasm_").removesuffix("_t")


def named(function: Function, kinds: set[str], vectors: set[str]) -> list[Named]:
    """Return the parameters with names: those of the header, or names made from their types."""
    names: list[str] = []
    for parameter in function.parameters:
        name, type_ = parameter.name, parameter.type
        if not name:
            name = NAMES.get(type_.name, "")
            if type_.array:
                name = "data"
            elif not name and type_.name.endswith("_vec_t"):
                name = "vec"
            elif not name:
                name = type_.name.removeprefix("wasm_").removesuffix("_t")
        names.append(name + "_" if keyword.iskeyword(name) else name)
    if len(names) == 2 and names[0] == names[1]:
        names = ["a", "b"]
    if len(set(names)) != len(names):
        raise HeaderError(f"{function.prototype}: two parameters are called alike: {names}")
    return [Named(n, p.type) for n, p in zip(names, function.parameters, strict=True)]


def object_kinds(header: Header) -> set[str]:
    """Return the types that are used by pointer only: opaque ones, config, and modules."""
    names = [*header.opaque, "wasm_config_t", "wasm_module_t", "wasm_shared_module_t"]
    return {name.removeprefix("wasm_").removesuffix("_t") for name in names}


def vector_kinds(header: Header) -> set[str]:
    """Return the names of the vector types, without `wasm_` and `_vec_t`."""
    return {
        name.removeprefix("wasm_").removesuffix("_vec_t")
        for name in header.structs
        if name.endswith("_vec_t")
    }


def declared_names(header: Header) -> list[str]:
    """Return the names of the header that exist in Python."""
    functions = [function.name for function in header.functions]
    return [*functions, *header.aliases, *header.enums, *header.constants]


def list_names(vectors: set[str]) -> list[str]:
    """Return the names of the functions that convert vectors and lists."""
    return [f"wasm_{name}_vec_{word}_list" for name in sorted(vectors) for word in ("from", "to")]
