"""Random structured programs with exceptions, as module text.

`Program(seed, form)` has two modules that are linked with each other and with a host. The forms:
"new" has `try_table`, all four kinds of clause, `throw_ref` and exnrefs; "legacy" has `try`,
`catch`, `catch_all`, `rethrow` and `delegate`; "translated" is the legacy program of the same seed
in the new form, for engines that know only that.

The seed decides everything. Programs end: each loop and each function counts `$left` down and
leaves at zero. No program makes a NaN, since the bits of NaNs may differ. `random_exceptions.py`
runs the programs.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from exception_code import Body
from exception_text import NON_NULL, NULLS, UNARY, Code, Function, Types, param, result

LEFT = 40  # the first value of `$left`: so many calls and turns of loops

VALUES = ("i32", "i64", "f32", "f64", "v128", "externref", "funcref")

# Names and parameters. The legacy form has an i64 in place of an exnref.
HOST_TAGS = (("$h0", ("i32",)), ("$h1", ("externref", "i64")))
LIBRARY_TAGS = (("$l0", ("i64", "f64")), ("$l1", ("exnref", "i32")))
HOST = """(import "host" "h0" (tag $h0 (param i32)))
(import "host" "h1" (tag $h1 (param externref i64)))
(import "host" "left" (global $left (mut i32)))
(import "host" "table" (table $table 8 funcref))
(import "host" "throw" (func $throw (type $throwing)))
(import "host" "pass" (func $pass (type $binary)))
(import "host" "catch" (func $catch (type $binary)))
(import "host" "swap" (func $swap (type $binary)))
(import "host" "again" (func $again (type $binary)))
(import "python" "object" (func $object (param i32) (result externref)))
(import "python" "number" (func $number (param externref) (result i32)))"""
TYPES = """(type $throwing (func (param i32)))
(type $unary (func (param i32) (result i32)))
(type $binary (func (param i32 i32) (result i32)))
(type $other (func (param i64) (result i32)))"""


class ModuleText:
    """One of a program's modules. theirs: the module whose functions and tags it imports."""

    def __init__(self, random: Random, form: str, theirs: ModuleText | None) -> None:
        self.form = form
        self.kinds: Types = (*VALUES, "exnref") if form == "new" else VALUES
        self.shared = self.lowered(LIBRARY_TAGS)
        self.tags = [*HOST_TAGS, *self.shared]
        own = [(f"$o{i}", self.some_types(random, 3)) for i in range(2)]
        self.tags += own
        self.own = own if theirs else [*self.shared, *own]
        self.functions = [Function("$f0", UNARY, UNARY), Function("$f1", UNARY, UNARY)]
        for i in range(2, 5 if theirs else 3):
            types = self.some_types(random, 3), self.some_types(random)
            self.functions.append(Function(f"$f{i}", *types))
        host = [
            Function(f"${n}", ("i32", "i32"), UNARY) for n in ("pass", "catch", "swap", "again")
        ]
        self.callable = [Function("$throw", UNARY, ()), *host]
        imports = [
            Function(f"$lib_{f.name[1:]}", f.params, f.results)
            for f in (theirs.functions if theirs else ())
        ]
        self.callable += imports
        fields = [TYPES, HOST]
        if theirs:
            fields += [f'(import "lib" "{n[1:]}" (tag {n}{param(t)}))' for n, t in theirs.shared]
        fields += [
            f'(import "lib" "{f.name[5:]}" (func {f.name}{param(f.params)}{result(f.results)}))'
            for f in imports
        ]
        fields += [f'(tag {n} (export "{n[1:]}"){param(t)})' for n, t in self.own]
        for kind in self.kinds:
            first = NULLS.get(kind, f"{kind}.const 0" if kind != "v128" else "v128.const i64x2 0 0")
            fields.append(f"(global $g_{kind} (mut {kind}) ({first}))")
        if form == "new":
            fields.append("(table $exns 4 12 exnref)")
            fields.append("(elem $nulls exnref (ref.null exn) (ref.null exn))")
        base, indices = (0, "$f0 $f1 $f0 $f1") if theirs else (4, "$f0 $f1 $f1")
        fields.append(f"(elem (table $table) (i32.const {base}) func {indices})")
        for function in self.functions:
            export = f'(export "{function.name[1:]}")'
            fields.append(Body(self, random, function).text(export))
            self.callable.append(function)
        self.text = "\n".join(fields)

    def lowered(self, tags: Sequence[tuple[str, Types]]) -> list[tuple[str, Types]]:
        return [
            (name, tuple(t if t in self.kinds else "i64" for t in types)) for name, types in tags
        ]

    def calls(self, results: Types) -> list[Function]:
        return [function for function in self.callable if function.results == results]

    def some_types(self, random: Random, most: int = 2) -> Types:
        """Return types: often the parameters of a tag, as clauses want them of labels."""
        if random.random() < 0.5:
            types: Types = random.choice(self.tags)[1]
            if self.form == "new" and random.random() < 0.3:
                return (*types, random.choice(("exnref", NON_NULL)))
            return types
        return tuple(random.choice(self.kinds) for _ in range(random.randrange(most + 1)))


