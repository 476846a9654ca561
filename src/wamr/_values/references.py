"""References in context: the numbers that wasm code refers to functions and exceptions by.

A number stays valid as long as the function's instance (src/native/runtime/refs.c). Whatever a
function is passed to has to keep that instance alive, in C and in Python (`Lifetime`). This module
knows the base of Func only; func.py sets the function that makes a Func for a C function.
"""

from __future__ import annotations

from .._backend.binding import known, lib, refer
from .._backend.waiting import wait_for
from ..errors import ClosedError
from .exnrefs import checked_exception, exception_of_number, number_of_exception
from .externrefs import NULL_REF

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._backend.binding import CallableBase
    from .._base.lifetime import Lifetime

_func_factories: list[Callable[[Any], CallableBase | None]] = []


def set_func_factory(make_func: Callable[[Any], CallableBase | None]) -> None:
    """Set the function that makes a Func from a `wpy_func *`, whose reference it takes over."""
    _func_factories[:] = [make_func]


def find_func(number: int) -> CallableBase | None:
    """Return the Func of a reference; None: it is null, or the function is gone."""
    if number == NULL_REF:
        return None
    func: CallableBase | None = known(number)
    if func is None:
        c = lib.wpy_func_of_ref(number)
        func = _func_factories[0](c) if c else None
        if func is not None:
            func = refer(func)  # that of another thread, if it was faster
    return func


class ReferenceContext:
    """Where references are converted: an instance, a table or a global, which may store them."""

    __slots__ = ()
    store: Any  # a Store, which has the objects behind externrefs
    _c: Any  # the handle of what keeps functions alive in C

    @property
    def _lifetime(self) -> Lifetime:
        """What keeps functions alive in Python."""
        raise NotImplementedError

    def _number_of_func(self, func: CallableBase) -> int:
        """Return the number of a Func that is passed here, and keep the function alive."""
        c = self._c
        number = _number(func)
        status = lib.wpy_retain_reference(c, number)
        if status:
            status = wait_for(
                lambda: lib.wpy_retain_reference(c, number), f"passing {func!r}", status
            )
        if status == lib.WPY_NO_MEMORY:
            raise MemoryError("no memory to keep a function that is passed")
        if status:
            raise ClosedError(f"{func!r} is gone")
        self._lifetime.link(func._lifetime)
        return number

    def _func_of_number(self, number: int) -> CallableBase | None:
        """Return the Func of a number that comes from here."""
        return find_func(number)

    def _number_of_exception(self, value: object, label: object) -> int:
        """Return the number of a WasmException or None that is passed here."""
        number = number_of_exception(value, self.store, self._c, label)
        if number != NULL_REF:
            self._lifetime.link(value.tag._lifetime)  # type: ignore[attr-defined]
        return number

    def _exception_of_number(self, number: int) -> BaseException | None:
        """Return the exception of a number that comes from here; ExceptionGoneError."""
        return exception_of_number(number, self._c, self._lifetime)


class PassThroughContext(ReferenceContext):
    """The context of a call that never enters wasm: references go in and come out again."""

    __slots__ = ("_exceptions", "_funcs", "store")

    def __init__(self, store: Any) -> None:
        self.store = store
        self._funcs: dict[int, CallableBase] = {}
        self._exceptions: list[BaseException] = []

    def _number_of_func(self, func: CallableBase) -> int:
        number = _number(func)
        self._funcs[number] = func
        return number

    def _func_of_number(self, number: int) -> CallableBase | None:
        return self._funcs.get(number)

    def _number_of_exception(self, value: object, label: object) -> int:
        if value is None:
            return NULL_REF
        self._exceptions.append(checked_exception(value, self.store, label))
        return len(self._exceptions) - 1

    def _exception_of_number(self, number: int) -> BaseException | None:
        return None if number == NULL_REF else self._exceptions[number]


def _number(func: Any) -> int:
    number: int = lib.wpy_func_ref(func._c)  # `_c` is of Func, not of its base
    return number
