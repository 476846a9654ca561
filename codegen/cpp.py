"""A small C preprocessor.

`header.py` must read WAMR's header in the same way on all platforms, with all compilers (MSVC has
other options than gcc), and in cross builds (which have other system headers). So it does not use
a compiler. This module implements comments, continuation lines, conditionals, object-like and
function-like macros, `#` and `##`.

`#include` is skipped: the caller defines what it needs of the system headers. This module must
not know WAMR. Text that is not understood raises a `PreprocessorError` with file and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|//[^\n]*|/\*.*?\*/', re.S)
_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<name>[A-Za-z_]\w*)|(?P<number>\.?\d(?:[eEpP][+-]|[\w.])*)
    |(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<punct>\#\#|&&|\|\||[<>=!]=|<<|>>|.)""",
    re.X | re.S,
)
_NAME = re.compile(r"[A-Za-z_]\w*\Z")
_DEFINED = re.compile(r"\bdefined\s*(?:\(\s*(\w+)\s*\)|(\w+))")
_SUFFIX = re.compile(r"(0[xX][0-9a-fA-F]+|\d+)[uUlL]*\Z")


class PreprocessorError(Exception):
    """The text is not understood; the message says where."""


@dataclass(frozen=True)
class Macro:
    """A macro. `parameters` is None for an object-like one."""

    name: str
    parameters: tuple[str, ...] | None
    body: tuple[str, ...]
    variadic: bool = False


@dataclass
class _Conditional:
    active: bool
    taken: bool
    parent: bool


@dataclass
class Preprocessor:
    """Preprocesses one file. The file can't redefine or undefine `locked` macros."""

    file: str
    macros: dict[str, Macro] = field(default_factory=dict)
    locked: frozenset[str] = frozenset()
    line: int = 0

    @classmethod
    def with_defines(
        cls, file: str, defines: Mapping[str, str], locked: Iterable[str] = ()
    ) -> Preprocessor:
        macros = {name: Macro(name, None, tuple(tokens(text))) for name, text in defines.items()}
        return cls(file, macros, frozenset(locked))

    def run(self, text: str) -> str:
        """Return the preprocessed text. `self.macros` has the macros at its end."""
        out: list[str] = []
        pending: list[str] = []
        stack: list[_Conditional] = []
        for self.line, line in _logical_lines(_without_comments(text)):
            stripped = line.lstrip()
            if stripped.startswith("#"):
                out.append(self._flush(pending))
                self._directive(stripped[1:].strip(), stack)
            elif not stack or stack[-1].active:
                pending.append(line)
        if stack:
            raise self._error("an #if without #endif")
        out.append(self._flush(pending))
        return "".join(out)

    def expand(self, text: str) -> str:
        return "".join(self._expand(list(tokens(text)), frozenset()))

    def _flush(self, pending: list[str]) -> str:
        text = "\n".join(pending) + "\n" if pending else ""
        pending.clear()
        return self.expand(text)

    def _error(self, message: str) -> PreprocessorError:
        return PreprocessorError(f"{self.file}:{self.line}: {message}")

    # Directives

    def _directive(self, text: str, stack: list[_Conditional]) -> None:
        name, _, rest = text.partition(" ")
        match = re.match(r"(\w+)\s*(.*)", text, re.S)
        name, rest = match.groups() if match else ("", "")
        active = not stack or stack[-1].active
        if name in ("if", "ifdef", "ifndef"):
            value = active and self._condition(name, rest)
            stack.append(_Conditional(value, value, active))
        elif name in ("elif", "else", "endif"):
            if not stack:
                raise self._error(f"#{name} without #if")
            if name == "endif":
                stack.pop()
                return
            top = stack[-1]
            wanted = top.parent and not top.taken
            top.active = wanted and (name == "else" or self._condition("if", rest))
            top.taken = top.taken or top.active
        elif not active or name in ("include", "pragma", ""):
            return
        elif name == "define":
            self._define(rest)
        elif name == "undef":
            if rest.strip() not in self.locked:
                self.macros.pop(rest.strip(), None)
        else:
            raise self._error(f"#{name} {rest}")

    def _define(self, text: str) -> None:
        match = re.match(r"(\w+)(\(([^)]*)\))?\s*(.*)", text, re.S)
        if not match:
            raise self._error(f"#define {text}")
        name, has_parameters, listed, body = match.groups()
        if name in self.locked:
            return
        parameters: tuple[str, ...] | None = None
        variadic = False
        if has_parameters is not None:
            parameters = tuple(p.strip() for p in listed.split(",") if p.strip())
            variadic = bool(parameters) and parameters[-1] == "..."
            if variadic:
                parameters = parameters[:-1]
        self.macros[name] = Macro(name, parameters, tuple(tokens(body.strip())), variadic)

    def _condition(self, name: str, text: str) -> bool:
        if name != "if":
            return (text.partition(" ")[0] in self.macros) is (name == "ifdef")
        text = _DEFINED.sub(lambda m: str(int((m[1] or m[2]) in self.macros)), text)
        python: list[str] = []
        for token in tokens(self.expand(text)):
            suffix = _SUFFIX.match(token)
            if suffix:
                python.append(str(int(suffix[1], 0)))
            elif _NAME.match(token):
                python.append("0")
            elif token in ("(", ")", "==", "!=", "<", ">", "<=", ">=", "+", "-", "*", "&", "|"):
                python.append(token)
            elif token in ("&&", "||", "!"):
                python.append({"&&": " and ", "||": " or ", "!": " not "}[token])
            elif not token.isspace():
                raise self._error(f"#if {text}")
        try:
            # The text consists of numbers and operators only.
            return bool(eval("".join(python), {"__builtins__": {}}))  # noqa: S307
        except (SyntaxError, TypeError) as error:
            raise self._error(f"#if {text}") from error

    # Macro expansion

    def _expand(self, todo: list[str], hidden: frozenset[str]) -> list[str]:
        out: list[str] = []
        at = 0
        while at < len(todo):
            token = todo[at]
            at += 1
            macro = self.macros.get(token)
            if macro is None or token in hidden:
                out.append(token)
            elif macro.parameters is None:
                out += self._expand(_paste(list(macro.body)), hidden | {token})
            else:
                called = _arguments(todo, at)
                if called is None:
                    out.append(token)
                    continue
                arguments, at = called
                out += self._expand(self._substitute(macro, arguments), hidden | {token})
        return out

    def _substitute(self, macro: Macro, arguments: list[list[str]]) -> list[str]:
        assert macro.parameters is not None
        count = len(macro.parameters)
        if not count and arguments == [[]]:
            arguments = []
        if len(arguments) < count or (len(arguments) > count and not macro.variadic):
            raise self._error(f"{macro.name} takes {count} arguments, got {len(arguments)}")
        bound = dict(zip(macro.parameters, arguments, strict=False))
        if macro.variadic:
            rest: list[str] = []
            for argument in arguments[count:]:
                rest += [",", *argument] if rest else argument
            bound["__VA_ARGS__"] = rest
        out: list[str] = []
        body = [" " if t.isspace() else t for t in macro.body]
        for index, token in enumerate(body):
            before = _neighbour(body, index, -1)
            if token == "#" and _neighbour(body, index, 1) in bound:
                continue
            if token not in bound:
                out.append(token)
            elif before == "#":
                out.append('"' + "".join(bound[token]).replace('"', '\\"') + '"')
            elif before == "##" or _neighbour(body, index, 1) == "##":
                out += bound[token] or [""]
            else:
                out += self._expand(list(bound[token]), frozenset())
        return _paste(out)


