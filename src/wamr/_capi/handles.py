"""Pointers to C objects: a `TrackedHandle` for each object, a `HandleType` for each pointer type.

A handle is a plain cffi pointer. Three questions are answered about one that a caller hands in:

- Is it *this very* Python object that a wrapper once returned, and is the C object alive?
  `HandleType.live` knows by `id`, which no reused address can fool. That is the fast path of every
  wrapper.
- Was it alive once? `dead` keeps the handles of ended objects, with the reason, as long as anybody
  else does.
- Is it another pointer to a living object, as read from a vector's data? `by_address` knows, and
  the pointer is then followed up like the first (`TrackedHandle.aliases`).

Who frees an object is its `owner`: None is the caller, otherwise the vector or object that it
is part of. What dies with what is `parent` and `children`: the objects of a store with it, the
parts of a type with the type.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

from .._backend.binding import ffi, lib

if TYPE_CHECKING:
    from collections.abc import Callable

NULL = ffi.NULL
typeof = ffi.typeof
CData = ffi.CData

# The handles of what has ended, by id. Holding a handle keeps its id from being reused.
dead: dict[int, Any] = {}
# How they have ended, where it was not by the delete function of their type.
_ends: dict[int, str] = {}
by_address: dict[Any, TrackedHandle] = {}
_getrefcount = getattr(sys, "getrefcount", None)


class HandleType:
    """One pointer type of the header that stands for an object."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ctype = typeof(f"wasm_{name}_t *")
        self.live: dict[int, TrackedHandle] = {}
        # Modules have no address of their own: one that is shared by two stores is one pointer in
        # C.
        self.addressed = name not in ("module", "shared_module")
        self.delete = f"wasm_{name}_delete"
        # Of functions: what a call needs, by the handle (functions.Call).
        self.calls: dict[Any, Any] = {}

    def __repr__(self) -> str:
        return f"wasm_{self.name}_t *"


class TrackedHandle:
    """One C object. What most objects lack is a class attribute, so making one is cheap."""

    kind: HandleType
    handle: Any = None
    # Nothing but a handle and maybe a store: ending it is a matter of three dictionaries.
    simple = True
    # The C object is gone, or goes now. Set before anybody looks whether it is in use; who uses it
    # says so first and looks at this then: so one of two threads sees the other.
    over = False
    # Where an object without a handle is: an element of a vector that nobody has looked at.
    address: Any = None
    owner: TrackedHandle | None = None
    parent: TrackedHandle | None = None
    store: TrackedHandle | None = None
    children: set[TrackedHandle] | None = None
    views: dict[HandleType, Any] | None = None
    aliases: dict[int, Any] | None = None
    count = 1
    # Of functions: functions.Signature; of traps: the exception behind it; of stores:
    # engines.Store.
    extra: Any = None
    # The host information, kept alive, and a finalizer of it that is Python's.
    host_info: Any = None
    finalizer: Callable[[], object] | None = None
    # What else is to be done at the end.
    ended: Callable[[], object] | None = None

    def describe(self) -> str:
        return f"a wasm_{self.kind.name}_t"

    def belong(self, parent: TrackedHandle) -> None:
        """From now on this dies with `parent`."""
        self.parent = parent
        self.simple = parent.simple = False
        if parent.children is None:
            parent.children = set()
        parent.children.add(self)

    def place(self) -> Any:
        """A pointer to the object, handle or not."""
        return self.address if self.handle is None else self.handle

    def leave(self) -> None:
        """No longer dies with its parent."""
        parent, self.parent = self.parent, None
        if parent is not None and parent.children is not None:
            parent.children.discard(self)

    def retire(self, why: str) -> None:
        """No handle made so far may be used any more; the object itself may live on."""
        handle = self.handle
        if handle is not None:
            self.address = handle
            self.handle = None
            _retire(self.kind, handle, why)
        if self.views:
            for kind, handle in self.views.items():
                _retire(kind, handle, why)
            self.views = None
        if self.aliases:
            for handle in self.aliases.values():
                _retire(kind_of(handle), handle, why)
            self.aliases = None
        if len(dead) > dead_limit:
            sweep()

    def bury(self, why: str) -> None:
        """The C object is gone, or goes now, and with it what it owns."""
        self.over = True
        if self.kind.addressed:
            place = self.place()
            if by_address.get(place) is self:
                del by_address[place]
        self.retire(why)
        self.leave()
        self.bury_children(why)
        if self.finalizer is not None:
            finalizer, self.finalizer = self.finalizer, None
            finalizer()
        if self.ended is not None:
            ended, self.ended = self.ended, None
            ended()

    def bury_children(self, why: str) -> None:
        children, self.children = self.children, None
        for child in children or ():
            child.parent = None
            child.bury(f"went with {self.describe()}, which {why}")

    def free(self) -> None:
        """Frees the C object, when its store goes."""
        place, owner = self.place(), self.owner
        self.bury("went with its store")
        if owner is None and self.kind.delete:
            for _ in range(self.count):
                getattr(lib, self.kind.delete)(place)


