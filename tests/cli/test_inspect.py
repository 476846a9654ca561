"""`wamr inspect`: for people and as JSON."""

import json
import struct

import pytest
from command_line import assert_one_line

import wamr


def test_inspect_for_people(cli):
    done = cli("inspect", "args.wasm")
    assert (done.returncode, done.stderr) == (0, "")
    assert "a WASI command" in done.stdout
    assert "runs here: yes" in done.stdout
    assert "features: wasi" in done.stdout
    assert "wasi_snapshot_preview1  args_get           function  (i32, i32) -> i32" in done.stdout
    assert "memory: at least 1 page of 64 KiB" in done.stdout


def inspected(cli, file, **named):
    done = cli("inspect", "--json", file, **named)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_inspect_agrees_with_the_module(cli, here):
    for path in here.glob("*.wasm"):
        try:
            module = wamr.Module(wamr.Engine(), path)
        except wamr.CompileError:
            continue
        found = inspected(cli, path.name)
        assert found["runs"]
        assert found["problem"] is None
        assert found["size"] == path.stat().st_size
        imports = [(i.module, i.name, str(i.type)) for i in module.imports]
        assert [(i["module"], i["name"], i["type"]) for i in found["imports"]] == imports
        exports = [(e.name, str(e.type)) for e in module.exports]
        assert [(e["name"], e["type"]) for e in found["exports"]] == exports


@pytest.mark.parametrize(
    ("file", "kind"), [("args", "command"), ("reactor", "reactor"), ("library", "library")]
)
def test_inspect_tells_commands_reactors_and_the_rest(cli, file, kind):
    assert inspected(cli, f"{file}.wasm")["kind"] == kind


FEATURES = {
    "": "(func (param f64) (local i64) (if (i32.const 1) (then (call 0 (f64.const 1)))))",
    "atomics": "(memory 1) (func (drop (i64.atomic.rmw8.add_u (i32.const 0) (i64.const 1))))",
    "bulk-memory": "(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 1)))",
    "exceptions": "(tag)",
    "legacy-exceptions": "(func try end)",
    "extended-const": "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
    "memory64": "(memory i64 1)",
    "multi-memory": "(memory 1) (memory 1)",
    "multi-value": "(func (result i32 i32) (i32.const 0) (i32.const 0))",
    "mutable-globals": '(global (export "g") (mut i32) (i32.const 0))',
    "nontrapping-float-to-int": "(func (drop (i32.trunc_sat_f32_s (f32.const 1))))",
    "reference-types": "(table 1 externref)",
    "relaxed-simd": "(func unreachable f64x2.relaxed_madd drop)",
    "sign-extension": "(func (drop (i32.extend8_s (i32.const 1))))",
    "simd": "(func (drop (i8x16.extract_lane_s 3 (v128.const i64x2 1 2))))",
    "tail-call": "(func (return_call 0))",
    "threads": "(memory 1 1 shared)",
}


@pytest.mark.parametrize("feature", FEATURES)
def test_inspect_names_the_features(wat, feature):
    from wamr._cli.inspect import described

    found = described(wat(f"(module {FEATURES[feature]})"))
    assert [f["name"] for f in found["features"]] == ([feature] if feature else [])
    supported = feature in wamr.FEATURES or not feature
    assert all(f["supported"] == supported for f in found["features"])
    assert found["runs"] == supported, found["reason"]
    assert found["problem"] is None


def test_inspect_shows_tags(cli):
    found = inspected(cli, "throwing.wasm")
    assert found["tags"] == ["()", "(i32, f64)"]
    assert {"name": "failed", "kind": "tag", "type": "(i32, f64)"} in found["exports"]
    features = {feature["name"]: feature["supported"] for feature in found["features"]}
    assert features["exceptions"] is features["legacy-exceptions"] is True
    (section,) = [section for section in found["sections"] if section["name"] == "tag"]
    assert section["items"] == 2
    shown = cli("inspect", "throwing.wasm").stdout
    assert "\ntags: (); (i32, f64)\n" in shown
    assert "failed  tag       (i32, f64)" in shown
    assert "exceptions, legacy-exceptions" in shown
    assert "runs here: yes" in shown


def test_inspect_shows_imported_tags_first(wat):
    from wamr._cli.inspect import as_text, described

    found = described(
        wat(
            '(module (import "m" "a" (tag (param i64))) (import "m" "b" (tag))'
            ' (tag (export "own") (param exnref)) (export "again" (tag 0)))'
        )
    )
    assert found["tags"] == ["(i64)", "()", "(exnref)"]
    assert found["imports"] == [
        {"module": "m", "name": "a", "kind": "tag", "type": "(i64)"},
        {"module": "m", "name": "b", "kind": "tag", "type": "()"},
    ]
    assert [(e["name"], e["kind"], e["type"]) for e in found["exports"]] == [
        ("own", "tag", "(exnref)"),
        ("again", "tag", "(i64)"),
    ]
    assert "m       a     tag   (i64)" in as_text("x", found)
    assert described(wat("(module)"))["tags"] == []
    assert "tags" not in as_text("x", described(wat("(module)")))


def test_inspect_shows_the_tags_of_an_invalid_module(wat):
    from wamr._cli.inspect import described

    found = described(wat('(module (tag (export "t") (param i32) (result i64)))'))
    assert found["tags"] == ["(i32) -> i64"]
    assert not found["runs"]
    assert found["reason"].startswith("non-empty tag result type")


def test_inspect_reads_code_of_every_kind_to_its_end(wat):
    from wamr._diagnosis.sections import Contents

    body = "(loop (br_table 0 0 0 (i32.const 0))) (block (result i32) (i32.const 5)) drop"
    body += "(call_indirect (i32.const 0)) (i64.store offset=9 (i32.const 1) (i64.const -1))"
    body += "(v128.store8_lane 1 (i32.const 0) (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15"
    body += " (v128.const i64x2 0 0) (v128.load8_lane 1 (i32.const 0) (v128.const i64x2 0 0))))"
    body += "(drop (select (result i32) (i32.const 1) (i32.const 2) (i32.const 0)))"
    body += "(drop (ref.is_null (ref.null func)))"
    body += "(memory.copy (i32.const 0) (i32.const 0) (i32.const 0))"
    text = f"(module (memory 1) (table 1 funcref) (func {body * 900}))"
    assert Contents(wat(text)).problem is None


def test_inspect_shows_what_is_broken_or_refused(cli, here):
    done = cli("inspect", "cut.wasm")
    assert done.returncode == 0
    assert "runs here: no: unexpected end" in done.stdout
    assert "malformed: code section: " in done.stdout
    assert "args_get" in done.stdout
    assert inspected(cli, "component.wasm")["kind"] == "component"
    shown = cli("inspect", "component.wasm").stdout
    assert shown.startswith("component.wasm: 8 bytes, a component\n")
    assert "features" not in shown  # they are not known
    assert "looks like a zip file" in assert_one_line(cli("inspect", "zip.wasm"))


def test_inspect_is_not_obeyed_by_a_terminal(cli):
    assert r"f\x1b[31m" in cli("inspect", "stranger.wasm").stdout


def test_inspect_takes_any_bytes(here):
    from wamr._cli.inspect import as_text, described

    whole = (here / "arithmetic.wasm").read_bytes()
    for at in range(8, len(whole)):
        as_text("cut", described(whole[:at]))
        for byte in (0, 0x7F, 0xFF):
            data = whole[:at] + struct.pack("B", byte) + whole[at + 1 :]
            as_text("changed", described(data))
