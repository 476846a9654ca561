"""Limits on what an instance may use.

The values are checked here and enforced in C: time and fuel at the checkpoint that running code
passes (src/native/runtime/checkpoint.c), memory and tables by budgets (src/native/core/budget.c),
output where it is written (src/native/wasi/stdio.c), files likewise (src/native/wasi/file_limit.c).
"""

from __future__ import annotations

from .._backend.binding import ffi, lib
from .._backend.features import FEATURES
from .._base.arguments import shown_number
from .._base.immutable import Options
from ..errors import UnavailableError
from .allocation import allocation_failure
from .engine import checked_stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NO_FUEL_LIMIT = -1
NO_LIMIT = (1 << 64) - 1
MAX_SECONDS = 1e9


def checked_timeout(timeout: object) -> int:
    """Return a timeout in seconds as nanoseconds, 0 for None; TypeError, ValueError."""
    if timeout is None:
        return 0
    if not isinstance(timeout, (int, float)) or isinstance(timeout, bool):
        raise TypeError(
            f"timeout must be a number of seconds or None, not {type(timeout).__name__}"
        )
    if not timeout >= 0:
        raise ValueError(f"timeout must not be {_below_zero(timeout)}")
    return max(1, int(min(timeout, MAX_SECONDS) * 1e9))


def check_file_bytes(value: object, features: frozenset[str] = FEATURES) -> None:
    """Raise TypeError or ValueError, or UnavailableError on systems where nothing counts them."""
    checked_amount("file_bytes", value)
    if value is not None and "wasi-directories" not in features:
        raise UnavailableError(
            "file_bytes is not available on Windows: nothing there counts what a program adds to "
            "its files. Run it on Linux or macOS, or leave the limit out"
        )


def _below_zero(number: float) -> str:
    return "NaN" if number != number else f"negative: {shown_number(number)}"


def checked_extension(seconds: object) -> int:
    """Return an extension of a timeout in seconds as microseconds; TypeError, ValueError."""
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
        raise TypeError(f"seconds must be a number, not {type(seconds).__name__}")
    if not seconds >= 0:
        raise ValueError(f"seconds must not be {_below_zero(seconds)}")
    from math import ceil

    return ceil(min(seconds, MAX_SECONDS) * 1e6)


def checked_slice(slice: object) -> int:  # noqa: A002
    """Return a slice in seconds as nanoseconds, WPY_NO_SLICE for None; TypeError, ValueError."""
    if slice is None:
        return NO_LIMIT
    if not isinstance(slice, (int, float)) or isinstance(slice, bool):
        raise TypeError(f"slice must be a number of seconds or None, not {type(slice).__name__}")
    if not slice >= 0:
        raise ValueError(f"slice must not be {_below_zero(slice)}")
    return int(min(slice, MAX_SECONDS) * 1e9)


def checked_slice_fuel(slice_fuel: object) -> int:
    """Return the fuel of a slice as C takes it, 0 for None; TypeError, ValueError."""
    if slice_fuel is None:
        return 0
    if not isinstance(slice_fuel, int) or isinstance(slice_fuel, bool):
        raise TypeError(f"slice_fuel must be an int or None, not {type(slice_fuel).__name__}")
    if not 1 <= slice_fuel < 1 << 62:
        raise ValueError(f"slice_fuel must be from 1 to 2**62 - 1, not {shown_number(slice_fuel)}")
    return slice_fuel


def checked_fuel(fuel: object) -> int:
    """Return an amount of fuel as C takes it, -1 for None; TypeError, ValueError."""
    if fuel is None:
        return NO_FUEL_LIMIT
    if not isinstance(fuel, int) or isinstance(fuel, bool):
        raise TypeError(f"fuel must be an int or None, not {type(fuel).__name__}")
    if not 0 <= fuel < 1 << 62:
        raise ValueError(f"fuel must be from 0 to 2**62 - 1, not {shown_number(fuel)}")
    return fuel


def checked_amount(name: str, amount: object) -> int:
    """Return a number of bytes or elements as C takes it, 2**64 - 1 for None.

    Raises TypeError, ValueError.
    """
    if amount is None:
        return NO_LIMIT
    if not isinstance(amount, int) or isinstance(amount, bool):
        raise TypeError(f"{name} must be an int or None, not {type(amount).__name__}")
    if not 0 <= amount < NO_LIMIT:
        raise ValueError(f"{name} must be from 0 to 2**64 - 2, not {shown_number(amount)}")
    return amount


