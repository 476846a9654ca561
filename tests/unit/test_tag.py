"""Tags and their types: identity, imports and exports, and wrong arguments."""

from __future__ import annotations

import copy
import pickle

import pytest

from wamr import (
    ClosedError,
    Extern,
    Func,
    FuncType,
    Instance,
    LinkError,
    Module,
    Store,
    Tag,
    TagType,
    ValType,
    WasmException,
)

I32, I64, REF = ValType.I32, ValType.I64, ValType.EXTERNREF
OF_I32 = TagType([I32])
PASSED_ON = """(module (import "m" "t" (tag (param i32))) (export "t" (tag 0)))"""
OWN = """(module (tag (export "t") (param i32)))"""
# Its functions throw $a and catch $b, or a tag of the module's own.
TWO = """(module
    (import "m" "a" (tag $a (param i32))) (import "m" "b" (tag $b (param i32)))
    (tag $own (param i32))
    (export "a" (tag $a)) (export "b" (tag $b)) (export "own" (tag $own))
    (func (export "a_by_b") (result i32)
        (block $h (result i32) (try_table (catch $b $h) (throw $a (i32.const 3))) (i32.const 0)))
    (func (export "a_by_own") (result i32)
        (block $h (result i32)
            (try_table (catch $own $h) (throw $a (i32.const 4))) (i32.const 0))))"""


# ------------------------------------------------------------------ types


def test_type_is_a_value():
    empty, one, two = TagType(), OF_I32, TagType([I32, I64])
    assert TagType([]) == empty == TagType(()) == TagType(iter([]))
    assert TagType([I32, I64]) == two
    assert len({empty, one, two, TagType([I64, I32]), TagType(iter([I32]))}) == 4
    assert hash(TagType([I32, I64])) == hash(two)
    assert (empty.params, two.params) == ((), (I32, I64))
    assert empty != FuncType([], [])
    assert one != FuncType([I32], [])
    assert one != (I32,)
    assert one != None  # noqa: E711


def test_text_of_a_type():
    kinds = list(ValType)
    assert eval(repr(TagType(kinds))) == TagType(kinds)
    assert repr(TagType()) == "TagType([])"
    assert str(TagType([I32, REF])) == "(i32, externref)"
    assert str(TagType()) == "()"


def test_type_cannot_be_changed():
    with pytest.raises(AttributeError, match="immutable"):
        OF_I32.params = ()
    with pytest.raises(AttributeError):
        del OF_I32.params
    assert TagType([I32]) == OF_I32


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_type_can_be_pickled(protocol):
    for type_ in (TagType(), TagType(list(ValType))):
        again = pickle.loads(pickle.dumps(type_, protocol))
        assert again == type_
        assert type(again) is TagType
        assert copy.deepcopy(type_) == copy.copy(type_) == type_


@pytest.mark.parametrize(
    "params", [None, 1, "i32", [None], [1], ["i32"], [I32, None], [[I32]], I32]
)
def test_wrong_params(params):
    with pytest.raises(TypeError, match="params"):
        TagType(params)


# ------------------------------------------------------------------ tags


@pytest.mark.parametrize("kinds", [[], [I32], list(ValType), [I32] * 200], ids=len)
def test_tag(store, kinds):
    tag = Tag(store, TagType(kinds))
    assert tag.type == TagType(kinds)
    assert tag.store is store
    assert isinstance(tag, Extern)
    assert repr(tag) == f"<wamr.Tag {TagType(kinds)}>"


def test_tags_of_one_type_differ(store):
    one, other = Tag(store, OF_I32), Tag(store, OF_I32)
    assert one == one
    assert one != other
    assert len({one, other, one}) == 2
    assert one != OF_I32
    assert one != None  # noqa: E711


def test_tag_cannot_be_copied_or_made_again(store):
    tag = Tag(store, OF_I32)
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="Tag"):
            attempt(tag)
    with pytest.raises(TypeError, match="made already"):
        tag.__init__(store, TagType())
    with pytest.raises(AttributeError):
        tag.type = TagType()
    assert tag.type == OF_I32


def test_wrong_arguments(store):
    for wrong in (None, 1, "store", Store, store.engine):
        with pytest.raises(TypeError, match="store"):
            Tag(wrong, OF_I32)
    for wrong in (None, 1, [I32], I32, FuncType([I32], []), TagType):
        with pytest.raises(TypeError, match="type must be a TagType"):
            Tag(store, wrong)
    with pytest.raises(TypeError):
        Tag(store)
    with pytest.raises(TypeError):
        Tag()


