"""The proposals that a refused module uses are named, and those that the build has are not."""

import pytest
from modules_as_bytes import module, refusal

from wamr import FEATURES, Engine, Module
from wamr._diagnosis.proposals import PROPOSALS, what_there_is
from wamr._diagnosis.sections import Contents

# Modules with exceptions, which load: the first use of the feature is found in each.
EXCEPTIONS = {
    "exceptions": [
        "(tag)",
        '(import "m" "t" (tag))',
        '(tag (export "t"))',
        "(tag $t) (func (throw $t))",
        "(func (block (try_table (catch_all 0))))",
        "(func (param exnref) (throw_ref (local.get 0)))",
        "(global (mut exnref) (ref.null exn))",
        "(table 1 exnref)",
        "(func (local exnref))",
        "(elem exnref)",
        '(import "m" "g" (global exnref))',
        "(func (block (result exnref) unreachable) drop)",
        "(func (param (ref exn)) (throw_ref (local.get 0)))",
        "(func (result (ref exn)) unreachable)",
        "(tag $t) (func (result exnref) (try_table (catch_ref $t 0) (throw $t)) unreachable)",
    ],
    "legacy-exceptions": [
        "(func try end)",
        "(func try catch_all end)",
        "(tag $t) (func try throw $t catch $t rethrow 0 end)",
        "(func try (delegate 0))",
        "(func (result i32) try (result i32) i32.const 1 catch_all i32.const 2 end)",
    ],
}
F = "(type $f (func)) "
C = "(type $f (func)) (type $c (cont $f)) "
PROPOSED = {
    "gc": [
        "(type (struct))",
        "(type (array i8))",
        "(rec (type (func)) (type (func)))",
        "(type (sub (func)))",
        "(type $s (struct (field i32))) (func (drop (struct.new_default $s)))",
        "(func (param anyref))",
        "(func (drop (ref.i31 (i32.const 1))))",
        "(func (param eqref eqref) (result i32) (ref.eq (local.get 0) (local.get 1)))",
        "(func (local arrayref))",
        "(func (param externref) (drop (any.convert_extern (local.get 0))))",
        "(func (drop (ref.null none)))",
        "(table 1 anyref)",
        "(global anyref (ref.null any))",
        "(global $a i32 (i32.const 1)) (global i32 (global.get $a))",
        '(global $a i32 (i32.const 1)) (memory 1) (data (global.get $a) "x")',
        "(global $a i32 (i32.const 1)) (table 2 funcref) (elem (global.get $a) func)",
        '(import "m" "t" (table 1 anyref))',
        "(global (ref i31) (ref.i31 (i32.const 1)))",
        "(func (block (result anyref) (unreachable)) drop)",
        "(elem anyref (ref.null any))",
        "(func (param nullexnref))",
        "(func (drop (ref.null noexn)))",
        "(rec (type $f (func))) (tag (type $f))",
        "(func (param exnref) (drop (ref.test (ref exn) (local.get 0))))",
    ],
    "function-references": [
        F + "(func (param (ref $f)))",
        "(type (func)) " * 9 + "(func (param (ref 8) (ref null 7)))",
        F + "(func (param (ref null $f)) (call_ref $f (local.get 0)))",
        F + "(func (local (ref null $f)))",
        "(func (param funcref) (drop (ref.as_non_null (local.get 0))))",
        "(func (param exnref) (drop (ref.as_non_null (local.get 0))))",
        "(table 1 exnref (ref.null exn))",
        F + "(tag (param (ref $f)))",
        "(func (param funcref) (block (br_on_null 0 (local.get 0)) drop))",
        "(func $g) (table 1 (ref func) (ref.func $g))",
        "(func $g) (table 1 funcref (ref.func $g))",
        F + "(func (drop (ref.null $f)))",
        "(func $g) (elem declare (ref func) (item ref.func $g))",
        F + "(global (mut (ref null $f)) (ref.null $f))",
        F + "(func $g) (elem (ref $f) (ref.func $g))",
        F + "(func (block (result (ref $f)) unreachable) drop)",
        F + "(func (result (ref $f)) (unreachable))",
        F + '(import "m" "g" (global (ref $f)))',
    ],
    "threads": [
        "(memory 1 1 shared)",
        '(import "m" "m" (memory 1 2 shared))',
        "(memory 1 1 shared) (func (drop (i32.atomic.load (i32.const 0))))",
    ],
    "memory64": [
        "(memory i64 1)",
        "(memory i64 1 2)",
        '(import "m" "m" (memory i64 1))',
        "(table i64 1 funcref)",
        '(import "m" "t" (table i64 1 funcref))',
        "(memory i64 0x100000001)",
    ],
    "multi-memory": [
        "(memory 1) (memory 1)",
        '(import "m" "m" (memory 1)) (memory 1)',
        "(memory $a 1) (memory $b 1) (func (drop (i32.load $b (i32.const 0))))",
        '(memory $a 1) (memory $b 1) (data (memory $b) (i32.const 0) "a")',
    ],
    "custom-page-sizes": ["(memory 1 (pagesize 1))", "(memory 1 2 (pagesize 65536))"],
    "stack-switching": [
        C,
        C + "(func (param (ref $c)) (resume $c (local.get 0)))",
        C + "(tag $t) (func (param (ref null $c)) (resume_throw $c $t (local.get 0)))",
        "(tag $t) (func (suspend $t))",
        "(func (param contref))",
    ],
    "wide-arithmetic": [
        "(func (result i64 i64) (i64.mul_wide_u (i64.const 1) (i64.const 1)))",
        f"(func (result i64 i64) (i64.add128 {'(i64.const 1) ' * 4}))",
    ],
    "compact-imports": [
        '(import "m" (item "a" (func)) (item "b" (func)))',
        '(import "m" (item "a") (item "b") (func))',
        '(import "m" (item "a") (item "b") (tag)) (func (throw 1))',
        '(import "m" (item "a") (item "b") (global i32)) (global i32 (global.get 1))',
    ],
    "shared-everything-threads": [
        "(table shared 1 (ref null (shared func)))",
        "(global (shared i32) (i32.const 1))",
        "(type (shared (func)))",
    ],
    "custom-descriptors": [
        "(rec (type $a (descriptor $b) (struct)) (type $b (describes $a) (struct)))"
    ],
}