def _retire(kind: HandleType, handle: Any, why: str) -> None:
    kind.live.pop(id(handle), None)
    if kind.calls:
        kind.calls.pop(handle, None)
    dead[id(handle)] = handle
    _ends[id(handle)] = why


KINDS: dict[str, HandleType] = {}


def kind(name: str) -> HandleType:
    """The `HandleType` of `wasm_<name>_t *`."""
    found = KINDS.get(name)
    if found is None:
        found = KINDS[name] = HandleType(name)
    return found


def kind_of(handle: Any) -> HandleType:
    """The kind of an addressed handle, by its type."""
    return kind(typeof(handle).cname.removeprefix("struct wasm_").removesuffix("_t *"))


dead_limit = 1024


_sweeping = threading.Lock()


def sweep() -> None:
    """Lets go of dead handles that nobody else holds."""
    global dead_limit  # noqa: PLW0603
    if not _sweeping.acquire(blocking=False):
        return  # another thread does it
    try:
        gone = _unheld(dead)
        if _getrefcount is None:
            # Nobody can tell: the oldest half goes, and what it leaves is found out by its address.
            gone = list(dead)[: len(dead) // 2]
        for key in gone:
            # The reason first: the next handle with this id may come as soon as this one has gone.
            if _ends:
                _ends.pop(key, None)
            del dead[key]
        dead_limit = max(1024, 2 * len(dead))
    finally:
        _sweeping.release()


def _unheld(handles: dict[int, Any], base: int = 0) -> list[int]:
    """The keys of what nobody else holds."""
    base = base or _COUNT_OF_ONE
    count = _getrefcount
    if count is None:
        return []
    # A copy, which is made at once: other threads go on adding to the dictionary.
    return [key for key, handle in handles.copy().items() if count(handle) <= base]


# What the reference count of an object is that only such a dictionary holds.
_COUNT_OF_ONE = next(
    base for base in range(1, 10) if _getrefcount is None or _unheld({0: object()}, base)
)


# What comes back from C


def own(kind: HandleType, pointer: Any) -> Any:
    """A new object of no store; the caller owns it."""
    if pointer:
        thing = TrackedHandle()
        thing.kind = kind
        thing.handle = pointer
        kind.live[id(pointer)] = thing
        if pointer in by_address:
            by_address[pointer].bury("is gone")
        by_address[pointer] = thing
    return pointer


def own_in(store: TrackedHandle | None, kind: HandleType, pointer: Any) -> Any:
    """A new object in a store, with which it goes at the latest."""
    if pointer:
        thing = TrackedHandle()
        thing.kind = kind
        thing.handle = pointer
        kind.live[id(pointer)] = thing
        if not kind.addressed:
            thing.simple = False
        else:
            if pointer in by_address:
                by_address[pointer].bury("is gone")
            by_address[pointer] = thing
        if store is not None:
            thing.store = thing.parent = store
            store.children.add(thing)  # type: ignore[union-attr]
    return pointer


def again(store: TrackedHandle | None, kind: HandleType, pointer: Any) -> Any:
    """An object that counts its handles: the same pointer may come back more than once."""
    thing = by_address.get(pointer) if pointer else None
    if thing is None or thing.kind is not kind:
        return own_in(store, kind, pointer)
    thing.count += 1
    thing.simple = False
    return handle_of(kind, thing, pointer)


def borrow(kind: HandleType, pointer: Any, owner: TrackedHandle | None) -> Any:
    """A part of `owner`, or an object of the same store that is known already."""
    if not pointer:
        return pointer
    thing = by_address.get(pointer)
    if thing is None:
        thing = TrackedHandle()
        thing.kind = kind
        thing.handle = pointer
        kind.live[id(pointer)] = thing
        by_address[pointer] = thing
        if owner is not None:
            thing.owner = owner
            thing.store = owner.store
            thing.belong(owner)
        return pointer
    return handle_of(kind, thing, pointer)


def handle_of(kind: HandleType, thing: TrackedHandle, pointer: Any) -> Any:
    """The one handle of this kind on `thing`; `pointer` becomes it where there is none yet."""
    if thing.kind is kind:
        if thing.handle is None:
            thing.handle = pointer
            kind.live[id(pointer)] = thing
        return thing.handle
    if thing.views is None:
        thing.views = {}
        thing.simple = False
    found = thing.views.get(kind)
    if found is None:
        found = thing.views[kind] = pointer
        kind.live[id(pointer)] = thing
    return found


def view(kind: HandleType, pointer: Any) -> Any:
    """The same object under another type: `wasm_func_as_extern` and its like."""
    if not pointer:
        return pointer
    return handle_of(kind, by_address[pointer], pointer)


# What is handed in


def find(
    kind: HandleType, value: Any, function: str, parameter: str
) -> tuple[Any, TrackedHandle | None]:
    """The slow path of every wrapper: (pointer, what is known of it), or the exception that says
    what is wrong.
    """
    thing = kind.live.get(id(value))
    if thing is not None:
        return value, thing
    if value is None:
        return NULL, None
    if not isinstance(value, CData):
        raise TypeError(
            f"{function}: {parameter} must be a {kind!r} or None, not {type(value).__name__}"
        )
    if typeof(value) != kind.ctype:
        if value == NULL:
            return NULL, None
        raise TypeError(f"{function}: {parameter} must be a {kind!r}, not {typeof(value).cname}")
    if not value:
        return value, None
    if id(value) in dead:
        raise ReferenceError(f"{function}: {parameter} {how_ended(value)}")
    thing = by_address.get(value) if kind.addressed else None
    if thing is None or not _is_a(thing, kind, value):
        raise ReferenceError(f"{function}: {parameter} is no live {kind!r}")
    _adopt(kind, thing, value)
    return value, thing


def how_ended(handle: Any) -> str:
    """What became of a handle in `dead`."""
    why = _ends.get(id(handle))
    if why is not None:
        return why
    name = typeof(handle).cname.removeprefix("struct ").removesuffix("_t *")
    return f"was deleted by {name}_delete"


def null(kind: HandleType) -> Any:
    """The NULL of this pointer type, as C would answer it."""
    return ffi.cast(kind.ctype, 0)


def use(kind: HandleType, value: Any, function: str, parameter: str) -> Any:
    """The pointer alone; None is NULL."""
    return find(kind, value, function, parameter)[0]


def need(kind: HandleType, value: Any, function: str, parameter: str) -> tuple[Any, TrackedHandle]:
    """For functions that have no answer for NULL."""
    pointer, thing = find(kind, value, function, parameter)
    if thing is None:
        raise ValueError(f"{function}: {parameter} must not be NULL")
    return pointer, thing


_EXTERNS = {"func": 0, "global": 1, "table": 2, "memory": 3}
_EXTERNTYPES = {"functype": 0, "globaltype": 1, "tabletype": 2, "memorytype": 3}


def _is_a(thing: TrackedHandle, kind: HandleType, pointer: Any) -> bool:
    """Whether the object may be seen as `kind`: an extern knows what it is."""
    own_name, name = thing.kind.name, kind.name
    if own_name == name:
        return True
    if own_name in _EXTERNS or own_name == "extern":
        if name == "extern":
            return True
        code = lib.wasm_extern_kind(ffi.cast("wasm_extern_t *", pointer))
        return bool(_EXTERNS.get(name) == code)
    if own_name in _EXTERNTYPES or own_name == "externtype":
        if name == "externtype":
            return True
        code = lib.wasm_externtype_kind(ffi.cast("wasm_externtype_t *", pointer))
        return bool(_EXTERNTYPES.get(name) == code)
    return False


def _adopt(kind: HandleType, thing: TrackedHandle, pointer: Any) -> None:
    aliases = thing.aliases
    if aliases is None:
        aliases = thing.aliases = {}
        thing.simple = False
    elif len(aliases) % 64 == 0:
        # Reading a vector's data makes a new pointer each time; those that nobody holds any more
        # go.
        for key in _unheld(aliases):
            kind_of(aliases.pop(key)).live.pop(key, None)
    aliases[id(pointer)] = pointer
    kind.live[id(pointer)] = thing
