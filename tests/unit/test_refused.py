"""Why a module was refused: the limit that it exceeds, its malformed bytes, the place."""

import contextlib
import subprocess
import sys

import pytest
from modules_as_bytes import leb, module, refusal

from wamr import CompileError, Engine, Module
from wamr._diagnosis.instructions import instruction, skip_to
from wamr._diagnosis.reader import MOST_STEPS, Reader, Uses
from wamr._diagnosis.sections import Contents

# ------------------------------------------------------------------ modules without a proposal
TYPES = (1, b"\1\x60\0\0")
FUNCTIONS = (3, b"\1\0")


def code(*instructions, before=b"\0"):
    body = before + bytes(instructions)
    return (10, b"\1" + bytes([len(body)]) + body)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (module((14, b"\0")), "invalid section id"),
        (module((99, b"")), "invalid section id"),
        (module((13, b"\1\1\0")), "unknown tag attribute"),
        (module(TYPES, (2, b"\1\1m\1t\4\1\0")), "unknown tag attribute"),
        (module(TYPES, (13, b"\1\0\7")), "unknown type 7"),
        (module(TYPES, (13, b"\5\0\0")), "unexpected end"),
        (module(TYPES, (13, b"\1\0")), "unexpected end"),
        (module(TYPES, (13, b"\1\0\0\0")), "section size mismatch"),
        (module(TYPES, (6, b"\0"), (13, b"\1\0\0")), "a section is out of order"),
        (module(TYPES, (7, b"\1\1e\4\0")), "unknown tag"),
        (module((1, b"\1\x61\0\0")), "invalid type flag"),
        (module((1, b"\1\x5f\1\x00\0")), "invalid type flag"),  # a struct type of an unknown form
        (module((1, b"\1\x60\1\x10\0")), "unknown value type"),
        (module((1, b"\1\x60\1\x63" + b"\x65" * 5000 + b"\x70\0")), "unknown value type"),
        (module((1, b"\1\x60\1\x64" + b"\x62" * 5000 + b"\0\0")), "unknown value type"),
        (module((1, b"\1\x60\1\x63\x09\0\0")), "unexpected end"),  # there is no type 9
        (module((5, b"\1\x10\1")), "invalid limits flags"),
        (module((5, b"\1\x83\1\1")), "invalid limits flags"),
        (module((5, b"\1\x0a\1\x7f")), "invalid limits flags"),  # a page of 2**127 bytes
        (module((4, b"\1\x70\x08\1")), "invalid limits flags"),  # tables have no pages
        (module((5, b"\2\0\1")), "multiple memories"),  # one of them is cut off
        (module(TYPES, FUNCTIONS, code(0x27, 0x0B)), "unsupported opcode 0x27"),
        (module(TYPES, FUNCTIONS, code(0xFF, 0x0B)), "unsupported opcode 0xff"),
        (module(TYPES, FUNCTIONS, code(0x06, 0x40, 0x0B)), "unexpected end opcodes"),
        (module(TYPES, FUNCTIONS, code(0x19, 0x0B)), "catch found without matched try"),
        (module(TYPES, FUNCTIONS, code(0x07, 0, 0x0B)), "catch found without matched try"),
        (module(TYPES, FUNCTIONS, code(0x18, 0, 0x0B)), "delegate found without matched try"),
        (module(TYPES, FUNCTIONS, code(0x09, 0, 0x0B)), "invalid rethrow label"),
        (module(TYPES, FUNCTIONS, code(0x08, 0, 0x0B)), "unknown tag 0"),
        (module(TYPES, FUNCTIONS, code(0x0A, 0x0B)), "type mismatch"),
        (
            module(TYPES, FUNCTIONS, code(0x1F, 0x40, 1, 7, 0, 0x0B, 0x0B)),
            "malformed catch clause",
        ),
        (module(TYPES, FUNCTIONS, code(0x1F)), "section size mismatch"),
        (module(TYPES, FUNCTIONS, code(0x14, 9, 0x0B)), "unsupported opcode 0x14"),
        (module(TYPES, FUNCTIONS, code(0xFB, 0, 0, 0x0B)), "unsupported opcode 0xfb"),
        (module(TYPES, FUNCTIONS, code(0xFE, 0x10, 2, 0, 0x0B)), "unknown memory"),
        (module(TYPES, FUNCTIONS, code(0xFE, 0x04, 2, 0, 0x0B)), "unsupported opcode 0xfe 0x04"),
        (module(TYPES, FUNCTIONS, code(0xFC, 99, 0x0B)), "unsupported opcode 0xfc"),
        (module(TYPES, FUNCTIONS, code(0xFD, 0xFF, 0x7F, 0x0B)), "invalid opcode 0xfd"),
        (module(TYPES, FUNCTIONS, code(0x0B, before=b"\1\1\x05")), "invalid local type 0x05"),
        (module((6, b"\1\x7f\4\x41\0\x0b")), "invalid mutability"),
    ],
)
def test_what_is_merely_malformed_uses_no_proposal(data, words):
    said = refusal(data)
    assert words in said
    assert "uses" not in said


