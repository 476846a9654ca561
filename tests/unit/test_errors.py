"""The exceptions of the package, and the mapping from WAMR's messages to them."""

import copy
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wamr.errors import (
    ClosedError,
    CompileError,
    ExitTrap,
    Frame,
    FuelTrap,
    LinkError,
    MemoryLimitError,
    OutputLimitTrap,
    StackOverflowTrap,
    TimeoutTrap,
    Trap,
    TrapCode,
    UnavailableError,
    WasmError,
    compile_error_from_text,
    link_error_from_text,
    out_of_memory,
    trap_from_text,
)

DIV = Frame(3, "div", 7, 0x2A, "calc", None)
MAIN = Frame(0, None, None, None, None, None)


# ------------------------------------------------------------------ classes
@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (CompileError, ValueError),
        (ClosedError, ValueError),
        (UnavailableError, NotImplementedError),
        (MemoryLimitError, MemoryError),
        (LinkError, Exception),
        (Trap, RuntimeError),
        (StackOverflowTrap, RecursionError),
        (TimeoutTrap, TimeoutError),
        (FuelTrap, Trap),
        (OutputLimitTrap, Trap),
        (ExitTrap, Trap),
    ],
)
def test_every_error_is_a_wasm_error_and_a_builtin(kind, builtin):
    assert issubclass(kind, WasmError)
    assert issubclass(kind, builtin)


def test_a_trap_made_by_hand_comes_from_the_host():
    trap = Trap("no more")
    assert (trap.message, trap.code, trap.frames) == ("no more", TrapCode.HOST, ())
    assert str(trap) == "no more"
    assert repr(trap) == "Trap('no more')"


@pytest.mark.parametrize(
    ("trap", "code"),
    [
        (StackOverflowTrap("deep"), TrapCode.STACK_OVERFLOW),
        (TimeoutTrap("late"), TrapCode.TIMEOUT),
        (FuelTrap("empty"), TrapCode.OUT_OF_FUEL),
        (OutputLimitTrap("full"), TrapCode.OUTPUT_LIMIT),
        (ExitTrap(3), TrapCode.EXIT),
    ],
)
def test_the_special_traps_know_their_code(trap, code):
    assert trap.code is code


def test_an_exit_has_its_code():
    assert (ExitTrap(3).exit_code, ExitTrap().exit_code) == (3, 0)
    assert str(ExitTrap(3)) == "exit with code 3"


@pytest.mark.parametrize("bad", [None, 3, b"text"])
def test_a_trap_needs_text(bad):
    with pytest.raises(TypeError, match="message must be a str, not"):
        Trap(bad)


@pytest.mark.parametrize(("base", "code"), [(Trap, TrapCode.HOST), (ExitTrap, TrapCode.EXIT)])
def test_a_subclass_may_have_an_init_of_its_own(base, code):
    class Denied(base):
        def __init__(self, path):
            self.path = path

    trap = Denied("/x")
    assert (str(trap), trap.message, trap.code, trap.frames) == ("", "", code, ())
    assert getattr(trap, "exit_code", 0) == 0


@pytest.mark.parametrize("bad", [None, "3", 3.0])
def test_an_exit_needs_a_number(bad):
    with pytest.raises(TypeError, match="exit_code must be an int, not"):
        ExitTrap(bad)


def carried(error):
    """Return the attributes that must survive pickling."""
    return type(error), error.args, str(error), vars(error)


@pytest.mark.parametrize(
    "error",
    [
        WasmError("a"),
        CompileError("text", line=2, column=5),
        LinkError("b"),
        ClosedError("c"),
        UnavailableError("d"),
        MemoryLimitError("e"),
        Trap("f"),
        trap_from_text("unreachable", [DIV, MAIN]),
        trap_from_text("native stack overflow", [DIV]),
        TimeoutTrap("g"),
        FuelTrap("h"),
        OutputLimitTrap("i"),
        ExitTrap(7),
    ],
)
def test_errors_survive_copy_and_pickle(error):
    for twin in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert carried(twin) == carried(error)


