# ruff: noqa: E501
"""Pickles of earlier versions, whose classes were in other modules, can be loaded."""

import importlib
import pickle
import subprocess
import sys

import pytest

from wamr import Config, Dir, FuncType, Limits, Module, ResourceLimits, ValType, WasiConfig

# Made by pickle.dumps(…, 4) before the modules were in packages.
PICKLES = {
    "ResourceLimits(timeout=1.5, memory_bytes=65536)": b"\x80\x04\x95\x99\x00\x00\x00\x00\x00\x00\x00\x8c\x0fwamr._immutable\x94\x8c\x08_by_name\x94\x93\x94\x8c\x0bwamr.limits\x94\x8c\x0eResourceLimits\x94\x93\x94}\x94(\x8c\x07timeout\x94G?\xf8\x00\x00\x00\x00\x00\x00\x8c\x0cmemory_bytes\x94J\x00\x00\x01\x00\x8c\x0bstack_bytes\x94N\x8c\x0etable_elements\x94N\x8c\x04fuel\x94Nu\x86\x94R\x94.",
    "Config()": b"\x80\x04\x95v\x00\x00\x00\x00\x00\x00\x00\x8c\x0fwamr._immutable\x94\x8c\x08_by_name\x94\x93\x94\x8c\x0bwamr.engine\x94\x8c\x06Config\x94\x93\x94}\x94(\x8c\x0bstack_bytes\x94J\x00\x00\x10\x00\x8c\x04tier\x94\x8c\x0binterpreter\x94\x8c\tcache_dir\x94Nu\x86\x94R\x94.",
    "WasiConfig(args=['a'])": b"\x80\x04\x95\n\x01\x00\x00\x00\x00\x00\x00\x8c\twamr.wasi\x94\x8c\nWasiConfig\x94\x93\x94)\x81\x94N}\x94(\x8c\x05_args\x94]\x94C\x01a\x94a\x8c\x05_dirs\x94}\x94\x8c\x04_env\x94]\x94\x8c\x06_stdio\x94\x8c\nwamr.stdio\x94\x8c\x06Stream\x94\x93\x94)\x81\x94N}\x94(\x8c\ndescriptor\x94N\x8c\x04file\x94N\x8c\x08inherits\x94\x89\x8c\x04name\x94\x8c\x05stdin\x94\x8c\x04path\x94N\x8c\x06source\x94C\x00\x94u\x86\x94bh\x0f)\x81\x94N}\x94(h\x12Nh\x13Nh\x14\x89h\x15\x8c\x06stdout\x94h\x17Nh\x18Nu\x86\x94bh\x0f)\x81\x94N}\x94(h\x12Nh\x13Nh\x14\x89h\x15\x8c\x06stderr\x94h\x17Nh\x18Nu\x86\x94b\x87\x94u\x86\x94b.",
    "Dir('.')": b"\x80\x04\x95S\x00\x00\x00\x00\x00\x00\x00\x8c\x0fwamr._immutable\x94\x8c\x08_by_name\x94\x93\x94\x8c\twamr.wasi\x94\x8c\x03Dir\x94\x93\x94}\x94(\x8c\x04path\x94\x8c\x01.\x94\x8c\x08writable\x94\x89u\x86\x94R\x94.",
    "Limits(1, 2)": b"\x80\x04\x95!\x00\x00\x00\x00\x00\x00\x00\x8c\nwamr.types\x94\x8c\x06Limits\x94\x93\x94K\x01K\x02\x86\x94R\x94.",
    "FuncType([ValType.I32], [])": b"\x80\x04\x95:\x00\x00\x00\x00\x00\x00\x00\x8c\nwamr.types\x94\x8c\x08FuncType\x94\x93\x94h\x00\x8c\x07ValType\x94\x93\x94\x8c\x03i32\x94\x85\x94R\x94\x85\x94)\x86\x94R\x94.",
    "module": b"\x80\x04\x95-\x00\x00\x00\x00\x00\x00\x00\x8c\x0bwamr.module\x94\x8c\n_unpickled\x94\x93\x94C\x08\x00asm\x01\x00\x00\x00\x94\x85\x94R\x94.",
}
EXPECTED = {
    "ResourceLimits": ResourceLimits(timeout=1.5, memory_bytes=65536),
    "Config": Config(),
    "Dir": Dir("."),
    "Limits": Limits(1, 2),
    "FuncType": FuncType([ValType.I32], []),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_value_of_an_earlier_version(name):
    (data,) = [data for text, data in PICKLES.items() if text.startswith(name + "(")]
    value = pickle.loads(data)
    assert value == EXPECTED[name]
    assert type(value) is type(EXPECTED[name])
    assert pickle.loads(pickle.dumps(value)) == value


def test_a_configuration_of_an_earlier_version():
    config = pickle.loads(PICKLES["WasiConfig(args=['a'])"])
    assert type(config) is WasiConfig
    assert repr(config) == repr(WasiConfig(args=["a"]))


def test_a_module_of_an_earlier_version():
    module = pickle.loads(PICKLES["module"])
    assert type(module) is Module
    assert (*module.imports, *module.exports) == ()


def test_each_where_nothing_else_is_imported():
    for data in PICKLES.values():
        code = f"import pickle; print(type(pickle.loads({data!r})).__name__)"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() in {*EXPECTED, "WasiConfig", "Module"}


def test_a_name_that_never_was_there():
    former = importlib.import_module("wamr.engine")
    assert former.Config is Config
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = former.Nothing
    with pytest.raises(AttributeError, match="__wrapped__"):
        _ = former.__wrapped__