@pytest.mark.parametrize(
    "text",
    [
        "(func (result i32) (i64.const 1))",  # before
        "(func (drop (i32.add (i32.const 1) (f32.const 1))))",
        "(func (local.set 7 (i32.const 1)))",
    ],
)
def test_what_is_invalid_before_a_proposal_is_used_is_not_blamed_on_it(wat, text):
    later = "(func (param funcref) (drop (ref.as_non_null (local.get 0))))"
    said = refusal(wat(f"(module {text} {later})"))
    assert "uses" not in said
    assert "in function 0, at byte" in said


def test_no_change_of_one_byte_breaks_what_explains_it(wat):
    whole = wat(
        "(module (memory 1 2) (table 3 funcref) (global (mut i64) (i64.const 3))"
        ' (func $x (export "f") (param i32 i64) (result f32) (local v128)'
        "  (block (loop (br_if 1 (local.get 0)))) (drop (i32.load (i32.const 4)))"
        "  (if (result f32) (local.get 0) (then (f32.const 1)) (else (f32.const 2))))"
        ' (elem (i32.const 0) $x) (data (i32.const 0) "abc"))'
    )
    for at in range(8, len(whole)):
        for byte in (0, 1, 6, 13, 0x1F, 0x40, 0x5F, 0x63, 0x7F, 0x80, 0xE3, 0xFB, 0xFE, 0xFF):
            data = whole[:at] + bytes([byte]) + whole[at + 1 :]
            for changed in (data, whole[:at]):
                with contextlib.suppress(CompileError):
                    Module(Engine(), changed)


# ------------------------------------------------------------------ versions
def test_another_version_is_named():
    assert "unknown binary version: 2; WAMR runs version 1" in refusal(b"\0asm\2\0\0\0")


@pytest.mark.parametrize("layer", [2, 256])
def test_another_layer_is_named(layer):
    said = refusal(b"\0asm\1\0" + layer.to_bytes(2, "little"))
    assert f"unknown binary version: 1 of layer {layer}; WAMR runs version 1 of the core" in said


def test_a_header_that_is_cut_short_is_no_other_version():
    assert Contents(b"\0asm").problem == "the header is cut short"
    assert Contents(b"\0asm\2\0\0\0").problem == "the header is not that of version 1"
    assert "unexpected end" in refusal(b"\0asm\1\0")


# ------------------------------------------------------------------ places
def test_an_error_in_code_says_in_which_function_and_where(wat):
    data = wat(
        '(module (import "a" "b" (func)) (func (nop))'
        " (func $odd (nop) (drop (i32.eqz (f32.const 1)))))"
    )
    at = data.index(b"\x45\x1a\x0b")
    said = refusal(data)
    assert said.startswith("type mismatch: expect i32 but got other")
    assert said.endswith(f': in function 2 "odd", at byte {at:#x}')


def test_a_function_is_named_by_its_export_too(wat):
    data = wat('(module (func (export "e") (drop (i32.eqz (f32.const 1)))))')
    assert 'in function 0 "e", at byte' in refusal(data)


