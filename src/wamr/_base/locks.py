"""Locks that neither an exception nor a fork leaves held; no other Python code takes a lock.

A signal handler may raise an exception after any call: also after the one that has taken a lock,
before the code that releases it is reached. In CPython 3.14 that is so within `with lock:`, too.
Here a lock is taken inside of `try`. Between the beginning of `finally` and the release there is no
call, and no `if` that jumps, so CPython runs no handler there (3.10 runs them at jumps). The code
that needs the lock is a function: in CPython 3.14, the jump at the end of a loop is not always part
of the `try` that the loop is in. PyPy may run a handler before any bytecode: the second `finally`
is for it.

In the child of a fork only the thread that has forked exists. A lock that another thread held would
stay held, so `new_lock` makes locks that the child renews. The other thread has stopped between two
of its steps, where an exception could have ended it, too.
"""

from __future__ import annotations

import os
from _thread import RLock, get_ident

from .registry import WeakRegistry, new_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, TypeVar

    _T = TypeVar("_T")

_locks = WeakRegistry()
_renewed = WeakRegistry()


def new_lock() -> Any:
    """Return an RLock for `locked`, which the child of a fork finds free, or holds itself."""
    lock = RLock()
    _locks.add(new_key(), lock)
    return lock


def renewed_in_children(value: _T) -> _T:
    """Return `value`, whose method `renew` is called in the child of each fork."""
    _renewed.add(new_key(), value)
    return value


def _forked() -> None:
    for lock in _locks.alive():
        if not lock._is_owned():
            lock._at_fork_reinit()
    for value in _renewed.alive():
        value.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


class ByThread(dict[int, "Any"]):
    """Values by the number of the thread that they are of.

    The child of a fork has only those of its thread: a new thread may get the number of another.
    """

    __slots__ = ("__weakref__",)

    def __init__(self) -> None:
        renewed_in_children(self)

    def renew(self) -> None:
        """Drop what other threads have left."""
        thread = get_ident()
        for other in [other for other in self if other != thread]:
            del self[other]


def locked(lock: Any, function: Callable[..., Any], *args: Any) -> Any:
    """Call a function while this thread has the lock; return what it returns.

    lock: of `new_lock`. The function may be called once more in it: the collector, and signal
    handlers, run any code in the middle. An exception may end it anywhere: each of its steps has to
    leave a state that is valid.
    """
    if lock._is_owned():
        return function(*args)
    try:
        try:
            lock.acquire()
            return function(*args)
        finally:
            try:  # noqa: SIM105 - `suppress` would be a call
                lock.release()
            except RuntimeError:  # it was not taken
                pass
    finally:
        if lock._is_owned():
            lock.release()


class SoleUse:
    """Something that has one user at a time: others are refused and don't wait."""

    __slots__ = ("__weakref__", "_user")

    def __init__(self) -> None:
        self._user: dict[int, object] = {}  # no item, or 0: the user. `setdefault` is atomic

    def __bool__(self) -> bool:
        """Tell whether it is in use."""
        return bool(self._user)

    def renew(self) -> None:
        """Let another use begin, in the child of a fork (`renewed_in_children`)."""
        self._user.clear()

    def run(
        self, refusal: Callable[[], BaseException], function: Callable[..., Any], *args: Any
    ) -> Any:
        """Call a function as the only user, and return what it returns.

        Raises the exception that `refusal` returns if it is in use.
        """
        me, user = object(), self._user
        try:
            try:
                if user.setdefault(0, me) is not me:
                    raise refusal()
                return function(*args)
            finally:
                try:
                    if user[0] is me:
                        del user[0]
                except KeyError:
                    pass
        finally:
            del args  # no cycle through the traceback
            if user and user.get(0) is me:
                del user[0]

    async def run_async(
        self,
        refusal: Callable[[], BaseException],
        function: Callable[..., Coroutine[Any, Any, Any]],
        *args: Any,
    ) -> Any:
        """Do the same with a coroutine function."""
        me, user = object(), self._user
        try:
            try:
                if user.setdefault(0, me) is not me:
                    raise refusal()
                return await function(*args)
            finally:
                try:
                    if user[0] is me:
                        del user[0]
                except KeyError:
                    pass
        finally:
            del args
            if user and user.get(0) is me:
                del user[0]
