"""Element and data segments, which are read for the features that they use, and not kept."""

from __future__ import annotations

from .._base.binary_reader import Malformed
from .instructions import constant
from .reader import Reader


def read_element(reader: Reader) -> None:
    """Read an element segment."""
    begin, flags = reader.at, reader.number()
    if flags > 7:
        raise Malformed(begin, f"an element segment of an unknown kind ({flags})")
    if flags & 4 or flags == 3:  # with expressions, or declarative
        reader.uses.note("reference-types", "an element segment of expressions", begin)
    if flags in (1, 2, 5):
        reader.uses.note("bulk-memory", "a passive element segment", begin)
    if not flags & 1:
        if flags & 2:
            reader.number()
        constant(reader)
    if flags & 3:
        reader.valtype() if flags & 4 else reader.byte()
    reader.vector((lambda: constant(reader)) if flags & 4 else lambda: _index(reader))


def _index(reader: Reader) -> None:
    reader.number()


def read_data(reader: Reader) -> None:
    """Read a data segment."""
    begin, flags = reader.at, reader.number()
    if flags > 2:
        raise Malformed(begin, f"a data segment of an unknown kind ({flags})")
    if flags == 1:
        reader.uses.note("bulk-memory", "a passive data segment", begin)
    else:
        if flags == 2:
            memory = reader.index(reader.uses.memories, "memory")
            if memory:
                what = f"a data segment of memory {memory}"
                reader.uses.note("multi-memory", what, begin)
        constant(reader)
    reader.skip(reader.number())
