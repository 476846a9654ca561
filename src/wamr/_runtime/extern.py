"""What modules import and export, in common: the base of Func, Global, Table and Memory.

An extern is a Python object on a handle in C (`_c`), which counts one on the group of everything
that is linked with it (src/native/core/group.c). Its `_owner` is what the Python side must keep:
the state of the instance that it is from, or what made it. Two externs are equal if they are the
same object in C.
"""

from __future__ import annotations

from operator import index as as_index
from sys import is_finalizing

from .._backend.binding import lib
from ..errors import ClosedError, trap_from_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._backend.binding import CallableBase
    from ..types import ExternType
    from .store import Store


def checked_index(name: str, value: object) -> int:
    """Return what a user gave as `name`, an int or what has __index__; TypeError."""
    try:
        return as_index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be an int, not {type(value).__name__}") from None


class Lifetime:
    """What the externs of one origin share: their store, and what must live as long as they do.

    Where owners are linked, each keeps the other: their C objects die together, and so may
    callbacks only. These cycles are pure Python, for its collector to find. A host function is of
    no group in C (`grouped`): it is kept and keeps nothing.
    """

    __slots__ = ("__weakref__", "_keep", "closed", "grouped", "store")
    _c: Any = None  # a handle, of an instance's state
    store: Store
    closed: bool

    def __init__(self, store: Store, *, grouped: bool = True) -> None:
        self.store = store
        self.grouped = grouped
        self.closed = False
        self._keep: dict[int, object] = {}

    def keep(self, thing: object) -> None:
        """Hold `thing` as long as this lives."""
        self._keep[id(thing)] = thing

    def link(self, other: Lifetime) -> None:
        """Let `other` live as long as this, and this as long as `other` if that is grouped."""
        if other is not self and id(other) not in self._keep:
            self._keep[id(other)] = other
            if other.grouped:
                other._keep[id(self)] = self

    def close(self) -> None:
        """End the use of everything that is owned."""
        self.closed = True

    def interrupt(self) -> None:
        """End what runs: nothing does."""


def forked(what: object) -> RuntimeError:
    """Return the error for what another thread was in when this process was forked."""
    return RuntimeError(
        f"{what}: another thread was in its instance when this process was forked; make a new one"
    )


def check_ending(what: object) -> None:
    """Raise RuntimeError if what this thread waits for can't end: Python lets no other thread run.

    A daemon thread that was in a call when the interpreter ended stays there for ever.
    """
    if is_finalizing():
        raise RuntimeError(
            f"{what}: another thread was in its instance when the interpreter ended, and never "
            "leaves it"
        )


def waited(attempt: Callable[[], int], what: str, status: int | None = None) -> int:
    """Return the status of what may have to wait for another thread's call.

    status: of a first attempt, if there was one.
    """
    if status is None:
        status = attempt()
    while status == lib.WPY_BUSY:
        check_ending(what)
        status = attempt()
    if status in (lib.WPY_INTERRUPTED, lib.WPY_TIMEOUT):  # the call that this thread is in
        raise trap_from_text("interrupted" if status == lib.WPY_INTERRUPTED else "timed out")
    if status == lib.WPY_FORKED:
        raise forked(what)
    if status == lib.WPY_DEADLOCK:
        raise RuntimeError(
            f"{what} would wait for ever: another thread is in its instance and waits for one that "
            "this thread is in"
        )
    return status


def taken_in(c: Any, owner: Lifetime, func: CallableBase) -> int:
    """Return the number of a Func, which from now on lives as long as `c`."""
    assert isinstance(func, Extern)
    number: int = lib.wpy_func_ref(func._c)
    status = waited(lambda: lib.wpy_retain_reference(c, number), f"passing {func!r}")
    if status == lib.WPY_NO_MEMORY:
        raise MemoryError("no memory to keep a function that is passed")
    if status:
        raise ClosedError(f"{func!r} is gone")
    owner.link(func._lifetime)
    return number


class Extern:
    """Base of Func, Global, Table and Memory. `==`: the same object of the same instance."""

    __slots__ = ()  # each of the four has `_c`, `_owner` and `__weakref__`: bases in C go before
    _c: Any
    _lifetime: Lifetime

    @property
    def store(self) -> Store:
        """The store that it lives in."""
        return self._lifetime.store

    @property
    def type(self) -> ExternType:
        """Its type."""
        raise AttributeError("type")

    def _open(self) -> None:
        if self._lifetime.closed:
            raise ClosedError(f"this {type(self).__name__} is closed")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Extern):
            return NotImplemented
        return bool(self._c == other._c)

    def __hash__(self) -> int:
        return hash(self._c)

    def __copy__(self) -> Extern:
        raise TypeError(f"a {type(self).__name__} cannot be copied: it lives in a store")

    def __deepcopy__(self, memo: object) -> Extern:
        raise TypeError(f"a {type(self).__name__} cannot be copied: it lives in a store")

    def __reduce__(self) -> str:
        raise TypeError(f"a {type(self).__name__} cannot be pickled: it lives in a store")
