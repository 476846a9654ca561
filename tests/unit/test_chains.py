"""Chains of calls that enter an instance more than once, with each way to end."""

from __future__ import annotations

import itertools

import pytest
from chain_model import (
    AGAIN,
    CLASSES,
    CODES,
    ENDS,
    EXIT_CODE,
    FUEL,
    HOPS,
    NAMES,
    POLICIES,
    TYPES,
    WAYS_IN,
    Expected,
    Hop,
    Shape,
    expected,
    fuel_of_return,
)
from chains import Chain, ReplacementError, as_tuple
from hypothesis import given, settings
from hypothesis import strategies as st
from small_modules import HostError

from wamr import ExitTrap, Instance, MemoryLimitError, Module, TimeoutTrap, Trap


def names(trap: Trap) -> list[tuple[str | None, str | None]]:
    found = [(frame.module_name, frame.func_name) for frame in trap.frames]
    return [
        name for i, name in enumerate(found) if i == 0 or name != found[i - 1] or name[1] != "deep"
    ]


def check_error(chain: Chain, error: BaseException, right: Expected) -> None:
    """Check that the error is the one that the model expects, with its frames."""
    if right.kind == "replaced":
        assert right.cause is not None
        if chain.end == "timeout" and type(error) is TimeoutTrap:
            return  # on a busy machine, it came before the host function was called
        assert type(error) is ReplacementError
        assert error in chain.raised
        assert error.__context__ is not None
        check_error(chain, error.__context__, right.cause)
        return
    if right.kind in ("error", "keyboard"):
        assert type(error) is (HostError if right.kind == "error" else KeyboardInterrupt)
        assert error is chain.raised[0]
        return
    if right.kind == "grow":
        assert type(error) is MemoryLimitError
        return
    assert type(error) is CLASSES.get(right.kind, Trap)
    assert isinstance(error, Trap)
    assert error.code is CODES[right.kind]
    if isinstance(error, ExitTrap):
        assert error.exit_code == EXIT_CODE
    if right.kind == "trap_of_host":
        assert error is chain.raised[0]
    found = names(error)
    if right.kind == "timeout":  # on a busy machine, it may come earlier
        nodes = [int(name[1:]) for _, name in found if name and name[0] == "n"]
        assert nodes == sorted(set(nodes), reverse=True)
        assert found[-1:] == [(NAMES[chain.shape.owners[i]], f"n{i}") for i in nodes[-1:]]
    else:
        assert found == right.frames
    for frame in error.frames:
        assert frame.instance is chain.instances[NAMES.index(frame.module_name or "")]
        assert frame.module_offset is not None


def check_return(chain: Chain) -> None:
    """Check that calls work as before: values, fuel."""
    before = [instance.fuel for instance in chain.instances]
    assert before == [FUEL] * len(chain.instances)
    assert as_tuple(chain.run("return")) == expected(chain.shape, chain.values, "return").values
    if chain.shape.types != "wide":  # large frames count as more
        used = [FUEL - (instance.fuel or 0) for instance in chain.instances]
        assert used == fuel_of_return(chain.shape)


def check(chain: Chain, end: str) -> None:
    right = expected(chain.shape, chain.values, end)
    if right.kind == "return":
        assert as_tuple(chain.run(end)) == right.values
        return
    with pytest.raises(BaseException) as caught:
        chain.run(end)
    check_error(chain, caught.value, right)


def check_all(shape: Shape) -> None:
    chain = Chain(shape)
    swallows = any(hop.plain.startswith("host") and hop.policy == "swallow" for hop in shape.hops)
    for end in ENDS:
        if swallows and end in AGAIN:
            continue
        for owner in set(shape.owners) if end == "interrupt" else {0}:
            chain.interrupted = owner
            check(chain, end)
        for instance in chain.instances:
            instance.fuel = FUEL
        check_return(chain)


def shapes(nodes: int, instances: int) -> list[Shape]:
    """Yield all shapes; types, call paths and policies alternate."""
    turns = zip(
        itertools.cycle(TYPES),
        itertools.cycle(WAYS_IN + WAYS_IN[:3]),
        itertools.cycle(POLICIES * 2 + POLICIES[:1] * 5),
        itertools.cycle((False, True, True)),
        strict=False,
    )
    found = []
    for owners in itertools.product(range(instances), repeat=nodes):
        for hops in itertools.product(HOPS, repeat=nodes - 1):
            shape = Shape(owners, tuple(map(Hop, hops)), "i32")
            if not shape.possible():
                continue
            types, way, policy, exported = next(turns)
            full = tuple([Hop(kind, policy, way) for kind in hops])
            found.append(Shape(owners, full, types, way, exported))
    return found


@pytest.mark.parametrize("shape", shapes(1, 1) + shapes(2, 2), ids=str)
def test_chains_of_one_and_two(shape):
    check_all(shape)


@pytest.mark.slow
@pytest.mark.parametrize("owners", list(itertools.product(range(2), repeat=3)), ids=str)
def test_chains_of_three(owners):
    for shape in shapes(3, 2):
        if shape.owners == owners:
            check_all(shape)


@st.composite
def random_shapes(draw):
    """Return a chain of up to six nodes in up to three instances."""
    owners = tuple(draw(st.lists(st.integers(0, 2), min_size=3, max_size=6)))
    hops = []
    for here, there in itertools.pairwise(owners):
        kinds = [kind for kind in HOPS if Shape((here, there), (Hop(kind),), "i32").possible()]
        ways = st.sampled_from(WAYS_IN), st.sampled_from(POLICIES)
        way, policy = (draw(way) for way in ways)
        hops.append(Hop(draw(st.sampled_from(kinds)), policy, way))
    types, entry = draw(st.sampled_from(list(TYPES))), draw(st.sampled_from(WAYS_IN))
    return Shape(owners, tuple(hops), types, entry, draw(st.booleans()))


@pytest.mark.slow
@settings(max_examples=60)
@given(random_shapes())
def test_long_chains(shape):
    check_all(shape)


# ------------------------------------------------------------------ the smallest ones
ITSELF = """(module $a (import "e" "f" (func $f (result i32)))
    (table (export "t") 2 funcref)
    (func $h (export "h") (result i32) unreachable)
    (func $g (export "g") (result i32) (call $f))
    (func $go (export "go") (param i32) (result i32)
        (call_indirect (result i32) (local.get 0))))"""
OTHER = """(module (import "a" "h" (func $h (result i32))) (import "a" "g" (func $g (result i32)))
    (import "a" "t" (table 2 funcref)) (elem (i32.const 0) $h $g))"""


def test_an_instance_that_calls_itself_by_anothers_reference_keeps_its_trap(store):
    answers = [lambda: 7, lambda: 1 // 0, lambda: 8]
    a = Instance(store, Module(store, ITSELF), [lambda: answers.pop(0)()])
    Instance(store, Module(store, OTHER), {"a": a})
    for _ in range(2):
        with pytest.raises(Trap, match="unreachable") as caught:
            a.exports.go(0)
        assert [frame.func_name for frame in caught.value.frames] == ["h", "go"]
    assert a.exports.go(1) == 7
    with pytest.raises(ZeroDivisionError):
        a.exports.go(1)
    assert a.exports.go(1) == 8
