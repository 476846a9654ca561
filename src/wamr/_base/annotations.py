"""Value types from the annotations of a Python callable; types.py imports this when needed.

Annotations may be objects or strings, as all are under `from __future__ import annotations`. A
string is evaluated in the globals of the function's module, in addition to the names i32, i64, ….
Every failure is a TypeError that names the function and the parameter, and what is accepted. This
module doesn't know the value types: `kinds` is an Enum whose values are their names.
"""

import collections.abc
import enum
import functools
import inspect
import typing

Kind = typing.TypeVar("Kind", bound=enum.Enum)

_AWAITABLE = (collections.abc.Awaitable, collections.abc.Coroutine)
_ACCEPTED = "int, float, or one of wamr.i32, i64, f32, f64, v128, funcref, externref, exnref"


def read_signature(
    function: typing.Callable[..., object],
    access_caller: bool,
    kinds: type[Kind],
    alias: typing.Callable[[str], object],
) -> tuple[list[Kind], list[Kind]]:
    """Return the value types of the parameters and those of the results.

    access_caller: whether to skip the first parameter. kinds: the Enum of the value types. alias: a
    function that returns the annotation for a value type's name. Raises TypeError.
    """
    if not callable(function):
        raise TypeError(f"a host function must be callable, not {type(function).__name__}")
    reader = _Reader(function, kinds, alias)
    parameters = _positional(reader)
    if access_caller:
        if not parameters:
            raise TypeError(f"{reader.name}: access_caller needs a first parameter")
        del parameters[0]
    params = [reader.kind(f"parameter {p.name!r}", p.annotation) for p in parameters]
    return params, reader.results(reader.signature.return_annotation)


def _positional(reader: "_Reader[Kind]") -> list[inspect.Parameter]:
    """Return the parameters that wasm code passes."""
    found = []
    for parameter in reader.signature.parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            raise TypeError(
                f"{reader.name}: *{parameter.name} takes any number of arguments; "
                "name them, or give a FuncType"
            )
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            raise TypeError(
                f"{reader.name}: parameter {parameter.name!r} is keyword-only; "
                "wasm code passes arguments by position"
            )
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            found.append(parameter)
    return found


class _Reader(typing.Generic[Kind]):
    """Reads one callable: its name for messages, its signature, the names in its annotations."""

    def __init__(
        self,
        function: typing.Callable[..., object],
        kinds: type[Kind],
        alias: typing.Callable[[str], object],
    ) -> None:
        self.name = _name(function)
        try:
            self.signature = inspect.signature(function)
        except (TypeError, ValueError, NameError) as error:
            raise TypeError(
                f"{self.name}: no signature to read ({error}); give a FuncType"
            ) from error
        self.namespace: dict[str, typing.Any] | None = None
        self.function = function
        self.kinds = kinds
        self.alias = alias

    def kind(self, label: str, annotation: object) -> Kind:
        """Return the value type of an annotation; label: how messages name the parameter."""
        if annotation is inspect.Parameter.empty:
            raise TypeError(
                f"{self.name}: {label} has no annotation; give {_ACCEPTED}, or a FuncType"
            )
        resolved = self._resolved(label, annotation)
        found = _kind(resolved, self.kinds)
        if found is None:
            shown = annotation if isinstance(annotation, str) else _shown(resolved)
            raise TypeError(f"{self.name}: {label} is {shown}, which must be {_ACCEPTED}")
        return found

    def results(self, annotation: object) -> list[Kind]:
        """Return the value types of the return annotation."""
        if annotation is inspect.Signature.empty:
            raise TypeError(
                f"{self.name}: the result has no annotation; give `-> None` where there is none"
            )
        resolved = self._resolved("the result", annotation)
        if typing.get_origin(resolved) in _AWAITABLE and typing.get_args(resolved):
            return self.results(typing.get_args(resolved)[-1])  # of what awaiting gives
        if resolved is None or resolved is type(None):
            return []
        if typing.get_origin(resolved) is not tuple:
            return [self.kind("the result", resolved)]
        items = typing.get_args(resolved)
        if Ellipsis in items:
            raise TypeError(f"{self.name}: the result is a tuple of any length; name each item")
        return [self.kind(f"result {i}", item) for i, item in enumerate(items) if item != ()]

    def _resolved(self, label: str, annotation: object) -> object:
        if isinstance(annotation, typing.ForwardRef):
            annotation = annotation.__forward_arg__
        if not isinstance(annotation, str):
            return annotation
        if self.namespace is None:
            aliases = {kind.value: self.alias(kind.value) for kind in self.kinds}
            self.namespace = aliases | _namespace(self.function)
        try:
            # As typing.get_type_hints does. The text is code of the program.
            return self._resolved(label, eval(annotation, self.namespace))  # noqa: S307
        except Exception as error:
            raise TypeError(
                f"{self.name}: {label} is annotated {annotation!r}, which can't be read ({error})"
            ) from error


def _kind(annotation: object, kinds: type[Kind]) -> Kind | None:
    if typing.get_origin(annotation) is typing.Annotated:
        python, *metadata = typing.get_args(annotation)
        for item in metadata:
            if isinstance(item, kinds):
                return item
            if isinstance(item, str) and item in kinds._value2member_map_:
                return kinds(item)
        annotation = python
    return kinds("i32") if annotation is int else kinds("f64") if annotation is float else None


def _namespace(function: typing.Callable[..., object]) -> dict[str, typing.Any]:
    """Return the globals of the function's module."""
    inner = _innermost(function)
    if not hasattr(inner, "__globals__"):  # an object with __call__, or a class
        method = "__init__" if isinstance(inner, type) else "__call__"
        inner = _innermost(getattr(inner, method, None))
    found: dict[str, typing.Any] = getattr(inner, "__globals__", {})
    return found


def _innermost(function: object) -> object:
    """Return the function below partials, wrappers and bound methods."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        elif inspect.ismethod(function):
            function = function.__func__
        else:
            return function


def _name(function: object) -> str:
    inner = _innermost(function)
    name = getattr(inner, "__qualname__", None) or type(inner).__qualname__
    return str(name).replace("<locals>.", "")


def _shown(annotation: object) -> str:
    plain = isinstance(annotation, type) and typing.get_origin(annotation) is None
    return getattr(annotation, "__qualname__", "?") if plain else repr(annotation)
