"""Callbacks that call their own instance again: errors of the inner call stay there."""

import pytest
from capi import api

TEXT = """(module (import "host" "f" (func $f (param i32) (result i32)))
  (func (export "go") (param i32) (result i32) (i32.add (call $f (local.get 0)) (i32.const 1)))
  (func (export "trap") (param i32) (result i32) unreachable)
  (func (export "divide") (param i32) (result i32) (i32.div_u (i32.const 6) (local.get 0))))"""


class Nested:
    """An instance whose import calls `action(instance)`, which returns a result or a trap."""

    def __init__(self, wat2wasm, action):
        self.engine = api.wasm_engine_new()
        self.store = api.wasm_store_new(self.engine)
        i32 = api.wasm_valtype_new_i32
        type_ = api.wasm_functype_new_1_1(i32(), i32())
        self.seen = []

        @api.wasm_func_callback
        def callback(args, results):
            answer = action(self, args.data[0].of.i32)
            if not isinstance(answer, int):
                return answer
            results.data[0].of.i32 = answer
            return None

        self.host = api.wasm_func_new(self.store, type_, callback)
        api.wasm_functype_delete(type_)
        module = api.wasm_module_new(self.store, api.WASM_ARRAY_VEC("byte", wat2wasm(TEXT)))
        imports = api.WASM_ARRAY_VEC("extern", [api.wasm_func_as_extern(self.host)])
        instance = api.wasm_instance_new(self.store, module, imports, None)
        exports = api.WASM_EMPTY_VEC("extern")
        api.wasm_instance_exports(instance, exports)
        self.go, self.trap, self.divide = [
            api.wasm_extern_as_func(exports.data[i]) for i in range(3)
        ]
        self.kept = [module, instance, exports]

    def call(self, func, value):
        results = api.wasm_val_vec_from_values([api.WASM_INIT_VAL()])
        trap = api.wasm_func_call(
            func, api.wasm_val_vec_from_values([api.WASM_I32_VAL(value)]), results
        )
        return trap or results.data[0].of.i32

    def text(self, answer):
        return answer if isinstance(answer, int) else api.wasm_trap_to_str(answer)


def test_a_trap_that_the_callback_deletes_is_over(wat):
    def action(nested, value):
        for func, argument in ((nested.trap, 0), (nested.divide, 0), (nested.divide, 2)):
            answer = nested.call(func, argument)
            nested.seen.append(nested.text(answer))
            if not isinstance(answer, int):
                api.wasm_trap_delete(answer)
        return value

    nested = Nested(wat, action)
    for _ in range(2):
        assert nested.call(nested.go, 41) == 42
    unreachable, division, three = nested.seen[:3]
    assert "unreachable" in unreachable
    assert "integer divide by zero" in division
    assert three == 3
    assert nested.call(nested.divide, 3) == 2


def test_a_trap_that_the_callback_hands_on_ends_the_outer_call(wat):
    nested = Nested(wat, lambda nested, value: nested.call(nested.divide, 0))
    for _ in range(2):
        assert "integer divide by zero" in nested.text(nested.call(nested.go, 1))
    assert nested.call(nested.divide, 3) == 2


def test_another_trap_instead_of_the_inner_one(wat):
    def action(nested, value):
        api.wasm_trap_delete(nested.call(nested.trap, 0))
        raise LookupError(value)

    nested = Nested(wat, action)
    for _ in range(2):
        assert "LookupError: 5" in nested.text(nested.call(nested.go, 5))
    assert nested.call(nested.divide, 3) == 2


@pytest.mark.parametrize("depth", [1, 5])
def test_the_outer_calls_go_on_at_every_depth(wat, depth):
    def action(nested, value):
        if value:
            return nested.call(nested.go, value - 1)
        api.wasm_trap_delete(nested.call(nested.trap, 0))
        return 0

    nested = Nested(wat, action)
    assert nested.call(nested.go, depth) == depth + 1
