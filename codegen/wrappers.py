"""Generates `src/wamr/_capi/_generated.py`, the wrappers of the C API, from the header.

There is one small Python function for each C function. A line for each parameter checks the
argument by its type (a handle, a vector, a number …). The last lines call C and register the
result (owned, borrowed, a filled vector). All of this follows from the header and the tables of
`rules.py`. A parameter or result without a rule stops the build.
"""

from __future__ import annotations

from pathlib import Path

from . import capi_stub, generated
from .header import Function, Header, HeaderError, Type
from .rules import (
    ARGUMENT_BACK,
    BY_HAND,
    COUNTED,
    INTEGERS,
    NEVER_NULL,
    NOTES,
    OWN_RESULTS,
    STORED,
    STRUCTS,
    VIEWS,
    Named,
    constant,
    declared_names,
    handle,
    list_names,
    named,
    object_kinds,
    vector_kinds,
    vector_of,
)


def write(folder: Path, header: Header) -> None:
    """Write the module and its stub to `folder`."""
    kinds, vectors = object_kinds(header), vector_kinds(header)
    by_hand = {name: module for module, names in BY_HAND.items() for name in names}
    unknown = by_hand.keys() - {f.name for f in header.functions}
    if unknown:
        raise HeaderError(f"written by hand, but not in the header: {', '.join(sorted(unknown))}")
    generated.write(folder / "_generated.py", module_text(header, kinds, vectors, by_hand))
    generated.write(folder / "_generated.pyi", capi_stub.text(header, kinds, vectors))


def module_text(header: Header, kinds: set[str], vectors: set[str], by_hand: dict[str, str]) -> str:
    """Return the module's text."""
    out = [_HEAD]
    out += [f'_{n} = kind("{n}")\n_{n}_live = _{n}.live\n' for n in sorted(kinds)]
    out += [f'_{n}_vec = vec("{n}")\n' for n in sorted(vectors)]
    out += [f'{constant(n)} = typeof("{n} *")\n' for n in sorted(STRUCTS)]
    for function in header.functions:
        if function.name in by_hand:
            doc = docstring(function, named(function, kinds, vectors))
            out.append(
                f"\n{function.name} = {by_hand[function.name]}.{function.name}\n"
                f'{function.name}.__doc__ = """{doc}"""\n'
            )
        else:
            out.append("\n\n" + Wrapper(function, kinds, vectors).text())
    out.append("\n\n# Second names that the header defines as macros.\n")
    out += [f"{name} = {target}\n" for name, target in header.aliases.items()]
    out.append("\n# Constants.\n")
    out += [f"{name} = {value}\n" for name, value in header.enums.items()]
    out += [f"{name} = {value}\n" for name, value in header.constants.items()]
    out.append("\n# Beyond the header: conversion between vectors and lists.\n")
    out += [_LISTS.format(name=name) for name in sorted(vectors)]
    out.append(f"\nDECLARED = {declared_names(header)!r}\n")
    out.append(f"LISTS = {list_names(vectors)!r}\n")
    out.append("__all__ = [*DECLARED, *LISTS]\n")
    return "".join(out)


def docstring(function: Function, parameters: list[Named]) -> str:
    """Return the wrapper's docstring: the C prototype, and who owns what."""
    lines = [f"{function.prototype};", ""]
    taken = [p.name for p in parameters if p.type.own and p.name not in ("out", "trap")]
    if function.name.endswith("_delete"):
        lines.append(f"Ends `{parameters[0].name}`: it must not be used afterwards.")
        taken = []
    if taken:
        shown = " and ".join(f"`{name}`" for name in taken)
        lines.append(f"Takes over {shown}.")
    filled = [p.name for p in parameters if p.type.own and p.name in ("out", "trap")]
    if filled:
        lines.append(f"What it writes to `{filled[0]}` belongs to the caller.")
    result = function.result
    if ARGUMENT_BACK.fullmatch(function.name):
        lines.append("The result is the argument.")
    elif VIEWS.fullmatch(function.name):
        lines.append("The result is the same object; NULL if the object is of another kind.")
    elif COUNTED.fullmatch(function.name):
        lines.append("The result is the same object with one more handle to delete.")
    elif result.own or OWN_RESULTS.fullmatch(function.name):
        lines.append("The result belongs to the caller.")
    elif result.pointers and result.name != "void" and parameters:
        lines.append(f"The result is borrowed: it lives as long as `{parameters[0].name}`.")
    lines += NOTES.get(function.name, ())
    for module, functions in BY_HAND.items():
        if function.name in functions:
            lines.append(f"By hand in wamr/_capi/{module}.py: {functions[function.name]}.")
    text = "\n".join(f"    {line}" if line else "" for line in lines).strip()
    return text + ("\n    " if "\n" in text else "")


