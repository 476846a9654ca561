"""A pytest plugin: the package without the types of CPython's C API, with _backend/portable.py."""

import importlib.util
import sys
from pathlib import Path

_PACKAGE = importlib.util.find_spec("wamr")
assert _PACKAGE
assert _PACKAGE.submodule_search_locations
(_FILE,) = (
    path
    for path in Path(_PACKAGE.submodule_search_locations[0]).glob("_wamr*")
    if path.suffix in {".so", ".pyd"}
)
_SPEC = importlib.util.spec_from_file_location("wamr._wamr", _FILE)
assert _SPEC
assert _SPEC.loader
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
for _name in (
    "HostFunctionBase",
    "CallableBase",
    "GlobalBase",
    "TableBase",
    "ExternrefTableBase",
    "Signature",
    "MemoryBase",
    "bind_export",
    "described",
    "exported",
    "keep_raised",
    "known",
    "refer",
    "set_call",
    "set_wrapped",
    "take_raised",
):
    delattr(_MODULE, _name)
sys.modules["wamr._wamr"] = _MODULE
