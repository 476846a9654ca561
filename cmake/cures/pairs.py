"""Which pairs of instructions have a handler of their own, and what it does: text for ``speed``.

Chosen from what CPython, QuickJS and the kernels of the benchmarks run. A handler does in one piece
what the two do one after the other, and takes the first's result to the second in a register; it is
put together from a half for each.
"""

from __future__ import annotations

_COMPARE = {"EQ": "==", "NE": "!=", "LT": "<", "GT": ">", "LE": "<=", "GE": ">="}
_SIGNED = ["EQ", "NE", *(f"{name}_{sign}" for name in ("LT", "GT", "LE", "GE") for sign in "SU")]

# The first of a pair -> its second ones. Of several that fit, the last is taken. What they do is in
# _FIRSTS and _SECONDS; the letter at the end says what the first's result is to the second: _L and
# _R its left or right operand, _V and _A the value or address, _N nothing that matters.
PAIRS: dict[str, list[str]] = {
    **{f"I32_{name}": ["BR_IF", "IF"] for name in ("EQZ", *_SIGNED)},
    **{f"I64_{name}": ["BR_IF"] for name in ("EQZ", *_SIGNED)},
    **{f"F64_{name}": ["BR_IF"] for name in _COMPARE},
    "I32_ADD": [
        "I32_XOR_L",
        "I32_STORE_A",
        "I32_STORE_V",
        "I32_ADD_N",
        "I32_ADD_R",
        "I32_LOAD8_U_A",
        "I32_LOAD_A",
        "TEE",
    ],
    "I32_SUB": ["I32_STORE_V", "TEE"],
    "I32_AND": ["I32_XOR_R", "I32_XOR_L", "IF", "BR_IF", "TEE"],
    "I32_XOR": ["I32_ADD_L", "I32_ADD_R", "I32_XOR_R", "I32_XOR_L"],
    "I32_SHL": ["I32_STORE_A", "I32_LOAD_A", "I32_ADD_R", "I32_ADD_L", "TEE"],
    "I32_SHR_U": ["I32_XOR_R", "I32_AND_L"],
    "I32_ROTR": ["I32_XOR_R", "I32_XOR_L"],
    "I32_WRAP_I64": ["I32_ADD_L", "TEE"],
    "I32_LOAD": [
        "I32_SHL_L",
        "I32_AND_L",
        "IF",
        "BR_IF",
        "I32_STORE_N",
        "I32_ADD_R",
        "I32_ADD_L",
        "I32_LOAD_N",
        "TEE",
    ],
    "I32_LOAD8_U": ["BR_IF", "IF", "TEE"],
    "I32_LOAD16_U": ["TEE"],
    "I64_LOAD": ["I64_LOAD_N", "TEE_I64"],
    "F64_LOAD": ["F64_SUB_R", "F64_MUL_L", "F64_ADD_R", "F64_MUL_R"],
    "I32_STORE": ["I32_STORE_N", "I32_LOAD_N"],
    "I32_STORE8": ["I32_ADD_N"],
    **{
        f"F64_{name}": [f"F64_{other}_{side}" for other in ("MUL", "SUB", "ADD") for side in "RL"]
        for name in ("ADD", "SUB", "MUL")
    },
    "COPY": ["RETURN"],
}


def _firsts() -> dict[str, str]:
    """Return what each first does, as a macro of the interpreter; it leaves its result in `r`."""
    found = {"COPY": "WAMRPY_UNARY(uint32, I32, uint32, I32, x)"}
    for kind, bits in (("I32", 32), ("I64", 64)):
        found[f"{kind}_EQZ"] = f"WAMRPY_UNARY(uint{bits}, {kind}, uint32, I32, x == 0)"
        for name in _SIGNED:
            ctype = f"int{bits}" if name.endswith("S") else f"uint{bits}"
            how = f"x {_COMPARE[name[:2]]} y"
            found[f"{kind}_{name}"] = f"WAMRPY_BINARY({ctype}, {kind}, uint32, I32, {how})"
    for name, sign in _COMPARE.items():
        found[f"F64_{name}"] = f"WAMRPY_BINARY(float64, F64, uint32, I32, x {sign} y)"
    for name, how in _I32.items():
        found[f"I32_{name}"] = f"WAMRPY_BINARY(uint32, I32, uint32, I32, {how})"
    for name, how in _F64.items():
        found[f"F64_{name}"] = f"WAMRPY_BINARY(float64, F64, float64, F64, {how})"
    found["I32_WRAP_I64"] = "WAMRPY_UNARY(uint64, I64, uint32, I32, (uint32)x)"
    found["I32_LOAD"] = "WAMRPY_LOAD(uint32, I32, 4, LOAD_U32(maddr))"
    found["I32_LOAD8_U"] = "WAMRPY_LOAD(uint32, I32, 1, *maddr)"
    found["I32_LOAD16_U"] = "WAMRPY_LOAD(uint32, I32, 2, LOAD_U16(maddr))"
    found["I64_LOAD"] = "WAMRPY_LOAD(uint64, I64, 8, LOAD_I64(maddr))"
    found["F64_LOAD"] = "WAMRPY_LOAD(float64, F64, 8, GET_F64_FROM_ADDR((uint32 *)maddr))"
    found["I32_STORE"] = "WAMRPY_STORE(4, STORE_U32(maddr, value), WAMRPY_4, WAMRPY_6)"
    found["I32_STORE8"] = "WAMRPY_STORE(1, *maddr = (uint8)value, WAMRPY_4, WAMRPY_6)"
    return found


