"""The engine: WAMR itself, started once per process and counted.

Engines are cheap and hold no code and no memory; what they decide is how their instances run
(`Config`) and which modules may be used together with which stores. WAMR's start is counted in C,
by every engine and every module (src/native/runtime/runtime.c), so no order of destruction matters.
This module knows nothing of what lives in an engine.
"""

from __future__ import annotations

from .._backend.binding import lib
from .._base.immutable import Options, made_already
from ..errors import UnavailableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike
    from typing import Literal

DEFAULT_STACK = 1 << 20
LEAST_STACK = 4096
MOST_STACK = 1 << 30


def checked_stack(name: str, value: object) -> int:
    """Return a size of a wasm stack, or raise what is wrong with it."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if not LEAST_STACK <= value <= MOST_STACK:
        raise ValueError(f"{name} must be from {LEAST_STACK} to {MOST_STACK} bytes, not {value}")
    return value


def _checked_tier(tier: object) -> str:
    if not isinstance(tier, str):
        raise TypeError(f"tier must be a str, not {type(tier).__name__}")
    if tier == "auto":
        raise UnavailableError(
            'tier="auto" would compile hot functions ahead of time, which this build can\'t ("aot" '
            'is not in wamr.FEATURES); tier="interpreter" runs all modules'
        )
    if tier != "interpreter":
        raise ValueError(f'tier must be "interpreter" or "auto", not {tier!r}')
    return tier


def _checked_cache(cache_dir: object) -> None:
    if cache_dir is None:
        return
    from os import PathLike

    if not isinstance(cache_dir, (str, PathLike)):
        raise TypeError(f"cache_dir must be a path or None, not {type(cache_dir).__name__}")
    raise UnavailableError(
        'cache_dir would keep compiled code, which this build makes none of ("aot" is not in '
        "wamr.FEATURES); leave it out"
    )


class Config(Options):
    """How the instances of an engine run.

    stack_bytes: size of each instance's wasm stack (operands, locals and frames), 4096 to 2**30;
    `ResourceLimits` may give an instance another. tier: "interpreter"; "auto" and a cache_dir, for
    compiled code, are what later builds may have, and an UnavailableError here.
    Immutable, comparable. Raises TypeError, ValueError, UnavailableError.
    """

    __slots__ = ("stack_bytes", "tier", "cache_dir")  # noqa: RUF023 - in the order of __init__
    stack_bytes: int
    tier: Literal["interpreter", "auto"]
    cache_dir: str | PathLike[str] | None

    def __init__(
        self,
        *,
        stack_bytes: int = DEFAULT_STACK,
        tier: Literal["interpreter", "auto"] = "interpreter",
        cache_dir: str | PathLike[str] | None = None,
    ) -> None:
        stack_bytes = checked_stack("stack_bytes", stack_bytes)
        _checked_cache(cache_dir)
        self._fill(stack_bytes, _checked_tier(tier), cache_dir)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(stack_bytes={self.stack_bytes})"


class Engine:
    """The runtime. Cheap; several may exist. Modules belong to one.

    C: `wasm_runtime_full_init`, `wasm_runtime_destroy`.

    >>> from wamr import Engine, Store
    >>> Store(Engine()).engine
    <wamr.Engine>
    """

    __slots__ = ("__weakref__", "_config", "_started")
    _config: Config

    def __init__(self, config: Config | None = None) -> None:
        if hasattr(self, "_started"):
            raise made_already(self)
        self._started = False
        if config is None:
            config = Config()
        elif not isinstance(config, Config):
            raise TypeError(f"config must be a Config or None, not {type(config).__name__}")
        self._config = config
        if not lib.wpy_runtime_start():
            raise MemoryError("WAMR could not be started")
        self._started = True

    @property
    def config(self) -> Config:
        """The configuration that it was made with."""
        return self._config

    # The default argument is still there when the interpreter has emptied this module at exit.
    def __del__(self, _stop: Callable[[], None] = lib.wpy_runtime_stop) -> None:
        if getattr(self, "_started", False):  # not if a subclass failed before its base's __init__
            self._started = False
            _stop()

    def __repr__(self) -> str:
        return "<wamr.Engine>"

    def __reduce__(self) -> str:
        raise TypeError("an Engine cannot be copied or pickled: it belongs to this process")


_default: list[Engine] = []


def default_engine() -> Engine:
    """Return the engine of those who name none, made at first use."""
    if not _default:
        _default.append(Engine())
    return _default[0]
