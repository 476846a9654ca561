"""Writes python3.def: the names of the stable ABI, each forwarded to the DLL of one version.

    stable_abi.py DLL OUT       as "python312.dll": names that DLL lacks are left out

python3.dll, which extensions for all versions are linked with, is in no package. The package
`abi3info` knows which names its stable ABI has.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pefile
from abi3info import DATAS, FUNCTIONS


def main() -> None:
    dll = Path(sys.argv[1])
    parsed = pefile.PE(str(dll), fast_load=True)
    parsed.parse_data_directories([pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_EXPORT"]])
    there = {
        symbol.name.decode() for symbol in parsed.DIRECTORY_ENTRY_EXPORT.symbols if symbol.name
    }
    lines = ["LIBRARY python3.dll", "EXPORTS"]
    for kind, suffix in ((FUNCTIONS, ""), (DATAS, " DATA")):
        names = sorted({symbol.name for symbol in kind} & there)
        lines += [f"  {name} = {dll.stem}.{name}{suffix}" for name in names]
    Path(sys.argv[2]).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