class Wrapper:
    """Makes the Python function for one C function, line by line."""

    def __init__(self, function: Function, kinds: set[str], vectors: set[str]) -> None:
        self.function = function
        self.kinds = kinds
        self.vectors = vectors
        self.parameters = named(function, kinds, vectors)
        self.lines: list[str] = []
        self.before: list[str] = []
        self.last = ""
        self.after: list[str] = []
        self.taken: list[str] = []
        self.arguments: list[str] = []

    def text(self) -> str:
        function = self.function
        for parameter in self.parameters:
            self._argument(parameter)
        call = f"lib.{function.name}({', '.join(self.arguments)})"
        self.lines += [*self.before, self.last] if self.last else self.before
        self._result(call)
        head = f"def {function.name}({', '.join(p.name for p in self.parameters)}):"
        body = "".join(f"    {line}\n" for line in [*self.lines])
        return f'{head}\n    """{docstring(function, self.parameters)}"""\n{body}'

    # Parameters

    def _argument(self, parameter: Named) -> None:
        name, type_ = parameter.name, parameter.type
        where = f'"{self.function.name}", "{name}"'
        kind, vector = handle(type_, self.kinds), vector_of(type_, self.vectors)
        self.arguments.append(name)
        never_null = NEVER_NULL.get(self.function.name) == name
        if kind:
            self._handle(kind, name, type_, where, never_null)
        elif vector:
            self._vector(vector, name, type_, where)
        elif type_.array:
            self._array(name)
        elif type_.function or type_.name.startswith("wasm_func_callback"):
            self.lines.append(
                f'{name} = set_finalizer(_tracked, {self._info()}, {name}, "{self.function.name}")'
            )
        elif type_.pointers == 1 and type_.name == "void":
            self.lines.append(f"{name} = address({name}, {where})")
            if self.function.name.endswith("_set_host_info"):
                self.lines.append(f"set_host_info(_tracked, {name})")
        elif type_.pointers == 1 and type_.name == "char":
            self.lines.append(f"{name} = text({name}, {where})")
        elif type_.pointers == 1 and type_.name in STRUCTS:
            self.lines.append(f"{name} = struct({constant(type_.name)}, {name}, {where})")
        elif not type_.pointers and type_.name in INTEGERS:
            self.lines.append(f"if {name}.__class__ is not int:")
            self.lines.append(f"    {name} = integer({name}, {where})")
        elif not type_.pointers and type_.name == "bool":
            self.lines.append(f"{name} = boolean({name}, {where})")
        else:
            raise HeaderError(
                f"{self.function.prototype}: no rule for the parameter {name} ({type_.text})"
            )
        if never_null and not kind:
            self.lines.append(f"{name} = present({name}, {where})")

    def _info(self) -> str:
        return next(p.name for p in self.parameters if p.type.name == "void")

    def _handle(self, kind: str, name: str, type_: Type, where: str, never_null: bool) -> None:
        if type_.own and self.function.name == f"wasm_{kind}_delete":
            self.lines.append(f"{name} = end(_{kind}, {name}, {where})")
        elif type_.own:
            self.lines.append(f"{name}, {name}_tracked = claim(_{kind}, {name}, {where})")
            self.after.append(f'given({name}_tracked, _live, "{self.function.name}")')
            self.taken.append(f"{name}_tracked")
        elif self._needs_tracked(name):
            slow = "need" if never_null else "find"
            self.lines.append(f"_tracked = _{kind}.live.get(id({name}))")
            self.lines.append("if _tracked is None:")
            self.lines.append(f"    {name}, _tracked = {slow}(_{kind}, {name}, {where})")
        else:
            self.lines.append(f"if id({name}) not in _{kind}_live:")
            slow = (
                f"need(_{kind}, {name}, {where})[0]"
                if never_null
                else f"use(_{kind}, {name}, {where})"
            )
            self.lines.append(f"    {name} = {slow}")

    def _needs_tracked(self, name: str) -> bool:
        """Return whether the result needs the tracked handle of the first object."""
        first = next(p for p in self.parameters if handle(p.type, self.kinds))
        if first.name != name:
            return False
        result = self.function.result
        return (
            "_set_host_info" in self.function.name
            or (result.pointers > 0 and not self._is_free(result))
            or any(p.name == "out" and vector_of(p.type, self.vectors) for p in self.parameters)
        )

    def _is_free(self, result: Type) -> bool:
        """Return whether the result is an object that belongs to no store."""
        name = handle(result, self.kinds) or ""
        if VIEWS.fullmatch(self.function.name) or result.name in ("void", "char"):
            return True
        own = result.own or OWN_RESULTS.fullmatch(self.function.name)
        return bool(own) and (name.endswith("type") or name in ("config", "engine"))

    def _vector(self, vector: str, name: str, type_: Type, where: str) -> None:
        if type_.own and name == "out":
            self.lines.append(f"{name} = vector(_{vector}_vec, {name}, {where})")
            if not self.function.name.endswith(("_vec_new", "_vec_new_empty")):
                copied = ", vec" if self.function.name.endswith("_vec_copy") else ""
                if not self.function.name.endswith("_vec_new_uninitialized"):
                    self.last = f"clear(_{vector}_vec, {name}{copied})"
                store = "_tracked and _tracked.store" if self._out_of_store() else "None"
                if vector in STORED and self.function.name.endswith("_vec_copy"):
                    self.before.append(
                        f'_store = store_of(_{vector}_vec, vec, "{self.function.name}")'
                    )
                    store = "_store"
                self.after.append(f"fill(_{vector}_vec, {name}, {store})")
        elif type_.own and self.function.name == f"wasm_{vector}_vec_delete":
            self.lines.append(f'{name} = end_vector(_{vector}_vec, {name}, "{self.function.name}")')
        elif type_.own:
            self.lines.append(f"{name}, {name}_tracked = take(_{vector}_vec, {name}, {where})")
            self.after.append(f"give({name}_tracked, _live)")
            self.taken.append(f"{name}_tracked")
        else:
            self.lines.append(f"{name} = read(_{vector}_vec, {name}, {where})")

    def _out_of_store(self) -> bool:
        return any(handle(p.type, self.kinds) for p in self.parameters)

    def _array(self, name: str) -> None:
        vector = self.function.name.removeprefix("wasm_").removesuffix("_vec_new")
        if vector not in self.vectors:
            raise HeaderError(f"{self.function.prototype}: no rule for the array {name}")
        size = next(p.name for p in self.parameters if p.type.name == "size_t")
        self.lines.append(
            f'{name}, _claimed = array(_{vector}_vec, {size}, {name}, "{self.function.name}")'
        )
        self.after.append(f'made(_{vector}_vec, out, _claimed, "{self.function.name}")')

    # Results

    def _result(self, call: str) -> None:
        function, result = self.function, self.function.result
        kind, vector = handle(result, self.kinds), vector_of(result, self.vectors)
        if ARGUMENT_BACK.fullmatch(function.name):
            self.lines.append(f"_result = {call}")
            self.lines.append(f"return {self.parameters[0].name} if _result else _result")
        elif kind:
            self._handle_result(kind, call)
        elif vector:
            self.lines.append(f"return borrowed(_{vector}_vec, {call}, _tracked)")
        elif result.pointers == 1 and result.name in STRUCTS:
            self.lines.append(f'return borrowed_struct("{result.name}", {call}, _tracked)')
        elif self.after:
            self.lines.append(f"_result = {call}" if result.text != "void" else call)
            self.lines += self.after
            if result.text != "void":
                self.lines.append("return _result")
        elif result.text == "void":
            self.lines.append(call)
        elif result.pointers and result.name not in ("void", "char", "byte_t"):
            raise HeaderError(f"{function.prototype}: no rule for the result")
        else:
            self.lines.append(f"return {call}")

    def _handle_result(self, kind: str, call: str) -> None:
        function, result = self.function, self.function.result
        tracked = "_tracked" if any("_tracked" in line for line in self.lines) else "None"
        if VIEWS.fullmatch(function.name):
            self.lines.append(f"return view(_{kind}, {call})")
        elif COUNTED.fullmatch(function.name):
            self.lines.append(f"return again({self._store(tracked)}, _{kind}, {call})")
        elif result.own or OWN_RESULTS.fullmatch(function.name):
            if not self.taken:
                store = self._store(tracked)
                own = "own(" if store == "None" else f"own_in({store}, "
                self.lines.append(f"return {own}_{kind}, {call})")
                return
            if len(self.taken) > 1:
                given = ", ".join(self.taken)
                self.lines.append(f'distinct("{function.name}", {given})')
            self.lines.append(f"_result = own(_{kind}, {call})")
            self.lines.append("if _result:")
            self.lines.append(f"    _live = _{kind}.live[id(_result)]")
            self.lines += [f"    {line}" for line in self.after]
            self.lines.append("return _result")
        else:
            self.lines.append(f"return borrow(_{kind}, {call}, {tracked})")

    def _store(self, tracked: str) -> str:
        if tracked == "None":
            return tracked
        first = next(
            handle(p.type, self.kinds) for p in self.parameters if handle(p.type, self.kinds)
        )
        return "_tracked" if first == "store" else "_tracked and _tracked.store"


_LISTS = '''

def wasm_{name}_vec_from_list(items):
    """Return a new `wasm_{name}_vec_t *` of the items.

    Takes over items that are objects, as wasm_{name}_vec_new does.
    """
    return from_list(_{name}_vec, items)


def wasm_{name}_vec_to_list(vec):
    """Return the items of a vector as a list; the vector still owns them."""
    return to_list(_{name}_vec, vec)
'''


_HEAD = '''\
"""wasm_c_api.h as Python functions. Generated by codegen/wrappers.py; changes belong there.

wamr/_capi/handles.py and the modules beside it document the functions that the wrappers call.
"""

from . import engines, functions, instances, modules, objects
from .arrays import array
from .arguments import address, boolean, integer, present, struct, text
from .lists import from_list, to_list
from .handles import again, borrow, find, kind, need, own, own_in, typeof, use, view
from .objects import set_finalizer, set_host_info
from .ownership import claim, distinct, end, given
from .vector_ownership import end as end_vector
from .vector_ownership import give, made, store_of, take
from .vectors import borrowed, borrowed_struct, clear, fill, read, vec
from .vectors import struct as vector
from .._backend.binding import lib

'''
