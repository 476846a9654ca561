"""The types: valid arguments, comparison, representation."""

import copy
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wamr import Ref, types
from wamr._base import shared
from wamr.types import (
    ExportType,
    FuncType,
    GlobalType,
    ImportType,
    Limits,
    MemoryType,
    TableType,
    TagType,
    ValType,
)

I32, I64, F32, F64 = ValType.I32, ValType.I64, ValType.F32, ValType.F64
V128, EXTERNREF, FUNCREF = ValType.V128, ValType.EXTERNREF, ValType.FUNCREF
EXNREF = ValType.EXNREF

valtypes = st.sampled_from(list(ValType))
functypes = st.builds(FuncType, st.lists(valtypes, max_size=20), st.lists(valtypes, max_size=20))
limits = st.tuples(st.integers(0, 1000), st.none() | st.integers(0, 1000)).map(
    lambda pair: Limits(pair[0], None if pair[1] is None else pair[0] + pair[1])
)
externtypes = (
    functypes
    | st.builds(GlobalType, valtypes, st.booleans())
    | st.builds(TableType, st.sampled_from([FUNCREF, EXTERNREF, EXNREF]), limits)
    | st.builds(MemoryType, limits)
    | st.builds(TagType, st.lists(valtypes, max_size=20))
)
anything = (
    externtypes
    | limits
    | st.builds(ImportType, st.text(), st.text(), externtypes)
    | st.builds(ExportType, st.text(), externtypes)
)


# ------------------------------------------------------------------ equality, copies, immutability
@given(anything)
def test_a_copy_and_a_pickle_are_equal_and_hash_equal(value):
    for twin in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert twin == value
        assert hash(twin) == hash(value)
        assert repr(twin) == repr(value)


@given(anything, anything)
def test_two_values_are_equal_exactly_when_they_read_the_same(one, other):
    assert (one == other) == (repr(one) == repr(other))


@given(anything)
def test_nothing_about_a_type_can_be_changed(value):
    for field in [*type(value).__slots__, "anything_new"]:
        with pytest.raises(AttributeError, match="immutable"):
            setattr(value, field, None)
        with pytest.raises(AttributeError, match="immutable"):
            delattr(value, field)
    assert not hasattr(value, "__dict__")


def test_a_type_is_unequal_to_other_values():
    assert Limits(1) != (1, None)
    assert FuncType([]) != "() -> ()"
    assert MemoryType(Limits(1)) != Limits(1)
    assert GlobalType(I32) != GlobalType(I32, True)
    assert TagType([I32]) != FuncType([I32])
    assert FuncType([I32]) != TagType([I32])
    assert TagType([I32]) != (I32,)
    assert TagType() != None  # noqa: E711


def test_a_subclass_keeps_the_fields():
    class Pages(Limits):
        pass

    assert Pages(1, 2)._values() == (1, 2)
    assert Pages(1, 2) != Limits(1, 2)


# ------------------------------------------------------------------ kinds of values
def test_valtypes_know_their_name_and_code():
    assert ValType("i32") is I32
    assert str(V128) == "v128"
    assert repr(EXTERNREF) == "ValType.EXTERNREF"
    assert [kind.code for kind in (I32, I64, F32, F64, V128, FUNCREF, EXTERNREF, EXNREF)] == [
        *(0x7F, 0x7E, 0x7D, 0x7C, 0x7B),
        *(0x70, 0x6F, 0x69),
    ]
    assert pickle.loads(pickle.dumps(F32)) is F32


@pytest.mark.parametrize("name", ["", "I32", "int", "anyref", "exn", "noexn", None, 0x7F])
def test_other_names_are_no_valtype(name):
    with pytest.raises(ValueError, match="is not a valid ValType"):
        ValType(name)


# ------------------------------------------------------------------ limits, and types with limits
def test_limits_hold_their_bounds():
    assert (Limits(1).min, Limits(1).max) == (1, None)
    assert (Limits(0, 0).min, Limits(0, 0).max) == (0, 0)
    assert repr(Limits(1)) == "Limits(1)"
    assert repr(Limits(1, 2)) == "Limits(1, 2)"
    assert Limits(min=3, max=4) == Limits(3, 4)


def test_limits_take_what_counts_as_an_int():
    class Three:
        def __index__(self):
            return 3

    assert repr(Limits(Three(), Three())) == "Limits(3, 3)"


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ((-1,), ValueError, "min must not be negative: -1"),
        ((0, -1), ValueError, "max must not be negative: -1"),
        ((2, 1), ValueError, "min must not be greater than max: 2 > 1"),
        ((None,), TypeError, "min must be an int, not NoneType"),
        ((1.0,), TypeError, "min must be an int, not float"),
        (("1",), TypeError, "min must be an int, not str"),
        ((1, "2"), TypeError, "max must be an int, not str"),
        ((True,), TypeError, "min must be an int, not bool"),
    ],
)
def test_limits_refuse(args, error, message):
    with pytest.raises(error, match=message):
        Limits(*args)


