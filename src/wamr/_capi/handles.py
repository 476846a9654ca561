"""Handles: cffi pointers to C objects, with a `TrackedHandle` for each object.

A `HandleType` is one pointer type of the header. For a pointer that a caller passes there are three
cases:

- It is the same Python object that a wrapper returned, and the C object is alive:
  `HandleType.live` has its id. Ids, unlike addresses, aren't reused while the handle is tracked.
  This is the fast path of every wrapper.
- It is the handle of an object that has ended: `dead_handles` has it, with the reason.
- It is another pointer to a living object, such as one read from a vector's data: `by_address` has
  the object, and the pointer is tracked from then on, too (`TrackedHandle.aliases`).

`owner` says who frees an object: None is the caller, otherwise the vector or object that it is part
of. `parent` and `children` say what ends together: the objects of a store with the store, the parts
of a type with the type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._backend.binding import ffi, lib
from .._base.locks import locked, new_lock
from . import dead_handles
from .dead_handles import dead, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable

NULL = ffi.NULL
typeof = ffi.typeof
CData = ffi.CData

by_address: dict[Any, TrackedHandle] = {}  # living objects


class HandleType:
    """One pointer type of the header whose pointers are handles."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ctype = typeof(f"wasm_{name}_t *")
        self.live: dict[int, TrackedHandle] = {}  # by id of the handle
        # The address doesn't identify a module: one that two stores share is one pointer in C.
        self.addressed = name not in ("module", "shared_module")
        self.delete = f"wasm_{name}_delete"
        # For functions: functions.Call objects by handle.
        self.calls: dict[Any, Any] = {}

    def __repr__(self) -> str:
        return f"wasm_{self.name}_t *"


class TrackedHandle:
    """One C object. Defaults are class attributes, so that making an instance is cheap."""

    kind: HandleType
    handle: Any = None
    # Whether there is nothing but a handle and maybe a store: then `ownership.end` is fast.
    simple = True
    # Whether the C object has ended or is ending. A thread that ends the object sets this before it
    # checks whether the object is in use; a thread that uses it marks that before it checks this.
    # So at least one of two such threads sees the other.
    over = False
    # The pointer of an object without a handle: an element of a vector that wasn't read yet.
    address: Any = None
    owner: TrackedHandle | None = None
    parent: TrackedHandle | None = None
    store: TrackedHandle | None = None
    children: set[TrackedHandle] | None = None
    views: dict[HandleType, Any] | None = None
    aliases: dict[int, Any] | None = None
    count = 1
    # Of a function: a functions.Signature. Of a trap: the exception that a callback raised. Of a
    # store: an engines.Store.
    extra: Any = None
    # The host information, which is kept alive, and its finalizer if that is a Python function.
    host_info: Any = None
    finalizer: Callable[[], object] | None = None
    # A function to call when the object has ended.
    ended: Callable[[], object] | None = None

    def describe(self) -> str:
        """Return a noun for messages."""
        return f"a wasm_{self.kind.name}_t"

    def belong(self, parent: TrackedHandle) -> None:
        """Make the object end with `parent`."""
        self.parent = parent
        self.simple = parent.simple = False
        if parent.children is None:
            locked(_counting, parent._have_children)
        parent.children.add(self)  # type: ignore[union-attr]

    def _have_children(self) -> None:
        self.children = self.children or set()

    def pointer(self) -> Any:
        """Return a pointer to the object, which may have no handle."""
        return self.address if self.handle is None else self.handle

    def has_other_owners(self) -> bool:
        """Tell whether others own the object, too; then it has one owner less."""
        return bool(locked(_counting, self._count_down))

    def _count_down(self) -> bool:
        if self.count == 1:
            return False
        self.count -= 1
        return True

    def count_up(self) -> None:
        """Count one more owner."""
        locked(_counting, self._count_up)

    def _count_up(self) -> None:
        self.count += 1

    def leave(self) -> None:
        """Undo `belong`."""
        parent, self.parent = self.parent, None
        if parent is not None and parent.children is not None:
            parent.children.discard(self)

    def retire(self, reason: str) -> None:
        """Make all handles of the object dead; the object may live on."""
        handle = self.handle
        if handle is not None:
            self.address = handle
            self.handle = None
            _retire(self.kind, handle, reason)
        if self.views:
            for kind, handle in self.views.items():
                _retire(kind, handle, reason)
            self.views = None
        if self.aliases:
            for handle in self.aliases.values():
                _retire(kind_of(handle), handle, reason)
            self.aliases = None
        if len(dead) > dead_handles.limit:
            dead_handles.sweep()

    def bury(self, reason: str) -> None:
        """Record that the C object has ended or is ending, and its children with it."""
        self.over = True
        if self.kind.addressed:
            pointer = self.pointer()
            if by_address.get(pointer) is self:
                del by_address[pointer]
        self.retire(reason)
        self.leave()
        self.bury_children(reason)
        if self.finalizer is not None:
            finalizer, self.finalizer = self.finalizer, None
            finalizer()
        if self.ended is not None:
            ended, self.ended = self.ended, None
            ended()

    def bury_children(self, reason: str) -> None:
        """Record that the children end with the object."""
        children, self.children = self.children, None
        for child in list(children or ()):
            child.parent = None
            child.bury(f"went with {self.describe()}, which {reason}")

    def free(self) -> None:
        """Free the C object, since its store ends."""
        pointer, owner = self.pointer(), self.owner
        self.bury("went with its store")
        if owner is None and self.kind.delete:
            for _ in range(self.count):
                getattr(lib, self.kind.delete)(pointer)


