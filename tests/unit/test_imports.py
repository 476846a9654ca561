"""Linking: which items match which imports, and the errors for those that don't."""

from collections import UserDict, UserList, defaultdict
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_modules import CALLS, double

from wamr import (
    ClosedError,
    Engine,
    Func,
    FuncType,
    Global,
    GlobalType,
    Instance,
    Limits,
    LinkError,
    Memory,
    MemoryType,
    Module,
    Store,
    Table,
    TableType,
    ValType,
    load,
)

I32, I64 = ValType.I32, ValType.I64
ALL_KINDS = """(module (import "a" "f" (func)) (import "a" "m" (memory 1))
    (import "b" "t" (table 1 funcref)) (import "b" "g" (global i32)))"""


def one_of_each(store):
    return {
        "f": Func(store, FuncType([]), lambda: None),
        "m": Memory(store, MemoryType(Limits(1))),
        "t": Table(store, TableType(ValType.FUNCREF, Limits(1))),
        "g": Global(store, GlobalType(I32), 1),
    }


# ------------------------------------------------------------------ forms of the argument `imports`
@pytest.mark.parametrize(
    "imports",
    [
        {"env": {"f": double}},
        {"env": {"f": double, "more": 5}, "other": None, "x": 7},
        MappingProxyType({"env": MappingProxyType({"f": double})}),
        UserDict(env=UserDict(f=double)),
        [double],
        (double,),
        UserList([double]),
    ],
    ids=lambda imports: type(imports).__name__,
)
def test_mappings_and_sequences(store, imports):
    assert Instance(store, Module(store, CALLS), imports).exports.go(21) == 42


def test_a_mapping_may_make_its_items_up():
    class Anything(dict):
        def __missing__(self, key):
            raise AssertionError("not asked")

    with pytest.raises(LinkError, match=r"env\.f is missing"):
        load(CALLS, {"env": Anything()})
    with pytest.raises(LinkError, match=r"env\.f is missing"):
        load(CALLS, defaultdict(dict))


def test_a_sequence_follows_the_modules_order(store):
    externs = one_of_each(store)
    items = [externs[name] for name in "fmtg"]
    Instance(store, Module(store, ALL_KINDS), items)
    with pytest.raises(LinkError, match=r"import a\.m must be a memory .*, not a table"):
        Instance(store, Module(store, ALL_KINDS), [items[0], items[2], items[1], items[3]])


@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_a_sequence_has_the_length_of_the_imports(store, count):
    with pytest.raises(LinkError, match=f"the module has 4 imports, not {count}"):
        Instance(store, Module(store, ALL_KINDS), [double] * count)


def test_no_imports_for_no_imports(store):
    module = Module(store, "(module)")
    for imports in (None, {}, [], (), {"any": {"name": double}}):
        Instance(store, module, imports)
    with pytest.raises(LinkError, match="the module has 0 imports, not 1"):
        Instance(store, module, [double])


@pytest.mark.parametrize("imports", [5, "env", b"env", {1}, object(), iter([double]), double])
def test_what_is_no_imports_at_all(store, imports):
    with pytest.raises(TypeError, match="imports must be a mapping of mappings or a sequence"):
        Instance(store, Module(store, CALLS), imports)


@pytest.mark.parametrize("inner", [None, 5, "f", [double], double])
def test_what_is_no_inner_mapping(store, inner):
    with pytest.raises(TypeError, match=rf"imports\['env'\] must be .* not {type(inner).__name__}"):
        Instance(store, Module(store, CALLS), {"env": inner})


@pytest.mark.parametrize("item", [None, 5, "f", b"", [], {}])
def test_what_is_no_item(store, item):
    for imports in ({"env": {"f": item}}, [item]):
        with pytest.raises(
            TypeError, match=rf"import env\.f must be a Func.* not {type(item).__name__}"
        ):
            Instance(store, Module(store, CALLS), imports)


class HasExports:
    exports = {"f": double}  # noqa: RUF012


@pytest.mark.parametrize("make", [HasExports, lambda: Module(Engine(), "(module)")])
def test_nothing_else_that_has_exports_stands_for_them(store, make):
    with pytest.raises(TypeError, match=r"imports\['env'\] must be a mapping or an Instance, not"):
        Instance(store, Module(store, CALLS), {"env": make()})


def test_an_instance_or_its_exports_stand_for_the_inner_mapping(store):
    text = '(module (func (export "f") (param i32) (result i32) (i32.const 9)))'
    provider = Instance(store, Module(store, text))
    for space in (provider, provider.exports, {"f": provider.exports.f}):
        assert Instance(store, Module(store, CALLS), {"env": space}).exports.go(1) == 9