def no_room(budget: Any, *, elements: bool = False) -> str:
    """Return the reason of this thread's last failure to allocate a memory, or a table.

    budget: the store's. elements: whether it was a table.
    """
    try:
        return allocation_failure(budget, elements=elements)
    except MemoryError:
        return "the system has no memory left"


class ResourceLimits(Options):
    """Limits on what an instance may use. None means no limit, for stack_bytes the engine's.

    timeout: seconds, 0 or more, for each call from Python and for the start function.
    memory_bytes: the sum of the sizes of the instance's own linear memories, 0 to 2**64 - 2;
    `memory.grow` beyond it fails.
    stack_bytes: the size of the wasm stack, 4096 to 2**30.
    table_elements: the sum of the sizes of its own tables, 0 to 2**64 - 2; `table.grow` beyond it
    fails.
    fuel: the branches and calls that its code may execute during its life, 0 to 2**62 - 1. Filling
    or copying 64 bytes counts as one, too. A program uses the same fuel on every machine.
    output_bytes: the bytes that a WASI program may write to stdout and stderr together during its
    life, discarded ones included, 0 to 2**64 - 2. The bytes up to the limit are delivered, then
    OutputLimitTrap ends the call.
    file_bytes: the bytes that a WASI program may add to the files of its directories, 0 to
    2**64 - 2. Holes count; what it cuts off or removes does not count any more. It may also make
    1000 files, directories and links, and one more for each 1024 bytes. At the limit, writing fails
    in the program with ENOSPC.
    In a Store, memory_bytes and table_elements limit the sums over everything in the store,
    host-made externs included; the others are the defaults of its instances.
    Immutable, comparable, picklable. Raises TypeError, ValueError, and UnavailableError for
    file_bytes on Windows.
    C: `wasm_instance_new_with_args`.

    >>> from wamr import ResourceLimits
    >>> ResourceLimits(timeout=0.5, fuel=10_000)
    ResourceLimits(timeout=0.5, fuel=10000)
    """

    __slots__ = (  # noqa: RUF023 - in the order of __init__
        "timeout",
        "memory_bytes",
        "stack_bytes",
        "table_elements",
        "fuel",
        "output_bytes",
        "file_bytes",
    )
    timeout: float | None
    memory_bytes: int | None
    stack_bytes: int | None
    table_elements: int | None
    fuel: int | None
    output_bytes: int | None
    file_bytes: int | None

    def __init__(
        self,
        *,
        timeout: float | None = None,
        memory_bytes: int | None = None,
        stack_bytes: int | None = None,
        table_elements: int | None = None,
        fuel: int | None = None,
        output_bytes: int | None = None,
        file_bytes: int | None = None,
    ) -> None:
        checked_timeout(timeout)
        checked_amount("memory_bytes", memory_bytes)
        checked_amount("table_elements", table_elements)
        checked_fuel(fuel)
        checked_amount("output_bytes", output_bytes)
        check_file_bytes(file_bytes)
        if stack_bytes is not None:
            checked_stack("stack_bytes", stack_bytes)
        self._fill(
            timeout, memory_bytes, stack_bytes, table_elements, fuel, output_bytes, file_bytes
        )

    def __repr__(self) -> str:
        given = zip(self._fields, self._values(), strict=True)
        text = ", ".join(
            [f"{name}={shown_number(value)}" for name, value in given if value is not None]
        )
        return f"{type(self).__name__}({text})"

    def _timeout_ns(self) -> int:
        """Return the timeout in nanoseconds, 0 for none."""
        return checked_timeout(self.timeout)

    def _set_bytes(self, c: Any) -> None:
        """Set what a WASI program may write in the C struct of a new instance's imports."""
        c.output_bytes = NO_LIMIT if self.output_bytes is None else self.output_bytes
        c.file_bytes = NO_LIMIT if self.file_bytes is None else self.file_bytes

    def _budget(self, parent: Any) -> Any:
        """Return a new budget in C within the budget `parent`; `parent` itself if not limited."""
        memory = checked_amount("memory_bytes", self.memory_bytes)
        table = checked_amount("table_elements", self.table_elements)
        if memory == table == NO_LIMIT:
            return parent
        budget = lib.wpy_budget_new(parent, memory, table)
        if not budget:
            raise MemoryError("no memory for the limits")
        return ffi.gc(budget, lib.wpy_budget_release)
