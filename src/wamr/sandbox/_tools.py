"""Tools: functions of the host that code in a sandbox may call.

`Tools` checks and describes the tools once, so that an interpreter can make functions with the same
signatures. `Tools.call` calls one, or begins to; arguments come from an interpreter and are
only passed on. `answer_to` and `error_answer` make the messages that go back.
"""

from __future__ import annotations

import builtins
import inspect
import sys
from collections.abc import Awaitable, Iterable, Mapping
from keyword import iskeyword
from types import CoroutineType, GeneratorType

from ._json import MessageError, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence
    from typing import Any, TypeAlias

    Functions: TypeAlias = Sequence[Callable[..., Any]] | Mapping[str, Callable[..., Any]]

_args_of: Callable[[BaseException], tuple[Any, ...]] = vars(BaseException)["args"].__get__
_ANY = [("args", "VAR_POSITIONAL"), ("kwargs", "VAR_KEYWORD")]


class Tools:
    """The tools of a sandbox.

    tools: functions, or a mapping from names to functions. reserved: words of the code's language
    that can't be names. Raises TypeError, ValueError.
    """

    def __init__(self, tools: object, reserved: Container[str] = ()) -> None:
        self._reserved = reserved
        self.functions: dict[str, Callable[..., Any]] = {}
        if isinstance(tools, Mapping):
            named = list(tools.items())
        elif isinstance(tools, Iterable) and not isinstance(tools, (str, bytes)):
            named = [(getattr(tool, "__name__", None), tool) for tool in tools]
        else:
            raise TypeError(
                f"tools must be functions, in a list or a mapping, not {type(tools).__name__}"
            )
        for name, tool in named:
            self._add(name, tool)
        self.descriptions = [_describe(*item) for item in self.functions.items()]
        self._asynchronous = {name for name, tool in self.functions.items() if _is_async(tool)}

    def _add(self, name: object, tool: object) -> None:
        if not callable(tool):
            raise TypeError(f"a tool must be a function, not {type(tool).__name__}")
        if name is None:
            raise TypeError(f"{tool!r} has no name: pass tools as a mapping, {{'name': function}}")
        if not isinstance(name, str):
            raise TypeError(f"the name of a tool must be a str, not {type(name).__name__}")
        problem = self._problem(name)
        if problem:
            raise ValueError(
                f"{name!r} can't be the name of a tool, since it is {problem}: pass tools as a "
                "mapping with other names, {'name': function}"
            )
        if name in self.functions:
            raise ValueError(f"two tools have the name {name!r}")
        if _is(tool, inspect.isgeneratorfunction) or _is(tool, inspect.isasyncgenfunction):
            raise TypeError(
                f"tool {name} is a generator function: a call of it gives a generator, and runs "
                "nothing. Return a list instead of using `yield`"
            )
        self.functions[name] = tool

    def _problem(self, name: str) -> str:
        """Return why this can't be the name of a tool, or ""."""
        if not name.isidentifier():
            return "not an identifier"
        if not name.isascii():
            return "not ASCII"
        if iskeyword(name) or name in self._reserved:
            return "a reserved word"
        return "a name of the interpreter" if name[:2] == name[-2:] == "__" else ""

    def check_synchronous(self, message: dict[str, Any]) -> None:
        """Raise RuntimeError if the tool that a message names is an `async def` function."""
        name = message.get("call")
        if isinstance(name, str) and name in self._asynchronous:
            raise RuntimeError(f"tool {name} is an async def function: use run_async")

    def call(self, message: dict[str, Any]) -> Any:
        """Call the tool that a message names. Raises MessageError, and what the tool raises."""
        name, args, kwargs = (message.get(key) for key in ("call", "args", "kwargs"))
        if not isinstance(name, str) or name not in self.functions:
            raise MessageError("it calls a tool that doesn't exist")
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            raise MessageError("the arguments of a call are wrong")
        return self.functions[name](*args, **kwargs)


def is_awaitable(value: object) -> bool:
    """As `inspect.isawaitable`, which reads `__class__`: on proxies this may raise anything."""
    kind = type(value)
    if issubclass(kind, GeneratorType):
        generator: Any = value
        return bool(generator.gi_code.co_flags & inspect.CO_ITERABLE_COROUTINE)
    return issubclass(kind, Awaitable)


def drop_awaitable(value: object) -> None:
    """Close a coroutine that nobody is going to await; otherwise Python warns."""
    if issubclass(type(value), CoroutineType):
        coroutine: Any = value
        coroutine.close()


def refuse_awaitable(name: str, value: object, advice: str) -> None:
    """Raise RuntimeError if a tool's result is awaitable; advice: what to do instead."""
    if not is_awaitable(value):
        return
    drop_awaitable(value)
    raise RuntimeError(
        f"tool {name} has returned {_a(type(value).__name__)}, which has to be awaited: {advice}"
    )


