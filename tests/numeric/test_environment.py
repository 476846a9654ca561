"""Wasm code computes as the specification says in each floating-point environment of its thread.

Libraries compiled with -ffast-math, fesetround() and feenableexcept() change the environment of a
thread. Wasm code must not depend on it, and the environment must be unchanged after a call, and
within a call in host functions. test_scalars.py and test_vectors.py test each instruction.
"""

from __future__ import annotations

import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import ieee
import pytest
from float_environments import ENVIRONMENTS, UNMASKED, environment, same_after, set_word, word
from platforms import X87

import wamr
import wamr.ffi as c
from wamr import Store
from wamr.ffi import ffi

Wat = Callable[[str], bytes]
OTHERS = ENVIRONMENTS[1:]
ODD = OTHERS[-1] if OTHERS else "standard"
needs_others = pytest.mark.skipif(not OTHERS, reason="how to set it here is not known")

# Sums that round upwards and downwards, and a product of subnormals: their bits differ between
# environments.
WITNESS = """(func $witness (result i64)
    (i64.xor
        (i64.reinterpret_f64 (f64.add (f64.const 1) (f64.const 0x1.8p-53)))
        (i64.xor
            (i64.reinterpret_f64 (f64.add (f64.const 1) (f64.const 0x1p-54)))
            (i64.reinterpret_f64 (f64.mul (f64.const 0x1p-1060) (f64.const 0x1p-5))))))"""
RIGHT = (
    struct.unpack("<q", struct.pack("<d", 1 + 2**-52))[0]
    ^ struct.unpack("<q", struct.pack("<d", 1.0))[0]
    ^ struct.unpack("<q", struct.pack("<d", 2.0**-1065))[0]
)


@pytest.mark.skipif(X87, reason="32-bit x86: Python computes in x87 registers, wasm code does not")
def test_the_witness_sees_a_difference() -> None:
    """Python computes in its thread's environment, as wasm code would if nothing changed that."""

    def seen(name: str) -> list[bytes]:
        one, half, small = 1.0, 2.0**-54, 2.0**-1060
        with environment(name):
            sums = one + 3 * half, one + half, small * 2.0**-5
        return [struct.pack("<d", each) for each in sums]

    standard = seen("standard")
    for name in OTHERS:
        assert (seen(name) == standard) == (name in ("flags", "default nan")), name


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_code_computes_the_same_in_any_environment(name: str, wat: Wat) -> None:
    data = wat(f"""(module {WITNESS} (export "bounded" (func $witness))
        (func (export "loop") (result i64) (local $i i32)
            (loop (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if 0 (i32.lt_s (local.get $i) (i32.const 3))))
            (call $witness))
        (type $t (func (result i64))) (table funcref (elem $witness))
        (func (export "indirect") (result i64) (call_indirect (type $t) (i32.const 0)))
        (func (export "tail") (result i64) (return_call $witness)))""")
    exports = wamr.load(data).exports
    for each in ("bounded", "loop", "indirect", "tail"):
        assert same_after(name, exports[each]) == RIGHT
        assert same_after(name, exports[each].call) == RIGHT
        assert (
            same_after(name, lambda each=each: exports[each].call(timeout=60, fuel=1000)) == RIGHT
        )
    assert same_after(name, lambda: wamr.load(data).exports.loop()) == RIGHT


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_start_function_computes_the_same(name: str, wat: Wat) -> None:
    data = wat(f"""(module {WITNESS} (global $g (export "g") (mut i64) (i64.const 0))
        (func $start (global.set $g (call $witness))) (start $start))""")
    made = same_after(name, lambda: wamr.load(data))
    assert made.exports.g.value == RIGHT


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_it_is_back_after_a_trap(name: str, wat: Wat) -> None:
    exports = wamr.load(wat(f"""(module {WITNESS}
        (func (export "f") (drop (call $witness)) unreachable)
        (func $deep (export "deep") (call $deep)))""")).exports  # fmt: skip
    for each in ("f", "deep"):

        def trapping(each: str = each) -> bool:
            try:
                exports[each]()
            except wamr.Trap:
                return True
            return False

        assert same_after(name, trapping)


