"""Invalid arguments of every function of the C API.

Each argument is NULL, of another type, no pointer, deleted, unknown, no number, or out of range.
The calls are generated from the header, so no function is left out. They run in forked children, in
batches: a crash is a failure that names its call.
"""

import contextlib

import pytest
from capi import NEGATIVE, NULL, World, api, ffi, header, in_child

# The results of a function that fails; a function may return them for NULL.
FAILED = (None, False, 0, 0.0, -1.0)
# Functions for which NULL is a valid value, so they may also succeed.
NULL_IS_FINE = {
    "a",
    "b",
    "init",
    "imports",
    "trap",
    "data",
    "message",
    "info",
    "finalizer",
    "env",
    "option",
    "opts",
    "out",
    "src",
    "vec",
    "params",
    "results",
    "config",
    "args",
    "valtype",
    "p",
    "p1",
    "p2",
    "p3",
    "r",
    "r1",
    "r2",
    "ref",
    "store",
    "val",
    "t",
}


def signatures():
    declared = header()
    from codegen import rules

    kinds, vectors = rules.object_kinds(declared), rules.vector_kinds(declared)
    return [
        (function, rules.named(function, kinds, vectors), kinds, vectors)
        for function in declared.functions
    ]


def is_pointer(parameter):
    return bool(
        parameter.type.pointers or parameter.type.function
    ) or parameter.type.name.startswith("wasm_func_callback")


def call_with(wat, function, parameters, kinds, vectors, position, value):
    """Call a function with valid arguments except one, which is `value(world, the valid one)`."""
    world = World(wat)
    arguments = [world.argument(function, p, kinds, vectors) for p in parameters]
    arguments[position] = value(world, arguments[position])
    try:
        return getattr(api, function.name)(*arguments)
    finally:
        world.close()


def null_case(wat, function, parameters, kinds, vectors, position, null):
    name = parameters[position].name
    try:
        answer = call_with(wat, function, parameters, kinds, vectors, position, lambda *_: null)
    except ValueError as error:
        assert function.name in str(error)  # noqa: PT017
        assert name in str(error) or "size" in str(error)  # noqa: PT017
        return
    if isinstance(answer, ffi.CData):
        empty = function.name == "wasm_module_get_name" and ffi.string(answer) == b""
        assert name in NULL_IS_FINE or not answer or empty, f"NULL gives {answer}"
    else:
        assert name in NULL_IS_FINE or answer in FAILED or "kind" in function.name, (
            f"NULL gives {answer}"
        )


def wrong_case(wat, function, parameters, kinds, vectors, position, wrong):
    name = parameters[position].name
    try:
        answer = call_with(wat, function, parameters, kinds, vectors, position, lambda *_: wrong)
    except TypeError as error:
        text = str(error)
        assert function.name in text, text
        assert name in text, text
        return
    raise AssertionError(f"{wrong!r} gives {answer!r}")


def range_case(wat, function, parameters, kinds, vectors, position, number):
    with pytest.raises(OverflowError):
        call_with(wat, function, parameters, kinds, vectors, position, lambda *_: number)


def dead_case(wat, function, parameters, kinds, vectors, position, way):
    parameter = parameters[position]
    kind = parameter.type.name.removeprefix("wasm_").removesuffix("_t")

    def dead(world, valid):
        if way == "unknown":
            return ffi.cast(f"wasm_{kind}_t *", 0x1234560)
        victim = world.new(kind)
        if kind == "engine":
            # Other objects hold references to the engine, so it is deleted until the last is gone.
            while not api.wasm_repr(victim).startswith("dead"):
                api.wasm_engine_delete(victim)
            return victim
        getattr(api, f"wasm_{kind}_delete")(victim)
        return victim

    try:
        answer = call_with(wat, function, parameters, kinds, vectors, position, dead)
    except ReferenceError as error:
        assert function.name in str(error), str(error)  # noqa: PT017
        return
    raise AssertionError(f"a {way} pointer gives {answer!r}")


def cases(wat, function, parameters, kinds, vectors):
    from codegen import rules

    for position, parameter in enumerate(parameters):

        def case(run, what, *more, at=position):
            name = f"{function.name}({parameters[at].name}={what})"
            return name, lambda: run(wat, function, parameters, kinds, vectors, at, *more)

        if not is_pointer(parameter):
            for wrong in (None, "text", 2.5, [], ffi.new("int *")):
                yield case(wrong_case, f"a {type(wrong).__name__}", wrong)
            if parameter.type.name != "bool":
                for number in (-1, 2**64):
                    yield case(range_case, str(number), number)
            continue
        yield case(null_case, "None", None)
        if parameter.type.name != "char":
            yield case(null_case, "NULL", NULL)
        if parameter.name == "env":
            continue  # any Python object is a valid env
        yield case(wrong_case, "an int", 5)
        yield case(wrong_case, "a float", 2.5)
        if parameter.type.name not in ("char", "void"):
            yield case(wrong_case, "an int *", ffi.new("int *"))
        if parameter.type.name != "char" and not parameter.type.array:
            yield case(wrong_case, "a str", "text")
        if not parameter.type.array and parameter.type.name != "char":
            yield case(wrong_case, "an empty list", [])
        if rules.handle(parameter.type, kinds):
            yield case(dead_case, "a deleted one", "deleted")
            yield case(dead_case, "an unknown one", "unknown")


BATCHES = 16


@pytest.mark.parametrize("batch", range(BATCHES))
def test_arguments(wat, batch):
    mine = signatures()[batch::BATCHES]
    failures = in_child([case for signature in mine for case in cases(wat, *signature)])
    assert not failures, "\n".join(failures)


def test_every_function_refuses_one_argument_more(wat):
    def case(function, parameters, kinds, vectors):
        def run():
            world = World(wat)
            arguments = [world.argument(function, p, kinds, vectors) for p in parameters]
            with pytest.raises(TypeError):
                getattr(api, function.name)(*arguments, None)
            world.close()

        return function.name, run

    failures = in_child([case(*signature) for signature in signatures()])
    assert not failures, "\n".join(failures)


def register():
    """Return the cases that the tests above will run, by function."""
    for signature in signatures():
        names = [name for name, _ in cases(None, *signature)]
        NEGATIVE.setdefault(signature[0].name, []).extend(names or ["one argument more"])


# Without the header there are no functions to call: register() skips.
with contextlib.suppress(pytest.skip.Exception):
    register()
