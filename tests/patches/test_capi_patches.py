"""One test for each patch of cmake/patches/capi/: each fails without it."""

import pytest
from capi import NULL, api, ffi, in_child


@pytest.fixture
def world(wat):
    from capi import World

    made = World(wat)
    yield made
    made.close()


def instance_of(world, wat, text, *imports):
    """Return the exports of a module, as a list."""
    module = api.wasm_module_new(world.store, api.wasm_byte_vec_from_bytes(wat(text)))
    assert module
    trap = ffi.new("wasm_trap_t **")
    externs = api.WASM_ARRAY_VEC("extern", [api.wasm_func_as_extern(f) for f in imports])
    instance = api.wasm_instance_new(world.store, module, externs, trap)
    assert instance, api.wasm_trap_to_str(trap[0])
    exports = ffi.new("wasm_extern_vec_t *")
    api.wasm_instance_exports(instance, exports)
    return [*api.wasm_extern_vec_to_list(exports), exports]


def call(func, *args, results=0):
    room = api.wasm_val_vec_from_values([api.WASM_INIT_VAL()] * results)
    trap = api.wasm_func_call(
        api.wasm_extern_as_func(func), api.wasm_val_vec_from_values(args), room
    )
    assert not trap, api.wasm_trap_to_str(trap)
    return api.wasm_val_vec_to_values(room)


def test_trap_has_host_info_and_copies(world):
    trap, info = world.trap(), ffi.new_handle(world)
    api.wasm_trap_set_host_info(trap, info)
    copy = api.wasm_trap_copy(trap)
    api.wasm_trap_delete(trap)
    assert api.wasm_trap_get_host_info(copy) == info
    assert api.wasm_trap_to_str(copy) == "oh"
    assert api.wasm_trap_as_ref(copy)


def test_frames_of_a_trap_survive_the_next_trap(world, wat):
    deep, shallow, _keep = instance_of(
        world,
        wat,
        """(module (func $a (export "deep") call $b) (func $b (export "shallow") unreachable))""",
    )
    first = api.wasm_func_call(api.wasm_extern_as_func(deep), None, None)
    api.wasm_func_call(api.wasm_extern_as_func(shallow), None, None)
    frames = ffi.new("wasm_frame_vec_t *")
    api.wasm_trap_trace(first, frames)
    assert [api.wasm_frame_func_index(f) for f in api.wasm_frame_vec_to_list(frames)] == [1, 0]


def test_callback_returns_a_trap_without_message(world, wat):
    def run():
        @api.wasm_func_callback
        def silent(args, results):
            return api.wasm_trap_new(world.store, None)

        host = api.wasm_func_new(world.store, world.functype(), silent)
        run, _keep = instance_of(
            world, wat, '(module (import "" "" (func)) (func (export "run") call 0))', host
        )
        trap = api.wasm_func_call(api.wasm_extern_as_func(run), None, None)
        assert "unknown exception" in api.wasm_trap_to_str(trap)

    assert not in_child([("a silent trap", run)])


def test_callback_with_many_results(world, wat):
    @api.wasm_func_callback
    def many(args, results):
        for index in range(20):
            results.data[index] = api.WASM_I64_VAL(index * 2**33)[0]

    kinds = ["i64"] * 20
    host = api.wasm_func_new(world.store, world.functype([], kinds), many)
    result = f"(result {' '.join(kinds)})"
    run, _keep = instance_of(
        world,
        wat,
        f'(module (import "" "" (func {result})) (func (export "run") {result} call 0))',
        host,
    )
    assert call(run, results=20) == [index * 2**33 for index in range(20)]


def test_null_externref_is_null(world, wat):
    is_null, same, _keep = instance_of(
        world,
        wat,
        """(module
          (func (export "is_null") (param externref) (result i32) local.get 0 ref.is_null)
          (func (export "same") (param externref) (result externref) local.get 0))""",
    )
    pointer = ffi.cast("wasm_ref_t *", 64)
    assert call(is_null, api.WASM_REF_VAL(None), results=1) == [1]
    assert call(is_null, api.WASM_REF_VAL(pointer), results=1) == [0]
    assert call(same, api.WASM_REF_VAL(None), results=1) == [None]
    assert call(same, api.WASM_REF_VAL(pointer), results=1) == [pointer]


def test_function_beyond_65535(world, wat):
    functions = "(func (result i32) i32.const 5)" * 65541
    text = f'(module {functions} (func (export "f") (result i32) i32.const 42))'
    f, _keep = instance_of(world, wat, text)
    assert call(f, results=1) == [42]


def test_exported_global_as_ref(world):
    assert api.wasm_global_as_ref(world.global_())


def test_foreign_outlives_its_reference(world):
    foreign = api.wasm_foreign_new(world.store)
    ref = api.wasm_foreign_as_ref(foreign)
    api.wasm_ref_delete(ref)
    api.wasm_foreign_set_host_info(foreign, ffi.cast("void *", 64))
    again = api.wasm_ref_as_foreign(api.wasm_foreign_as_ref(foreign))
    assert api.wasm_foreign_get_host_info(again) == ffi.cast("void *", 64)


def test_foreign_runs_its_finalizer_once(world):
    seen = []
    finalizer = ffi.callback(
        "void(void *)", lambda info: seen.append(int(ffi.cast("intptr_t", info)))
    )
    one, two = api.wasm_foreign_new(world.store), api.wasm_foreign_new(world.store)
    for number, foreign in enumerate((one, two), 1):
        info = ffi.cast("void *", number)
        api.wasm_foreign_set_host_info_with_finalizer(foreign, info, finalizer)
    copy = api.wasm_foreign_copy(one)
    api.wasm_foreign_delete(one)
    assert seen == []
    api.wasm_foreign_delete(copy)
    assert seen == [1]
    api.wasm_store_delete(world.store)
    assert seen == [1, 2]


def test_instance_finalizer_runs_once(world):
    seen = []
    finalizer = ffi.callback(
        "void(void *)", lambda info: seen.append(int(ffi.cast("intptr_t", info)))
    )
    deleted, left = world.new("instance"), world.new("instance")
    for number, instance in enumerate((deleted, left), 1):
        info = ffi.cast("void *", number)
        api.wasm_instance_set_host_info_with_finalizer(instance, info, finalizer)
    api.wasm_instance_delete(deleted)
    assert seen == [1]
    api.wasm_store_delete(world.store)
    assert seen == [1, 2]
    api.lib.wasm_instance_delete(NULL)


def test_serialized_module_is_the_original(world):
    out = ffi.new("wasm_byte_vec_t *")
    api.wasm_module_serialize(world.module, out)
    assert api.wasm_byte_vec_to_bytes(out) == world.binary_bytes


def test_vectors_of_values_have_no_lock():
    for name, items in (("byte", b"abc"), ("val", [api.WASM_I32_VAL(1)])):
        vec = getattr(api, f"wasm_{name}_vec_from_list")(items)
        assert not vec.lock
        getattr(api, f"wasm_{name}_vec_delete")(vec)