@needs_others
def test_each_thread_has_its_own(wat: Wat) -> None:
    exports = wamr.load(wat(f'(module {WITNESS} (export "f" (func $witness)))')).exports
    found: list[object] = []

    def run() -> None:
        set_word(_word_of(ODD))
        found.extend([exports.f(), word()])

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [RIGHT, _word_of(ODD)]
    assert word() == _word_of("standard")


def _word_of(name: str) -> int:
    with environment(name) as value:
        return value


# ---- calls out -----------------------------------------------------------------------------------

CALLING = f"""(module (import "h" "f" (func $f)) {WITNESS}
    (func (export "run") (result i64 i64) (call $witness) (call $f) (call $witness)))"""


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_host_function_has_its_own_environment(name: str, wat: Wat) -> None:
    seen: list[int] = []
    exports = wamr.load(wat(CALLING), {"h": {"f": lambda: seen.append(word())}}).exports
    assert same_after(name, exports.run) == (RIGHT, RIGHT)
    assert seen == [_word_of(name)]


@needs_others
@pytest.mark.parametrize("before", ["standard", ODD])
@pytest.mark.parametrize("after", ["standard", *OTHERS])
def test_what_a_host_function_sets_is_for_its_caller(before: str, after: str, wat: Wat) -> None:
    """The caller of wasm code sees the environment that the host function has set."""
    value = _word_of(after)
    data = wat(CALLING)

    def failing() -> None:
        set_word(value)
        raise KeyError("mine")

    for host in (lambda: set_word(value), failing):
        exports = wamr.load(data, {"h": {"f": host}}).exports
        with environment(before):
            try:
                result = exports.run()
            except KeyError:
                result = None
            left = word()
        assert result == (None if host is failing else (RIGHT, RIGHT))
        assert left == value


@needs_others
def test_a_call_within_a_host_function(wat: Wat) -> None:
    """Three levels of calls through two instances, each of which sets another environment."""
    data = wat("""(module (import "h" "f" (func $f (param i32) (result i64))) """ + WITNESS + """
        (func (export "run") (param i32) (result i64)
            (i64.or (call $f (local.get 0)) (call $witness))))""")  # fmt: skip
    seen: list[tuple[int, int]] = []
    store = Store()

    def host(depth: int) -> int:
        seen.append((depth, word()))
        if depth == len(ENVIRONMENTS):
            return 0
        with environment(ENVIRONMENTS[depth]):
            result: int = outer(depth + 1)
        seen.append((depth, word()))
        return result

    inner = wamr.Instance(store, wamr.Module(store, data), {"h": {"f": host}})
    outer = wamr.Instance(
        store, wamr.Module(store, data), {"h": {"f": inner.exports.run}}
    ).exports.run
    assert same_after(ODD, lambda: outer(0)) == RIGHT
    words = [_word_of(name) for name in (ODD, *ENVIRONMENTS)]
    down = list(enumerate(words))
    assert seen == down + down[:-1][::-1]


@needs_others
def test_a_wasi_program_and_its_output(wat: Wat) -> None:
    """The callable for the output runs in the thread's environment; the program does not."""
    seen: list[int] = []
    data = wat(f"""(module
        (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1) {WITNESS}
        (data (i32.const 16) "\\08\\00\\00\\00\\01\\00\\00\\00")
        (func (export "_start")
            (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 0)))
            (call $exit (i64.ne (call $witness) (i64.const {RIGHT})))))""")
    program = wamr.Module(Store(), data)

    def run() -> int:
        return wamr.run([program], stdout=lambda _: seen.append(word())).returncode

    code = same_after(ODD, run)
    assert code == 0
    assert seen == [_word_of(ODD)]