_I32 = {
    "ADD": "x + y",
    "SUB": "x - y",
    "AND": "x & y",
    "XOR": "x ^ y",
    "SHL": "x << (y % 32)",
    "SHR_U": "x >> (y % 32)",
    "ROTR": "rotr32(x, y)",
}
_F64 = {"ADD": "x + y", "SUB": "x - y", "MUL": "x * y"}


def _seconds() -> dict[str, tuple[str, str, str, str]]:
    """Return for each second: the opcode; where among its operands the first's result must be, or
    WAMRPY_ANY; how long they are; what it does.
    """
    found = {
        "TEE": ("EXT_OP_TEE_LOCAL_FAST", "1", "3", "WAMRPY_TEE(*local = r)"),
        "TEE_I64": ("EXT_OP_TEE_LOCAL_FAST_I64", "1", "3", "WAMRPY_TEE(PUT_I64_TO_ADDR(local, r))"),
        "BR_IF": ("WASM_OP_BR_IF", "0", "6 + sizeof(void *)", "WAMRPY_BR_IF"),
        "IF": ("WASM_OP_IF", "0", "2 + 2 * sizeof(void *)", "WAMRPY_IF"),
        "RETURN": ("WASM_OP_RETURN", "0", "2", "WAMRPY_RETURN"),
    }
    for kind, ctype, table in (("I32", "uint32", _I32), ("F64", "float64", _F64)):
        for name, how in table.items():
            for side, where, left, right in (
                ("L", "2", "r", f"GET_OPERAND({ctype}, {kind}, 0)"),
                ("R", "0", f"GET_OPERAND({ctype}, {kind}, 2)", "r"),
                ("N", "WAMRPY_ANY", f"GET_OPERAND({ctype}, {kind}, 2)",
                 f"GET_OPERAND({ctype}, {kind}, 0)"),
            ):  # fmt: skip
                does = f"WAMRPY_SECOND({ctype}, {kind}, {left}, {right}, {how})"
                found[f"{kind}_{name}_{side}"] = (f"WASM_OP_{kind}_{name}", where, "6", does)
    for op, size, kind, what in (
        ("I32_LOAD", 4, "I32", "LOAD_U32(maddr)"),
        ("I32_LOAD8_U", 1, "I32", "*maddr"),
        ("I64_LOAD", 8, "I64", "LOAD_I64(maddr)"),
    ):
        for side, where, address in (("A", "4", "r"), ("N", "WAMRPY_ANY", "WAMRPY_4")):
            does = f"WAMRPY_LOAD_FROM({address}, {size}, SET_OPERAND({kind}, -2, {what}))"
            found[f"{op}_{side}"] = (f"WASM_OP_{op}", where, "8", does)
    for side, where, value, address in (
        ("V", "4", "r", "WAMRPY_6"),
        ("A", "6", "WAMRPY_4", "r"),
        ("N", "WAMRPY_ANY", "WAMRPY_4", "WAMRPY_6"),
    ):
        does = f"WAMRPY_STORE(4, STORE_U32(maddr, value), {value}, {address})"
        found[f"I32_STORE_{side}"] = ("WASM_OP_I32_STORE", where, "8", does)
    return found


def _defines(prefix: str, values: dict[str, str]) -> str:
    return "".join(f"#define {prefix}_{name} {value}\n" for name, value in values.items())


_USED = {second for seconds in PAIRS.values() for second in seconds}
_SECONDS = {name: each for name, each in _seconds().items() if name in _USED}
_FIRSTS = {name: does for name, does in _firsts().items() if name in PAIRS}
# Where the loader gives an instruction another label than its own.
_OPCODE = {"F64_LOAD": "WASM_OP_I64_LOAD", "COPY": "EXT_OP_COPY_STACK_TOP"}

LIST = (
    "/* Pairs of instructions that have a handler, see cmake/cures/speed.py */\n"
    "#define WAMRPY_PAIRS(PAIR)"
    + "".join(f" \\\n    PAIR({one}, {two})" for one, twos in PAIRS.items() for two in twos)
    + "\n/* the first: its opcode */\n"
    + _defines("WAMRPY_FIRST", {name: _OPCODE.get(name, f"WASM_OP_{name}") for name in PAIRS})
    + "/* the second: its opcode; where the first's result is; its length */\n"
    + "#define WAMRPY_ANY 255\n"
    + _defines("WAMRPY_SECOND", {name: ", ".join(each[:3]) for name, each in _SECONDS.items()})
)

