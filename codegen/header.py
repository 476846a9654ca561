"""Parses `wasm_c_api.h`, and returns the text for cffi and a list of the declarations.

The header is preprocessed by `cpp.py` and parsed by pycparser, without a compiler. The header
defines the macro `own` as nothing, and describes it as "similar to a const qualifier". Here `own`
is defined as `volatile`, which the header does not use otherwise. So the parser delivers ownership
as a qualifier.

`defined_functions` lists the functions that a C file defines, after preprocessing and without
compiling it. A declaration that is not understood raises a `HeaderError` that names it. This
module must not know what the functions mean; `wrappers.py` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pycparser import c_ast, c_generator, c_parser

from .cpp import Preprocessor, tokens

OWN = "volatile"
# The types of <stddef.h>, <stdint.h> and <stdbool.h> that cffi knows.
_SYSTEM_TYPES = """
typedef _Bool bool; typedef unsigned long size_t;
typedef long intptr_t; typedef unsigned long uintptr_t;
typedef signed char int8_t; typedef short int16_t; typedef int int32_t; typedef long long int64_t;
typedef unsigned char uint8_t; typedef unsigned short uint16_t; typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
"""


class HeaderError(Exception):
    """A declaration is not understood."""


@dataclass(frozen=True)
class Type:
    """A C type. `name` is the base type (`wasm_store_t`), `pointers` the number of `*` after it."""

    text: str
    name: str
    pointers: int = 0
    own: bool = False
    const: bool = False
    function: bool = False
    array: bool = False


@dataclass(frozen=True)
class Parameter:
    name: str
    type: Type


@dataclass(frozen=True)
class Function:
    """A declared function. `inline`: the header has its body."""

    name: str
    result: Type
    parameters: tuple[Parameter, ...]
    prototype: str
    inline: bool = False


@dataclass
class Header:
    """The declarations of the header, in its order."""

    cdef: str = ""
    functions: list[Function] = field(default_factory=list)
    # Opaque structs, which are used by pointer only; and structs with visible fields.
    opaque: list[str] = field(default_factory=list)
    structs: dict[str, list[Parameter]] = field(default_factory=dict)
    enums: dict[str, int] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    callbacks: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)


def read_header(path: Path, skip: Iterable[str] = ()) -> Header:
    """Read the header at `path`, leaving out the typedefs in `skip`, which cffi gets elsewhere."""
    preprocessor = Preprocessor.with_defines(path.name, {"own": OWN}, locked=["own"])
    text = preprocessor.run(path.read_text(encoding="utf-8"))
    tree = _parse(text, path.name)
    header = Header()
    reader = _Reader(header, frozenset(skip))
    for node in tree.ext:
        if node.coord.file == path.name:
            reader.read(node)
    header.cdef = "\n".join(reader.lines) + "\n"
    known = {f.name for f in header.functions}
    for macro in preprocessor.macros.values():
        # `#define wasm_name_new wasm_byte_vec_new`: a second name of a function.
        if macro.parameters is None and len(macro.body) == 1 and macro.body[0] in known:
            header.aliases[macro.name] = macro.body[0]
    return header


def defined_functions(path: Path, defines: Mapping[str, str]) -> set[str]:
    """Return the names of the functions with external linkage that a C file defines."""
    preprocessor = Preprocessor.with_defines(path.name, defines)
    text = preprocessor.run(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    depth = 0
    statement: list[str] = []
    for token in tokens(text):
        if token.isspace():
            continue
        if token == "{":
            if not depth:
                name = _defined_name(statement)
                if name:
                    found.add(name)
            depth += 1
        elif token == "}":
            depth -= 1
            statement = []
        elif not depth:
            statement = [] if token == ";" else [*statement, token]
    if depth:
        raise HeaderError(f"{path.name}: braces do not match")
    return found


def _defined_name(statement: Sequence[str]) -> str | None:
    if "static" in statement or "(" not in statement or "=" in statement:
        return None
    name = statement[statement.index("(") - 1]
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else None


def _parse(text: str, name: str) -> c_ast.FileAST:
    source = f'# 1 "<system>"\n{_SYSTEM_TYPES}\n# 1 "{name}"\n{text}'
    try:
        return c_parser.CParser().parse(source, name)
    except Exception as error:
        raise HeaderError(f"{name} is not C as pycparser reads it: {error}") from error


class _Reader:
    """Converts each top-level node of the header to lines for cffi and an entry of `Header`."""

    def __init__(self, header: Header, skip: frozenset[str]) -> None:
        self.header = header
        self.skip = skip
        self.lines: list[str] = []
        self.generator = c_generator.CGenerator()

    def read(self, node: c_ast.Node) -> None:
        if isinstance(node, c_ast.FuncDef):
            self._function(node.decl, inline=True)
        elif isinstance(node, c_ast.Typedef):
            self._typedef(node)
        elif isinstance(node, c_ast.Decl):
            if isinstance(node.type, c_ast.FuncDecl):
                self._function(node, inline=False)
            elif isinstance(node.type, (c_ast.Struct, c_ast.Union)):
                self._struct(node.type)
                self._emit(node)
            elif isinstance(node.type, c_ast.Enum):
                self._enum(node.type)
                self._emit(node)
            elif "const" in node.quals and isinstance(node.type, c_ast.TypeDecl) and node.init:
                self._constant(node)
            else:
                raise _not_understood(node)
        elif not isinstance(node, c_ast.Pragma):
            raise _not_understood(node)

    def _emit(self, node: c_ast.Node) -> None:
        text = self.generator.visit(node)
        self.lines.append(re.sub(rf"\b{OWN} ", "", text) + ";")

    def _typedef(self, node: c_ast.Typedef) -> None:
        if node.name in self.skip:
            return
        inner = node.type
        if isinstance(inner, c_ast.TypeDecl) and isinstance(
            inner.type, (c_ast.Struct, c_ast.Union)
        ):
            if inner.type.decls is None:
                self.header.opaque.append(node.name)
            else:
                self._struct(inner.type, node.name)
        elif isinstance(inner, c_ast.TypeDecl) and isinstance(inner.type, c_ast.Enum):
            self._enum(inner.type)
        elif isinstance(inner, c_ast.PtrDecl) and isinstance(inner.type, c_ast.FuncDecl):
            self.header.callbacks[node.name] = self._text(node.type, node.name)
        self._emit(node)

    def _struct(self, node: c_ast.Struct | c_ast.Union, name: str | None = None) -> None:
        if node.decls is not None:
            fields = [Parameter(d.name, self._type(d.type)) for d in node.decls]
            self.header.structs[name or node.name] = fields
            if node.name in self.header.opaque:
                self.header.opaque.remove(node.name)

    def _enum(self, node: c_ast.Enum) -> None:
        value = 0
        for item in node.values.enumerators:
            if item.value is not None:
                if not isinstance(item.value, c_ast.Constant):
                    raise _not_understood(item)
                value = int(item.value.value, 0)
            self.header.enums[item.name] = value
            value += 1

    def _constant(self, node: c_ast.Decl) -> None:
        if not isinstance(node.init, c_ast.Constant):
            raise _not_understood(node)
        self.header.constants[node.name] = node.init.value
        kind = " ".join(node.type.type.names)
        # The compiler finds the value; cffi makes it a Python integer.
        self.lines.append(f"static const {kind} {node.name};")

    def _function(self, node: c_ast.Decl, inline: bool) -> None:
        declared = node.type
        parameters: list[Parameter] = []
        for item in declared.args.params if declared.args else ():
            if isinstance(item, c_ast.EllipsisParam):
                raise _not_understood(node)
            type_ = self._type(item.type)
            if type_.text != "void":
                parameters.append(Parameter(item.name or "", type_))
        result = self._type(declared.type)
        shown = re.sub(rf"\b{OWN}\b", "own", self._text(declared, node.name))
        self.header.functions.append(Function(node.name, result, tuple(parameters), shown, inline))
        self.lines.append(re.sub(rf"\b{OWN} ", "", self._text(declared, node.name)) + ";")

    def _text(self, node: c_ast.Node, name: str) -> str:
        # `static inline` and `extern` tell a reader nothing, so they are left out.
        declaration = c_ast.Decl(name, [], [], [], [], node, None, None)
        return str(self.generator.visit(declaration))

    def _type(self, node: c_ast.Node) -> Type:
        text = re.sub(rf"\b{OWN}\b\s*", "", self.generator.visit(_anonymous(node))).strip()
        pointers, array, quals = 0, False, set()
        while isinstance(node, (c_ast.PtrDecl, c_ast.ArrayDecl)):
            array = array or isinstance(node, c_ast.ArrayDecl)
            pointers += 1
            node = node.type
        if isinstance(node, c_ast.FuncDecl):
            return Type(text, "function", pointers, function=True)
        if not isinstance(node, c_ast.TypeDecl):
            raise _not_understood(node)
        quals = set(node.quals)
        base = node.type
        if isinstance(base, c_ast.IdentifierType):
            name = " ".join(base.names)
        elif isinstance(base, (c_ast.Struct, c_ast.Union, c_ast.Enum)):
            name = base.name or ""
        else:
            raise _not_understood(node)
        return Type(text, name, pointers, OWN in quals, "const" in quals, False, array)


def _anonymous(node: c_ast.Node) -> c_ast.Typename:
    """Return the type without the declared name, for printing."""
    import copy

    clone = copy.deepcopy(node)
    inner = clone
    while not isinstance(inner, c_ast.TypeDecl):
        inner = inner.type
    inner.declname = None
    return c_ast.Typename(None, [], None, clone)


def _not_understood(node: c_ast.Node) -> HeaderError:
    name = getattr(node, "name", None) or type(node).__name__
    text = c_generator.CGenerator().visit(node)
    return HeaderError(
        f"{node.coord}: do not know what to do with the declaration of {name}: {text}"
    )
