"""Functions, globals, tables, memories, references, foreigns, traps and frames."""

import pytest
from capi import NULL, POSITIVE, api, c, each, ffi, positive

EXTERNS = ["func", "global", "table", "memory"]
REFS = [*EXTERNS, "extern", "instance", "trap", "foreign"]
COPIES = [
    "func",
    "global",
    "table",
    "memory",
    "extern",
    "instance",
    "trap",
    "foreign",
    "ref",
    "frame",
]


def values(*items):
    return api.wasm_val_vec_from_values(items)


def room(count):
    return api.WASM_ARRAY_VEC("val", [api.WASM_INIT_VAL()] * count)


@positive("wasm_func_call", "wasm_func_param_arity", "wasm_func_result_arity", "wasm_func_type")
def test_func(world):
    func = world.func("add")
    assert (c.wasm_func_param_arity(func), c.wasm_func_result_arity(func)) == (2, 1)
    type_ = c.wasm_func_type(func)
    assert api.wasm_repr(type_) == "functype (i32, i32) -> (i32)"
    api.wasm_functype_delete(type_)
    results = room(1)
    assert (
        c.wasm_func_call(func, values(api.WASM_I32_VAL(40), api.WASM_I32_VAL(2)), results) == NULL
    )
    assert api.wasm_val_vec_to_values(results) == [42]


@positive("wasm_func_new", "wasm_func_delete")
def test_func_new(world):
    type_ = world.functype(["i64", "f64"], ["f64", "i64", "i32"])

    @api.wasm_func_callback
    def mix(args, results):
        results.data[0] = args.data[1]
        results.data[1] = args.data[0]
        results.data[2].of.i32 = 3

    func = c.wasm_func_new(world.store, type_, mix)
    assert api.wasm_repr(func) == "func (i64, f64) -> (f64, i64, i32)"
    c.wasm_func_delete(func)
    api.wasm_functype_delete(type_)


@positive("wasm_func_new_with_env")
def test_func_new_with_env(world):
    seen = []

    @api.wasm_func_callback_with_env
    def note(env, args, results):
        env.append(args.data[0].of.i32)
        results.data[0].of.i32 = len(env)

    func = c.wasm_func_new_with_env(
        world.store, api.wasm_func_type(world.host), note, seen, seen.append
    )
    imports = api.WASM_ARRAY_VEC("extern", [api.wasm_func_as_extern(func), world.imports.data[1]])
    assert api.wasm_instance_new(world.store, world.module, imports, None)
    results = room(1)
    assert not api.wasm_func_call(func, values(api.WASM_I32_VAL(5)), results)
    assert (seen, api.wasm_val_vec_to_values(results)) == ([5], [1])
    api.wasm_func_delete(func)
    assert len(seen) == 1  # the instance still holds the callback
    api.wasm_store_delete(world.store)
    assert len(seen) == 2


@positive(
    "wasm_global_new",
    "wasm_global_get",
    "wasm_global_set",
    "wasm_global_type",
    "wasm_global_delete",
)
def test_global(world):
    type_ = world.new("globaltype")
    made = c.wasm_global_new(world.store, type_, api.WASM_I32_VAL(5))
    out = ffi.new("wasm_val_t *")
    for global_, start in ((made, 5), (world.global_("counter"), 7)):
        c.wasm_global_get(global_, out)
        assert api.wasm_val_value(out) == start
        c.wasm_global_set(global_, api.WASM_I32_VAL(-1))
        c.wasm_global_get(global_, out)
        assert api.wasm_val_value(out) == -1
        found = c.wasm_global_type(global_)
        assert api.wasm_globaltype_same(found, type_)
        api.wasm_globaltype_delete(found)
    c.wasm_global_delete(made)
    with pytest.raises(ValueError, match="constant"):
        api.wasm_global_set(world.global_("ratio"), api.WASM_F64_VAL(1.0))
    with pytest.raises(ValueError, match="kind"):
        api.wasm_global_set(world.global_("counter"), api.WASM_I64_VAL(1))
    with pytest.raises(OverflowError):
        api.WASM_I32_VAL(2**31)