@pytest.mark.parametrize(
    ("feature", "text"), [(name, text) for name, texts in PROPOSED.items() for text in texts]
)
def test_a_proposal_that_the_build_lacks_is_named(wat, feature, text):
    data = wat(f"(module {text})")
    said = refusal(data)
    assert feature not in FEATURES
    assert PROPOSALS[feature][0] in said
    assert what_there_is() in said
    assert "WAMR: " in said  # its own words
    contents = Contents(data)
    assert contents.problem is None
    assert feature in contents.uses  # the output of `wamr inspect`


@pytest.mark.parametrize(
    ("feature", "text"), [(name, text) for name, texts in EXCEPTIONS.items() for text in texts]
)
def test_a_module_with_exceptions_loads_and_its_features_are_found(wat, feature, text):
    data = wat(f"(module {text})")
    Module(Engine(), data)
    contents = Contents(data)
    assert contents.problem is None
    assert feature in contents.uses
    assert {*contents.uses} <= FEATURES


def test_a_compact_import_of_no_names_is_none():
    types = (1, b"\2\x60\0\0\x60\1\x7f\0")
    contents = Contents(module(types, (2, b"\1\1m\0\x7e\0\1\0"), (3, b"\1\0"), (10, b"\1\2\0\x0b")))
    assert contents.problem is None
    assert contents.imports == []
    assert contents.function_types() == ["() -> ()"]


@pytest.mark.parametrize("spelling", [b"\x69", b"\x63\x69", b"\x64\x69"], ids=bytes.hex)
def test_a_long_form_of_exnref_is_no_typed_function_reference(spelling):
    type_ = b"\x60\1" + spelling + b"\0"
    data = module((1, b"\1" + type_), (2, b"\2\1m\1f\0\0\1m\1g\3" + spelling + b"\0"))
    contents = Contents(data)
    assert {*contents.uses} == {"exceptions"}
    Module(Engine(), data)
    shown = "(ref exn)" if spelling[0] == 0x64 else "exnref"
    assert [item["type"] for item in contents.imports] == [f"({shown}) -> ()", f"constant {shown}"]


def test_a_proposal_that_is_used_besides_exceptions_is_named_alone(wat):
    said = refusal(wat("(module (tag $t) (func (throw $t)) (memory i64 1))"))
    assert "the module uses 64-bit memories and tables (memory64) (" in said
    assert "and exception handling" not in said.partition("does not have")[0]
    assert "exception handling" in said.partition("it has ")[2]


@pytest.mark.parametrize("features", [{"threads", "memory64"}, {"function-references", "gc"}])
def test_a_module_with_two_proposals_is_told_both(wat, features):
    text = " ".join(PROPOSED[feature][0] for feature in sorted(features))
    if features == {"threads", "memory64"}:
        text = "(memory i64 1 1 shared)"
    said = refusal(wat(f"(module {text})"))
    assert all(PROPOSALS[feature][0] in said for feature in features)


def test_where_a_proposal_is_used_is_said_by_name_and_byte(wat):
    data = wat('(module (func) (func $risky (export "r") (param funcref) (block'
               " (br_on_null 0 (local.get 0)) drop)))")  # fmt: skip
    said = refusal(data)
    at = data.index(b"\xd5\0")
    assert f'the instruction br_on_null in function 1 "risky", at byte {at:#x}' in said
