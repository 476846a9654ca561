"""What may be called from wasm: functions that give their result when they return.

One that gives a coroutine or a generator instead can't be a host function, nor a program's stdio:
nobody would run what it gives. `checked_plain` finds out where such a function is given,
`refuse_unrun` where a call has given what could not be foreseen. Nothing here knows what the
function is for.
"""

from __future__ import annotations

from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CoroutineType,
    FunctionType,
    GeneratorType,
    MethodType,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Of a code object; as `inspect` has them, which is not imported for four numbers.
_GENERATOR, _COROUTINE, _ITERABLE_COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x100, 0x200
_NOT_PLAIN = _GENERATOR | _COROUTINE | _ITERABLE_COROUTINE | _ASYNC_GENERATOR

_AWAIT = (
    "wasm code can't wait for a coroutine. Give a plain function; it can run the coroutine in an "
    "event loop of another thread, as in `asyncio.run_coroutine_threadsafe({name}(…), "
    "loop).result()`, where `Func.call_async` makes the call"
)


def checked_plain(what: str, function: Any, *, generators: bool = False) -> None:
    """Raise TypeError if what `function` returns would have to be awaited or iterated.

    what: how the message names it. generators: whether generators may be what is wanted, as
    references.
    """
    if type(function) is FunctionType and not function.__dict__:  # what most are
        name, flags = function.__name__, function.__code__.co_flags
        if not flags & _NOT_PLAIN:
            return
    else:
        name, flags = _looked_through(function)
    if flags & (_COROUTINE | _ITERABLE_COROUTINE):
        told = _AWAIT.format(name=name)
        raise TypeError(f"{what} is a coroutine function (async def), {name}: {told}")
    if flags & _NOT_PLAIN and not generators:
        kind = "an asynchronous generator" if flags & _ASYNC_GENERATOR else "a generator"
        raise TypeError(
            f"{what} is {kind} function, {name}: a call of it gives a generator, and runs nothing. "
            "Give a plain function, which returns its result instead of using `yield`"
        )


def refuse_unrun(what: object, value: object) -> None:
    """Raise TypeError if `value`, which a call gave, or an item of it, is to be run by somebody."""
    items = value if isinstance(value, (tuple, list)) else (value,)
    for item in items:
        if isinstance(item, CoroutineType):
            item.close()  # else Python warns that nobody has awaited it
    for item in items:
        kind = type(item)
        name = str(getattr(item, "__name__", kind.__name__))
        if isinstance(item, CoroutineType):
            problem = f"a coroutine of {name}: {_AWAIT.format(name=name)}"
        elif isinstance(item, (GeneratorType, AsyncGeneratorType)):
            problem = (
                f"a generator of {name}, which nobody runs: it must return its result instead of "
                "using `yield`"
            )
        elif hasattr(kind, "__await__"):
            problem = (
                f"something to be awaited, {kind.__name__}: wasm code can't wait for it. Outside "
                "of the event loop's thread, `asyncio.run_coroutine_threadsafe(…, loop).result()` "
                "waits"
            )
        else:
            continue
        raise TypeError(f"{what} returned {problem}") from None


def _looked_through(function: Any) -> tuple[str, int]:
    """Return name and flags of the function whose result a call of `function` returns as it is."""
    from functools import _lru_cache_wrapper, partial

    name = None  # of an object that is called
    for _ in range(100):  # one may be made to lead to itself
        if isinstance(function, MethodType):
            function = function.__func__
        elif isinstance(function, partial):
            function = function.func
        elif isinstance(function, (_lru_cache_wrapper, staticmethod)):
            function = function.__wrapped__
        elif isinstance(function, BuiltinFunctionType):
            break
        elif _is_marked(function):
            return name or _name(function), _COROUTINE
        elif isinstance(function, FunctionType):
            return name or _name(function), function.__code__.co_flags
        else:
            call = type(function).__call__
            if isinstance(function, type) or not isinstance(call, FunctionType):
                break
            name, function = _name(function), call
    return "", 0


def _name(function: Any) -> str:
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) else type(function).__name__


def _is_marked(function: Any) -> bool:
    """Tell whether it calls itself a coroutine function, which its code may not show."""
    from inspect import iscoroutinefunction
    from sys import modules

    mark = getattr(modules.get("asyncio.coroutines"), "_is_coroutine", None)
    return iscoroutinefunction(function) or (
        mark is not None and getattr(function, "_is_coroutine", None) is mark
    )