@positive(
    "wasm_table_new",
    "wasm_table_size",
    "wasm_table_grow",
    "wasm_table_get",
    "wasm_table_set",
    "wasm_table_type",
    "wasm_table_delete",
)
def test_table(world):
    table = world.table()
    assert c.wasm_table_size(table) == 4
    add = c.wasm_table_get(table, 0)
    assert add
    assert c.wasm_table_get(table, 1) == NULL
    assert c.wasm_table_get(table, 4) == NULL
    assert c.wasm_table_set(table, 3, api.wasm_ref_copy(add))
    assert c.wasm_table_grow(table, 2, add)
    assert not c.wasm_table_grow(table, 100, None)
    assert c.wasm_table_size(table) == 6
    results = room(1)
    for index in (0, 3, 4, 5):
        func = api.wasm_ref_as_func(c.wasm_table_get(table, index))
        assert not api.wasm_func_call(
            func, values(api.WASM_I32_VAL(1), api.WASM_I32_VAL(2)), results
        )
        assert api.wasm_val_vec_to_values(results) == [3]
    assert api.wasm_repr(c.wasm_table_type(table)) == "tabletype funcref 4..20"
    type_ = world.new("tabletype")
    own = c.wasm_table_new(world.store, type_, None)
    assert (c.wasm_table_size(own), c.wasm_table_grow(own, 4, None), c.wasm_table_size(own)) == (
        1,
        True,
        5,
    )
    assert not c.wasm_table_grow(own, 1, None)
    assert not c.wasm_table_set(own, 0, add), "a function of another instance"
    c.wasm_table_delete(own)


def test_table_of_externrefs(world):
    type_ = api.wasm_tabletype_new(api.wasm_valtype_new_anyref(), world.limits(2, 4))
    foreign = api.wasm_foreign_new(world.store)
    ref = api.wasm_foreign_as_ref(foreign)
    table = api.wasm_table_new(world.store, type_, ref)
    assert api.wasm_table_get(table, 0) is ref
    assert api.wasm_table_set(table, 1, None)
    assert not api.wasm_table_get(table, 1)
    assert not api.wasm_table_set(table, 1, api.wasm_func_as_ref(world.func()))
    api.wasm_ref_delete(ref)
    gone = api.wasm_table_get(table, 0)
    with pytest.raises(ReferenceError):
        api.wasm_ref_copy(gone)


@positive(
    "wasm_memory_new",
    "wasm_memory_size",
    "wasm_memory_grow",
    "wasm_memory_data",
    "wasm_memory_data_size",
    "wasm_memory_type",
    "wasm_memory_delete",
)
def test_memory(world):
    type_ = world.new("memorytype")
    own = c.wasm_memory_new(world.store, type_)
    for memory in (world.memory(), own):
        assert c.wasm_memory_size(memory) == 1
        assert c.wasm_memory_data_size(memory) == api.MEMORY_PAGE_SIZE
        c.wasm_memory_data(memory)[65535] = b"x"
        assert c.wasm_memory_grow(memory, 2)
        assert c.wasm_memory_size(memory) == 3
        assert c.wasm_memory_data(memory)[65535] == b"x"
        assert c.wasm_memory_data(memory)[3 * 65536 - 1] == b"\0"
        assert not c.wasm_memory_grow(memory, 100)
        assert not c.wasm_memory_grow(memory, 2**32 - 1)
        assert len(api.wasm_memory_buffer(memory)) == 3 * 65536
    assert api.wasm_repr(c.wasm_memory_type(own)) == "memorytype 1..5 pages"
    c.wasm_memory_delete(own)
    with pytest.raises(OverflowError):
        api.wasm_memory_grow(world.memory(), 2**32)
    assert not api.wasm_memory_new(world.store, api.wasm_memorytype_new(world.limits(5, 1)))
    assert not api.wasm_memory_new(world.store, api.wasm_memorytype_new(world.limits(70000, 70000)))


@positive("wasm_extern_kind", "wasm_extern_type", "wasm_extern_delete", "wasm_extern_new_empty")
def test_extern(world):
    extern = world.by_name["memory"]
    assert c.wasm_extern_kind(extern) == api.WASM_EXTERN_MEMORY
    assert api.wasm_repr(c.wasm_extern_type(extern)) == "externtype memory 1..10 pages"
    empty = c.wasm_extern_new_empty(world.store, api.WASM_EXTERN_FUNC)
    assert api.wasm_repr(empty) == "extern func placeholder"
    trap = api.wasm_func_call(api.wasm_extern_as_func(empty), None, None)
    assert "unlinked" in api.wasm_trap_to_str(trap)
    c.wasm_extern_delete(empty)
    assert not c.wasm_extern_new_empty(world.store, api.WASM_EXTERN_MEMORY)