def test_closed_store():
    store = Store()
    tag = Tag(store, OF_I32)
    own = Instance(store, Module(store, OWN)).exports.t
    store.close()
    for closed in (tag, own):
        assert repr(closed) == "<wamr.Tag (i32), closed>"
        assert closed.type == OF_I32
        assert closed == closed
    assert tag != own
    with pytest.raises(ClosedError):
        Tag(store, OF_I32)


# ------------------------------------------------------------------ modules and instances


def test_imports_and_exports_of_a_module_have_tag_types(store):
    module = Module(store, TWO)
    assert [(item.module, item.name, item.type) for item in module.imports] == [
        ("m", "a", OF_I32),
        ("m", "b", OF_I32),
    ]
    types = {item.name: item.type for item in module.exports}
    assert [types[name] for name in ("a", "b", "own")] == [OF_I32] * 3


def test_exported_tag_is_the_imported_one(store):
    tag = Tag(store, OF_I32)
    first = Instance(store, Module(store, PASSED_ON), [tag])
    second = Instance(store, Module(store, PASSED_ON), {"m": first})
    for exported in (first.exports.t, second.exports.t, second.exports["t"]):
        assert isinstance(exported, Tag)
        assert exported == tag
        assert hash(exported) == hash(tag)
        assert exported.type == OF_I32
        assert exported.store is store


def test_tag_imported_twice_is_one(store):
    tag = Tag(store, OF_I32)
    exports = Instance(store, Module(store, TWO), [tag, tag]).exports
    assert exports.a == exports.b == tag
    assert exports.own != tag
    assert exports.a_by_b() == 3
    with pytest.raises(WasmException) as caught:
        exports.a_by_own()
    assert (caught.value.tag, caught.value.values) == (tag, (4,))


def test_two_tags_of_one_type_are_two(store):
    exports = Instance(store, Module(store, TWO), [Tag(store, OF_I32), Tag(store, OF_I32)]).exports
    assert exports.a != exports.b
    with pytest.raises(WasmException) as caught:
        exports.a_by_b()
    assert caught.value.tag == exports.a
    assert caught.value.tag != exports.b


def test_each_instance_has_a_tag_of_its_own(store):
    module = Module(store, OWN)
    one, other = Instance(store, module).exports, Instance(store, module).exports
    assert one.t != other.t
    linked = Instance(store, Module(store, TWO), [one.t, other.t]).exports
    assert (linked.a, linked.b) == (one.t, other.t)


def test_tag_outlives_its_instance(store):
    exported = Instance(store, Module(store, OWN)).exports.t
    linked = Instance(store, Module(store, TWO), [exported, exported]).exports
    assert linked.a_by_b() == 3
    owner = Instance(store, Module(store, OWN))
    closed = owner.exports.t
    owner.close()
    assert repr(closed) == "<wamr.Tag (i32), closed>"
    with pytest.raises(ClosedError):
        Instance(store, Module(store, TWO), [exported, closed])


def test_wrong_imports(store):
    module = Module(store, PASSED_ON)
    func = Func(store, FuncType([I32], []), lambda value: None)
    for wrong in (None, 1, OF_I32, Tag):
        with pytest.raises((TypeError, LinkError), match=r"m\.t"):
            Instance(store, module, [wrong])
    for wrong in (Tag(store, TagType()), Tag(store, TagType([I64])), func):
        with pytest.raises(LinkError, match=r"m\.t must be a tag \(i32\), not"):
            Instance(store, module, [wrong])
    with pytest.raises(LinkError, match=r"m\.t is missing"):
        Instance(store, module, {})
    with pytest.raises(ValueError, match="of another store"):
        Instance(store, module, [Tag(Store(), OF_I32)])
    for text in ("(func)", "(global i32)", "(memory 1)", "(table 1 funcref)"):
        other = Module(store, f'(module (import "m" "t" {text}))')
        with pytest.raises(LinkError, match=r"not a tag \(i32\)"):
            Instance(store, other, [Tag(store, OF_I32)])


def test_a_tag_with_results_is_refused(store):
    module = b"\0asm\1\0\0\0\1\5\1\x60\0\1\x7f"
    for text in (b"\x0d\3\1\0\0", b"\2\x08\1\1m\1t\4\0\0"):
        with pytest.raises(ValueError, match="non-empty tag result type"):
            Module(store, module + text)