@needs_others
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers here")
def test_a_signal_handler_within_running_code(wat: Wat) -> None:
    inst = wamr.load(
        wat(f"""(module (memory (export "memory") 1) {WITNESS}
        (func (export "wait") (result i64)
            (loop (br_if 0 (i32.eqz (i32.load (i32.const 0))))) (call $witness)))""")
    )
    seen: list[int] = []

    def handler(*_: object) -> None:
        seen.append(word())
        set_word(_word_of(OTHERS[0]))
        inst.exports.memory.write(0, b"x")

    before = signal.signal(signal.SIGALRM, handler)
    try:
        with environment(ODD):
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            result = inst.exports.wait()
            left = word()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert result == RIGHT
    assert seen == [_word_of(ODD)]
    assert left == _word_of(OTHERS[0])


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_c_api(name: str, wat: Wat) -> None:
    """wasm_func_call calls code that calls a function of wasm_func_new."""
    engine = c.wasm_engine_new()
    store = c.wasm_store_new(engine)
    data = wat(CALLING.replace('(export "run") (result i64 i64)', '(export "run") (result i64)')
               .replace("(call $f) (call $witness)", "(call $f)"))  # fmt: skip
    seen: list[int] = []

    @ffi.callback("wasm_func_callback_t")
    def host(args: object, results: object) -> object:
        seen.append(word())
        return ffi.NULL

    binary = ffi.new("wasm_byte_vec_t *")
    c.wasm_byte_vec_new(binary, len(data), data)
    module = c.wasm_module_new(store, binary)
    type_ = c.wasm_functype_new_0_0()
    func = c.wasm_func_new(store, type_, host)
    imports = ffi.new("wasm_extern_vec_t *")
    c.wasm_extern_vec_new(imports, 1, [c.wasm_func_as_extern(func)])
    instance = c.wasm_instance_new(store, module, imports, ffi.new("wasm_trap_t **"))
    exports = ffi.new("wasm_extern_vec_t *")
    c.wasm_instance_exports(instance, exports)
    results = ffi.new("wasm_val_vec_t *")
    c.wasm_val_vec_new_uninitialized(results, 1)
    none = ffi.new("wasm_val_vec_t *")
    run = c.wasm_extern_as_func(exports.data[0])
    trap = same_after(name, lambda: c.wasm_func_call(run, none, results))
    assert trap == ffi.NULL
    assert results.data[0].of.i64 == RIGHT
    assert seen == [_word_of(name)]
    c.wasm_val_vec_delete(results)
    c.wasm_extern_vec_delete(exports)
    c.wasm_instance_delete(instance)
    c.wasm_functype_delete(type_)
    c.wasm_module_delete(module)
    c.wasm_byte_vec_delete(binary)
    c.wasm_store_delete(store)
    c.wasm_engine_delete(engine)


# ---- exceptions that are signals -----------------------------------------------------------------


@pytest.mark.skipif(UNMASKED is None, reason="how to set it here is not known")
def test_an_exception_that_is_not_masked_kills_nobody(wat: Wat, tmp_path: Path) -> None:
    data = tmp_path / "module.wasm"
    data.write_bytes(
        wat("""(module
        (func (export "div") (param i64 i64) (result i64) (i64.reinterpret_f64 (f64.div
            (f64.reinterpret_i64 (local.get 0)) (f64.reinterpret_i64 (local.get 1)))))
        (func (export "narrow") (param i32) (result f32) (f32.reinterpret_i32 (local.get 0))))""")
    )
    program = f"""
import sys, wamr
sys.path.insert(0, {str(Path(__file__).parents[1] / "support")!r})
from float_environments import UNMASKED, set_word, word
exports = wamr.load({str(data)!r}).exports
one, three, small = 0x3FF0000000000000, 0x4008000000000000, 1
exports.div(one, three), exports.narrow(1)
before = word()
set_word(UNMASKED)
found = [exports.div(one, 0), exports.div(0, 0), exports.div(one, three), exports.div(small, three)]
narrow = exports.narrow(1)
inside = word()
set_word(before)
assert inside == UNMASKED
print([hex(each % 2**64) for each in found], narrow == 2.0**-149)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
    infinite, third, nothing = "0x7ff0000000000000", "0x3fd5555555555555", "0x0"
    found, narrow = done.stdout.strip().rsplit(" ", 1)
    got = [text.strip(" '[]") for text in found.split(",")]
    assert [got[0], got[2], got[3]] == [infinite, third, nothing]
    assert ieee.fits(ieee.F64, ieee.NaN.CANONICAL, int(got[1], 16))
    assert narrow == "True"