def test_a_memory_may_have_four_gibibytes_and_no_more():
    assert MemoryType(Limits(0, 65_536)).limits.max == 65_536
    for beyond in (Limits(65_537), Limits(0, 65_537)):
        with pytest.raises(ValueError, match="65537 is more than the maximum, 65536 pages"):
            MemoryType(beyond)


def test_a_table_may_have_what_an_index_reaches_and_no_more():
    assert TableType(FUNCREF, Limits(0, 2**32 - 1)).limits.max == 2**32 - 1
    with pytest.raises(ValueError, match="limits: 4294967296 is more than"):
        TableType(FUNCREF, Limits(0, 2**32))


@pytest.mark.parametrize("bad", [None, 1, (1, 2), "1"])
def test_memories_and_tables_need_limits(bad):
    with pytest.raises(TypeError, match="limits must be a Limits, not"):
        MemoryType(bad)
    with pytest.raises(TypeError, match="limits must be a Limits, not"):
        TableType(FUNCREF, bad)


def test_a_table_holds_references():
    with pytest.raises(ValueError, match="element must be funcref, externref or exnref, not i32"):
        TableType(I32, Limits(1))
    for bad in (None, "funcref"):
        with pytest.raises(TypeError, match="element must be a ValType"):
            TableType(bad, Limits(1))


def test_a_global_needs_a_valtype_and_a_bool():
    with pytest.raises(TypeError, match="content must be a ValType, not NoneType None"):
        GlobalType(None)
    for bad in (None, 1, "mut"):
        with pytest.raises(TypeError, match="mutable must be a bool"):
            GlobalType(I32, bad)


@pytest.mark.parametrize(
    ("value", "text", "representation"),
    [
        (GlobalType(I32), "constant i32", "GlobalType(ValType.I32)"),
        (GlobalType(F64, True), "mutable f64", "GlobalType(ValType.F64, mutable=True)"),
        (
            TableType(FUNCREF, Limits(1, 2)),
            "1 to 2 funcrefs",
            "TableType(ValType.FUNCREF, Limits(1, 2))",
        ),
        (
            TableType(EXNREF, Limits(1)),
            "at least 1 exnref",
            "TableType(ValType.EXNREF, Limits(1))",
        ),
        (MemoryType(Limits(1)), "at least 1 page", "MemoryType(Limits(1))"),
        (TagType(), "()", "TagType([])"),
        (TagType((I32, EXNREF)), "(i32, exnref)", "TagType([ValType.I32, ValType.EXNREF])"),
        (MemoryType(Limits(2, 2)), "exactly 2 pages", "MemoryType(Limits(2, 2))"),
        (
            ImportType("env", "f", FuncType([I32])),
            "import 'env' 'f': function (i32) -> ()",
            """ImportType('env', 'f', FuncType("(i32) -> ()"))""",
        ),
        (
            ExportType("memory", MemoryType(Limits(0))),
            "export 'memory': memory of at least 0 pages",
            "ExportType('memory', MemoryType(Limits(0)))",
        ),
        (
            ImportType("env", "failed", TagType([I32])),
            "import 'env' 'failed': tag (i32)",
            "ImportType('env', 'failed', TagType([ValType.I32]))",
        ),
        (
            ExportType("failed", TagType()),
            "export 'failed': tag ()",
            "ExportType('failed', TagType([]))",
        ),
    ],
)
def test_types_read_well(value, text, representation):
    assert str(value) == text
    assert repr(value) == representation


def test_imports_and_exports_are_named_types():
    memory = MemoryType(Limits(1))
    assert ImportType("env", "m", memory).type is memory
    assert ExportType("m", memory).name == "m"
    for bad in (None, b"env", 1):
        with pytest.raises(TypeError, match="module must be a str"):
            ImportType(bad, "m", memory)
        with pytest.raises(TypeError, match="name must be a str"):
            ImportType("env", bad, memory)
        with pytest.raises(TypeError, match="name must be a str"):
            ExportType(bad, memory)
    for bad in (None, I32, Limits(1), "func"):
        with pytest.raises(TypeError, match="type must be a FuncType, GlobalType, TableType, Mem"):
            ExportType("m", bad)


# ------------------------------------------------------------------ tag types
@given(st.lists(valtypes, max_size=300))
def test_a_tag_type_has_the_types_of_the_values(kinds):
    made = TagType(kinds)
    assert made.params == tuple(kinds)
    assert made == TagType(tuple(kinds)) == TagType(iter(kinds))
    assert hash(made) == hash(TagType(made.params))
    assert str(made) == f"({', '.join(map(str, kinds))})"
    assert eval(repr(made)) == made