for _name in EXTERNS:
    for _suffix in ("", "_const"):
        each(POSITIVE, f"wasm_{{}}_as_extern{_suffix}", [_name])
        each(POSITIVE, f"wasm_extern_as_{{}}{_suffix}", [_name])


@pytest.mark.parametrize("suffix", ["", "_const"])
@pytest.mark.parametrize("name", EXTERNS)
def test_extern_casts(world, name, suffix):
    obj = world.borrowed(name)
    extern = getattr(api, f"wasm_{name}_as_extern{suffix}")(obj)
    assert extern == obj
    for other in EXTERNS:
        cast = getattr(api, f"wasm_extern_as_{other}{suffix}")(extern)
        assert (cast is obj) if other == name else (cast == NULL)


@pytest.mark.parametrize("name", each(POSITIVE, "wasm_{}_copy", COPIES))
def test_copies(world, name):
    one = world.new(name)
    other = getattr(api, f"wasm_{name}_copy")(one)
    assert other
    if name != "frame":
        assert getattr(api, f"wasm_{name}_same")(one, other)
    getattr(api, f"wasm_{name}_delete")(one)
    assert not api.wasm_repr(other).startswith("dead")
    getattr(api, f"wasm_{name}_delete")(other)
    assert api.wasm_repr(other).startswith("dead")


@pytest.mark.parametrize("name", each(POSITIVE, "wasm_{}_same", [*REFS, "ref"]))
def test_same(world, name):
    same = getattr(api, f"wasm_{name}_same")
    one, other = world.new(name), world.new(name)
    assert same(one, one)
    assert same(None, None)
    assert not same(one, None)
    distinct = {
        "func": lambda: world.func("twice"),
        "global": lambda: world.global_("ratio"),
        "table": lambda: api.wasm_table_new(world.store, world.new("tabletype"), None),
        "memory": lambda: api.wasm_memory_new(world.store, world.new("memorytype")),
        "extern": lambda: world.by_name["twice"],
        "ref": lambda: api.wasm_func_as_ref(world.func("twice")),
    }
    assert not same(one, distinct.get(name, lambda: other)())
    if name == "func":
        type_ = api.wasm_func_type(world.host)
        hosts = [api.wasm_func_new(world.store, type_, api.wasm_func_callback(print)) for _ in "ab"]
        assert not same(*hosts)
        assert same(hosts[0], api.wasm_func_copy(hosts[0]))


for _name in REFS:
    for _suffix in ("", "_const"):
        each(POSITIVE, f"wasm_{{}}_as_ref{_suffix}", [_name])
        each(POSITIVE, f"wasm_ref_as_{{}}{_suffix}", [_name])


@pytest.mark.parametrize("suffix", ["", "_const"])
@pytest.mark.parametrize("name", REFS)
def test_references(world, name, suffix):
    one = world.new(name)
    ref = getattr(api, f"wasm_{name}_as_ref{suffix}")(one)
    back = getattr(api, f"wasm_ref_as_{name}{suffix}")(ref)
    assert getattr(api, f"wasm_{name}_same")(back, one)
    for other in REFS:
        if other != name and {name, other} - {"func", "extern"} and "extern" not in (name, other):
            assert not getattr(api, f"wasm_ref_as_{other}{suffix}")(ref)
    getattr(api, f"wasm_{name}_delete")(one)
    again = getattr(api, f"wasm_ref_as_{name}{suffix}")(ref)
    assert again
    assert getattr(api, f"wasm_{name}_same")(again, back)
    api.wasm_ref_delete(ref)
    with pytest.raises(ReferenceError):
        api.wasm_ref_copy(ref)
    for handle in (back, again):
        getattr(api, f"wasm_{name}_delete")(handle)


POSITIVE.setdefault("wasm_ref_delete", []).append("test_references")
HOST_INFO = [*REFS, "ref"]
for _name in ("get_host_info", "set_host_info", "set_host_info_with_finalizer"):
    each(POSITIVE, f"wasm_{{}}_{_name}", HOST_INFO)


