"""Modules under the names that they had before they moved into packages: pickles name them.

A pickle of a Config, say, names the module that the class was in when the pickle was made. What
unpickles it imports that module, and finds one here that has the class from where it is now.
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
    """Make each importable by its former name. None is imported before one of its names is."""
    for former, now in FORMER.items():
        module = type(sys)(f"wamr.{former}", f"The former name of wamr.{now}.")
        vars(module)["__getattr__"] = _names_of(now)  # PEP 562
        sys.modules[f"wamr.{former}"] = module


def _names_of(now: str) -> "Callable[[str], object]":
    def find(name: str) -> object:
        if name.startswith("__"):  # nobody's own: who looks through all modules imports nothing
            raise AttributeError(f"wamr.{now} has no attribute {name!r} under its former name")
        from importlib import import_module

        return getattr(import_module(f"wamr.{now}"), name)

    return find
