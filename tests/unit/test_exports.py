"""Exports: attributes and a mapping, in the order of the module."""

from collections.abc import Mapping

import pytest

from wamr import Exports, Func, FuncType, Global, Instance, Memory, Module, Table, load

MIXED = """(module
    (memory (export "zz") 1) (func $f (export "b") (result i32) (i32.const 1))
    (table (export "a") 1 funcref) (global (export "g 1") i32 (i32.const 5))
    (export "alias" (func $f)) (export "" (func $f)) (export "日本" (func $f)))"""
NAMES = ["zz", "b", "a", "g 1", "alias", "", "日本"]


@pytest.fixture
def exports():
    return load(MIXED).exports


def test_order_and_length_are_the_modules(exports):
    assert list(exports) == list(exports.keys()) == NAMES
    assert len(exports) == 7
    assert [type(item) for item in exports.values()] == [
        Memory,
        Func,
        Table,
        Global,
        Func,
        Func,
        Func,
    ]
    assert dict(exports.items()) == {name: exports[name] for name in NAMES}
    assert isinstance(exports, Mapping)


def test_attribute_and_subscript_are_the_same_object(exports):
    assert exports.b is exports["b"] is exports.b
    assert exports.alias == exports.b
    assert exports.alias.name == "alias"
    assert exports.日本() == 1
    assert exports[""]() == 1
    assert exports["g 1"].value == 5


def test_one_that_was_never_made_has_nothing():
    empty = Exports.__new__(Exports)
    for use in (repr, dir, len, list, lambda it: it["b"], lambda it: it.b):
        with pytest.raises(AttributeError, match="this Exports has no _wamr_"):
            use(empty)


def test_what_is_not_there(exports):
    with pytest.raises(KeyError, match="'nope'"):
        exports["nope"]
    with pytest.raises(AttributeError, match="there is no export 'zzz'; did you mean 'zz'"):
        exports.zzz  # noqa: B018
    with pytest.raises(AttributeError, match="there is no export 'nope'; there is zz, b, a"):
        exports.nope  # noqa: B018
    assert not hasattr(exports, "nope")
    assert exports.get("nope") is None
    assert exports.get("nope", 5) == 5
    assert "nope" not in exports
    assert "b" in exports
    for name in (None, 0, b"b", ("b",)):
        assert name not in exports
        with pytest.raises(KeyError):
            exports[name]


def test_an_unhashable_name_is_a_type_error(exports):
    with pytest.raises(TypeError, match="unhashable"):
        exports[["b"]]


def test_nothing_can_be_set(exports):
    with pytest.raises(AttributeError, match="exports can't be set: b"):
        exports.b = 5
    with pytest.raises(AttributeError, match="exports can't be deleted: b"):
        del exports.b
    with pytest.raises(TypeError):
        exports["b"] = 5
    with pytest.raises(TypeError):
        del exports["b"]


def test_completion_offers_exports_that_are_names(exports):
    offered = set(dir(exports))
    assert {"zz", "b", "a", "alias", "日本", "keys", "get"} <= offered
    assert "g 1" not in offered
    assert "" not in offered


def test_repr(exports):
    assert repr(exports) == "<wamr.Exports zz, b, a, g 1, alias, , 日本>"
    assert repr(load("(module)").exports) == "<wamr.Exports nothing>"


def test_exports_named_like_its_own_methods_do_not_hide_them():
    names = ["keys", "items", "values", "get", "__len__", "__dict__", "_wamr_state", "__class__"]
    text = "".join(
        f'(func (export "{name}") (result i32) (i32.const {i}))' for i, name in enumerate(names)
    )
    exports = load(f"(module {text})").exports
    assert [exports[name]() for name in names] == list(range(len(names)))
    assert list(exports.keys()) == names
    assert [func() for func in exports.values()] == list(range(len(names)))
    assert len(exports) == len(names)
    assert exports.get("get")() == 3
    assert dict(exports)["keys"]() == 0
    assert type(exports).__name__ == "Exports"


def test_equal_only_to_itself_and_hashable(exports):
    other = load(MIXED).exports
    same = exports
    assert exports == same
    assert exports != other
    assert len({exports, other, exports}) == 2


def test_an_export_is_from_its_instance(store):
    module = Module(store, MIXED)
    one, other = Instance(store, module).exports, Instance(store, module).exports
    for name in NAMES:
        assert one[name] != other[name]
        assert one[name].store is store


def test_what_was_imported_is_exported_as_itself(store):
    text = """(module (import "m" "f" (func)) (import "m" "m" (memory 1))
        (import "m" "t" (table 1 funcref)) (import "m" "g" (global (mut i32)))
        (export "f" (func 0)) (export "m" (memory 0)) (export "t" (table 0))
        (export "g" (global 0)))"""
    first = load(
        """(module (func (export "f")) (memory (export "m") 1)
            (table (export "t") 1 funcref) (global (export "g") (mut i32) (i32.const 1)))"""
    )
    exports = Instance(first.store, Module(first.store, text), {"m": first}).exports
    assert {name: exports[name] for name in exports} == dict(first.exports)


def test_a_host_function_is_exported_as_itself(store):
    calls = []
    func = Func(store, FuncType([]), lambda: calls.append(1))
    text = '(module (import "m" "f" (func)) (export "g" (func 0)))'
    exports = Instance(store, Module(store, text), [func]).exports
    assert exports.g == func
    exports.g()
    assert calls == [1]
