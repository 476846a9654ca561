"""Random calls of the C API, whose results are passed on to later calls, also after their deletion.

Each call must return, or raise an exception of the C API. Under AddressSanitizer (`make asan`) this
finds faults that no written test covers.
"""

from __future__ import annotations

import random

from capi import World, ffi, header

from wamr import ffi as api

ALLOWED = (TypeError, ValueError, ReferenceError, OverflowError, RuntimeError)
KINDS = (0, 1, 2, 3, 128, 129)
# Half of the calls are of these, which create, delete and call.
BUSY = ("func_call", "instance_new", "_delete", "exports", "extern_as", "_copy", "as_ref", "ref_as")
KEPT = 40


class RandomCalls:
    """A pool of objects by type, and calls with them."""

    def __init__(self, wat2wasm, seed):
        from codegen import rules

        self.rules, declared = rules, header()
        self.kinds, self.vectors = rules.object_kinds(declared), rules.vector_kinds(declared)
        self.wat2wasm = wat2wasm
        self.random = random.Random(seed)
        self.pool = {}
        self.depth = 0
        self.answered = self.refused = 0
        self.calls = [(f, rules.named(f, self.kinds, self.vectors)) for f in declared.functions]
        self.busy = [call for call in self.calls if any(word in call[0].name for word in BUSY)]
        self.add_world()
        self.add_world()

    def add_world(self):
        world = World(self.wat2wasm)
        for kind in ("store", "engine", "module", "instance"):
            self.keep(kind, getattr(world, kind))
        for extern in api.wasm_extern_vec_to_list(world.exports):
            self.keep("extern", extern)
        for name in ("add", "twice", "boom"):
            self.keep("func", world.func(name))
        for kind in ("memory", "table", "global"):
            self.keep(kind, world.borrowed(kind))
        self.keep("extern_vec", world.exports)
        self.keep("extern_vec", world.imports)
        self.keep("byte_vec", world.binary)

    def keep(self, name, obj):
        objects = self.pool.setdefault(name, [])
        objects.append(obj)
        if len(objects) > KEPT:
            objects.pop(self.random.randrange(len(objects)))

    def any_of(self, name):
        objects = self.pool.get(name)
        return self.random.choice(objects) if objects else None

    def chance(self, part):
        return self.random.random() < part

    def run(self, steps):
        for _ in range(steps):
            self.step()
            if all(api.wasm_repr(s).startswith("dead") for s in self.pool["store"][-3:]):
                self.add_world()

    def step(self):
        function, parameters = self.random.choice(self.busy if self.chance(0.5) else self.calls)
        if function.name in ("wasm_store_delete", "wasm_engine_delete") and self.chance(0.9):
            return
        arguments = [self.argument(function, p) for p in parameters]
        try:
            answer = getattr(api, function.name)(*arguments)
        except ALLOWED:
            self.refused += 1
            return
        self.answered += 1
        self.collect(function.result, answer)
        for parameter, argument in zip(parameters, arguments, strict=True):
            if not parameter.type.array:
                self.collect(parameter.type, argument)

    def collect(self, type_, value):
        """Keep results that may be passed to later calls."""
        if not isinstance(value, ffi.CData) or not value:
            return
        kind = self.rules.handle(type_, self.kinds)
        vector = self.rules.vector_of(type_, self.vectors)
        if kind:
            self.keep(kind, value)
        elif vector:
            self.keep(f"{vector}_vec", value)
            for index in range(min(value.num_elems, 3) if value.data else 0):
                item = value.data[index]
                if vector == "val" and item.kind == api.WASM_FUNCREF and item.of.ref:
                    self.keep("ref", item.of.ref)
                elif vector not in ("byte", "val") and item:
                    self.keep(vector, item)
        elif type_.pointers == 2 and value[0]:
            self.keep("trap", value[0])

    # Python that C calls

    def callback(self, *_):
        self.inside(0.5)
        if self.chance(0.05):
            raise KeyError("at random")
        return self.any_of("trap") if self.chance(0.1) else None

    def inside(self, part):
        if self.depth < 2 and self.chance(part):
            self.depth += 1
            try:
                for _ in range(self.random.randrange(4)):
                    self.step()
            finally:
                self.depth -= 1

    # Arguments

    def argument(self, function, parameter):
        type_, name = parameter.type, parameter.name
        kind = self.rules.handle(type_, self.kinds)
        vector = self.rules.vector_of(type_, self.vectors)
        if self.chance(0.03):
            return None
        if kind == "valtype" and self.chance(0.5):
            return api.wasm_valtype_new(self.random.choice(KINDS))
        if kind:
            return self.any_of(kind)
        if vector:
            return self.vector(vector, name)
        if type_.array:
            return self.items(function.name.removeprefix("wasm_").removesuffix("_vec_new"))
        if type_.pointers == 2:
            return ffi.new("wasm_trap_t **")
        if type_.pointers == 1 and type_.name in self.rules.STRUCTS:
            return self.struct(type_.name)
        if type_.function:
            finalizer = api.wasm_finalizer(lambda _: self.inside(0.3))
            return self.random.choice([None, finalizer])
        if type_.name.startswith("wasm_func_callback"):
            with_env = "env" in type_.name
            decorate = api.wasm_func_callback_with_env if with_env else api.wasm_func_callback
            return decorate(self.callback)
        return self.plain(type_, name)

    def plain(self, type_, name):
        if type_.name == "char":
            return "name"
        if type_.name == "void":
            return ffi.cast("void *", 16 * self.random.randrange(1, 99))
        if type_.name == "bool":
            return self.chance(0.5)
        if type_.name == "wasm_valkind_t":
            return self.random.choice(KINDS)
        if type_.name == "mem_alloc_type_t":
            return api.Alloc_With_System_Allocator
        return {"stack_size": 65536, "heap_size": 0}.get(name, self.random.randrange(4))

    def vector(self, vector, name):
        if name == "out" or self.chance(0.1):
            return ffi.new(f"wasm_{vector}_vec_t *")
        if vector == "val":
            return api.wasm_val_vec_from_values(self.items("val"))
        if vector == "byte" and self.chance(0.3):
            return api.wasm_name_from_str("name\0")
        if vector == "extern" and self.chance(0.3):
            items = [self.any_of("extern") for _ in range(self.random.randrange(3))]
            return api.WASM_ARRAY_VEC("extern", [item for item in items if item is not None])
        return self.any_of(f"{vector}_vec")

    def items(self, vector):
        if vector == "byte":
            return b"abcd"
        if vector == "val":
            count = self.random.choice([0, 1, 1, 2, 2, 3])
            return [self.struct("wasm_val_t") for _ in range(count)]
        items = [self.any_of(vector) for _ in range(3)]
        return [item for item in items if item is not None]

    def struct(self, name):
        struct = ffi.new(f"{name} *")
        if name == "wasm_limits_t":
            struct.min, struct.max = self.random.randrange(3), self.random.choice([2, 5, 2**32 - 1])
        elif name == "LoadArgs":
            struct.clone_wasm_binary = self.chance(0.5)
            struct.wasm_binary_freeable = self.chance(0.5)
        elif name == "wasm_val_t":
            struct.of.i32 = 3  # `spin` counts down from it, and from 0 it would take a while
            if self.chance(0.7):
                return struct
            struct.kind = self.random.choice([*KINDS, 4, 7])
            ref = self.any_of("ref")
            if struct.kind == api.WASM_FUNCREF:
                struct.of.ref = ffi.NULL if ref is None else ref
            elif struct.kind == api.WASM_EXTERNREF:
                struct.of.ref = ffi.cast("wasm_ref_t *", 16 * self.random.randrange(9))
        return struct
