"""Locks that no exception leaves taken, and the only place where Python code takes a lock.

A signal handler may raise an exception after any call: also after the one that has taken a lock,
before the code that gives it back is reached. In CPython 3.14 that is so within `with lock:`, too.
Here a lock is taken inside of `try`. Between the beginning of `finally` and the release there is no
call, and no `if` that jumps, so CPython runs no handler there (3.10 runs them at jumps). The code
that needs the lock is a function: in CPython 3.14, the jump at the end of a loop is not always part
of the `try` that the loop is in. PyPy may run a handler before any bytecode: the second `finally`
is for it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any


def locked(lock: Any, function: Callable[..., Any], *args: Any) -> Any:
    """Call a function while this thread has the lock; return what it returns.

    lock: an RLock. The function may be called once more in it: the collector, and signal handlers,
    run any code in the middle. An exception may end it anywhere: each of its steps has to leave a
    state that is valid.
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

    __slots__ = ("_user",)

    def __init__(self) -> None:
        self._user: dict[int, object] = {}  # no item, or 0: the user. `setdefault` is atomic

    def __bool__(self) -> bool:
        """Tell whether it is in use."""
        return bool(self._user)

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
