"""Type aliases for annotations of imports: `ImportItem` and `Imports`.

As with aliases.py, nothing imports this module but an access to one of the names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from .exports import Exports
from .func import Func
from .global_ import Global
from .memory import Memory
from .table import Table
from .tag import Tag


class HasExports(Protocol):
    """An Instance, which stands for the mapping of its exports."""

    @property
    def exports(self) -> Exports:
        """The exports."""


ImportItem: TypeAlias = Func | Global | Table | Memory | Tag | Callable[..., Any]
Imports: TypeAlias = (
    Sequence[ImportItem] | Mapping[str, Mapping[str, ImportItem] | HasExports | Exports]
)
