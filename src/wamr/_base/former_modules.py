"""Former names of modules that have moved into packages, for pickles that contain these names.

A pickle contains the module of each class at the time of pickling, and unpickling imports it.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

FORMER = {
    "_immutable": "_base.immutable",
    "engine": "_runtime.engine",
    "limits": "_runtime.limits",
    "module": "_runtime.module",
    "stdio": "_wasi.stdio",
    "wasi": "_wasi.config",
}


def add_former_modules() -> None:
    """Add modules under the former names, which import the present ones at the first access."""
    for former, now in FORMER.items():
        module = type(sys)(f"wamr.{former}", f"The former name of wamr.{now}.")
        vars(module)["__getattr__"] = _getattr_of(now)  # PEP 562
        sys.modules[f"wamr.{former}"] = module


def _getattr_of(now: str) -> "Callable[[str], object]":
    def getattr_(name: str) -> object:
        if name.startswith("__"):  # for tools that inspect all modules: don't import anything
            raise AttributeError(f"wamr.{now} has no attribute {name!r} under its former name")
        from importlib import import_module

        return getattr(import_module(f"wamr.{now}"), name)

    return getattr_