def test_a_tag_type_without_values():
    assert TagType() == TagType([]) == TagType(())
    assert TagType().params == ()
    assert len({TagType(), TagType([I32]), TagType([I64]), TagType([I32, I64])}) == 4


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (None, "params must be a sequence of ValType, not NoneType"),
        (1, "params must be a sequence of ValType, not int"),
        (I32, "params must be a sequence of ValType, not ValType"),
        ("i32", "params must be a sequence of ValType, not str"),
        (b"\x7f", r"params\[0\] must be a ValType, not int"),
        ([None], r"params\[0\] must be a ValType, not NoneType None"),
        ([I32, "i32"], r"params\[1\] must be a ValType, not str 'i32'"),
        ([[I32]], r"params\[0\] must be a ValType, not list"),
        (FuncType([I32]), "params must be a sequence of ValType, not FuncType"),
    ],
)
def test_a_tag_type_refuses(params, message):
    with pytest.raises(TypeError, match=message):
        TagType(params)


def test_a_tag_type_has_no_results():
    with pytest.raises(TypeError):
        TagType([I32], [I32])
    with pytest.raises(TypeError):
        TagType(results=[])
    assert not hasattr(TagType(), "results")


# ------------------------------------------------------------------ function types
@given(functypes)
def test_a_signature_can_be_parsed_from_its_text(signature):
    assert FuncType.parse(str(signature)) == signature
    assert repr(signature) == f'FuncType("{signature}")'


@given(functypes)
def test_a_signature_can_be_made_from_its_codes(signature):
    params = bytes([kind.code for kind in signature.params])
    results = bytes([kind.code for kind in signature.results])
    assert FuncType._from_kinds(params, results) == signature
    assert FuncType._from_kinds(params, results) is FuncType._from_kinds(params, results)


def test_shared_signatures_do_not_pile_up():
    for number in range(shared.MOST + 10):
        FuncType._from_kinds(bytes([0x7F, 0x7E][int(bit)] for bit in f"{number:b}"), b"")
    assert 0 < len(types._shared) <= shared.MOST


def test_shared_values_are_found_until_there_are_too_many(monkeypatch):
    monkeypatch.setattr(shared, "MOST", 3)
    values = shared.Shared()
    first = [1]
    assert values.share("a", first) is first
    assert values.share("a", [1]) is first
    values.share("b", [2])
    values.share("c", [3])
    assert values["a"] is first
    assert values.share("d", [4]) == [4]  # `values` was full, and was cleared first
    assert dict(values) == {"d": [4]}


@pytest.mark.parametrize(
    ("text", "params", "results"),
    [
        ("()", (), ()),
        ("() -> ()", (), ()),
        ("(i32)->i64", (I32,), (I64,)),
        (" ( i32 , f32 )  ->  ( f64 , v128 ) ", (I32, F32), (F64, V128)),
        ("(externref, funcref)", (EXTERNREF, FUNCREF), ()),
        ("(exnref) -> exnref", (EXNREF,), (EXNREF,)),
    ],
)
def test_parse_reads(text, params, results):
    assert FuncType.parse(text) == FuncType(params, results)


@pytest.mark.parametrize(
    "text",
    [
        *("", "i32", "i32 -> i32", "(i32", "(i32) ->", "(int) -> i32", "(i32,) -> i32", "-> i32"),
        *("(i32 i32)", "(i32) -> (i32", "(i32) -> i32, i32", "(i32) -> i32 -> i32"),
    ],
)
def test_parse_refuses_with_the_text_in_its_message(text):
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        FuncType.parse(text)


@pytest.mark.parametrize("bad", [None, b"()", 1, [I32]])
def test_parse_needs_text(bad):
    with pytest.raises(TypeError, match="text must be a str"):
        FuncType.parse(bad)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((None,), "params must be a sequence of ValType, not NoneType"),
        (([None],), r"params\[0\] must be a ValType, not NoneType None"),
        (([I32, "i32"],), r"params\[1\] must be a ValType, not str 'i32'"),
        (([], [int]), r"results\[0\] must be a ValType"),
        (([], None), "results must be a sequence"),
        (([], I32), "results must be a sequence of ValType, not ValType"),
        (("(i32) -> i32",), "FuncType.parse reads a signature"),
        (("i32",), "params must be a sequence of ValType, not str"),
    ],
)
def test_functype_refuses(args, message):
    with pytest.raises(TypeError, match=message):
        FuncType(*args)


def test_three_hundred_parameters_are_fine():
    assert len(FuncType([I64] * 300).params) == 300


def test_a_wrong_value_is_shown_in_short_and_its_repr_may_fail():
    class Unshown:
        def __repr__(self):
            raise ZeroDivisionError

    with pytest.raises(TypeError, match=r"params\[0\] must be a ValType, not Unshown$"):
        FuncType([Unshown()])
    with pytest.raises(TypeError, match=r"type must be FUNCREF, .*, not Unshown$"):
        Ref(None, Unshown())
    with pytest.raises(TypeError, match=r"content must be a ValType, not str 'xxx.*…$") as caught:
        GlobalType("x" * 100_000)
    assert len(str(caught.value)) < 200
