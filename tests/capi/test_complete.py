"""Nothing of the header is missing, nothing is extra, and each function has its tests."""

import inspect
import re

import pytest
from capi import NEGATIVE, POSITIVE, api, header

from wamr._capi import _generated


def test_every_function_alias_enum_and_constant_is_there():
    declared = header()
    for function in declared.functions:
        assert callable(getattr(api, function.name))
        assert hasattr(api.lib, function.name)
    for alias, target in declared.aliases.items():
        assert getattr(api, alias) is getattr(api, target)
    for name, value in declared.enums.items():
        assert getattr(api, name) == value == getattr(api.lib, name)
    for name, text in declared.constants.items():
        assert getattr(api, name) == int(text, 0) == getattr(api.lib, name)
    for name in [*declared.opaque, *declared.structs]:
        assert api.ffi.typeof(name)
    for name in declared.callbacks:
        assert api.ffi.typeof(name).kind == "function" or api.ffi.typeof(name).kind == "pointer"


def test_the_header_has_what_we_think():
    declared = header()
    assert len(declared.functions) == 312
    assert sum(f.inline for f in declared.functions) == 27


def test_everything_else_is_listed_as_ours():
    declared = header()
    names = {f.name for f in declared.functions} | declared.aliases.keys()
    names |= declared.enums.keys() | declared.constants.keys()
    assert set(api.__all__) - names - set(api.HELPERS) == {"ffi", "lib"}
    assert not names & set(api.HELPERS)
    for name in api.__all__:
        assert hasattr(api, name)


def test_wrappers_show_the_prototype_and_real_names():
    for function in header().functions:
        wrapper = getattr(api, function.name)
        assert wrapper.__doc__.startswith(function.prototype), function.name
        assert len(inspect.signature(wrapper).parameters) == len(function.parameters)
    assert str(inspect.signature(api.wasm_func_call)).startswith("(func")
    assert "By hand" in api.wasm_func_call.__doc__
    assert "wasm_trap_exception" in api.wasm_func_call.__doc__
    assert "Takes over `params` and `results`" in api.wasm_functype_new.__doc__
    assert "borrowed" in api.wasm_functype_params.__doc__


def test_the_stub_names_everything():
    import ast
    from pathlib import Path

    stub = Path(_generated.__file__).with_suffix(".pyi")
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert {f.name for f in header().functions} <= functions


def test_type_checkers_see_what_the_star_gives():
    """Type checkers can't follow an `__all__` computed at run time; they read wamr/ffi.pyi."""
    import ast
    from pathlib import Path

    def names(module):
        stub = Path(module.__file__).with_suffix(".pyi")
        for node in ast.parse(stub.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom):
                yield from (a.asname for a in node.names if a.name == a.asname)
            elif isinstance(node, ast.FunctionDef):
                yield node.name
            elif isinstance(node, ast.Assign) and node.targets[0].id == "__all__":
                yield from ast.literal_eval(node.value)

    stars = set(names(_generated))
    assert stars >= set(_generated.__all__)
    assert set(names(api)) == set(api.__all__) - set(_generated.__all__)


def test_every_function_has_a_positive_and_a_negative_test(request):
    files = {item.path.name for item in request.session.items if item.path.parent.name == "capi"}
    if not {"test_types.py", "test_objects.py", "test_runtime.py", "test_negative.py"} <= files:
        pytest.skip("needs the other files of this folder")
    names = {f.name for f in header().functions}
    assert not names - POSITIVE.keys()
    for function in header().functions:
        # Counted in the prototype, so that no rule of codegen/ can leave out a parameter.
        inside = function.prototype.partition("(")[2].rpartition(")")[0]
        inside = re.sub(r"\(\*.*?\)\(.*?\)", "*", inside)  # a pointer to a function
        wanted = [p for p in inside.split(",") if p.strip() not in ("", "void")]
        parameters = [*inspect.signature(getattr(api, function.name)).parameters]
        assert len(parameters) == len(wanted), function.name
        tried = NEGATIVE[function.name]
        assert tried or not wanted
        for name, text in zip(parameters, wanted, strict=True):
            pointer = "*" in text or "[" in text or "callback" in text
            case = "None" if pointer else "a str"
            assert f"{function.name}({name}={case})" in tried, (function.name, name)
    assert not (POSITIVE.keys() | NEGATIVE.keys()) - names - header().aliases.keys()
