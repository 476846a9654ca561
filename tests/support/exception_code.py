"""The code of random functions: blocks, loops, calls, and exceptions in one of the three forms.

`Body` makes one function. For "legacy" and "translated" (see exception_programs.py) it draws the
same random numbers, so that both are the same program.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Protocol

from exception_text import (
    NON_NULL,
    NULLS,
    OPERATORS,
    UNARY,
    Code,
    Function,
    Label,
    Types,
    landing,
    param,
    resolved,
    result,
    without_exnrefs,
)


class Surroundings(Protocol):
    """The module of a function."""

    form: str
    kinds: Types
    tags: list[tuple[str, Types]]
    callable: list[Function]

    def calls(self, results: Types) -> list[Function]: ...

    def some_types(self, random: Random, most: int = 2) -> Types: ...


class Body:
    """The code of one function."""

    def __init__(self, module: Surroundings, random: Random, own: Function) -> None:
        self.module, self.random, self.own = module, random, own
        self.new, self.form = module.form == "new", module.form
        kinds = [*own.params, *(kind for kind in module.kinds for _ in range(2))]
        self.locals = [(f"$v{i}", kind) for i, kind in enumerate(kinds)]
        self.caught: Code = []  # locals of the translation
        self.function = Label("@", own.results)  # see `resolved`
        self.labels = [self.function]
        self.count = 0
        self.size = random.choice((6, 12, 25, 50))  # statements and operands still to be made

    def text(self, export: str) -> str:
        leave = ["global.get $left", "i32.const 1", "i32.sub", "global.set $left", *self.spent()]
        code = self.part(
            self.function, lambda: self.statements(4) + self.values(self.own.results, 4), "return"
        )
        head = f"(func {self.own.name} {export}"
        params = "".join(f" (param {n} {t})" for n, t in self.locals[: len(self.own.params)])
        more = "".join(f" (local {n} {t})" for n, t in self.locals[len(self.own.params) :])
        more += "".join(f" (local {name} exnref)" for name in self.caught)
        lines = resolved([*leave, "return", "end", *code])
        return f"{head}{params}{result(self.own.results)}{more}\n" + "\n".join(lines) + ")"

    # -- values and statements ------------------------------------------------------------------

    def spent(self) -> Code:
        """Return code that leaves when `$left` is used up, without the instruction that leaves."""
        values = [line for kind in self.own.results for line in self.constant(kind)]
        return ["global.get $left", "i32.const 0", "i32.lt_s", "if", *values]

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def push(self, types: Types, name: str = "b", loop: bool = False) -> Label:
        self.count += 1
        self.labels.append(Label(f"${name}{self.count}", types, loop))
        return self.labels[-1]

    def values(self, types: Types, depth: int) -> Code:
        """Return code that leaves values of these types."""
        if len(types) > 1 and self.size > 0 and depth > 0 and self.chance(0.3):
            return self.nested(types, depth)
        return [line for kind in types for line in self.value(kind, depth)]

    def value(self, kind: str, depth: int) -> Code:
        self.size -= 1
        if depth <= 0 or self.size <= 0 or self.chance(0.3):
            return self.leaf(kind)
        choice = self.random.random()
        if choice < 0.45:
            return self.operator(kind, depth - 1)
        if choice < 0.55 and (found := self.module.calls((kind,))):
            return self.call(self.random.choice(found), depth - 1)
        if choice < 0.6 and kind != NON_NULL:
            name = self.local(kind)
            return [*self.value(kind, depth - 1), f"local.tee {name}"]
        if choice < 0.63:
            return self.leaving(depth - 1)
        return self.nested((kind,), depth)

    def local(self, kind: str) -> str:
        return self.random.choice([name for name, t in self.locals if t == kind])

    def constant(self, kind: str) -> Code:
        if kind in NULLS:
            return [NULLS[kind]]
        number = self.random.choice((0, 1, 2, 3, 7, -1, -5, 1000))
        if kind == NON_NULL:
            caught = [f"block (result {NON_NULL})", "try_table (catch_all_ref 0)"]
            return [*caught, f"i32.const {number}", "throw $h0", "end", "unreachable", "end"]
        if kind == "v128":
            return [f"v128.const i64x2 {number} {self.random.randrange(9)}"]
        return [f"{kind}.const {number}"]

    def leaf(self, kind: str) -> Code:
        choice = self.random.random()
        if kind == NON_NULL:
            return self.constant(kind)
        if choice < 0.55:
            return [f"local.get {self.local(kind)}"]
        if choice < 0.8:
            return [f"global.get $g_{kind}"]
        if kind == "externref" and choice < 0.95:
            return [*self.constant("i32"), "call $object"]
        if kind == "exnref" and choice < 0.95:
            return [f"i32.const {self.random.randrange(4)}", "table.get $exns"]
        if kind == "funcref" and choice < 0.9:
            return [f"ref.func $f{self.random.randrange(2)}"]
        if kind == "funcref" and choice < 0.97:
            return [f"i32.const {self.random.randrange(8)}", "table.get $table"]
        return self.constant(kind)

    def operator(self, kind: str, depth: int) -> Code:
        def of(*kinds: str) -> Code:
            return [line for kind in kinds for line in self.value(kind, depth)]

        if kind in OPERATORS and self.chance(0.85):
            rows = OPERATORS[kind] if self.new else without_exnrefs(OPERATORS[kind])
            operands, name = self.random.choice(rows)
            return [*of(*operands), name]
        return [*of(kind, kind, "i32"), f"select (result {kind})"]

    def consume(self, types: Types) -> Code:
        """Return code that takes values from the stack: it keeps some, and drops the others."""
        code = []
        for kind in reversed(types):
            kind = "exnref" if kind == NON_NULL else kind
            choice = self.random.random()
            kept = f"local.set {self.local(kind)}" if choice < 0.6 else f"global.set $g_{kind}"
            code.append(kept if choice < 0.85 else "drop")
        return code

    def statements(self, depth: int) -> Code:
        code = []
        for _ in range(self.random.randrange(4) if depth > 0 and self.size > 0 else 0):
            self.size -= 1
            code += self.statement(depth)
        return code

    def statement(self, depth: int) -> Code:
        choice = self.random.random()
        if choice < 0.05 and self.new:
            index = f"i32.const {self.random.randrange(5)}"  # of four: the last traps
            return [index, *self.value("exnref", depth - 1), "table.set $exns"]
        if choice < 0.07:
            return self.in_tables(depth - 1)
        if choice < 0.2:
            kind = self.random.choice(self.module.kinds)
            return [*self.value(kind, depth - 1), *self.consume((kind,))]
        if choice < 0.45:
            condition = self.value("i32", depth - 1)
            label = self.push((), "i")
            leaving = self.part(label, lambda: self.leaving(depth - 1), f"br {label.name}")
            self.labels.pop()
            return [*condition, f"if {label.name}", *leaving, "end"]
        if choice < 0.55:
            label = self.random.choice(self.labels)
            values = [*self.values(label.types, depth - 1), *self.value("i32", depth - 1)]
            return [*values, f"br_if {label.name}", *self.consume(label.types)]
        if choice < 0.7:
            callee = self.random.choice(self.module.callable)
            return [*self.call(callee, depth - 1), *self.consume(callee.results)]
        types = self.module.some_types(self.random)
        return [*self.nested(types, depth), *self.consume(types)]

    def in_tables(self, depth: int) -> Code:
        """Return code that changes elements of the tables."""
        if not self.new or self.chance(0.5):
            index = f"i32.const {self.random.randrange(8)}"
            return [index, *self.value("funcref", depth), "table.set $table"]
        low, high, count = (f"i32.const {self.random.randrange(n)}" for n in (4, 4, 3))
        match self.random.randrange(4):
            case 0:
                return [low, high, count, "table.copy $exns $exns"]
            case 1:
                return [low, *self.value("exnref", depth), count, "table.fill $exns"]
            case 2:
                return [*self.value("exnref", depth), count, "table.grow $exns", "drop"]
        return [low, "i32.const 0", count, "table.init $exns $nulls"]

    def call(self, callee: Function, depth: int) -> Code:
        values = self.values(callee.params, depth)
        if callee.params == UNARY and callee.results == UNARY and self.chance(0.4):
            index = [f"i32.const {self.random.randrange(8)}"]
            if self.chance(0.2):
                index = [*self.value("i32", 0), "i32.const 7", "i32.and"]
            kind = "other" if self.chance(0.03) else "unary"
            widened = ["i64.extend_i32_s"] if kind == "other" else []
            return [*values, *widened, *index, f"call_indirect $table (type ${kind})"]
        return [*values, f"call {callee.name}"]

    def leaving(self, depth: int) -> Code:
        """Return code behind which nothing is reached."""
        choice = self.random.random()
        if choice < 0.4:
            tag, types = self.random.choice(self.module.tags)
            return [*self.values(types, depth), f"throw {tag}"]
        if choice < 0.55:
            if self.new:
                kind = NON_NULL if self.chance(0.2) else "exnref"
                return [*self.value(kind, min(depth, 1)), "throw_ref"]
            if caught := [label for label in self.labels if label.caught]:
                return self.thrown_again(self.random.choice(caught))
        if choice < 0.7:
            label = self.random.choice(self.labels)
            return [*self.values(label.types, depth), f"br {label.name}"]
        if choice < 0.8:
            types = self.random.choice(self.labels).types
            same = [label.name for label in self.labels if label.types == types]
            names = " ".join(self.random.choices(same, k=self.random.randrange(1, 4)))
            return [*self.values(types, depth), *self.value("i32", depth), f"br_table {names}"]
        if choice < 0.88 and (found := self.module.calls(self.own.results)):
            callee = self.random.choice(found)
            values = self.values(callee.params, depth)
            if callee.params == callee.results == UNARY and self.chance(0.3):
                index = f"i32.const {self.random.randrange(8)}"
                return [*values, index, "return_call_indirect $table (type $unary)"]
            return [*values, f"return_call {callee.name}"]
        if choice < 0.97:
            return [*self.values(self.own.results, depth), "return"]
        return ["unreachable"]

    # -- blocks ---------------------------------------------------------------------------------

    def nested(self, types: Types, depth: int) -> Code:
        self.size -= 2
        choice = self.random.random()
        if choice < 0.6:
            return self.attempt(types, depth) if self.new else self.legacy(types, depth)
        if choice < 0.75:
            return self.loop(types, depth)
        taken, code = self.taken(depth)
        condition = self.value("i32", depth - 1) if choice < 0.87 else []
        label = self.push(types)
        opener = "if" if condition else "block"
        code += [*condition, f"{opener} {label.name}{param(taken)}{result(types)}"]
        leave = f"br {label.name}"
        code += [*self.consume(taken), *self.part(label, lambda: self.inside(types, depth), leave)]
        if condition:
            code += ["else", *self.consume(taken)]
            code += self.part(label, lambda: self.values(types, depth - 1), leave)
        self.labels.pop()
        return [*code, "end"]

    def taken(self, depth: int) -> tuple[Types, Code]:
        """Return the types of a block's parameters, often none, and code that leaves values."""
        types = self.module.some_types(self.random) if self.chance(0.3) else ()
        return types, self.values(types, depth - 1)

    def inside(self, types: Types, depth: int) -> Code:
        return self.statements(depth - 1) + self.values(types, depth - 1)

    def loop(self, types: Types, depth: int) -> Code:
        carried = self.module.some_types(self.random)
        code = self.values(carried, depth - 1)
        label = self.push(carried, "loop", loop=True)
        code.append(f"loop {label.name}{param(carried)}{result(types)}")
        code += ["global.get $left", "i32.const 1", "i32.sub", "global.set $left"]
        code += [*self.spent(), "return", "end", *self.consume(carried)]
        code += self.inside(types, depth)
        self.labels.pop()
        return [*code, "end"]

    def attempt(self, types: Types, depth: int) -> Code:
        """Return a `try_table`, and around it the handlers of some of its clauses."""
        taken, code = self.taken(depth)
        after = self.push(types, "after")
        clauses: Code = []
        handlers: list[Label] = []
        for _ in range(self.random.choice((0, 1, 1, 2, 2, 3))):
            tag, carried = self.random.choice((*self.module.tags, ("", ())))
            ref = self.chance(0.4)
            carried += (NON_NULL if self.chance(0.3) else "exnref",) if ref else ()
            name = f"catch{'' if tag else '_all'}{'_ref' if ref else ''} {tag}".rstrip()
            there = [label for label in self.labels if label.types == carried]
            if there and self.chance(0.5):
                label = self.random.choice(there)
            else:
                label = self.push(carried, "h")
                handlers.append(label)
            clauses.append(f"({name} {label.name})")
        code.append(f"block {after.name}{param(taken)}{result(types)}")
        given = param(taken)
        code += [f"block {label.name}{given}{result(label.types)}" for label in handlers]
        tried = self.push(types, "try")
        code.append(f"try_table {tried.name}{given}{result(types)} {' '.join(clauses)}".rstrip())
        code += [*self.consume(taken), *self.inside(types, depth), "end"]
        self.labels.pop()
        for label in reversed(handlers):
            code += [f"br {after.name}", "end"]
            self.labels.pop()
            if label.types[-1:] in (("exnref",), (NON_NULL,)) and self.chance(0.3):
                name = self.local("exnref")
                code += [f"local.tee {name}", *self.value("i32", 1), "if", f"local.get {name}"]
                code += ["throw_ref", "end"]
            code += [*self.consume(label.types), *self.inside(types, depth)]
        self.labels.pop()
        return [*code, "end"]

    # -- the legacy form and its translation ----------------------------------------------------

    def part(self, label: Label, make: Callable[[], Code], leave: str) -> Code:
        """Return code within a label. The translation throws there what is delegated to it."""
        label.delegated = False
        code = make()
        if label.delegated and self.form == "translated":
            name = landing(label)
            return [f"block {name} (result exnref)", *code, leave, "end", "throw_ref"]
        return code

    def thrown_again(self, label: Label) -> Code:
        if self.form == "legacy":
            return [f"rethrow {label.name}"]
        return [f"local.get $x_{label.name[1:]}", "throw_ref"]

    def legacy(self, types: Types, depth: int) -> Code:
        targets = [label for label in self.labels if not label.loop]
        delegate = self.random.choice(targets) if self.chance(0.2) else None
        taken, before = self.taken(depth)
        label = self.push(types, "try")
        given = param(taken)
        leave, head = f"br {label.name}", f"{label.name}{given}{result(types)}"
        consumed = self.consume(taken)
        body = consumed + self.part(label, lambda: self.inside(types, depth), leave)
        if delegate:
            self.labels.pop()
            delegate.delegated = True
            if self.form == "legacy":
                return [*before, f"try {head}", *body, f"delegate {delegate.name}"]
            clause = f"(catch_all_ref {landing(delegate)})"
            return [*before, f"try_table {head} {clause}", *body, "end"]
        tags = [self.random.choice(self.module.tags) for _ in range(self.random.randrange(3))]
        if not tags or self.chance(0.4):
            tags.append(("", ()))
        label.caught = True
        parts = []
        for _, carried in tags:
            code = self.consume(carried)
            parts.append(code + self.part(label, lambda: self.inside(types, depth), leave))
        self.labels.pop()
        if self.form == "legacy":
            code = [*before, f"try {head}", *body]
            for (tag, _), part in zip(tags, parts, strict=True):
                code += [f"catch {tag}" if tag else "catch_all", *part]
            return [*code, "end"]
        caught = f"$x_{label.name[1:]}"
        self.caught.append(caught)
        names = [f"{label.name}_{i}" for i in range(len(tags))]
        code = [*before, f"block {head}"]
        for name, (_, carried) in reversed(list(zip(names, tags, strict=True))):
            code.append(f"block {name}{given}{result((*carried, 'exnref'))}")
        clauses = (
            f"(catch_ref {tag} {name})" if tag else f"(catch_all_ref {name})"
            for name, (tag, _) in zip(names, tags, strict=True)
        )
        code += [f"try_table{given}{result(types)} {' '.join(clauses)}", *body, "end", leave]
        for part in parts:
            code += ["end", f"local.set {caught}", *part, leave]
        return [*code, "end"]
