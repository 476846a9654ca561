"""Checks that callables for wasm code return results: no coroutines, generators or awaitables.

Nothing would run a generator that a host function returns, or a coroutine that a stream returns.
`checked_plain` rejects coroutine and generator functions when they are passed, `checked_host` only
the latter; `refuse_unrun` rejects their results when the function could not be recognized. This
module doesn't know what the callables are for.
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

# Flags of code objects, as in `inspect`, whose import takes long.
_GENERATOR, _COROUTINE, _ITERABLE_COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x100, 0x200
_NOT_PLAIN = _GENERATOR | _COROUTINE | _ITERABLE_COROUTINE | _ASYNC_GENERATOR

_AWAIT = (
    "nothing awaits a coroutine here. Give a plain function; it can run the coroutine in an event "
    "loop of another thread, as in `asyncio.run_coroutine_threadsafe({name}(…), loop).result()`"
)
_AWAIT_THERE = "await it in the function, an `async def`, and return what that gives"
_COROUTINES = _COROUTINE | _ITERABLE_COROUTINE


def checked_plain(label: str, function: Any, *, generators: bool = False) -> None:
    """Raise TypeError for coroutine functions, and for generator functions unless `generators`.

    label: how the message names the function. generators: whether the result may be an externref,
    which a generator may be passed as.
    """
    plain = function.__func__ if type(function) is MethodType else function
    if type(plain) is FunctionType and not plain.__dict__:  # the common case
        name, flags = plain.__name__, plain.__code__.co_flags
        if not flags & _NOT_PLAIN:
            return
    else:
        name, flags = _name_and_flags(function)
    if flags & _COROUTINES:
        advice = _AWAIT.format(name=name)
        raise TypeError(f"{label} is a coroutine function (async def), {name}: {advice}")
    _refuse_generators(label, name, flags, generators=generators)


def checked_host(label: str, function: Any, *, generators: bool = False) -> bool:
    """Return whether a host function is a coroutine function; TypeError for generator functions.

    Arguments as for `checked_plain`.
    """
    if type(function) is FunctionType and not function.__dict__:
        name, flags = function.__name__, function.__code__.co_flags
        if not flags & _NOT_PLAIN:
            return False
    else:
        name, flags = _name_and_flags(function)
    if flags & _COROUTINES:
        return True
    _refuse_generators(label, name, flags, generators=generators)
    return False


def _refuse_generators(label: str, name: str, flags: int, *, generators: bool) -> None:
    if flags & _NOT_PLAIN and not generators:
        kind = "an asynchronous generator" if flags & _ASYNC_GENERATOR else "a generator"
        raise TypeError(
            f"{label} is {kind} function, {name}: a call of it gives a generator, and runs "
            "nothing. Give a plain function, which returns its result instead of using `yield`"
        )


def refuse_unrun(label: object, value: object, *, may_await: bool = False) -> None:
    """Raise TypeError if the result of a call is, or contains, a coroutine, generator or awaitable.

    label: how the message names the function. may_await: whether the function may be `async def`.
    """
    items = value if isinstance(value, (tuple, list)) else (value,)
    for item in items:
        if isinstance(item, CoroutineType):
            item.close()  # otherwise Python warns that it was never awaited
    for item in items:
        kind = type(item)
        name = str(getattr(item, "__name__", kind.__name__))
        if isinstance(item, CoroutineType):
            problem = f"a coroutine of {name}: "
            problem += _AWAIT_THERE if may_await else _AWAIT.format(name=name)
        elif isinstance(item, (GeneratorType, AsyncGeneratorType)):
            problem = (
                f"a generator of {name}, which nobody runs: it must return its result instead of "
                "using `yield`"
            )
        elif hasattr(kind, "__await__") and may_await:
            problem = f"something to be awaited, {kind.__name__}: {_AWAIT_THERE}"
        elif hasattr(kind, "__await__"):
            problem = (
                f"something to be awaited, {kind.__name__}, which nothing awaits here. Outside of "
                "the event loop's thread, `asyncio.run_coroutine_threadsafe(…, loop).result()` "
                "waits"
            )
        else:
            continue
        raise TypeError(f"{label} returned {problem}") from None


def _is_cached(function: Any) -> bool:
    """Return whether this is what `functools.lru_cache` returns: on PyPy, a plain function."""
    from functools import _lru_cache_wrapper

    if isinstance(_lru_cache_wrapper, type):
        return isinstance(function, _lru_cache_wrapper)
    return isinstance(function, FunctionType) and "cache_info" in vars(function)


def _name_and_flags(function: Any) -> tuple[str, int]:
    """Return name and flags of the function whose result a call of `function` returns unchanged."""
    from functools import partial

    name = None  # of the outermost object with a __call__
    for _ in range(100):  # bounded: a wrapper may wrap itself
        if isinstance(function, MethodType):
            function = function.__func__
        elif isinstance(function, partial):
            function = function.func
        elif isinstance(function, staticmethod) or _is_cached(function):
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
    """Tell whether a callable is marked as a coroutine function, whatever its code is."""
    from inspect import iscoroutinefunction
    from sys import modules

    mark = getattr(modules.get("asyncio.coroutines"), "_is_coroutine", None)
    return iscoroutinefunction(function) or (
        mark is not None and getattr(function, "_is_coroutine", None) is mark
    )