def _a(noun: str) -> str:
    return f"{'an' if noun[:1] in 'aeiouAEIOU' else 'a'} {noun}"


def _is_async(tool: object) -> bool:
    return _is(tool, inspect.iscoroutinefunction)


def _is(tool: object, kind: Callable[[object], bool]) -> bool:
    """Tell whether calling a tool calls a function of a kind."""
    call = getattr(tool, "__call__", None)  # noqa: B004 - the method of an object
    inner = getattr(tool, "func", None)  # of a functools.partial
    return any(kind(function) for function in (tool, call, inner))


# ------------------------------------------------------------------ descriptions
def _describe(name: str, tool: Callable[..., Any]) -> dict[str, Any]:
    """Return what an interpreter needs to make a function that calls the tool."""
    annotations = {}
    shown = "(...args)"
    try:
        signature = _signature(tool)
    except (TypeError, ValueError):  # some builtin functions have none
        parameters: list[dict[str, Any]] = [{"name": of, "kind": kind} for of, kind in _ANY]
    else:
        shown = _printable(_text_of(signature))
        parameters = [_parameter(parameter) for parameter in signature.parameters.values()]
        for of, parameter in signature.parameters.items():
            if parameter.annotation is not parameter.empty:
                annotations[of] = _annotation(parameter.annotation)
        if signature.return_annotation is not signature.empty:
            annotations["return"] = _annotation(signature.return_annotation)
    doc = inspect.getdoc(tool) if inspect.isroutine(tool) else tool.__doc__
    return {
        "name": name,
        "doc": _printable(doc) if isinstance(doc, str) else None,
        "signature": name + shown,
        "parameters": parameters,
        "annotations": annotations,
    }


def _signature(tool: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(tool)
    except Exception:
        if sys.version_info >= (3, 14):
            # It evaluates annotations, which may have names that are there for type checkers only.
            from annotationlib import Format

            return inspect.signature(tool, annotation_format=Format.STRING)
        raise


def _parameter(parameter: inspect.Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {"name": parameter.name, "kind": parameter.kind.name}
    default = parameter.default
    if default is not parameter.empty:
        if default is None or (type(default) in (bool, int, float, str) and _is_json(default)):
            described["default"] = default
        else:  # the host fills it in
            described["shown"] = repr(default) if _is_json(default) else "..."
    return described


class _Text:
    """Stands for an annotation, or a default value, in the text of a signature."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _text_of(signature: inspect.Signature) -> str:
    """Return the text of a signature, without default values that aren't JSON."""
    shown = []
    for parameter in signature.parameters.values():
        default, annotation = parameter.default, parameter.annotation
        if default is not parameter.empty and not _is_json(default):
            default = _Text("...")
        if annotation is not parameter.empty:
            annotation = _Text(_annotation(annotation))
        shown.append(parameter.replace(default=default, annotation=annotation))
    returns = signature.return_annotation
    if returns is not signature.empty:
        returns = _Text(_annotation(returns))
    return str(signature.replace(parameters=shown, return_annotation=returns))


def _annotation(annotation: object) -> str:
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return _printable(text)


def _is_json(value: object) -> bool:
    try:
        encode(value)
    except (TypeError, ValueError):
        return False
    return True


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


# ------------------------------------------------------------------ answers
def answer_to(name: str, value: object, longest: int) -> bytes:
    """Return the message with the value that a tool has returned. Raises TypeError."""
    try:
        data = encode({"value": value})
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"tool {name} has returned {_a(type(value).__name__)} that is not JSON: {error}"
        ) from None
    if len(data) > longest:
        return error_answer(
            ValueError(f"{name}(): the answer has {len(data)} bytes, more than {longest}"), longest
        )
    return data


def error_answer(error: Exception, longest: int) -> bytes:
    """Return the message with an exception: its class, if it is a builtin one, and its text."""
    kind = next(kind for kind in type(error).__mro__ if vars(builtins).get(kind.__name__) is kind)
    try:
        message = _printable(str(error))[: longest // 8]
    except Exception:  # noqa: BLE001 - of the tool's class
        message = ""
    args: list[Any] = [message]
    own: tuple[Any, ...] = _args_of(error)  # whatever its class has under this name
    if all(type(arg) in (str, int) for arg in own):
        args = [_printable(arg) if isinstance(arg, str) else arg for arg in own]
        if not _gives(kind, args, message) or len(encode(args)) > longest // 2:
            args = [message]
    return encode({"error": {"type": kind.__name__, "message": message, "args": args}})


def _gives(kind: type[BaseException], args: list[Any], message: str) -> bool:
    """Tell whether an exception with these arguments has this text; an OSError may say more."""
    try:
        return str(kind(*args)) == message
    except Exception:  # noqa: BLE001
        return False
