"""The names that users write in annotations for imports: what may be given for one, and for all.

As in aliases.py, only who asks for one of the names imports this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from .exports import Exports
from .func import Func
from .global_ import Global
from .memory import Memory
from .table import Table


class HasExports(Protocol):
    """What stands for all that it exports: an Instance."""

    @property
    def exports(self) -> Exports:
        """What it exports."""


ImportItem: TypeAlias = Func | Global | Table | Memory | Callable[..., Any]
Imports: TypeAlias = (
    Sequence[ImportItem] | Mapping[str, Mapping[str, ImportItem] | HasExports | Exports]
)
