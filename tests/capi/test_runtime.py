"""Configurations, engines, stores, modules and instances."""

import pytest
from capi import NULL, api, c, ffi, positive

AOT = b"\0aot\x05\0\0\0"


@positive(
    "wasm_config_new",
    "wasm_config_set_mem_alloc_opt",
    "wasm_config_set_linux_perf_opt",
    "wasm_config_set_segue_flags",
    "wasm_config_delete",
    "wasm_engine_new_with_config",
    "wasm_engine_new_with_args",
    "wasm_engine_delete",
)
def test_config():
    config = c.wasm_config_new()
    assert config.mem_alloc_type == api.Alloc_With_System_Allocator
    assert c.wasm_config_set_linux_perf_opt(config, True) is config
    assert config.enable_linux_perf
    assert c.wasm_config_set_segue_flags(config, 0x1F1F) is config
    assert config.segue_flags == 0x1F1F
    engine = c.wasm_engine_new_with_config(config)
    assert engine
    option = ffi.new("MemAllocOption *")
    assert c.wasm_config_set_mem_alloc_opt(config, api.Alloc_With_Pool, option) is config
    assert not c.wasm_engine_new_with_config(config), "the runtime's allocator is ours"
    assert not c.wasm_engine_new_with_args(api.Alloc_With_Allocator, option)
    other = c.wasm_engine_new_with_args(api.Alloc_With_System_Allocator, option)
    assert other is engine
    c.wasm_config_delete(config)
    c.wasm_engine_delete(engine)
    c.wasm_engine_delete(other)
    with pytest.raises(ReferenceError, match="wasm_engine_delete"):
        c.wasm_engine_delete(other)


@positive("wasm_engine_new", "wasm_engine_delete", "wasm_store_new", "wasm_store_delete")
def test_engines_are_one_and_counted():
    engine = c.wasm_engine_new()
    assert c.wasm_engine_new() is engine
    store = c.wasm_store_new(engine)
    c.wasm_engine_delete(engine)
    assert c.wasm_store_new(engine)
    c.wasm_store_delete(store)
    c.wasm_engine_delete(engine)
    engine = c.wasm_engine_new()
    assert engine
    c.wasm_engine_delete(engine)


@positive("wasm_module_new", "wasm_module_validate", "wasm_module_delete")
def test_module_new(world):
    assert c.wasm_module_validate(world.store, world.binary)
    module = c.wasm_module_new(world.store, world.binary)
    assert module
    c.wasm_module_delete(module)
    for bytes_ in (b"", b"\0", b"text", world.binary_bytes[:-3], AOT):
        bad = api.wasm_byte_vec_from_bytes(bytes_)
        assert not c.wasm_module_new(world.store, bad)
        assert not c.wasm_module_validate(world.store, bad)
        api.wasm_byte_vec_delete(bad)
    assert api.wasm_module_load_error(b"\0asm\1\0\0\0\1")
    assert not api.wasm_module_load_error(world.binary)


@positive("wasm_module_new_ex", "wasm_module_is_underlying_binary_freeable")
def test_module_new_ex(world):
    args = ffi.new("LoadArgs *")
    args.name = name = ffi.new("char[]", b"mine")
    args.clone_wasm_binary = True
    module = c.wasm_module_new_ex(world.store, world.binary, args)
    assert api.wasm_module_get_name(module)
    assert c.wasm_module_is_underlying_binary_freeable(module)
    args.clone_wasm_binary = False
    binary = api.wasm_byte_vec_from_bytes(world.binary_bytes)
    module = c.wasm_module_new_ex(world.store, binary, args)
    assert module
    if not c.wasm_module_is_underlying_binary_freeable(module):
        with pytest.raises(ReferenceError, match="belongs to a wasm_module_t"):
            api.wasm_byte_vec_delete(binary)
    api.wasm_store_delete(world.store)
    api.wasm_byte_vec_delete(binary)
    del name


def test_a_module_has_a_copy_of_its_name(world):
    args = ffi.new("LoadArgs *")
    args.name = name = ffi.new("char[]", b"mine")
    args.clone_wasm_binary = True
    module = api.wasm_module_new_ex(world.store, world.binary, args)
    name[0:4] = b"gone"
    assert ffi.string(api.wasm_module_get_name(module)) == b"mine"
    args.name = NULL
    assert api.wasm_module_new_ex(world.store, world.binary, args)


@positive("wasm_module_imports", "wasm_module_exports")
def test_module_types(world):
    imports, exports = ffi.new("wasm_importtype_vec_t *"), ffi.new("wasm_exporttype_vec_t *")
    c.wasm_module_imports(world.module, imports)
    c.wasm_module_exports(world.module, exports)
    assert [api.wasm_repr(t) for t in api.wasm_importtype_vec_to_list(imports)] == [
        'importtype "host" "twice" func (i32) -> (i32)',
        'importtype "host" "base" global const i32',
    ]
    assert [api.wasm_repr(t) for t in api.wasm_exporttype_vec_to_list(exports)][:4] == [
        'exporttype "memory" memory 1..10 pages',
        'exporttype "table" table funcref 4..20',
        'exporttype "counter" global var i32',
        'exporttype "ratio" global const f64',
    ]
    api.wasm_importtype_vec_delete(imports)
    api.wasm_exporttype_vec_delete(exports)