def test_a_pickled_frame_leaves_its_instance_behind():
    here = object()
    frame = Frame(1, "f", instance=here)
    assert copy.deepcopy(frame).instance is here
    assert pickle.loads(pickle.dumps(frame)) == Frame(1, "f")


# ------------------------------------------------------------------ frames and tracebacks
def test_a_frame_is_a_value():
    assert Frame(3, "div", 7, 0x2A, "calc", None) == DIV
    assert hash(DIV) == hash(Frame(3, "div", 7, 0x2A, "calc"))
    assert DIV != MAIN
    assert repr(DIV) == "Frame(3, 'div', 7, 42, 'calc', None)"
    with pytest.raises(AttributeError, match="immutable"):
        DIV.func_index = 4


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (DIV, "div (function 3, byte 0x2a) in calc"),
        (MAIN, "function 0"),
        (Frame(2, "f", 7), "f (function 2, byte 0x7 of its body)"),
        (Frame(2, None, None, 0x30), "function 2 (byte 0x30)"),
        (Frame(2, "f", module_name="m"), "f (function 2) in m"),
    ],
)
def test_a_frame_reads_well(frame, text):
    assert str(frame) == text


def test_a_trap_reads_like_a_traceback():
    trap = trap_from_text("Exception: integer divide by zero", [DIV, MAIN])
    assert str(trap).splitlines() == [
        "integer divide by zero",
        "WebAssembly traceback (innermost call first):",
        "  at div (function 3, byte 0x2a) in calc",
        "  at function 0",
    ]
    assert trap.message == "integer divide by zero"
    assert "at div" in "".join(traceback.format_exception_only(trap))


def test_repeated_frames_are_counted():
    lines = str(trap_from_text("x", [DIV, DIV, MAIN] + [DIV] * 1000)).splitlines()
    assert lines[2:] == [
        f"  at {DIV}",
        "  [the same 1 more time]",
        f"  at {MAIN}",
        f"  at {DIV}",
        "  [the same 999 more times]",
    ]


def test_a_long_traceback_leaves_out_its_middle():
    lines = str(trap_from_text("x", map(Frame, range(10_000)))).splitlines()
    assert len(lines) == 43
    assert (lines[2], lines[-1]) == ("  at function 0", "  at function 9999")
    assert lines[22] == "  [9960 lines left out]"