def test_a_name_is_shown_so_that_a_terminal_does_not_obey_it(wat):
    data = wat('(module (func (export "e\\1b[31m\\n") (drop (i32.eqz (f32.const 1)))))')
    assert r'in function 0 "e\x1b[31m\n", at byte' in refusal(data)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('(func (export "a")) (func (export "a"))', "export name: two exports have the name 'a'"),
        (
            "(global (mut i32) (i32.const 1)) (global i32 (global.get 0))",
            "unknown global 0: a constant expression can name imported constants only",
        ),
        ("(func $f (param i32)) (start $f)", "invalid start function: it must take nothing"),
        ("(global i32 (i64.const 1))", "type mismatch: a constant expression, or an element"),
        ("(tag $t (result i32))", "non-empty tag result type: the type of a tag must have no"),
        (
            '(import "m" "t" (tag (param i32) (result i32)))',
            "non-empty tag result type: the type of a tag must have no results",
        ),
        (
            "(func try rethrow 0 end)",
            "rethrow must name the catch or catch_all of a try that it is in, in function 0, at",
        ),
        (
            "(func (try_table (catch_all 5)))",
            "the label must be of a block around the instruction, in function 0",
        ),
        (
            "(tag $t (param i32)) (func (try_table (catch $t 0)))",
            "type mismatch: a catch clause passes other types than those of its label, in function",
        ),
        (
            "(func (block (try_table (catch_all_ref 0))))",
            "type mismatch: a catch clause passes other types than those of its label, in function",
        ),
        (
            "(func (br 3))",
            "a branch leads out of more blocks than it is in, in function 0, at byte",
        ),
    ],
)
def test_words_of_the_specification_are_explained(wat, text, told):
    assert told in refusal(wat(f"(module {text})"))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (
            module()[:8] + b"\1\x7f\0",
            "(type section: the last 126 bytes of the section are missing, at",
        ),
        (module((1, b"\1\x60\0\0\0")), "(type section: 1 byte too many, at offset 0xe)"),
        (module(TYPES, TYPES), "(type section: the section is not in its place, at offset 0xe)"),
        (module(TYPES, FUNCTIONS), "(functions: 1, function bodies: 0, at offset 0x12)"),
    ],
)
def test_bytes_that_can_not_be_read_are_told_by_section_and_offset(data, told):
    assert told in refusal(data)


def test_what_is_only_invalid_is_not_said_to_be_unreadable(wat):
    assert refusal(wat("(module (memory 2 1))")).endswith(": of a memory or a table")


# ------------------------------------------------------------------ limits
def locals_(count, kind="i64", more=""):
    return f"(func $big (local {' '.join([kind] * count)}) {more})"


@pytest.mark.parametrize(
    ("count", "kind", "cells"), [(32_767, "i32", "32,767"), (20_000, "i64", "40,000")]
)
def test_too_many_locals_are_said_with_function_cells_and_limit(wat, count, kind, cells):
    said = refusal(wat(f"(module (func) {locals_(count, kind)})"))
    assert said.startswith(f'function 1 "big" is too large: it has {cells} cells')
    assert "32,766" in said
    assert said.endswith("(WAMR: fast interpreter offset overflow)")


def test_as_many_locals_as_there_may_be_load(wat):
    Module(Engine(), wat(f"(module {locals_(32_766, 'i32')})"))
    Module(Engine(), wat(f"(module {locals_(16_383)})"))


def test_locals_and_operands_are_counted_together(wat):
    code = "(i32.load8_u (i32.const 0)) " * 900 + "drop " * 900
    said = refusal(wat(f"(module (memory 1) {locals_(32_700, 'i32', code)})"))
    assert "32,700 cells of parameters and locals, and its operand stack comes on top" in said


def test_locals_that_leave_no_room_for_operands(wat):
    said = refusal(wat(f"(module {locals_(32_766, 'i32', '(drop (i32.clz (i32.const 1)))')})"))
    assert "32,766 cells of parameters and locals, and its operand stack comes on top" in said


def test_cells_are_counted_behind_a_parameter_whose_type_has_parentheses(wat):
    function = f"(func (param (ref exn) i64 i64) (local {'i32 ' * 32_762}))"
    assert "it has 32,767 cells of parameters and locals;" in refusal(wat(f"(module {function})"))


def test_more_locals_than_a_function_may_have(wat):
    said = refusal(wat(f"(module {locals_(65_536, 'i32')})"))
    assert 'function 0 "big" has too many locals: 65,536' in said
    assert "32,766" in said


def test_a_huge_number_of_locals(wat):
    body = b"\2" + b"\xff\xff\xff\xff\x0f\x7f" * 2 + b"\x0b"
    data = module(TYPES, FUNCTIONS, (10, b"\1" + bytes([len(body)]) + body))
    assert "function 0 has too many locals: 8,589,934,590" in refusal(data)


def test_too_deep_blocks(wat):
    depth = 65_536
    body = b"\0" + b"\x02\x40" * depth + b"\x0b" * (depth + 1)
    data = module(TYPES, FUNCTIONS, (10, b"\1" + leb(len(body)) + body))
    assert "function 0 nests more than 65,535 blocks" in refusal(data)


def test_a_function_of_too_many_parameters():
    type_ = b"\1\x60" + leb(70_000) + b"\x7f" * 70_000 + b"\0"
    data = module((1, type_))
    assert "the parameters, or the results, of a function's type" in refusal(data)


