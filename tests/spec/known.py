"""Which files of the suite are run, and the table of assertions that fail.

In the folders of `COMPLETE` every assertion must pass, except those of `KNOWN`, which must fail: an
outdated entry fails the tests, too. Files in `FOREIGN` may need features that this build lacks:
lacking.py tells which file needs which. Each of these must end, and its failures must come from
refused modules. Both have the number of files, so that none gets lost.
"""

from __future__ import annotations

from dataclasses import dataclass

COMPLETE = {
    "wasm-v1": 73,
    "wasm-v2": 90,
    "proposals/bulk-memory": 8,
    "proposals/exception-handling": 8,  # of an earlier version of the proposal
    "proposals/exceptions": 5,
    "proposals/extended-const": 3,
    "proposals/multi-value": 10,
    "proposals/mutable-global": 2,
    "proposals/nontrapping-float-to-int-conversions": 1,
    "proposals/reference-types": 30,
    "proposals/relaxed-simd": 7,
    "proposals/sign-extension-ops": 2,
    "proposals/simd": 59,
    "proposals/tail-call": 2,
}

FOREIGN = {
    "wasm-v3": 97,
    "wasm-latest": 97,
    "proposals/annotations": 4,
    "proposals/compact-import-section": 2,
    "proposals/custom-descriptors": 14,
    "proposals/custom-page-sizes": 5,
    "proposals/function-references": 26,
    "proposals/gc": 17,
    "proposals/memory64": 14,
    "proposals/multi-memory": 41,
    "proposals/threads": 4,
    "proposals/wide-arithmetic": 1,
}


@dataclass(frozen=True)
class Known:
    """Assertions of one file that fail, and the reason."""

    file: str
    lines: tuple[int, ...]
    reason: str


KNOWN = (
    # Files that need a later proposal than that of their folder.
    Known(
        "proposals/bulk-memory/table-sub",
        (1,),
        "a table of (ref null $t): typed function references, which this build has not",
    ),
    Known(
        "proposals/bulk-memory/table_init",
        (2272, 2286),
        "an array type: garbage collection, which this build has not",
    ),
    Known(
        "proposals/simd/simd_memory-multi",
        (5,),
        "two memories: WAMR has them in its slower interpreter only",
    ),
    Known(
        "proposals/exceptions/cast",
        (1, 21, 22, 23, 24),
        "ref.test and ref.cast: garbage collection, which this build has not",
    ),
    Known(
        "proposals/exceptions/tag",
        (30, 38, 40, 49),
        "tags with types of recursive groups: garbage collection, which this build has not",
    ),
    Known(
        "proposals/exceptions/try_table",
        (420, 464, 465, 466, 467, 468),
        "a tag with a (ref $t): typed function references, which this build has not",
    ),
    # Old scripts that contradict the present specification.
    Known(
        "proposals/mutable-global/linking",
        (207, 228, 236, 239, 248, 299, 335, 342, 345, 354),
        "it wants all segments checked before the first is written, and no trap but a link error; "
        "since bulk memory they are written one by one (wasm-v2/linking, line 265 on)",
    ),
    Known(
        "proposals/reference-types/unreached-invalid",
        (540,),
        "br_table with labels of different types is valid in unreachable code (wasm-v2/"
        "unreached-valid, 'meet-bottom')",
    ),
    # threads was forked before modules could have more than one table.
    Known(
        "proposals/threads/imports",
        (310, 314, 318),
        "it wants two tables refused; reference types allow them (wasm-v2/imports)",
    ),
    # These fail because an earlier module was refused: its data are missing.
    Known(
        "proposals/multi-memory/linking0",
        (42,),
        "the module of line 30, with several memories, would have put a function in the table",
    ),
    Known(
        "proposals/multi-memory/load1",
        (25, 26, 27, 28, 29),
        "the module of line 10, with two memories, would have written the bytes",
    ),
)