def _retire(kind: HandleType, handle: Any, reason: str) -> None:
    kind.live.pop(id(handle), None)
    if kind.calls:
        kind.calls.pop(handle, None)
    dead_handles.add(handle, reason)


KINDS: dict[str, HandleType] = {}
# Guards the counts of owners, and that there is one set of children: threads share engines, shared
# modules, and what they delete. Reentrant: the collector may run any code in the middle.
_counting = new_lock()


def kind(name: str) -> HandleType:
    """Return the HandleType of `wasm_<name>_t *`."""
    found = KINDS.get(name)
    if found is None:
        found = KINDS.setdefault(name, HandleType(name))
    return found


def kind_of(handle: Any) -> HandleType:
    """Return the HandleType of a handle with an address of its own."""
    return kind(typeof(handle).cname.removeprefix("struct wasm_").removesuffix("_t *"))


# ------------------------------------------------------------------ results of C


def own(kind: HandleType, pointer: Any) -> Any:
    """Track a new object that the caller owns and that belongs to no store; return its handle."""
    if pointer:
        tracked = TrackedHandle()
        tracked.kind = kind
        tracked.handle = pointer
        kind.live[id(pointer)] = tracked
        if pointer in by_address:
            by_address[pointer].bury("is gone")
        by_address[pointer] = tracked
    return pointer


def own_in(store: TrackedHandle | None, kind: HandleType, pointer: Any) -> Any:
    """Track a new object that the caller owns and that ends with its store; return its handle."""
    if pointer:
        tracked = TrackedHandle()
        tracked.kind = kind
        tracked.handle = pointer
        kind.live[id(pointer)] = tracked
        if not kind.addressed:
            tracked.simple = False
        else:
            if pointer in by_address:
                by_address[pointer].bury("is gone")
            by_address[pointer] = tracked
        if store is not None:
            tracked.store = tracked.parent = store
            store.children.add(tracked)  # type: ignore[union-attr]
    return pointer


def again(store: TrackedHandle | None, kind: HandleType, pointer: Any) -> Any:
    """Track an object that counts its owners: C may return the same pointer again."""
    tracked = by_address.get(pointer) if pointer else None
    if tracked is None or tracked.kind is not kind:
        return own_in(store, kind, pointer)
    tracked.count_up()
    tracked.simple = False
    return handle_of(kind, tracked, pointer)