def test_exports_named_like_methods_are_found(store):
    names = ("get", "keys", "items")
    funcs = [f'(func (export "{name}") (result i32) (i32.const 4))' for name in names]
    provider = Instance(store, Module(store, f"(module {' '.join(funcs)})"))
    text = "".join(f'(import "m" "{name}" (func (result i32)))' for name in names)
    user = Instance(
        store,
        Module(store, f'(module {text} (func (export "go") (result i32) (call 1)))'),
        {"m": provider},
    )
    assert user.exports.go() == 4


def test_one_name_imported_twice(store):
    text = """(module (import "m" "x" (func $a (result i32)))
        (import "m" "x" (func $b (result i32)))
        (func (export "go") (result i32) (i32.add (call $a) (call $b))))"""
    assert load(text, {"m": {"x": lambda: 4}}).exports.go() == 8
    assert load(text, [lambda: 1, lambda: 2]).exports.go() == 3


# ------------------------------------------------------------------ what is missing
@pytest.mark.parametrize("imports", [None, {}, {"env": {}}, {"other": {"f": double}}])
def test_a_missing_import_is_named_with_its_type(store, imports):
    with pytest.raises(
        LinkError, match=r"import env\.f is missing: it is a function \(i32\) -> i32"
    ):
        Instance(store, Module(store, CALLS), imports)


@pytest.mark.parametrize(
    ("declaration", "described"),
    [
        ("(func (param i64) (result f32 f64))", r"a function \(i64\) -> \(f32, f64\)"),
        ("(memory 2 5)", "a memory of 2 to 5 pages"),
        ("(memory 2)", "a memory of at least 2 pages"),
        ("(table 3 externref)", "a table of at least 3 externrefs"),
        ("(global (mut v128))", "a global, mutable v128|a mutable v128|a global mutable v128"),
    ],
)
def test_what_is_missing_is_described(store, declaration, described):
    with pytest.raises(LinkError, match=rf"import a\.b is missing: it is ({described})"):
        Instance(store, Module(store, f'(module (import "a" "b" {declaration}))'))


# ------------------------------------------------------------------ matching
def limits(low, high):
    return f"{low}" if high is None else f"{low} {high}"


def fits(given_, wanted):
    """Return whether limits match, by section 4.5.4 of the specification."""
    (low, high), (least, most) = given_, wanted
    return low >= least and (most is None or (high is not None and high <= most))


any_limits = st.tuples(st.integers(0, 4), st.one_of(st.none(), st.integers(0, 4))).map(
    lambda pair: (pair[0], None if pair[1] is None else pair[0] + pair[1])
)


@given(any_limits, any_limits, st.booleans())
def test_limits_of_memories_match_by_the_specs_rule(given_, wanted, exported):
    with Store() as store:
        if exported:
            text = f'(module (memory (export "m") {limits(*given_)}))'
            memory = Instance(store, Module(store, text)).exports.m
        else:
            memory = Memory(store, MemoryType(Limits(*given_)))
        module = Module(store, f'(module (import "a" "m" (memory {limits(*wanted)})))')
        if fits(given_, wanted):
            Instance(store, module, [memory])
        else:
            with pytest.raises(LinkError, match=r"import a\.m must be a memory .*, not a memory "):
                Instance(store, module, [memory])


@given(
    any_limits,
    any_limits,
    st.sampled_from(["funcref", "externref"]),
    st.sampled_from(["funcref", "externref"]),
    st.booleans(),
)
def test_tables_match_by_the_specs_rule(given_, wanted, kind, wanted_kind, exported):
    with Store() as store:
        if exported:
            text = f'(module (table (export "t") {limits(*given_)} {kind}))'
            table = Instance(store, Module(store, text)).exports.t
        else:
            table = Table(store, TableType(ValType(kind), Limits(*given_)))
        text = f'(module (import "a" "t" (table {limits(*wanted)} {wanted_kind})))'
        module = Module(store, text)
        if fits(given_, wanted) and kind == wanted_kind:
            Instance(store, module, [table])
        else:
            with pytest.raises(LinkError, match=r"import a\.t must be a table .*, not a table "):
                Instance(store, module, [table])


kinds = st.sampled_from(["i32", "i64", "f32", "f64", "v128", "externref", "funcref"])
ZERO = {"v128": bytes(16), "externref": None, "funcref": None}