def tokens(text: str) -> Iterator[str]:
    """Yield the preprocessing tokens of the text, white space included."""
    for match in _TOKEN.finditer(text):
        yield match[0]


def _without_comments(text: str) -> str:
    def blank(match: re.Match[str]) -> str:
        found = match[0]
        return " " + "\n" * found.count("\n") if found[0] == "/" else found

    return _COMMENT.sub(blank, text)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    held, start = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        start = start if held else number
        if line.rstrip().endswith("\\"):
            held += line.rstrip()[:-1] + " "
        else:
            yield start, held + line
            held = ""


def _neighbour(body: list[str], index: int, step: int) -> str:
    index += step
    while 0 <= index < len(body) and body[index].isspace():
        index += step
    return body[index] if 0 <= index < len(body) else ""


def _paste(body: list[str]) -> list[str]:
    """Join the neighbours of each `##`."""
    out: list[str] = []
    pasting = False
    for token in body:
        if token == "##":
            while out and out[-1].isspace():
                out.pop()
            pasting = True
        elif pasting and token.isspace():
            continue
        elif pasting:
            # `, ## __VA_ARGS__` with nothing to paste drops the comma, as gcc and clang do.
            left = out.pop() if out else ""
            out += (
                []
                if left == "," and not token
                else [left, token]
                if left == ","
                else [left + token]
            )
            pasting = False
        else:
            out.append(token)
    return out


def _arguments(todo: list[str], at: int) -> tuple[list[list[str]], int] | None:
    """Return the arguments of a macro call and the index behind it; None where no `(` follows."""
    while at < len(todo) and todo[at].isspace():
        at += 1
    if at >= len(todo) or todo[at] != "(":
        return None
    arguments: list[list[str]] = [[]]
    depth = 0
    for index in range(at, len(todo)):
        token = todo[index]
        if token == "(":
            depth += 1
            if depth == 1:
                continue
        elif token == ")":
            depth -= 1
            if not depth:
                return [_trim(a) for a in arguments], index + 1
        if token == "," and depth == 1:
            arguments.append([])
        else:
            arguments[-1].append(token)
    return None


def _trim(argument: list[str]) -> list[str]:
    while argument and argument[0].isspace():
        argument = argument[1:]
    while argument and argument[-1].isspace():
        argument = argument[:-1]
    return argument
