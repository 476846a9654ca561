"""A model of the vector instructions, lane by lane, based on `ieee`.

`of(name)` returns an instruction: its parameters and result, its immediates, the values to try, and
`run`, which computes the expected result. `vector_shapes` has the shapes of vectors.
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Callable
from typing import Any

import ieee
from ieee import signed_of
from vector_shapes import NAMES, SHAPES, Instruction, Lane, Vector, binary, unary


def of(name: str) -> Instruction:
    """Return the instruction of this name."""
    shape, _, operator = name.partition(".")
    for pattern, make in _KINDS if name in NAMES else ():
        found = re.fullmatch(pattern, operator)
        made = make(name, SHAPES.get(shape), *found.groups()) if found else None
        if made:
            return made
    raise LookupError(f"no model of {name}")


# ---- integer operators ---------------------------------------------------------------------------


def saturate(width: int, signed: bool, a: int) -> int:
    low, high = ieee.bounds(width, signed)
    return min(max(a, low), high) % (1 << width)


def _either(function: Callable[[int, int], int], signed: bool) -> Callable[[int, int, int], int]:
    """Return an operator on signed or unsigned numbers."""
    if signed:
        return lambda w, a, b: function(signed_of(w, a), signed_of(w, b))
    return lambda w, a, b: function(a, b)


INTEGER_UNARY: dict[str, Callable[[int, int], int]] = {
    "abs": lambda w, a: abs(signed_of(w, a)),
    "neg": lambda w, a: -a,
    "popcnt": lambda w, a: (a).bit_count(),
}
INTEGER_BINARY: dict[str, Callable[[int, int, int], int]] = {
    "add": lambda w, a, b: a + b,
    "sub": lambda w, a, b: a - b,
    "mul": lambda w, a, b: a * b,
    "avgr_u": lambda w, a, b: (a + b + 1) // 2,
    "q15mulr_sat_s": lambda w, a, b: saturate(
        w, True, signed_of(w, a) * signed_of(w, b) + 0x4000 >> 15
    ),
    "add_sat_s": lambda w, a, b: saturate(w, True, signed_of(w, a) + signed_of(w, b)),
    "add_sat_u": lambda w, a, b: saturate(w, False, a + b),
    "sub_sat_s": lambda w, a, b: saturate(w, True, signed_of(w, a) - signed_of(w, b)),
    "sub_sat_u": lambda w, a, b: saturate(w, False, a - b),
}
COMPARED: dict[str, Callable[[int, int, int], int]] = {
    "eq": lambda w, a, b: a == b,
    "ne": lambda w, a, b: a != b,
}
for _s in (True, False):
    _letter = "s" if _s else "u"
    INTEGER_BINARY[f"min_{_letter}"] = _either(min, _s)
    INTEGER_BINARY[f"max_{_letter}"] = _either(max, _s)
    COMPARED[f"lt_{_letter}"] = _either(lambda a, b: a < b, _s)
    COMPARED[f"gt_{_letter}"] = _either(lambda a, b: a > b, _s)
    COMPARED[f"le_{_letter}"] = _either(lambda a, b: a <= b, _s)
    COMPARED[f"ge_{_letter}"] = _either(lambda a, b: a >= b, _s)
BITWISE: dict[str, Callable[[int, int], int]] = {
    "and": lambda a, b: a & b,
    "andnot": lambda a, b: a & ~b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
}
SHIFTS: dict[str, Callable[[int, int, int], int]] = {
    "shl": lambda w, a, by: a << by % w,
    "shr_s": lambda w, a, by: signed_of(w, a) >> by % w,
    "shr_u": lambda w, a, by: a >> by % w,
}


def _signed(letter: str) -> Callable[[int, int], int]:
    return signed_of if letter == "s" else lambda width, a: a


# ---- kinds of instructions -----------------------------------------------------------------------

Made = Instruction | None


def _lanewise(name: str, lane: Lane, into: Lane, count: int, function: Callable[..., Any]) -> Made:
    """Yield the lanes of the operands in order; missing lanes are zeros."""
    once = functools.cache(function)

    def run(*operands: bytes) -> Vector:
        lanes = [once(*each) for each in zip(*map(lane.split, operands), strict=True)]
        lanes = lanes[: into.count]
        return Vector(into, lanes + [0] * (into.count - len(lanes)))

    tries = unary if count == 1 else binary
    return Instruction(name, ("v128",) * count, "v128", run, lambda: tries(lane))


def _integer_operator(name: str, lane: Lane | None, operator: str) -> Made:
    if not lane or lane.format:
        return None
    w, mask = lane.width, (1 << lane.width) - 1
    if operator in INTEGER_UNARY:
        one = INTEGER_UNARY[operator]
        return _lanewise(name, lane, lane, 1, lambda a: one(w, a) & mask)
    if operator in INTEGER_BINARY:
        two = INTEGER_BINARY[operator]
        return _lanewise(name, lane, lane, 2, lambda a, b: two(w, a, b) & mask)
    if operator in COMPARED:
        compared = COMPARED[operator]
        return _lanewise(name, lane, lane, 2, lambda a, b: mask if compared(w, a, b) else 0)
    return None


def _float_operator(name: str, lane: Lane | None, operator: str) -> Made:
    function = getattr(ieee, "f_" + operator, None)
    if not lane or not lane.format or not function:
        return None
    f, mask = lane.format, (1 << lane.width) - 1
    if operator in ("eq", "ne", "lt", "gt", "le", "ge"):
        return _lanewise(name, lane, lane, 2, lambda a, b: mask if function(f, a, b) else 0)
    count = function.__code__.co_argcount - 1
    return _lanewise(name, lane, lane, count, functools.partial(function, f))


def _bitwise(name: str, _lane: Lane | None, operator: str) -> Made:
    lane = Lane(64)
    mask = (1 << 64) - 1
    if operator == "not":
        return _lanewise(name, lane, lane, 1, lambda a: a ^ mask)
    if operator == "bitselect":
        chance = random.Random(3)
        three = [tuple(chance.randbytes(16) for _ in range(3)) for _ in range(50)]

        def select(one: bytes, two: bytes, which: bytes) -> Vector:
            a, b, c = map(lane.split, (one, two, which))
            return Vector(lane, [x & z | y & ~z for x, y, z in zip(a, b, c, strict=True)])

        return Instruction(name, ("v128",) * 3, "v128", select, lambda: three)
    function = BITWISE[operator]
    return _lanewise(name, lane, lane, 2, lambda a, b: function(a, b) & mask)


def _shift(name: str, lane: Lane | None, operator: str) -> Made:
    assert lane
    w, function = lane.width, SHIFTS[operator]

    def run(vector: bytes, by: int) -> Vector:
        return Vector(lane, [function(w, a, by) % (1 << w) for a in lane.split(vector)])

    amounts = [*range(w + 2), 2 * w, (1 << 31) - 1, 1 << 31, (1 << 32) - 1]
    tries = [(vector, by) for (vector,) in unary(lane) for by in amounts]
    return Instruction(name, ("v128", "i32"), "v128", run, lambda: tries)


def _tested(name: str, lane: Lane | None, operator: str) -> Made:
    lane = lane or Lane(64)
    tests: dict[str, Callable[[list[int]], int]] = {
        "any_true": lambda lanes: int(any(lanes)),
        "all_true": lambda lanes: int(all(lanes)),
        "bitmask": lambda lanes: sum((a >> lane.width - 1) << i for i, a in enumerate(lanes)),
    }

    def tries() -> list[tuple[Any, ...]]:
        ones = [1] * lane.count
        alone = [[value if i == at else 0 for i in range(lane.count)]
                 for value in lane.values() for at in range(lane.count)]  # fmt: skip
        among = [[*ones[:at], value, *ones[at + 1:]]
                 for value in lane.values() for at in range(lane.count)]  # fmt: skip
        return unary(lane) + [(lane.join(lanes),) for lanes in alone + among]

    return Instruction(name, ("v128",), "i32", lambda v: tests[operator](lane.split(v)), tries)


def _converted(
    name: str, into: Lane | None, operator: str, low: str, source: str, sign: str
) -> Made:
    """Return demote, promote, trunc_sat or convert; they use the lower lanes if there are more."""
    assert into
    lane, signed = SHAPES[source], sign == "_s"
    if operator == "convert":
        assert into.format
        target = into.format
        return _lanewise(name, lane, into, 1, lambda a: ieee.convert(target, 32, signed, a))
    assert lane.format
    f = lane.format
    if operator == "trunc_sat":
        return _lanewise(name, lane, into, 1, lambda a: ieee.trunc_sat(32, signed, f, a))
    assert into.format
    return _lanewise(name, lane, into, 1, functools.partial(ieee.reformat, into.format, f))


def _half(lanes: list[int], which: str) -> list[int]:
    middle = len(lanes) // 2
    return lanes[:middle] if which == "low" else lanes[middle:]


def _extended(
    name: str, into: Lane | None, operator: str, which: str, source: str, sign: str
) -> Made:
    """Return extend or extmul (half of the lanes), extadd_pairwise (pairs), or dot (products)."""
    assert into
    lane, number, mask = SHAPES[source], _signed(sign), (1 << into.width) - 1

    def numbers(vector: bytes) -> list[int]:
        return [number(lane.width, a) for a in lane.split(vector)]

    def extend(v: bytes) -> list[int]:
        return _half(numbers(v), which)

    def extmul(v: bytes, w: bytes) -> list[int]:
        both = zip(_half(numbers(v), which), _half(numbers(w), which), strict=True)
        return [a * b for a, b in both]

    def pairwise(values: list[int]) -> list[int]:
        return [a + b for a, b in zip(values[::2], values[1::2], strict=True)]

    def dot(v: bytes, w: bytes) -> list[int]:
        return pairwise([a * b for a, b in zip(numbers(v), numbers(w), strict=True)])

    functions: dict[str, Callable[..., list[int]]] = {
        "extend": extend, "extmul": extmul, "dot": dot,
        "extadd_pairwise": lambda v: pairwise(numbers(v)),
    }  # fmt: skip
    function = functions[operator]
    two = operator in ("extmul", "dot")
    return Instruction(
        name, ("v128",) * (1 + two), "v128",
        lambda *vs: Vector(into, [a & mask for a in function(*vs)]),
        lambda: binary(lane) if two else unary(lane),
    )  # fmt: skip


def _narrowed(name: str, into: Lane | None, source: str, sign: str) -> Made:
    assert into
    lane = SHAPES[source]

    def run(v: bytes, w: bytes) -> Vector:
        both = lane.split(v) + lane.split(w)
        return Vector(
            into, [saturate(into.width, sign == "s", signed_of(lane.width, a)) for a in both]
        )

    return Instruction(name, ("v128", "v128"), "v128", run, lambda: binary(lane))


def _const(name: str, _lane: Lane | None) -> Made:
    vectors = (bytes(16), b"\xff" * 16, bytes(range(100, 116)))
    run = lambda vector: Vector(Lane(8), list(vector))  # noqa: E731
    return Instruction(name, (), "v128", run, lambda: [()], vectors)


def _picked(name: str, _lane: Lane | None, operator: str) -> Made:
    chance = random.Random(5)
    both = [(chance.randbytes(16), chance.randbytes(16)) for _ in range(20)]
    if operator == "shuffle":
        masks = [bytes(range(16)), bytes(range(16, 32)), b"\x1f" * 16, bytes(range(31, 15, -1))]
        masks += [bytes(chance.randrange(32) for _ in range(16)) for _ in range(12)]
        run = lambda mask, v, w: Vector(Lane(8), [(v + w)[i] for i in mask])  # noqa: E731
        return Instruction(name, ("v128",) * 2, "v128", run, lambda: both, tuple(masks))

    def swizzle(v: bytes, which: bytes) -> Vector:
        return Vector(Lane(8), [v[i] if i < 16 else 0 for i in which])

    every = [bytes((start + i) % 256 for i in range(16)) for start in range(0, 256, 5)]
    tries = [(v, which) for v, _ in both for which in every] + both
    return Instruction(name, ("v128",) * 2, "v128", swizzle, lambda: tries)


def _type_of(lane: Lane) -> str:
    return ("f" if lane.format else "i") + str(max(lane.width, 32))


def _splat(name: str, lane: Lane | None) -> Made:
    assert lane
    w = lane.width
    wide = lane if w >= 32 else Lane(32)
    run = lambda a: Vector(lane, [a % (1 << w)] * lane.count)  # noqa: E731
    tries = lambda: [(a,) for a in lane.values() + wide.values()]  # noqa: E731
    return Instruction(name, (_type_of(lane),), "v128", run, tries)


def _extracted(name: str, lane: Lane | None, sign: str | None) -> Made:
    assert lane

    def run(at: int, v: bytes) -> int:
        value = lane.split(v)[at]
        return signed_of(lane.width, value) % (1 << 32) if sign == "_s" else value

    places = tuple(range(lane.count))
    return Instruction(name, ("v128",), _type_of(lane), run, lambda: unary(lane), places)


def _replaced(name: str, lane: Lane | None) -> Made:
    assert lane

    def run(at: int, v: bytes, a: int) -> Vector:
        lanes: list[int | ieee.NaN] = [*lane.split(v)]
        lanes[at] = a % (1 << lane.width)
        return Vector(lane, lanes)

    chance = random.Random(7)
    wide = lane if lane.width >= 32 else Lane(32)
    tries = lambda: [(chance.randbytes(16), a) for a in wide.values()]  # noqa: E731
    places = tuple(range(lane.count))
    return Instruction(name, ("v128", _type_of(lane)), "v128", run, tries, places)


_SIGN = "_([su])"
_KINDS: list[tuple[str, Callable[..., Made]]] = [
    (r"const", _const),
    (r"(shuffle|swizzle)", _picked),
    (r"splat", _splat),
    (r"extract_lane(_[su])?", _extracted),
    (r"replace_lane", _replaced),
    (r"(not|and|andnot|or|xor|bitselect)", _bitwise),
    (r"(any_true|all_true|bitmask)", _tested),
    (r"(shl|shr_s|shr_u)", _shift),
    (r"(demote|promote|trunc_sat|convert)(_low)?_(\w\d+x\d+)(_[su])?(?:_zero)?", _converted),
    (r"(extend|extmul)_(low|high)_(\w+)_([su])", _extended),
    (r"(extadd_pairwise|dot)()_(\w+)_([su])", _extended),
    (r"narrow_(\w+)_([su])", _narrowed),
    (r"(\w+)", _integer_operator),
    (r"(\w+)", _float_operator),
]
