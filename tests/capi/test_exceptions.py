"""Modules with exceptions: the C API refuses to load them, and says why."""

import sys
from pathlib import Path

import pytest
from capi import NULL, api, c, ffi, negative, positive

import wamr

# wasm-c-api has no functions for tags and exnrefs.
WITH_EXCEPTIONS = [
    "(tag)",
    '(import "m" "t" (tag (param i32)))',
    '(tag (export "t") (param i32 i64))',
    "(tag $t) (func (throw $t))",
    "(tag $t) (func try throw $t catch_all end)",
    "(func (param exnref))",
    "(func (result exnref) (unreachable))",
    '(import "m" "f" (func (param exnref)))',
    "(global exnref (ref.null exn))",
    '(import "m" "g" (global (mut exnref)))',
    "(table 1 exnref)",
    '(import "m" "t" (table 1 exnref))',
]


@pytest.mark.parametrize("text", WITH_EXCEPTIONS)
@negative(
    "wasm_module_new", "wasm_module_new_ex", "wasm_module_validate", "wasm_module_deserialize"
)
def test_a_module_with_exceptions_is_refused(world, wat, tmp_path, text):
    data = wat(f'(module {text} (memory 1) (data (i32.const 0) "name") (func (export "f")))')
    binary = api.wasm_byte_vec_from_bytes(data)
    args = ffi.new("LoadArgs *")
    args.name = name = ffi.new("char[]", b"mine")
    path = tmp_path / "module.wasm"
    path.write_bytes(data)
    assert c.wasm_module_new(world.store, binary) == NULL
    assert c.wasm_module_deserialize(world.store, binary) == NULL
    assert api.load_module_file(world.store, path) == NULL
    for cloned in (True, False):
        args.clone_wasm_binary = cloned
        assert c.wasm_module_new_ex(world.store, binary, args) == NULL
        assert not c.wasm_module_validate(world.store, binary)
        for each in (binary, data):
            assert api.wasm_module_load_error(each) == (
                "the module uses exceptions (tags or exnref), for which wasm-c-api has no "
                "functions; wamr.Module loads it"
            )
    wamr.Module(wamr.Engine(), data)  # as the text of the error says
    api.wasm_byte_vec_delete(binary)  # the failed call has not taken the vector
    assert c.wasm_module_validate(world.store, world.binary)
    assert api.wasm_module_new(world.store, world.binary)  # the store is usable
    del name


@negative(
    "wasm_module_new", "wasm_module_new_ex", "wasm_module_validate", "wasm_module_deserialize"
)
def test_no_bytes_are_no_module(world):
    args = ffi.new("LoadArgs *")
    assert c.wasm_module_new(world.store, None) == NULL
    assert c.wasm_module_deserialize(world.store, None) == NULL
    assert c.wasm_module_new_ex(world.store, None, args) == NULL
    assert c.wasm_module_new_ex(world.store, world.binary, None) == NULL
    assert not c.wasm_module_validate(world.store, None)
    assert not c.wasm_module_validate(None, world.binary)
    assert c.wasm_module_new(None, world.binary) == NULL
    assert api.wasm_module_load_error(None) == api.wasm_module_load_error(b"") == "no bytes"


@pytest.mark.parametrize(
    "text",
    [
        "(func try call 1 catch_all end)",
        "(func (block $b (try_table (catch_all $b) (call 1))))",
        "(func (local exnref) (drop (local.get 0)) (drop (ref.null exn)))",
    ],
)
@positive("wasm_module_new", "wasm_module_validate")
def test_a_module_that_cannot_throw_loads(world, wat, text):
    """Its try blocks have no clause that can catch: traps pass through them."""
    text = f'(module {text} (func (export "boom") (unreachable)) (export "f" (func 0)))'
    binary = api.wasm_byte_vec_from_bytes(wat(text))
    assert c.wasm_module_validate(world.store, binary)
    assert api.wasm_module_load_error(binary) == ""
    module = c.wasm_module_new(world.store, binary)
    instance = api.wasm_instance_new(world.store, module, None, None)
    exports = api.WASM_EMPTY_VEC("extern")
    api.wasm_instance_exports(instance, exports)
    for position in range(2):
        func = api.wasm_extern_as_func(exports.data[position])
        trap = api.wasm_func_call(func, api.WASM_EMPTY_VEC("val"), api.WASM_EMPTY_VEC("val"))
        told = "" if trap == NULL else api.wasm_trap_to_str(trap)
        assert ("unreachable" in told) == (position == 0 or "call" in text)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_refused_modules_leave_nothing(world, wat):
    """The code of a refused module is freed at once, not only with its store."""
    import resource

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    data = wat(f"(module (tag) (func {'(drop (i32.const 12345)) nop ' * 100_000}))")
    binary = api.wasm_byte_vec_from_bytes(data)

    def refuse():
        for _ in range(10):
            assert c.wasm_module_new(world.store, binary) == NULL

    refuse()
    before = resident()
    for _ in range(5):
        refuse()
    assert resident() - before < 10 * len(data)


@negative("wasm_module_share", "wasm_module_obtain")
def test_a_refused_module_is_not_shared(world, wat):
    """Only a loaded module can be shared, and a module with exceptions is never loaded."""
    binary = api.wasm_byte_vec_from_bytes(wat("(module (tag))"))
    refused = api.wasm_module_new(world.store, binary)
    assert refused == NULL
    shared = c.wasm_module_share(refused)
    assert shared == NULL
    assert c.wasm_module_obtain(world.store, shared) == NULL
    assert c.wasm_module_obtain(world.store, None) == NULL
    for wrong in (5, binary):
        with pytest.raises(TypeError, match="shared_module must be a"):
            c.wasm_module_obtain(world.store, wrong)
    with pytest.raises(ReferenceError, match="shared_module is no live wasm_shared_module_t"):
        c.wasm_module_obtain(world.store, world.module)
