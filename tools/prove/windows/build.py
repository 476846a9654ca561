"""Cross-compiles the package for Windows with zig, and makes the wheel.

    WAMR_CROSS=x86_64-windows build.py SOURCE HEADERS PYTHON3_LIB LINUX_WHEEL OUT

SOURCE: an unpacked sdist. HEADERS: of CPython, any version; pyconfig.h is the one beside this file.
PYTHON3_LIB: the import library of python3.dll. LINUX_WHEEL: of this machine; its Python files and
its metadata are taken. OUT: the folder of the wheel.

On Windows itself setup.py does all of this, with clang-cl.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import iwasm

HERE = Path(__file__).resolve().parent
PLATFORM = {"x86_64-windows": "win_amd64", "aarch64-windows": "win_arm64"}


def main() -> None:
    source, headers, library, linux_wheel, out = sys.argv[1:]
    root = Path(source).resolve()
    os.chdir(root)
    sys.path[:0] = [str(root), str(root / "cmake")]
    import iwasm

    target = iwasm.cross()
    if not target:
        sys.exit(f"WAMR_CROSS must be one of {', '.join(PLATFORM)}")
    paths = iwasm.layout(root)
    built = iwasm.build(root, None, paths.c_files)
    import build_ffi

    build_ffi.check_link(built.libraries, build_ffi.declared)
    folder = paths.build / "extension"
    folder.mkdir(exist_ok=True)
    includes = folder / "include"
    shutil.copytree(headers, includes, dirs_exist_ok=True)
    shutil.copy(HERE / "pyconfig.h", includes / "pyconfig.h")
    generated = folder / "_wamr.c"
    build_ffi.ffibuilder.emit_c_code(str(generated))
    objects = _compile(paths, built, includes, generated, folder)
    extension = folder / "_wamr.pyd"
    zig = [str(paths.build / "zig" / "cc"), "-shared", "-s", "-Wl,--gc-sections"]
    system = [f"-l{name}" for name in built.system_libraries]
    libraries = [str(path) for path in built.libraries]
    _run([*zig, *objects, *libraries, library, *system, "-o", str(extension)])
    _make_wheel(Path(linux_wheel), extension, PLATFORM[target], Path(out))


def _compile(
    paths: iwasm.Layout, built: iwasm.Iwasm, includes: Path, generated: Path, folder: Path
) -> list[str]:
    """Compile cffi's source and src/native/cpython, with the options of setup.py."""
    import module_options

    command = [str(paths.build / "zig" / "cc"), "-c"]
    macros = [module_options.STABLE_ABI, *built.define_macros]
    command += [f"-D{name}={value}" for name, value in macros]
    command += [f"-I{path}" for path in (includes, *built.include_dirs)]
    command += [*module_options.for_all(abi3=True), *built.compile_args]

    def compile_one(file: Path) -> str:
        made = str(folder / f"{file.stem}.o")
        more = [] if file == generated else module_options.for_own(strict=True)
        _run([*command, *more, str(file), "-o", made])
        return made

    with ThreadPoolExecutor(int(os.environ.get("MAX_JOBS") or os.cpu_count() or 1)) as pool:
        return [*pool.map(compile_one, [generated, *module_options.own_sources(paths.native)])]


def _make_wheel(linux_wheel: Path, extension: Path, platform: str, out: Path) -> None:
    unpacked = out / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    _run([sys.executable, "-m", "wheel", "unpack", "-d", str(unpacked), str(linux_wheel)])
    (tree,) = unpacked.iterdir()
    for old in (tree / "wamr").glob("_wamr*.so"):
        old.unlink()
    shutil.copy(extension, tree / "wamr" / "_wamr.pyd")
    (info,) = tree.glob("*.dist-info")
    tags = info / "WHEEL"
    lines = tags.read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if line and not line.startswith("Tag:")]
    tags.write_text("\n".join([*lines, f"Tag: cp310-abi3-{platform}", ""]), encoding="utf-8")
    _run([sys.executable, "-m", "wheel", "pack", "-d", str(out), str(tree)])
    shutil.rmtree(unpacked)


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
