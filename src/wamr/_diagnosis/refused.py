"""Explanations for modules that WAMR rejected: a proposal that they use, or a limit they exceed.

WAMR's texts name the detail that its loader rejected ("invalid section id"). The module's bytes,
read by `sections`, show which proposal the detail belongs to. A proposal is named only if the bytes
are well-formed with it and if its first use is where WAMR's text can come from, since the module
may be malformed, or invalid for another reason.
"""

from __future__ import annotations

import re

from .._base.binary_format import HEADER_BYTES, MAGIC, VERSION
from .._base.printable import quoted_name
from ..errors import CompileError, compile_error_from_text
from .names import shown_function
from .proposals import PROPOSALS, lacking, listed, what_there_is
from .reader import MOST_STEPS, Reader, TooMuchToRead, Use
from .sections import Body, Contents
from .too_large import too_large

# WAMR's texts for errors that a proposal may cause, each with the sections where the first use of
# the proposal must then be. Errors in code have a position, which is compared with the first use.
_SECTIONS = (
    # bytes that are misinterpreted
    (r"unexpected end.*|section size mismatch.*", ("type", "import", "table", "memory", "global")),
    (r"invalid type flag|unknown value type", ("type",)),
    (r"invalid import kind", ("import",)),
    (r"incompatible import type", ("import", "table")),  # also for tables that aren't imported
    (r"invalid limits flags.*|tables cannot be shared", ("import", "table", "memory")),
    (r"integer .*", ("import", "table", "memory")),
    (r"invalid mutability", ("import", "global")),
    (r"multiple memories", ("import", "memory")),
    (r"invalid reference type or unknown type", ("import", "table", "element")),
    (r"invalid local type .*|v128 value type requires simd feature", ("locals",)),
    (r"type mismatch.*", ("import", "table", "global", "element")),
    (r"unknown global.*", ("import", "table", "global", "element", "data")),
    (r".*constant expression.*|.*constant opcode.*", ("table", "global", "element", "data")),
    (r"unsupported opcode.*|invalid opcode.*", ("table", "global", "element", "data")),
    (r"unknown (memory|element segment kind|data segment).*", ("element", "data")),
)
# Explanations of WAMR's texts for readers who don't know the specification.
_MEANING = {
    "catch found without matched try": (
        "catch and catch_all must belong to a try, and no catch may follow its catch_all"
    ),
    "delegate found without matched try": "delegate must end a try that has no catch",
    "function and code section have inconsistent lengths": (
        "a function has no body in the code section"
    ),
    "function and code section have inconsistent lengths or unexpected end": (
        "a function has no body in the code section, or a body has no function"
    ),
    "data count and data section have inconsistent lengths": (
        "the data count section announces another number of data segments than there are"
    ),
    "data count section required": "memory.init and data.drop need a data count section",
    "integer representation too long": "a number takes more bytes than the format allows",
    "integer too large": "a number is larger than its place in the format allows",
    "invalid rethrow label": "rethrow must name the catch or catch_all of a try that it is in",
    "invalid start function": "it must take nothing and return nothing",
    "malformed catch clause": "try_table knows four kinds of clause, 0 to 3",
    "non-empty tag result type": "the type of a tag must have no results",
    "section size mismatch": "the size of a section is not that of its contents",
    "section size mismatch: function body END opcode expected": (
        "a function's code does not end where its size says"
    ),
    "size minimum must not be greater than maximum": "of a memory or a table",
    "type mismatch": "a constant expression, or an element, has the wrong type",
    "undeclared function reference": (
        "ref.func needs a function that an export, a global or an element segment names"
    ),
    "unexpected content after last section or junk after last section": (
        "a section is out of order, or occurs twice"
    ),
    "unknown label": "the label must be of a block around the instruction",
    "unknown tag attribute": "the attribute of a tag must be 0, which means an exception",
    "unknown label, unexpected end of section or function": (
        "a branch leads out of more blocks than it is in"
    ),
    "global is immutable": "global.set needs a global that is declared mutable",
}
# Texts for bytes that can't be read: then `Contents.problem` has the position.
_UNREADABLE = re.compile(
    "unexpected (end|content).*|section size mismatch.*|integer .*|.*inconsistent lengths.*|"
    "invalid (section id|type flag|limits flags|import kind|mutability|local type|function code).*|"
    "unknown value type"
)
_CATCHES = "a catch clause passes other types than those of its label"
_TRY_TABLE = 0x1F
_POSITION = re.compile(r" \(function (\d+), byte (\d+) of its code\)$")