@positive("wasm_module_serialize", "wasm_module_deserialize")
def test_serialize(world):
    out = ffi.new("wasm_byte_vec_t *")
    c.wasm_module_serialize(world.module, out)
    assert api.wasm_byte_vec_to_bytes(out) == world.binary_bytes
    module = c.wasm_module_deserialize(world.store, out)
    assert api.wasm_instance_new(world.store, module, world.imports, None)
    assert not c.wasm_module_deserialize(world.store, api.wasm_byte_vec_from_bytes(AOT))


@positive("wasm_module_share", "wasm_module_obtain", "wasm_shared_module_delete")
def test_share(world):
    shared = c.wasm_module_share(world.module)
    other_store = api.wasm_store_new(world.engine)
    module = c.wasm_module_obtain(other_store, shared)
    c.wasm_shared_module_delete(shared)
    with pytest.raises(ReferenceError, match="wasm_module_obtain"):
        c.wasm_module_obtain(other_store, shared)
    api.wasm_store_delete(world.store)
    with pytest.raises(ReferenceError):
        api.wasm_module_get_name(world.module)
    assert api.wasm_module_set_name(module, "still there")
    api.wasm_store_delete(other_store)


@positive("wasm_module_set_name", "wasm_module_get_name")
def test_module_name(world):
    assert c.wasm_module_set_name(world.module, "n\u00e4me")
    assert ffi.string(c.wasm_module_get_name(world.module)).decode() == "n\u00e4me"
    with pytest.raises(ValueError, match="NUL"):
        c.wasm_module_set_name(world.module, "a\0b")


@positive(
    "wasm_instance_new",
    "wasm_instance_new_with_args",
    "wasm_instance_new_with_args_ex",
    "wasm_instance_exports",
    "wasm_instance_delete",
)
def test_instance_new(world):
    args = ffi.new("InstantiationArgs *")
    args.default_stack_size = 65536
    instances = [
        c.wasm_instance_new(world.store, world.module, world.imports, None),
        c.wasm_instance_new_with_args(world.store, world.module, world.imports, None, 65536, 0),
        c.wasm_instance_new_with_args_ex(world.store, world.module, world.imports, None, args),
    ]
    for instance in instances:
        exports = ffi.new("wasm_extern_vec_t *")
        c.wasm_instance_exports(instance, exports)
        assert exports.size == 8
        assert api.wasm_memory_size(api.wasm_extern_as_memory(exports.data[0])) == 1
        api.wasm_extern_vec_delete(exports)
        c.wasm_instance_delete(instance)
        with pytest.raises(ReferenceError):
            c.wasm_instance_exports(instance, exports)


def trap_of(world, imports):
    trap = ffi.new("wasm_trap_t **")
    assert api.wasm_instance_new(world.store, world.module, imports, trap) == NULL
    text = api.wasm_trap_to_str(trap[0])
    api.wasm_trap_delete(trap[0])
    return text


def test_imports_that_do_not_fit(world):
    host, base = world.imports.data[0], world.imports.data[1]

    def vec(*items):
        return api.WASM_ARRAY_VEC("extern", items)

    wrong = "the module imports 1 functions, 1 globals, 0 tables and 0 memories, not "
    assert trap_of(world, None) == wrong + "0, 0, 0 and 0"
    assert trap_of(world, vec()) == wrong + "0, 0, 0 and 0"
    assert trap_of(world, vec(host)) == wrong + "1, 0, 0 and 0"
    assert trap_of(world, vec(host, host)) == wrong + "2, 0, 0 and 0"
    assert trap_of(world, vec(host, base, base)) == wrong + "1, 2, 0 and 0"
    assert trap_of(world, vec(host, world.by_name["memory"])) == wrong + "1, 0, 0 and 1"
    assert trap_of(world, vec(host, NULL)) == "import 1 is NULL"
    assert trap_of(world, vec(world.by_name["add"], base)) == (
        'import 0 does not have the type of "host"."twice"'
    )
    assert trap_of(world, vec(host, world.by_name["counter"])) == (
        'import 1 does not have the type of "host"."base"'
    )
    other = api.wasm_store_new(world.engine)
    foreign = api.wasm_func_new(
        other, api.wasm_func_type(world.host), api.wasm_func_callback(print)
    )
    assert (
        trap_of(world, vec(api.wasm_func_as_extern(foreign), base))
        == "import 0 is of another store"
    )
    assert not api.wasm_instance_new(other, world.module, world.imports, None)


def test_functions_of_another_instance_are_imports(world):
    func = world.func("twice")
    imports = api.WASM_ARRAY_VEC("extern", [api.wasm_func_as_extern(func), world.imports.data[1]])
    instance = api.wasm_instance_new(world.store, world.module, imports, None)
    exports = ffi.new("wasm_extern_vec_t *")
    api.wasm_instance_exports(instance, exports)
    results = api.WASM_ARRAY_VEC("val", [api.WASM_INIT_VAL()])
    for called in (api.wasm_extern_as_func(exports.data[5]), func):
        args = api.wasm_val_vec_from_values([api.WASM_I32_VAL(21)])
        assert not api.wasm_func_call(called, args, results)
        assert api.wasm_val_vec_to_values(results) == [42]


@positive("wasm_instance_sum_wasm_exec_time", "wasm_instance_get_wasm_func_exec_time")
def test_times_are_not_measured(world):
    assert c.wasm_instance_sum_wasm_exec_time(world.instance) == -1.0
    assert c.wasm_instance_get_wasm_func_exec_time(world.instance, "add") == -1.0
