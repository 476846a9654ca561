"""Helpers of the tests of the C API.

`c` is `wamr.ffi`, and records which functions a test has called. `@positive(…)` and `@negative(…)`
name the functions that a test is about, and fail the test if it does not call them;
test_complete.py checks that each declared function has both. `World` makes a valid argument of each
type, a new one where the function takes ownership.
"""

from __future__ import annotations

import functools
import os
import pickle
import sys
from pathlib import Path

import pytest

from wamr import ffi as api

ROOT = Path(__file__).resolve().parents[2]
ffi, lib, NULL = api.ffi, api.lib, api.ffi.NULL
POSITIVE: dict[str, list[str]] = {}
NEGATIVE: dict[str, list[str]] = {}

WAT = """
(module
  (import "host" "twice" (func $twice (param i32) (result i32)))
  (import "host" "base" (global $base i32))
  (memory (export "memory") 1 10)
  (table (export "table") 4 20 funcref)
  (global (export "counter") (mut i32) (i32.const 7))
  (global (export "ratio") f64 (f64.const 0.5))
  (func $add (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
  (func (export "twice") (param i32) (result i32) local.get 0 call $twice)
  (func (export "boom") unreachable)
  (func (export "spin") (param i32) loop local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end)
  (elem (i32.const 0) $add))
"""


class Recorder:
    """`wamr.ffi`, which records the names of called functions."""

    def __init__(self):
        self.called = set()

    def __getattr__(self, name):
        value = getattr(api, name)
        if not callable(value) or isinstance(value, type):
            return value

        @functools.wraps(value)
        def call(*arguments):
            self.called.add(name)
            return value(*arguments)

        return call


c = Recorder()


def positive(*names):
    return _about(POSITIVE, names)


def negative(*names):
    return _about(NEGATIVE, names)


def _about(registry, names):
    def decorate(test):
        for name in names:
            registry.setdefault(name, []).append(test.__qualname__)

        @functools.wraps(test)
        def run(*arguments, **named):
            c.called.clear()
            result = test(*arguments, **named)
            missing = set(names) - c.called
            assert not missing, f"the test does not call {missing}"
            return result

        return run

    return decorate


def each(registry, template, names):
    """Register template.format(name) for each name, for parametrized tests; return the names."""
    for name in names:
        registry.setdefault(template.format(name), []).append(template)
    return names


@functools.cache
def header():
    """Return the parsed header of the built tree, or skip where there is none."""
    for folder in (ROOT, ROOT / "cmake"):
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    pytest.importorskip("pycparser")
    from codegen.header import read_header

    places = [
        *sorted(ROOT.glob("build/*/wamr")),
        ROOT / "wamr-src",
        Path(os.environ.get("WAMR_SRC", "/nowhere")),
    ]
    for place in places:
        path = place / "core" / "iwasm" / "include" / "wasm_c_api.h"
        if path.is_file():
            return read_header(path)
    return pytest.skip("needs the tree of WAMR")