@given(kinds, kinds, st.booleans(), st.booleans())
def test_globals_match_exactly(kind, wanted, mutable, wanted_mutable):
    with Store() as store:
        global_ = Global(store, GlobalType(ValType(kind), mutable), ZERO.get(kind, 0))
        declared = f"(mut {wanted})" if wanted_mutable else wanted
        module = Module(store, f'(module (import "a" "g" (global {declared})))')
        if (kind, mutable) == (wanted, wanted_mutable):
            Instance(store, module, [global_])
        else:
            with pytest.raises(LinkError, match=r"import a\.g must be a global .*, not a global "):
                Instance(store, module, [global_])


types = st.lists(kinds, max_size=3)


@given(types, types, types, types, st.booleans())
def test_functions_match_exactly(params, results, wanted_params, wanted_results, exported):
    def declared(params, results):
        return f"(param {' '.join(params)}) (result {' '.join(results)})"

    with Store() as store:
        if exported:
            text = f'(module (func (export "f") {declared(params, results)} unreachable))'
            func = Instance(store, Module(store, text)).exports.f
        else:
            type_ = FuncType([ValType(p) for p in params], [ValType(r) for r in results])
            func = Func(store, type_, lambda *args: None)
        wanted = declared(wanted_params, wanted_results)
        module = Module(store, f'(module (import "a" "f" (func {wanted})))')
        if (params, results) == (wanted_params, wanted_results):
            Instance(store, module, [func])
        else:
            with pytest.raises(LinkError, match=r"import a\.f must be a function .*, not a func"):
                Instance(store, module, [func])


@pytest.mark.parametrize("wanted", ["f", "m", "t", "g"])
@pytest.mark.parametrize("given_", ["f", "m", "t", "g"])
def test_kinds_do_not_mix(store, wanted, given_):
    names = {"f": "function", "m": "memory", "t": "table", "g": "global"}
    declaration = {
        "f": "(func)",
        "m": "(memory 1)",
        "t": "(table 1 funcref)",
        "g": "(global i32)",
    }
    module = Module(store, f'(module (import "a" "b" {declaration[wanted]}))')
    item = one_of_each(store)[given_]
    if wanted == given_:
        Instance(store, module, [item])
        return
    with pytest.raises(LinkError) as caught:
        Instance(store, module, [item])
    assert f"import a.b must be a {names[wanted]}" in str(caught.value)
    assert f"not a {names[given_]}" in str(caught.value)


@pytest.mark.parametrize("declaration", ["(memory 1)", "(table 1 funcref)", "(global i32)"])
def test_a_callable_is_a_function_only(store, declaration):
    with pytest.raises(LinkError, match=r"import a\.b must be a .*, not a function"):
        Instance(store, Module(store, f'(module (import "a" "b" {declaration}))'), [double])


def test_a_grown_memory_matches_by_its_present_size(store):
    memory = Memory(store, MemoryType(Limits(1, 5)))
    module = Module(store, '(module (import "a" "m" (memory 3 5)))')
    with pytest.raises(LinkError):
        Instance(store, module, [memory])
    memory.grow(2)
    Instance(store, module, [memory])


# ------------------------------------------------------------------ other stores, closed instances
def test_of_another_store(store):
    for other in (Store(), Store(Engine())):
        for name, item in one_of_each(other).items():
            declaration = {
                "f": "(func)",
                "m": "(memory 1)",
                "t": "(table 1 funcref)",
                "g": "(global i32)",
            }[name]
            module = Module(store, f'(module (import "a" "b" {declaration}))')
            with pytest.raises(ValueError, match=r"import a\.b: <wamr\..* is of another store"):
                Instance(store, module, [item])


def test_of_a_closed_instance(store):
    text = """(module (func (export "f")) (memory (export "m") 1) (table (export "t") 1 funcref)
        (global (export "g") i32 (i32.const 1)))"""
    provider = Instance(store, Module(store, text))
    externs = dict(provider.exports)
    provider.close()
    for name, item in externs.items():
        declaration = {
            "f": "(func)",
            "m": "(memory 1)",
            "t": "(table 1 funcref)",
            "g": "(global i32)",
        }[name]
        module = Module(store, f'(module (import "a" "{name}" {declaration}))')
        for imports in ([item], {"a": provider}, {"a": {name: item}}):
            with pytest.raises(ClosedError):
                Instance(store, module, imports)


def test_a_failed_link_changes_nothing(store):
    memory = Memory(store, MemoryType(Limits(1)))
    text = """(module (import "a" "m" (memory 1)) (import "a" "missing" (func))
        (data (i32.const 0) "written"))"""
    for _ in range(20):
        with pytest.raises(LinkError):
            Instance(store, Module(store, text), {"a": {"m": memory}})
    assert memory[0:7] == bytes(7)