def compile_error(text: str, data: bytes) -> CompileError:
    """Return the error for a module that WAMR rejected with `text`."""
    found = _POSITION.search(text)
    error = compile_error_from_text(text[: found.start()] if found else text)
    if data[:4] != MAGIC:
        return error
    if data[4:HEADER_BYTES] != VERSION:
        return _other_version(data) or error
    contents = Contents(data, MOST_STEPS)
    words = str(error)
    body, code = _find_instruction(contents, found)
    reason = _proposal(contents, words, body, code) or too_large(contents, data, words, body)
    if reason:
        return CompileError(f"{reason} (WAMR: {words})")
    details = []
    if words in _MEANING and not (body and words == "type mismatch"):
        details.append(_MEANING[words])
    elif words == "duplicate export name":
        details.append(_duplicate(contents))
    elif not found and re.fullmatch(r"unknown global( \d+)?", words):
        details.append("a constant expression can name imported constants only")
    if words == "type mismatch" and code and data[code.start] == _TRY_TABLE:
        details.append(_CATCHES)
    if found is not None:
        where = f", at byte {code.start:#x}" if code else f", at byte {found[2]} of its code"
        details.append(f"in {shown_function(data, int(found[1]))}{where}")
    message = ": ".join([words, ", ".join(details)]) if details else words
    if body is None and contents.problem and _UNREADABLE.fullmatch(words):
        message += f" ({contents.problem})"
    return CompileError(message)


def _duplicate(contents: Contents) -> str:
    names: set[str] = set()
    for export in contents.exports:
        if export["name"] in names:
            return f"two exports have the name {quoted_name(export['name'])}"
        names.add(export["name"])
    return "two exports have one name"


def _other_version(data: bytes) -> CompileError | None:
    if len(data) < 8:
        return None
    # The header has a version and a layer, each in two bytes. Core modules are layer 0.
    version, layer = (int.from_bytes(data[at : at + 2], "little") for at in (4, 6))
    found = f"{version} of layer {layer}" if layer else f"{version}"
    return CompileError(
        f"unknown binary version: {found}; WAMR runs version 1 of the core format (layer 0) only"
    )


def _find_instruction(contents: Contents, found: re.Match[str] | None) -> tuple[Body | None, range]:
    """Return the function of an error, and the range of the instruction that WAMR read last.

    found: a match of _POSITION, if the text has a position.
    """
    if found is not None:
        index, offset = int(found[1]), int(found[2])
        for body in contents.bodies:
            if body.index == index:
                return body, _instruction(contents, body, body.code + offset)
    return None, range(0)


def _instruction(contents: Contents, body: Body, read: int) -> range:
    """Return the range of the instruction that contains the byte before the offset `read`."""
    from .instructions import skip_to

    contents.uses.left = MOST_STEPS  # reading the module may have used all of them
    reader = Reader(contents.data, body.code, body.end, contents.uses)
    try:
        begin = skip_to(reader, min(read, body.end))
    except TooMuchToRead:
        return range(0)
    return range(begin, reader.at)


def _proposal(contents: Contents, text: str, body: Body | None, code: range) -> str | None:
    missing = lacking(contents.uses)
    if not missing or contents.problem:
        return None
    uses = {name: contents.uses[name] for name in missing}
    if body is not None:
        causes = [name for name, use in uses.items() if use.offset in code]
    else:
        sections = [s for pattern, in_ in _SECTIONS if re.fullmatch(pattern, text) for s in in_]
        causes = [name for name, use in uses.items() if use.section in sections]
    if not causes:
        return None
    order = sorted(uses, key=lambda name: (name not in causes, uses[name].offset))
    used = [f"{PROPOSALS[name][0]} ({_shown(contents, uses[name])})" for name in order]
    advice = [PROPOSALS[name][1] for name in order if PROPOSALS[name][1]]
    return "; ".join(
        [
            f"the module uses {listed(used)}, which this build does not have",
            f"it has {what_there_is()}",
            *dict.fromkeys(advice),
        ]
    )


def _shown(contents: Contents, use: Use) -> str:
    inside = ""
    if use.function is not None:
        inside = f" in {shown_function(contents.data, use.function)}"
    return f"{use.what}{inside}, at byte {use.offset:#x}"