class World:
    """An engine, a store and an instance; `make` gives an argument for a parameter."""

    def __init__(self, wat2wasm):
        self.binary_bytes = wat2wasm(WAT)
        self.engine = api.wasm_engine_new()
        self.store = api.wasm_store_new(self.engine)
        self.binary = api.wasm_byte_vec_from_bytes(self.binary_bytes)
        self.module = api.wasm_module_new(self.store, self.binary)
        assert self.module

        @api.wasm_func_callback
        def twice(args, results):
            results.data[0].of.i32 = 2 * args.data[0].of.i32

        type_ = self.functype(["i32"], ["i32"])
        self.host = api.wasm_func_new(self.store, type_, twice)
        api.wasm_functype_delete(type_)
        base = api.wasm_globaltype_new(api.wasm_valtype_new_i32(), api.WASM_CONST)
        self.base = api.wasm_global_new(self.store, base, api.WASM_I32_VAL(100))
        api.wasm_globaltype_delete(base)
        self.imports = api.WASM_ARRAY_VEC(
            "extern", [api.wasm_func_as_extern(self.host), api.wasm_global_as_extern(self.base)]
        )
        trap = ffi.new("wasm_trap_t **")
        self.instance = api.wasm_instance_new(self.store, self.module, self.imports, trap)
        assert self.instance, api.wasm_trap_to_str(trap[0])
        self.exports = ffi.new("wasm_extern_vec_t *")
        api.wasm_instance_exports(self.instance, self.exports)
        names = ("memory", "table", "counter", "ratio", "add", "twice", "boom", "spin")
        self.by_name = dict(zip(names, api.wasm_extern_vec_to_list(self.exports), strict=True))

    def close(self):
        if self.binary.data:
            api.wasm_byte_vec_delete(self.binary)
        if not api.wasm_repr(self.store).startswith("dead"):
            api.wasm_store_delete(self.store)
        if not api.wasm_repr(self.engine).startswith("dead"):
            api.wasm_engine_delete(self.engine)

    # Parts

    def func(self, name="add"):
        return api.wasm_extern_as_func(self.by_name[name])

    def memory(self):
        return api.wasm_extern_as_memory(self.by_name["memory"])

    def table(self):
        return api.wasm_extern_as_table(self.by_name["table"])

    def global_(self, name="counter"):
        return api.wasm_extern_as_global(self.by_name[name])

    @staticmethod
    def valtypes(kinds):
        return api.wasm_valtype_vec_from_list(
            [api.wasm_valtype_new(getattr(api, f"WASM_{kind.upper()}")) for kind in kinds]
        )

    @classmethod
    def functype(cls, params=(), results=()):
        return api.wasm_functype_new(cls.valtypes(params), cls.valtypes(results))

    def trap(self):
        return api.wasm_trap_new(self.store, api.wasm_name_from_str("oh\0"))

    def boom(self):
        return api.wasm_func_call(self.func("boom"), None, None)

    # Arguments by type

    def new(self, kind):
        """Return an object that the caller owns."""
        make = getattr(self, f"_new_{kind}", None)
        return make() if make else getattr(api, f"wasm_{kind}_copy")(self.borrowed(kind))

    def borrowed(self, kind):
        return {
            "func": self.func,
            "global": self.global_,
            "table": self.table,
            "memory": self.memory,
            "extern": lambda: self.by_name["add"],
            "instance": lambda: self.instance,
            "engine": lambda: self.engine,
            "store": lambda: self.store,
            "module": lambda: self.module,
        }.get(kind, lambda: self.new(kind))()

    def _new_config(self):
        return api.wasm_config_new()

    def _new_engine(self):
        return api.wasm_engine_new()

    def _new_store(self):
        return api.wasm_store_new(self.engine)

    def _new_module(self):
        return api.wasm_module_new(self.store, self.binary)

    def _new_shared_module(self):
        return api.wasm_module_share(self.module)

    def _new_instance(self):
        return api.wasm_instance_new(self.store, self.module, self.imports, None)

    def _new_valtype(self):
        return api.wasm_valtype_new_i32()

    def _new_functype(self):
        return self.functype(["i32"], ["i64"])

    def _new_globaltype(self):
        return api.wasm_globaltype_new(api.wasm_valtype_new_i32(), api.WASM_VAR)

    def _new_tabletype(self):
        return api.wasm_tabletype_new(api.wasm_valtype_new_funcref(), self.limits(1, 5))

    def _new_memorytype(self):
        return api.wasm_memorytype_new(self.limits(1, 5))

    def _new_externtype(self):
        return api.wasm_functype_as_externtype(self._new_functype())

    def _new_importtype(self):
        name = api.wasm_name_from_str
        return api.wasm_importtype_new(name("m"), name("n"), self._new_externtype())

    def _new_exporttype(self):
        return api.wasm_exporttype_new(api.wasm_name_from_str("n"), self._new_externtype())

    def _new_ref(self):
        return api.wasm_func_as_ref(self.func())

    def _new_frame(self):
        return api.wasm_trap_origin(self.boom())

    def _new_trap(self):
        return self.trap()

    def _new_foreign(self):
        return api.wasm_foreign_new(self.store)

    @staticmethod
    def limits(low, high):
        return ffi.new("wasm_limits_t *", [low, high])

    def items(self, vector):
        if vector == "byte":
            return b"abc"
        if vector == "val":
            return [api.WASM_I32_VAL(1), api.WASM_F64_VAL(2.5)]
        return [self.new(vector), self.new(vector)]

    def vec(self, vector):
        return getattr(api, f"wasm_{vector}_vec_from_list")(self.items(vector))

    def argument(self, function, parameter, kinds, vectors):
        """Return a valid argument for a parameter of a function."""
        from codegen import rules

        type_, name = parameter.type, parameter.name
        kind, vector = rules.handle(type_, kinds), rules.vector_of(type_, vectors)
        special = self._special(function.name, name)
        if special is not None:
            return special
        if kind:
            return self.new(kind) if type_.own else self.borrowed(kind)
        if vector:
            return ffi.new(f"wasm_{vector}_vec_t *") if name == "out" else self.vec(vector)
        if type_.array:
            return self.items(function.name.removeprefix("wasm_").removesuffix("_vec_new"))
        if type_.pointers == 2:
            return ffi.new("wasm_trap_t **")
        if type_.name == "char":
            return "name"
        if type_.name == "wasm_val_t":
            return api.WASM_I32_VAL(1)
        if type_.name == "wasm_limits_t":
            return self.limits(1, 5)
        if type_.pointers and type_.name in ("MemAllocOption", "InstantiationArgs", "LoadArgs"):
            struct = ffi.new(f"{type_.name} *")
            if type_.name == "LoadArgs":
                struct.name, struct.clone_wasm_binary = ffi.new("char[]", b"x"), True
            return struct
        if type_.function:
            return None
        if type_.name == "void":
            return ffi.cast("void *", 64)
        if type_.name.startswith("wasm_func_callback"):
            with_env = type_.name.endswith("with_env_t")
            return (api.wasm_func_callback_with_env if with_env else api.wasm_func_callback)(
                lambda *_: None
            )
        if type_.name == "bool":
            return True
        return 0

    def _special(self, function, name):
        if name == "imports":
            return self.imports
        if name == "size":
            return 2
        if name == "type" and function == "wasm_engine_new_with_args":
            return api.Alloc_With_System_Allocator
        if name in ("binary", "vec") and function.startswith("wasm_module_"):
            return self.binary
        if name == "args" and function == "wasm_func_call":
            return api.wasm_val_vec_from_values([api.WASM_I32_VAL(2), api.WASM_I32_VAL(3)])
        if name == "results" and function == "wasm_func_call":
            return api.WASM_ARRAY_VEC("val", [api.WASM_INIT_VAL()[0]])
        if name == "ref" and function == "wasm_ref_as_foreign":
            return api.wasm_foreign_as_ref(api.wasm_foreign_new(self.store))
        if name == "stack_size":
            return 65536
        return None


def in_child(cases):
    """Run the cases (name, function) in one forked child; return the failures, crashes included."""
    if not hasattr(os, "fork"):
        return [failure for name, run in cases if (failure := _failure(name, run))]
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe:
            for name, run in cases:
                pickle.dump(("begin", name), pipe)
                pipe.flush()
                failure = _failure(name, run)
                if failure:
                    pickle.dump(("failed", failure), pipe)
            pickle.dump(("end", ""), pipe)
        os._exit(0)
    os.close(writing)
    failures, current = [], "nothing"
    with os.fdopen(reading, "rb") as pipe:
        while True:
            try:
                what, text = pickle.load(pipe)
            except EOFError:
                break
            if what == "failed":
                failures.append(text)
            current = text if what == "begin" else current
    status = os.waitpid(child, 0)[1]
    if status:
        failures.append(f"{current} ended the process with status {status}")
    return failures


def _failure(name, run):
    try:
        run()
    except BaseException as error:
        return f"{name}: {type(error).__name__}: {error}"
    return None