class Program:
    """A library and a main module, which imports the library's functions and half of its tags.

    main exports each of its functions as "f0", "f1" and so on, and each tag that it knows as "t0",
    "t1" and so on. It exports a function "c0" for "f0" and so on, which calls "f0" with values made
    from an i32, and has three results: a digest of the returned or thrown values; 0 if "f0"
    returned, 1 + the number of the tag of its exception, or -1 if main doesn't know the tag; and
    the result of "state", a digest of main's globals.
    """

    def __init__(self, seed: int, form: str) -> None:
        random = Random(seed)
        library = ModuleText(random, form, None)
        main = ModuleText(random, form, library)
        self.tags, self.functions = main.tags, main.functions
        self.kinds = main.kinds
        self.library = f"(module {library.text})"
        observers = self._observers() if form != "legacy" else ""
        exports = "".join(f'\n(export "t{i}" (tag {n}))' for i, (n, _) in enumerate(main.tags))
        globals_ = "".join(f'\n(export "g_{k}" (global $g_{k}))' for k in main.kinds)
        self.main = f"(module {main.text}{exports}{globals_}{observers})"

    def _observers(self) -> str:
        looked_at = {self.kinds, *(f.results for f in self.functions), *(t for _, t in self.tags)}
        fields = [_digest_function(types) for types in sorted(looked_at)]
        fields += ["(func $look (param exnref) (result i64 i32)", *self._looking(), ")"]
        fields.append('(func $state (export "state") (result i64)')
        fields += [f"global.get $g_{kind}" for kind in self.kinds]
        fields.append(f"call {_digest_name(self.kinds)})")
        for i, function in enumerate(self.functions):
            call = "\n".join(ARGUMENTS[kind] for kind in function.params)
            fields.append(f"""(func (export "c{i}") (param $x i32) (result i64 i32 i64)
                i32.const {LEFT}\nglobal.set $left
                block $thrown (result exnref)
                try_table (catch_all_ref $thrown)\n{call}\ncall $f{i}
                call {_digest_name(function.results)}\ni32.const 0\ncall $state\nreturn\nend
                unreachable\nend\ncall $look\ncall $state)""")
        return "\n" + "\n".join(fields)

    def _looking(self) -> Code:
        """Return code whose results are the digest of an exception's values, and its tag."""
        known = list(enumerate(self.tags))
        clauses = " ".join(f"(catch {tag} $known{i})" for i, (tag, _) in known)
        lines = ["block $unknown"]
        lines += [f"block $known{i}{result(types)}" for i, (_, types) in reversed(known)]
        lines += [f"try_table {clauses} (catch_all $unknown)", "local.get 0", "throw_ref", "end"]
        lines.append("unreachable")
        for i, (_, types) in known:
            lines += ["end", f"call {_digest_name(types)}", f"i32.const {i + 1}", "return"]
        return [*lines, "end", "i64.const 0", "i32.const -1"]


# The arguments of a function, made from the i32 $x.
ARGUMENTS = {
    "i32": "local.get $x",
    "i64": "local.get $x\ni64.extend_i32_s",
    "f32": "local.get $x\nf32.convert_i32_s",
    "f64": "local.get $x\nf64.convert_i32_s",
    "v128": "local.get $x\ni64.extend_i32_s\ni64x2.splat",
    "externref": "local.get $x\ncall $object",
    "funcref": "ref.func $f0",
    "exnref": """block $thrown (result exnref)
try_table (catch_all_ref $thrown)\nlocal.get $x\nthrow $h0\nend\nunreachable\nend""",
}
ARGUMENTS[NON_NULL] = ARGUMENTS["exnref"].replace("exnref", NON_NULL)
# The i64 that stands for a value in digests.
BITS = {
    "i32": "i64.extend_i32_s",
    "i64": "",
    "f32": "i32.reinterpret_f32\ni64.extend_i32_s",
    "f64": "i64.reinterpret_f64",
    "v128": "i64x2.extract_lane 0\nlocal.get {0}\ni64x2.extract_lane 1\n"
    "i64.const 7\ni64.mul\ni64.add",
    "externref": "call $number\ni64.extend_i32_s",
    "funcref": "ref.is_null\ni64.extend_i32_u",
    "exnref": "ref.is_null\nif (result i64)\ni64.const 1\nelse\nlocal.get {0}\ncall $look\n"
    "i64.extend_i32_s\ni64.add\nend",
}


BITS[NON_NULL] = BITS["exnref"]


def _digest_name(types: Types) -> str:
    return "$digest_" + "_".join(types).replace(NON_NULL, "exn")


def _digest_function(types: Types) -> str:
    lines = [f"(func {_digest_name(types)}{param(types)} (result i64)", "i64.const 17"]
    for i, kind in enumerate(types):
        lines += ["i64.const 31", "i64.mul", f"local.get {i}", BITS[kind].format(i), "i64.add"]
    return "\n".join([*lines, ")"])
