"""Engines: the configuration of the runtime, and the modules and stores that belong together.

An engine holds no code and no memory. WAMR itself is started once for the process; every engine and
every module holds a reference to it in C (src/native/runtime/runtime.c), so the order of
destruction doesn't matter. This module knows nothing of what belongs to an engine.
"""

from __future__ import annotations

from .._backend.binding import lib
from .._base.arguments import already_initialized, shown_number
from .._base.immutable import Options
from ..errors import UnavailableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike
    from typing import Literal

DEFAULT_STACK = 1 << 20
MIN_STACK = 4096
MAX_STACK = 1 << 30


def checked_stack(name: str, value: object) -> int:
    """Return the argument `name`, a size of a wasm stack in bytes; TypeError, ValueError."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if not MIN_STACK <= value <= MAX_STACK:
        shown = shown_number(value)
        raise ValueError(f"{name} must be from {MIN_STACK} to {MAX_STACK} bytes, not {shown}")
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
    """The configuration of an engine.

    stack_bytes: the size of each instance's wasm stack, with operands, locals and frames, 4096 to
    2**30; `ResourceLimits` may define another. tier: "interpreter"; "auto" is for builds that can
    compile, as is cache_dir, the path of a directory for compiled code: UnavailableError here.
    Immutable, comparable, picklable. Raises TypeError, ValueError, UnavailableError.
    C: `wasm_config_new`.

    >>> from wamr import Config, Engine
    >>> Engine(Config(stack_bytes=1 << 18)).config
    Config(stack_bytes=262144)
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
    """The runtime. Modules and stores belong to an engine; making one is cheap.

    config: a Config, or None for the defaults. Raises TypeError, MemoryError.
    C: `wasm_engine_new_with_config`, `wasm_runtime_full_init`, `wasm_runtime_destroy`.

    >>> from wamr import Engine, Store
    >>> Store(Engine()).engine
    <wamr.Engine>
    """

    __slots__ = ("__weakref__", "_config", "_started")
    _config: Config

    def __init__(self, config: Config | None = None) -> None:
        if hasattr(self, "_started"):
            raise already_initialized(self)
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
        """The configuration that the engine was made with."""
        return self._config

    # The default argument still exists when the interpreter has cleared this module at exit.
    def __del__(self, _stop: Callable[[], None] = lib.wpy_runtime_stop) -> None:
        if getattr(self, "_started", False):  # False if a subclass failed before it called __init__
            self._started = False
            _stop()

    def __repr__(self) -> str:
        return "<wamr.Engine>"

    def __reduce__(self) -> str:
        raise TypeError("an Engine cannot be copied or pickled: it belongs to this process")


_default: list[Engine] = []


def default_engine() -> Engine:
    """Return the default engine of the process, which is made at the first call."""
    if not _default:
        _default.append(Engine())  # another thread may have added one: the first is used
    return _default[0]
