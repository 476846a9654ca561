"""The base class of Func, Global, Table, Memory and Tag: everything that modules import and export.

An extern is a Python object with a handle in C (`_c`), which holds a reference to the group of
objects that are linked with each other (src/native/core/group.c). Its `_lifetime` keeps alive what
has to live as long in Python. Two externs are equal if they stand for the same object in C.
"""

from __future__ import annotations

from ..errors import ClosedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._base.lifetime import Lifetime
    from ..types import ExternType
    from .store import Store


class Extern:
    """Base of Func, Global, Table, Memory and Tag.

    `==` and `hash`: the same object of the same instance, whichever Python object stands for it.
    Raises TypeError when copied or pickled. C: `wasm_extern_t`. Spec: section 4.2.11.

    >>> import wamr
    >>> inst = wamr.load('(module (memory (export "a") (export "b") 1))')
    >>> inst.exports.a == inst.exports.b
    True
    """

    __slots__ = ()  # since most of the five have a base in C, which has to have the first slots
    _c: Any
    _lifetime: Lifetime

    @property
    def store(self) -> Store:
        """The store that the extern lives in."""
        store: Store = self._lifetime.store
        return store

    @property
    def type(self) -> ExternType:
        """The type: a FuncType, GlobalType, TableType, MemoryType or TagType.

        C: `wasm_extern_type`.
        """
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

    def __reduce__(self) -> str:
        raise TypeError(f"a {type(self).__name__} cannot be copied or pickled: it lives in a store")