@pytest.mark.parametrize("name", HOST_INFO)
def test_host_info(world, name):
    def function(verb):
        return getattr(api, f"wasm_{name}_{verb}")

    seen = []
    one, info = world.new(name), ffi.new_handle(seen)
    assert function("get_host_info")(one) == NULL
    function("set_host_info")(one, info)
    assert ffi.from_handle(function("get_host_info")(one)) is seen
    finalizer = api.wasm_finalizer(lambda info: seen.append(info))
    function("set_host_info_with_finalizer")(one, info, finalizer)
    assert function("get_host_info")(one) == info
    assert seen == []
    function("delete")(one)
    assert seen == [info]
    # The store finalizes objects that are not deleted. A finalizer that was replaced never runs.
    two = world.new(name)
    function("set_host_info_with_finalizer")(two, info, finalizer)
    function("set_host_info")(two, None)
    three = world.new(name)
    function("set_host_info_with_finalizer")(three, info, seen.append)
    api.wasm_store_delete(world.store)
    assert seen == [info, info]


def test_host_info_with_a_finalizer_of_c(world):
    seen = []
    finalizer = ffi.callback("void(void *)", lambda info: seen.append(ffi.from_handle(info)))
    for name in HOST_INFO:
        one = world.new(name)
        info = ffi.new_handle(name)
        getattr(api, f"wasm_{name}_set_host_info_with_finalizer")(one, info, finalizer)
        if name in ("func", "trap"):
            getattr(api, f"wasm_{name}_delete")(one)
    assert sorted(seen) == ["func", "trap"]
    api.wasm_store_delete(world.store)
    assert sorted(seen) == sorted(HOST_INFO)


@positive("wasm_foreign_new", "wasm_foreign_delete")
def test_foreign(world):
    foreign = c.wasm_foreign_new(world.store)
    assert foreign
    c.wasm_foreign_delete(foreign)
    with pytest.raises(ReferenceError):
        c.wasm_foreign_delete(foreign)


@positive("wasm_trap_new", "wasm_trap_message", "wasm_trap_delete")
def test_trap_message(world):
    out = ffi.new("wasm_byte_vec_t *")
    trap = c.wasm_trap_new(world.store, api.wasm_name_from_str("oh no\0"))
    c.wasm_trap_message(trap, out)
    assert api.wasm_byte_vec_to_bytes(out) == b"oh no\0"
    api.wasm_byte_vec_delete(out)
    c.wasm_trap_delete(trap)
    silent = c.wasm_trap_new(world.store, None)
    c.wasm_trap_message(silent, out)
    assert api.wasm_byte_vec_to_bytes(out) == b""


@positive(
    "wasm_trap_origin",
    "wasm_trap_trace",
    "wasm_frame_instance",
    "wasm_frame_func_index",
    "wasm_frame_func_offset",
    "wasm_frame_module_offset",
    "wasm_frame_delete",
)
def test_frames(world):
    trap = world.boom()
    assert "unreachable" in api.wasm_trap_to_str(trap)
    origin = c.wasm_trap_origin(trap)
    assert c.wasm_frame_func_index(origin) == 3
    assert c.wasm_frame_instance(origin) is world.instance
    assert c.wasm_frame_func_offset(origin) >= 0
    assert c.wasm_frame_module_offset(origin) >= 0
    c.wasm_frame_delete(origin)
    frames = ffi.new("wasm_frame_vec_t *")
    c.wasm_trap_trace(trap, frames)
    assert [c.wasm_frame_func_index(f) for f in api.wasm_frame_vec_to_list(frames)] == [3]
    api.wasm_frame_vec_delete(frames)
    made = world.trap()
    assert not c.wasm_trap_origin(made)
    c.wasm_trap_trace(made, frames)
    assert frames.size == 0


def test_an_env_that_is_no_pointer_is_nothing_for_a_finalizer_of_c(world):
    finalizer = ffi.callback("void(void *)", lambda info: None)
    callback = api.wasm_func_callback_with_env(lambda env, args, results: None)
    with pytest.raises(TypeError, match="wasm_func_new_with_env: env must be a pointer or None"):
        api.wasm_func_new_with_env(world.store, world.new("functype"), callback, {}, finalizer)
    seen = []
    func = api.wasm_func_new_with_env(
        world.store, world.new("functype"), callback, {"a": 1}, api.wasm_finalizer(seen.append)
    )
    api.wasm_func_delete(func)
    assert seen == [{"a": 1}]