# ------------------------------------------------------------------ from WAMR's messages
@pytest.mark.parametrize(
    ("text", "kind", "code", "message"),
    [
        ("unreachable", Trap, TrapCode.UNREACHABLE, None),
        ("out of bounds memory access", Trap, TrapCode.MEMORY_OUT_OF_BOUNDS, None),
        ("out of bounds table access", Trap, TrapCode.TABLE_OUT_OF_BOUNDS, None),
        ("undefined element", Trap, TrapCode.UNDEFINED_ELEMENT, None),
        ("uninitialized element", Trap, TrapCode.UNINITIALIZED_ELEMENT, None),
        ("indirect call type mismatch", Trap, TrapCode.INDIRECT_CALL_TYPE_MISMATCH, None),
        ("integer divide by zero", Trap, TrapCode.INTEGER_DIVIDE_BY_ZERO, None),
        ("integer overflow", Trap, TrapCode.INTEGER_OVERFLOW, None),
        ("invalid conversion to integer", Trap, TrapCode.INVALID_CONVERSION_TO_INTEGER, None),
        (
            "wasm operand stack overflow",
            StackOverflowTrap,
            TrapCode.STACK_OVERFLOW,
            "call stack exhausted",
        ),
        (
            "native stack overflow",
            StackOverflowTrap,
            TrapCode.STACK_OVERFLOW,
            "call stack exhausted",
        ),
        (
            "wasm auxiliary stack overflow",
            StackOverflowTrap,
            TrapCode.STACK_OVERFLOW,
            "call stack exhausted: the program's own stack, in its memory, is full",
        ),
        ("instruction limit exceeded", FuelTrap, TrapCode.OUT_OF_FUEL, "out of fuel"),
        ("out of fuel", FuelTrap, TrapCode.OUT_OF_FUEL, None),
        ("timeout", TimeoutTrap, TrapCode.TIMEOUT, "timed out"),
        ("interrupted", Trap, TrapCode.INTERRUPTED, None),
        ("terminated by user", Trap, TrapCode.INTERRUPTED, "interrupted"),
        (
            "data segment does not fit",
            Trap,
            TrapCode.MEMORY_OUT_OF_BOUNDS,
            "out of bounds memory access",
        ),
        ("allocate memory failed", Trap, TrapCode.OTHER, "out of memory"),
        ("unaligned atomic", Trap, TrapCode.OTHER, None),
        ("failed to call unlinked import function (env, f)", Trap, TrapCode.OTHER, None),
        # messages that only look like ours
        ("host", Trap, TrapCode.OTHER, None),
        ("exit", Trap, TrapCode.OTHER, None),
        ("Unreachable", Trap, TrapCode.OTHER, None),
        ("", Trap, TrapCode.OTHER, "unknown trap"),
    ],
)
@pytest.mark.parametrize(
    "prefix", ["", "Exception: ", "Exception: Exception: ", "WASM module instantiate failed: "]
)
def test_texts_become_traps(prefix, text, kind, code, message):
    trap = trap_from_text(prefix + text)
    assert type(trap) is kind
    assert trap.code is code
    assert trap.message == (text if message is None else message)


def test_proc_exit_becomes_an_exit():
    trap = trap_from_text("Exception: wasi proc exit", (DIV,), exit_code=3)
    assert type(trap) is ExitTrap
    assert (trap.exit_code, trap.frames) == (3, (DIV,))


@given(st.text())
def test_any_text_becomes_a_trap_and_a_compile_error(text):
    assert isinstance(trap_from_text(text), Trap)
    assert isinstance(link_error_from_text(text), LinkError)
    assert isinstance(compile_error_from_text(text), CompileError)


def test_only_whole_texts_tell_of_lack_of_memory():
    for text in (
        "WASM module load failed: allocate memory failed",
        "WASM module instantiate failed: allocate memory failed",
        "Init wasi environment failed: init fd table failed",
        "out of memory",
    ):
        assert str(out_of_memory(text)) == "out of memory"
    assert out_of_memory("unknown import out of memory") is None
    assert out_of_memory("") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("WASM module instantiate failed: allocate memory failed", "out of memory"),
        ("AOT module instantiate failed: unknown import", "unknown import"),
        ("an imported table has the wrong element type", None),
        ("", "unknown reason"),
    ],
)
def test_instantiation_texts_become_link_errors(text, message):
    error = link_error_from_text(text)
    assert type(error) is LinkError
    assert str(error) == (text if message is None else message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("WASM module load failed: type mismatch", "type mismatch"),
        ("WASM module load failed: unknown type 7", "unknown type 7"),
        ("AOT module load failed: invalid elem type", "invalid elem type"),
        ("WASM module load failed: unsupported opcode fd 1c", "unsupported opcode 0xfd 0x1c"),
        ("WASM module load failed: unexpected end", "unexpected end: the module is cut short"),
        ("WASM module load failed: unexpected end of section or function", None),
        (
            "WASM module load failed: magic header not detected",
            "magic header not detected: this is no WebAssembly module",
        ),
        ("WASM module load failed", "the module was refused without a reason"),
        ("", "the module was refused without a reason"),
        ("type  mismatch:\nexpect i32 but got other", "type mismatch: expect i32 but got other"),
    ],
)
def test_load_texts_become_readable(text, message):
    expected = text.removeprefix("WASM module load failed: ") if message is None else message
    error = compile_error_from_text(text)
    assert str(error) == expected
    assert (error.line, error.column) == (None, None)
