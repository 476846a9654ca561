"""WAMR's error texts, and the messages of this package for them, mostly the specification's words.

No other module knows what the texts look like; errors.py makes exceptions of the messages.
"""

from __future__ import annotations

_TRAP_PREFIXES = (
    "Exception: ",  # repeated when a trap has crossed several instances
    "WASM module instantiate failed: ",
    "AOT module instantiate failed: ",
)
_COMPILE_PREFIXES = (
    "WASM module load failed: ",
    "AOT module load failed: ",
    "WASM module instantiate failed: ",  # for names, while loading
)
_MEMORY_PREFIXES = (*_COMPILE_PREFIXES, "Init wasi environment failed: ")

# Text -> the name of a TrapCode, where the text isn't the value of the code.
_TRAP_CODES = {
    "wasm operand stack overflow": "STACK_OVERFLOW",
    "native stack overflow": "STACK_OVERFLOW",
    "instruction limit exceeded": "OUT_OF_FUEL",
    "timeout": "TIMEOUT",
    "terminated by user": "INTERRUPTED",
    "data segment does not fit": "MEMORY_OUT_OF_BOUNDS",
    "type mismatch: elements segment does not fit": "TABLE_OUT_OF_BOUNDS",
    "wasi proc exit": "EXIT",
}

# The beginning of a text, up to its details -> the name of a TrapCode.
_DETAILED = {
    "output limit reached": "OUTPUT_LIMIT",
    "out of bounds memory access": "MEMORY_OUT_OF_BOUNDS",
    "out of bounds table access": "TABLE_OUT_OF_BOUNDS",
}

# Text -> code and message, where the code's value would be less precise, or the text is unclear.
_REWORDED = {
    "wasm auxiliary stack overflow": (
        "STACK_OVERFLOW",
        "call stack exhausted: the program's own stack, in its memory, is full",
    ),
    "wasm auxiliary stack underflow": (
        "OTHER",
        "the program's own stack, in its memory, was popped beyond its end",
    ),
    "allocate memory failed": ("OTHER", "out of memory"),
    "allocate linear memory failed": ("OTHER", "out of memory: no linear memory"),
    "unknown function": ("OTHER", "unknown function: no such function index"),
}

_COMPILE_MESSAGES = {
    "": "the module was refused without a reason",
    "WASM module load failed": "the module was refused without a reason",
    "allocate memory failed": "out of memory",
    "magic header not detected": "magic header not detected: this is no WebAssembly module",
    "null load arguments": "unexpected end: the module is empty",
    "unexpected end": "unexpected end: the module is cut short",
    "unknown binary version": "unknown binary version: only version 1 of the core format runs here",
}

_OUT_OF_MEMORY = {
    "allocate memory failed",
    "failed to allocate bitmaps",
    "init fd table failed",
    "out of memory",
    "out of memory for WASI's descriptors",
}


def trap_message(text: str) -> tuple[str, str | None]:
    """Return the message of a trap, and the name of its TrapCode.

    A name without a message means the code's value. None instead of a name means the code that has
    the message as its value, or else OTHER.
    """
    text = _strip_prefixes(text, _TRAP_PREFIXES)
    if text in _REWORDED:
        code, message = _REWORDED[text]
        return message, code
    if text in _TRAP_CODES:
        return "", _TRAP_CODES[text]
    beginning, separator, _ = text.partition(": ")
    return text, _DETAILED.get(beginning) if separator else None


def link_message(text: str) -> str:
    """Return the message for an instantiation that failed before it had any effect."""
    text = _strip_prefixes(text, _TRAP_PREFIXES)
    return _REWORDED[text][1] if text in _REWORDED else text or "unknown reason"


def compile_message(text: str) -> str:
    """Return the message for a module that was rejected."""
    text = " ".join(_strip_prefixes(text, _COMPILE_PREFIXES).split())
    before, found, opcode = text.partition("unsupported opcode ")
    if found and not before:
        text = "unsupported opcode " + " ".join([f"0x{byte}" for byte in opcode.split()])
    return _COMPILE_MESSAGES.get(text, text)


def is_out_of_memory(text: str) -> bool:
    """Tell whether loading or instantiating failed only because an allocation did."""
    return _strip_prefixes(text, _MEMORY_PREFIXES) in _OUT_OF_MEMORY


def _strip_prefixes(text: str, prefixes: tuple[str, ...]) -> str:
    shortened = True
    while shortened:
        shortened = False
        for prefix in prefixes:
            if text.startswith(prefix):
                text, shortened = text[len(prefix) :], True
    return text.strip()
