"""Writes python3.def: the names of the stable ABI, for an import library or for python3.dll itself.

    stable_abi.py OUT           for an import library
    stable_abi.py OUT DLL       each name forwarded to the DLL of one version, as "python312.dll";
                                names that it lacks are left out

python3.dll, which extensions for all versions are linked with, is in no package. The package
`abi3info` knows which names its stable ABI has.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pefile
from abi3info import DATAS, FUNCTIONS


def exported(dll: Path) -> set[str]:
    """Return the names that a library exports."""
    parsed = pefile.PE(str(dll), fast_load=True)
    parsed.parse_data_directories([pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_EXPORT"]])
    return {symbol.name.decode() for symbol in parsed.DIRECTORY_ENTRY_EXPORT.symbols if symbol.name}


def main(out: str, dll: str = "") -> None:
    lines = ["LIBRARY python3.dll", "EXPORTS"]
    for kind, suffix in ((FUNCTIONS, ""), (DATAS, " DATA")):
        names = {symbol.name for symbol in kind}
        if dll:
            names &= exported(Path(dll))
        forward = f" = {Path(dll).stem}.{{}}" if dll else ""
        lines += [f"  {name}{forward.format(name)}{suffix}" for name in sorted(names)]
    Path(out).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
