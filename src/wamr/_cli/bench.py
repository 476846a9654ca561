"""`wamr bench`: the time of loading, instantiating and calling.

Each step is repeated for a while. The best and the median time characterize the code, the
difference between them the noise of the machine. Calls are of an exported function, in one
instance, or of a whole program, in a new instance each time and without output.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from itertools import repeat
from time import perf_counter

from .execute import check, instantiated
from .options import Parser, add_module, add_surroundings, seconds, surroundings
from .output import OK, TIMEOUT, TRAPPED, Failure, complain, fail, table
from .source import binary, name_of, shown
from .values import arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

_ABOUT = """Measure how long a module takes to load, to instantiate, and to run.

Without --invoke the call is the whole program, where the module is one; what it writes is
discarded, and instantiating is not counted in."""
_EXAMPLES = """examples:
  wamr bench module.wasm
  wamr bench --invoke fib fib.wasm 20
  wamr bench --seconds 5 --json python.wasm -c pass
"""
_MAX_TIMES = 100_000
_BATCH = 100  # repetitions of a step that is too short for the clock
_SHORT = 20e-6  # seconds


def add_bench(commands: Any) -> tuple[str, set[str]]:
    """Add the command; return its name and its options that take a value."""
    parser: Parser = commands.add_parser(
        "bench",
        help="measure load, instantiate, call",
        description=_ABOUT,
        epilog=_EXAMPLES,
        usage="wamr bench [OPTION ...] MODULE [ARGUMENT ...]",
    )
    add_module(parser)
    parser.add_argument("--invoke", metavar="NAME", help="measure calls of this function")
    parser.add_argument(
        "--seconds",
        metavar="N",
        type=seconds,
        default=1.0,
        help="how long to repeat each step, at least once; 1 by default",
    )
    parser.add_argument("--json", action="store_true", help="for machines; times in seconds")
    add_surroundings(parser, fuel=False)
    parser.set_defaults(execute=_bench)
    return "bench", {
        "--invoke",
        "--seconds",
        "--dir",
        "--env",
        "--timeout",
        "--memory",
        "--output-bytes",
        "--file-bytes",
        "--stack",
    }


def _bench(given: argparse.Namespace) -> int:
    from wamr import ExitTrap, TimeoutTrap, Trap, WasmException

    try:
        steps = _measured(given)
    except ExitTrap as trap:
        fail(
            f"{shown(given.module)}: a step ends the program, with exit code {trap.exit_code}, "
            "so it can't be repeated"
        )
    except TimeoutTrap:
        raise Failure(
            f"{shown(given.module)}: timed out after {given.timeout:g} s", TIMEOUT
        ) from None
    except Trap as trap:
        complain(f"wamr bench: {shown(given.module)}: trap: {trap}")
        return TRAPPED
    except WasmException as exception:
        complain(f"wamr bench: {shown(given.module)}: {exception}")
        return TRAPPED
    if given.json:
        import json

        print(json.dumps({name: _summary(times) for name, times in steps.items()}, indent=2))
        return OK
    rows = []
    for name, times in steps.items():
        found = _summary(times)
        rows.append([name, _time(found["best"]), _time(found["median"]), len(times)])
    print(table(shown(given.module), ["step", "best", "median", "times"], rows))
    return OK


def _measured(given: argparse.Namespace) -> dict[str, list[float]]:
    from wamr import CompileError, Engine, Module, Store

    engine = Engine()
    try:
        data = binary(given.module)
        module = Module(engine, data)
    except CompileError as error:
        raise Failure(f"{shown(given.module)}: {error}") from None
    exports = {export.name for export in module.exports}
    if given.invoke is not None or given.args or "_start" in exports:
        check(given.module, module, given.invoke)
    own = [] if given.invoke is not None else given.args
    around = surroundings(given, [name_of(given.module), *own])

    def instance() -> Any:
        return instantiated(Store(engine), module, given.module, around)

    steps = {"load": _times(lambda: Module(engine, data), given.seconds)}
    steps["instantiate"] = _times(instance, given.seconds)
    if given.invoke is not None:
        func = instance().exports[given.invoke]
        values = arguments(given.invoke, func, given.args)
        steps["call"] = _times(lambda: func(*values), given.seconds)
    elif "_start" in exports:
        steps["call"] = _times(_program, given.seconds, instance)
    return steps


def _program(instance: Any) -> None:
    from wamr import ExitTrap

    with suppress(ExitTrap):
        instance.exports["_start"]()


def _times(
    step: Callable[..., object], length: float, prepare: Callable[[], object] | None = None
) -> list[float]:
    """Repeat a step for `length` seconds; return the time of each repetition in seconds.

    prepare: a function whose result the step gets; its time isn't included.
    """
    times: list[float] = []
    end = perf_counter() + length
    if prepare is None:
        for many in (1, _BATCH):
            begin = perf_counter()
            for _ in repeat(None, many):
                step()
            once = (perf_counter() - begin) / many
            if once > _SHORT:
                break
        while once <= _SHORT and perf_counter() < end and len(times) < _MAX_TIMES:
            begin = perf_counter()
            for _ in repeat(None, _BATCH):
                step()
            times.append((perf_counter() - begin) / _BATCH)
    while not times or (perf_counter() < end and len(times) < _MAX_TIMES):
        given: tuple[object, ...] = () if prepare is None else (prepare(),)
        begin = perf_counter()
        result = step(*given)
        times.append(perf_counter() - begin)
        del result, given
    return times


def _summary(times: list[float]) -> dict[str, float]:
    middle = sorted(times)[len(times) // 2]
    return {"best": min(times), "median": middle, "times": len(times)}


def _time(value: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if value * factor >= 1:
            return f"{value * factor:.2f} {unit}"
    plain = (getattr(sys.stdout, "encoding", None) or "ascii").lower()
    return f"{value * 1e6:.2f} {'µs' if plain.startswith('utf') else 'us'}"
