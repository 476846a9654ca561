"""Compiles C++ with exceptions for WASI, by the compiler of the package ziglang."""

from __future__ import annotations

from pathlib import Path

from needs import needs
from zig import compile_for_wasi

RUNTIME = Path(__file__).parents[2] / "samples" / "cpp" / "exceptions_runtime.cpp"
FEATURES = "-mcpu=generic+exception_handling+multivalue+reference_types"
INCLUDED = ("", "libcxx/src", "libcxxabi/include", "libcxxabi/src", "libunwind/include")


def compiled(source: Path, folder: Path, form: str) -> Path:
    """Compile a command; the form of its exceptions is "new" or "legacy"."""
    needs("ziglang", "test")
    import ziglang

    library = Path(ziglang.__file__).with_name("lib")
    flags = ["-std=c++23", "-O1", "-g0", "-w", *(f"-I{library / name}" for name in INCLUDED)]
    legacy = str(form == "legacy").lower()
    flags += [FEATURES, "-fwasm-exceptions", "-mllvm", f"-wasm-use-legacy-eh={legacy}"]
    objects = []
    for path in (source, RUNTIME):
        objects.append(str(folder / f"{path.stem}.o"))
        compile_for_wasi("c++", *flags, "-c", str(path), "-o", objects[-1])
    target = folder / f"{source.stem}-{form}.wasm"
    compile_for_wasi("c++", "-O1", "-g0", "-nostdlib++", *objects, "-o", str(target))
    return target