_HANDLERS = """\
#if WASM_ENABLE_LABELS_AS_VALUES != 0 \\
    && WASM_CPU_SUPPORTS_UNALIGNED_ADDR_ACCESS != 0
/* Pairs of instructions with one handler. frame_ip is past the label of the one
   that works, at a branch, a trap and a checkpoint: a frame's place is right. */
#define WAMRPY_BINARY(type, kind, rtype, rkind, how)          \\
    rtype r;                                                  \\
    do {                                                      \\
        type x = GET_OPERAND(type, kind, 2);                  \\
        type y = GET_OPERAND(type, kind, 0);                  \\
        r = how;                                              \\
        SET_OPERAND(rkind, 4, r);                             \\
        frame_ip += 6;                                        \\
    } while (0)
#define WAMRPY_UNARY(type, kind, rtype, rkind, how)           \\
    rtype r;                                                  \\
    do {                                                      \\
        type x = GET_OPERAND(type, kind, 0);                  \\
        r = how;                                              \\
        SET_OPERAND(rkind, 2, r);                             \\
        frame_ip += 4;                                        \\
    } while (0)
#define WAMRPY_SECOND(type, kind, left, right, how)           \\
    do {                                                      \\
        type x = left, y = right;                             \\
        SET_OPERAND(kind, 4, how);                            \\
        frame_ip += 6;                                        \\
    } while (0)
#define WAMRPY_4 GET_OPERAND(uint32, I32, 4)
#define WAMRPY_6 GET_OPERAND(uint32, I32, 6)
#define WAMRPY_LOAD_FROM(address, bytes, how)                 \\
    do {                                                      \\
        uint32 addr = address, offset = LOAD_U32_WITH_2U16S(frame_ip); \\
        frame_ip += 8;                                        \\
        CHECK_MEMORY_OVERFLOW(bytes);                         \\
        how;                                                  \\
    } while (0)
#define WAMRPY_LOAD(rtype, rkind, bytes, how)                 \\
    rtype r;                                                  \\
    WAMRPY_LOAD_FROM(WAMRPY_4, bytes, r = how; SET_OPERAND(rkind, -2, r))
#define WAMRPY_STORE(bytes, how, value_, address)             \\
    do {                                                      \\
        uint32 value = value_;                                \\
        uint32 addr = address, offset = LOAD_U32_WITH_2U16S(frame_ip); \\
        frame_ip += 8;                                        \\
        CHECK_MEMORY_OVERFLOW(bytes);                         \\
        how;                                                  \\
    } while (0)
#define WAMRPY_TEE(how)                                       \\
    do {                                                      \\
        uint32 *local = frame_lp + *frame_ip;                 \\
        how;                                                  \\
        frame_ip += 3;                                        \\
    } while (0)
#define WAMRPY_BR_IF                                          \\
    do {                                                      \\
        CHECK_SUSPEND_FLAGS();                                \\
        if (r) {                                              \\
            frame_ip = (uint8 *)LOAD_PTR(frame_ip + 6);       \\
            HANDLE_OP_END();                                  \\
        }                                                     \\
        frame_ip += 6 + sizeof(void *);                       \\
    } while (0)
#define WAMRPY_IF                                             \\
    do {                                                      \\
        uint8 *otherwise;                                     \\
        if (r) {                                              \\
            frame_ip += 2 + 2 * sizeof(void *);               \\
            HANDLE_OP_END();                                  \\
        }                                                     \\
        otherwise = (uint8 *)LOAD_PTR(frame_ip + 2);          \\
        if (!otherwise)                                       \\
            otherwise = (uint8 *)LOAD_PTR(frame_ip + 2 + sizeof(void *)); \\
        frame_ip = otherwise;                                 \\
    } while (0)
#define WAMRPY_RETURN                                         \\
    do {                                                      \\
        prev_frame->lp[prev_frame->ret_offset] = r;           \\
        goto return_func;                                     \\
    } while (0)
#define HANDLE_PAIR(first, second)                            \\
    HANDLE_PAIR_##first##_##second:                           \\
    {                                                         \\
        WAMRPY_DO_##first;                                    \\
        frame_ip += sizeof(void *); /* the second's label */  \\
        WAMRPY_THEN_##second;                                 \\
        HANDLE_OP_END();                                      \\
    }
#define PAIR_LABEL(first, second) &&HANDLE_PAIR_##first##_##second,
"""

HANDLERS = (
    _HANDLERS
    + _defines("WAMRPY_DO", _FIRSTS)
    + _defines("WAMRPY_THEN", {name: each[3] for name, each in _SECONDS.items()})
)