def test_a_constant_expression_that_is_too_long():
    body = b"\1\x7f\0\x41\1" + b"\x41\1\x6a" * 2000 + b"\x0b"
    data = module((6, body))
    assert "a constant expression is longer than 4096 bytes" in refusal(data)


# ------------------------------------------------------------------ costs
def test_nothing_of_it_is_imported_before_something_is_refused():
    program = (
        "import sys, wamr\n"
        "wamr.Module(wamr.Engine(), bytes.fromhex('0061736d01000000'))\n"
        "print([name for name in sys.modules if '_diagnosis' in name])"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"


def _counted(count, item):
    return leb(count) + item * count


MOST, MANY = 1000, 3000
LARGE = {  # sections of many small parts, before one that is unknown
    "types": [(1, _counted(MANY, b"\x60\0\0"))],
    "imports": [TYPES, (2, _counted(MANY, b"\0\0\0\0"))],
    "functions": [TYPES, (3, _counted(MANY, b"\0"))],
    "bodies": [TYPES, (3, _counted(MANY, b"\0")), (10, _counted(MANY, b"\2\0\x0b"))],
    "globals": [(6, _counted(MANY, b"\x7f\0\x41\0\x0b"))],
    "exports": [(5, b"\1\0\1"), (7, _counted(MANY, b"\1e\2\0"))],
    "data": [(5, b"\1\0\1"), (11, _counted(MANY, b"\0\x41\0\x0b\0"))],
    "elements": [
        *[TYPES, FUNCTIONS, (4, b"\1\x70\0\1")],
        (9, b"\1\0\x41\0\x0b" + _counted(MANY, b"\0")),
        (10, b"\1\2\0\x0b"),
    ],
    "constant": [(6, b"\1\x7f\0\x41\0" + b"\x41\0\x6a" * MANY + b"\x0b")],
    "locals": [(10, b"\1" + leb(2 * MANY + 3) + _counted(MANY, b"\0\x7f") + b"\x0b")],
    "instructions": [(10, b"\1" + leb(MANY + 4) + b"\0\x41\0" + b"\xc0" * MANY + b"\x0b")],
    "sections": [(0, b"\1a")] * MANY,
}


@pytest.mark.parametrize("what", LARGE)
def test_only_so_much_of_a_module_is_read_for_an_explanation(what):
    data = module(*LARGE[what], (99, b""))
    contents = Contents(data, MOST)
    assert contents.uses.left < 0  # it has stopped
    read = [contents.uses.types, contents.imports, contents.exports, contents.bodies]
    assert max(map(len, [*read, contents.sections])) <= MOST
    assert contents.problem is None
    unknown = f"unknown (99) section: the section is unknown, at offset {len(data) - 2:#x}"
    assert Contents(data).problem == unknown


def test_what_is_read_of_a_large_module_counts_and_an_incomplete_function_does_not():
    function = b"\0" + b"\x41\0\xc0\x1a" * MOST + b"\x0b"  # i32.extend8_s is not of 1.0
    bodies = b"\2" + b"\2\0\x0b" + leb(len(function)) + function
    data = module(TYPES, (3, b"\2\0\0"), (13, b"\1\0\0"), (10, bodies))
    whole, begun = Contents(data), Contents(data, MOST)
    assert {"exceptions", "sign-extension"} <= set(whole.uses)
    assert "exceptions" in begun.uses
    assert "sign-extension" not in begun.uses
    assert len(begun.bodies) == 2


def test_the_place_is_told_in_a_function_that_is_not_read():
    function = b"\0" + b"\x41\0\xc0\x1a" * MOST_STEPS + b"\xff\x0b"
    section = b"\1" + leb(len(function)) + function
    told = refusal(module(TYPES, FUNCTIONS, (10, section)))
    assert (
        told == f"unsupported opcode 0xff: in function 0, at byte {len(function) - 2} of its code"
    )


def test_the_instruction_of_each_byte_is_found():
    code = b"\x41\x80\x7f\x1a\x01\xc0\x20\x81\0\x28\2\4\x02\x40\x0b\xfd\x0c" + bytes(16) + b"\x1a"
    code = code * 3 + b"\xff"
    uses = Uses()
    reader, begins = Reader(code, 0, len(code), uses), []
    while reader.at < len(code) - 1:
        begins.append(reader.at)
        instruction(reader)
    begins.append(reader.at)
    for offset in range(1, len(code) + 1):
        reader.at = 0
        assert skip_to(reader, offset) == max(begin for begin in begins if begin < offset)