def borrow(kind: HandleType, pointer: Any, owner: TrackedHandle | None) -> Any:
    """Track a part of `owner`, unless the object is tracked already; return its handle."""
    if not pointer:
        return pointer
    tracked = by_address.get(pointer)
    if tracked is None:
        tracked = TrackedHandle()
        tracked.kind = kind
        tracked.handle = pointer
        kind.live[id(pointer)] = tracked
        by_address[pointer] = tracked
        if owner is not None:
            tracked.owner = owner
            tracked.store = owner.store
            tracked.belong(owner)
        return pointer
    return handle_of(kind, tracked, pointer)


def handle_of(kind: HandleType, tracked: TrackedHandle, pointer: Any) -> Any:
    """Return the object's handle of this type; if there is none yet, `pointer` becomes it."""
    if tracked.kind is kind:
        if tracked.handle is None:
            tracked.handle = pointer
            kind.live[id(pointer)] = tracked
        return tracked.handle
    if tracked.views is None:
        tracked.views = {}
        tracked.simple = False
    found = tracked.views.get(kind)
    if found is None:
        found = tracked.views[kind] = pointer
        kind.live[id(pointer)] = tracked
    return found


def view(kind: HandleType, pointer: Any) -> Any:
    """Return a handle of another type on the object, as for `wasm_func_as_extern`."""
    if not pointer:
        return pointer
    return handle_of(kind, by_address[pointer], pointer)


# ------------------------------------------------------------------ arguments


def find(
    kind: HandleType, value: Any, function: str, parameter: str
) -> tuple[Any, TrackedHandle | None]:
    """Return an argument's pointer and its TrackedHandle; (NULL, None) for None and NULL.

    function, parameter: for messages. This is the slow path of every wrapper. Raises TypeError,
    ReferenceError.
    """
    tracked = kind.live.get(id(value))
    if tracked is not None:
        return value, tracked
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
        raise ReferenceError(f"{function}: {parameter} {reason_of(value)}")
    tracked = by_address.get(value) if kind.addressed else None
    if tracked is None or not _is_a(tracked, kind, value):
        raise ReferenceError(f"{function}: {parameter} is no live {kind!r}")
    _add_alias(kind, tracked, value)
    return value, tracked


def null(kind: HandleType) -> Any:
    """Return NULL with this pointer type."""
    return ffi.cast(kind.ctype, 0)


def use(kind: HandleType, value: Any, function: str, parameter: str) -> Any:
    """Return an argument's pointer; None is NULL. Raises as `find`."""
    return find(kind, value, function, parameter)[0]


def need(kind: HandleType, value: Any, function: str, parameter: str) -> tuple[Any, TrackedHandle]:
    """Do as `find`, but raise ValueError for NULL."""
    pointer, tracked = find(kind, value, function, parameter)
    if tracked is None:
        raise ValueError(f"{function}: {parameter} must not be NULL")
    return pointer, tracked


_EXTERNS = {"func": 0, "global": 1, "table": 2, "memory": 3}
_EXTERNTYPES = {"functype": 0, "globaltype": 1, "tabletype": 2, "memorytype": 3}


def _is_a(tracked: TrackedHandle, kind: HandleType, pointer: Any) -> bool:
    """Tell whether a pointer of type `kind` may refer to the object; externs know their kind."""
    own_name, name = tracked.kind.name, kind.name
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


def _add_alias(kind: HandleType, tracked: TrackedHandle, pointer: Any) -> None:
    aliases = tracked.aliases
    if aliases is None:
        aliases = tracked.aliases = {}
        tracked.simple = False
    elif len(aliases) % 64 == 0:
        # Every read of a vector's data makes a new pointer: drop those that nobody refers to.
        for key in dead_handles.unreferenced(aliases):
            kind_of(aliases.pop(key)).live.pop(key, None)
    aliases[id(pointer)] = pointer
    kind.live[id(pointer)] = tracked
