"""Builds the two static libraries of the extension: WAMR (``iwasm``) and our own C (``wpy``).

The steps: find and verify the tree (``sources``), make its patched copy (``patches``), and run
CMake and Ninja on ``CMakeLists.txt``. All products are below ``build/<platform>[-variant]/``.
``layout`` returns the paths without building anything, ``prepare`` makes only the patched copy,
which has WAMR's headers, and ``build`` compiles. Calling one again costs nothing.

With ``WAMR_CROSS=x86_64-windows`` or ``aarch64-windows`` it cross-compiles with zig (package
``ziglang``), for tools/prove/windows. On Windows itself the compiler is clang-cl.

Environment variables: ``WAMR_CROSS``, ``WAMR_DEBUG=1``, ``WAMR_LABELS=0`` (the interpreter without
labels as values), ``WAMR_SANITIZE=address|undefined|thread`` (commas),
``WAMR_WITHOUT_PATCH`` (see ``patches``), ``WAMR_SRC`` and ``WAMR_ALLOW_OTHER`` (see ``sources``).
This module knows nothing of Python's C API, cffi or setuptools.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import patches
import sources

CMAKE_AT_LEAST = (3, 16)
NOT_IN_WPY = {"cpython", "interp"}  # setup.py compiles the first; WAMR's files include the second
# The targets that can be cross-compiled, as zig names them.
CROSS = {"x86_64-windows": "x86_64-windows-gnu", "aarch64-windows": "aarch64-windows-gnu"}
DEBIAN_SIMDE = Path("/usr/include/simde")  # of libsimde-dev
LONGEST_WORD = 500  # of a command that an error shows


class BuildError(SystemExit):
    """CMake or the compiler failed or is missing; printed without a traceback."""


@dataclass(frozen=True)
class Layout:
    """The paths of the build's inputs and products, whether they exist or not."""

    root: Path
    build: Path  # build/<platform>[-variant]

    @property
    def tree(self) -> Path:
        """The patched copy of WAMR's tree."""
        return self.build / "wamr"

    @property
    def native(self) -> Path:
        """Our own C."""
        return self.root / "src" / "native"

    @property
    def interp(self) -> Path:
        """Our C that WAMR's patched files include."""
        return self.native / "interp"

    @property
    def c_files(self) -> list[Path]:
        """The source files of `wpy`: all of ours that don't need Python's headers."""
        without = NOT_IN_WPY if on_windows() else NOT_IN_WPY | {"windows"}
        return sorted(path for path in self.native.rglob("*.c") if path.parent.name not in without)

    @property
    def cmake(self) -> Path:
        """CMake's folder."""
        return self.build / "cmake"

    @property
    def libraries(self) -> list[Path]:
        """The static libraries, in the order of linking: wpy and iwasm need each other."""
        wpy, iwasm = ("wpy.lib", "iwasm.lib") if os.name == "nt" else ("libwpy.a", "libiwasm.a")
        return [self.cmake / wpy, self.cmake / iwasm, self.cmake / wpy]

    @property
    def include_dirs(self) -> list[Path]:
        """The include paths of the extension module: our headers, and WAMR's public ones."""
        return [self.native, self.tree / "core" / "iwasm" / "include"]


@dataclass(frozen=True)
class Iwasm:
    """What setup.py compiles and links the extension module with."""

    libraries: list[Path]
    include_dirs: list[Path]
    define_macros: list[tuple[str, str | None]] = field(default_factory=list)
    system_libraries: list[str] = field(default_factory=list)
    compile_args: list[str] = field(default_factory=list)
    link_args: list[str] = field(default_factory=list)


# -- building ------------------------------------------------------------------------------------


def layout(root: Path) -> Layout:
    """Return the paths of the variant that the environment variables choose."""
    names = [cross() or sysconfig.get_platform().replace(".", "_")]
    names += ["debug"] if debug() else []
    names += sanitizers()
    names += [] if labels() else ["switch"]
    # One folder, whichever patches are left out: proving one after the other compiles little again.
    names += ["without-patches"] if patches.left_out() else []
    return Layout(root.resolve(), root.resolve() / "build" / "-".join(names))


def prepare(root: Path, build_dir: Path | None = None) -> Path:
    """Find WAMR's tree, make its patched copy, and return the copy's path."""
    paths = Layout(root.resolve(), build_dir.resolve()) if build_dir else layout(root)
    try:
        paths.build.mkdir(parents=True, exist_ok=True)
        tree = sources.resolve(paths.root, paths.build)
        patches.apply(tree.path, paths.tree, sources.PARTS)
    except OSError as error:
        raise BuildError(
            f"{paths.build} can't be written ({error.strerror}). The build needs a source folder "
            "that it may write to. Copy it and build there:\n"
            f"  cp -r {paths.root} /tmp/wamr && pip install /tmp/wamr"
        ) from None
    return paths.tree


def build(root: Path, build_dir: Path | None, c_files: Iterable[Path]) -> Iwasm:
    """Compile WAMR and `c_files`; return what the extension module is linked with."""
    paths = Layout(root.resolve(), build_dir.resolve()) if build_dir else layout(root)
    prepare(root, paths.build)
    _configure(paths, sorted({path.resolve() for path in c_files}))
    jobs = os.environ.get("MAX_JOBS") or str(os.cpu_count() or 1)
    command: list[str | Path] = [_tool("cmake"), "--build", paths.cmake]
    _call([*command, "--config", _build_type(), "--parallel", jobs], paths.root)
    return describe(paths)


def describe(paths: Layout) -> Iwasm:
    """Return what the extension module is linked with, built or not."""
    if on_windows():
        return Iwasm(
            libraries=paths.libraries,
            include_dirs=paths.include_dirs,
            # On Windows the headers say dllimport, but we link statically.
            define_macros=[("WASM_API_EXTERN", ""), ("WASM_RUNTIME_API_EXTERN", "")],
            system_libraries=["ntdll", "bcrypt", "ws2_32"],
        )
    flags = [f"-fsanitize={','.join(sanitizers())}"] if sanitizers() else []
    checked: list[tuple[str, str | None]] = [("WPY_CHECKED", "1")] if debug() or flags else []
    # As in CMakeLists.txt, X86_32. `uname` tells the kernel's processor, which may have 64 bits.
    x87 = sys.maxsize < 2**32 and re.fullmatch("x86_64|i[3-6]86|x86", platform.machine())
    sse = ["-msse2", "-mfpmath=sse"] if x87 else []
    return Iwasm(
        libraries=paths.libraries,
        include_dirs=paths.include_dirs,
        define_macros=checked,  # as in CMakeLists.txt
        system_libraries=["m", "pthread"] if sys.platform == "darwin" else ["m", "pthread", "dl"],
        compile_args=[*sse, *flags, "-g"] if debug() or flags else sse,
        link_args=flags,
    )


# -- variants ------------------------------------------------------------------------------------


def cross() -> str | None:
    """Return the target that WAMR_CROSS asks for, or None for this machine."""
    asked = os.environ.get("WAMR_CROSS")
    if asked and asked not in CROSS:
        raise BuildError(f"WAMR_CROSS={asked}: choose from {', '.join(CROSS)}")
    return asked or None


def on_windows() -> bool:
    """Return whether the result is for Windows."""
    return os.name == "nt" or cross() is not None


def debug() -> bool:
    """Return whether WAMR_DEBUG asks for assertions and symbols."""
    return os.environ.get("WAMR_DEBUG") == "1"


def strict(root: Path) -> bool:
    """Return whether warnings in our own C are errors: in git checkouts only."""
    return (root / ".git").exists()


def sanitizers() -> list[str]:
    """Return the sanitizers that WAMR_SANITIZE asks for, sorted."""
    asked = set(os.environ.get("WAMR_SANITIZE", "").replace(",", " ").split())
    unknown = asked - {"address", "undefined", "thread"}
    if unknown or asked >= {"address", "thread"}:
        raise BuildError(
            f"WAMR_SANITIZE={os.environ['WAMR_SANITIZE']}: choose from address, undefined, thread, "
            "with commas between; address and thread exclude each other"
        )
    return sorted(asked)


def labels() -> bool:
    """Return whether the interpreter jumps by addresses of labels; WAMR_LABELS=0: by a switch."""
    asked = os.environ.get("WAMR_LABELS") or "1"
    if asked not in {"0", "1"}:
        raise BuildError(
            f"WAMR_LABELS={asked}: choose 1, an interpreter with labels as values, or 0, one with "
            "a switch"
        )
    return asked == "1"


def _build_type() -> str:
    if debug():
        return "Debug"
    return "RelWithDebInfo" if sanitizers() else "Release"


# -- CMake ---------------------------------------------------------------------------------------


def _configure(paths: Layout, c_files: list[Path]) -> None:
    options = {
        "CMAKE_BUILD_TYPE": _build_type(),
        "CMAKE_C_FLAGS_RELEASE": "/O2 /DNDEBUG" if os.name == "nt" else "-O3 -DNDEBUG",
        "CMAKE_MAKE_PROGRAM": _tool("ninja"),
        "FETCHCONTENT_SOURCE_DIR_SIMDE": _simde(paths.build / "simde").as_posix(),
        "WAMR_ROOT_DIR": paths.tree.as_posix(),
        "WPY_SOURCES": ";".join(path.as_posix() for path in c_files),
        "WPY_INCLUDE": paths.native.as_posix(),
        "WPY_INTERP": paths.interp.as_posix(),
        "WPY_LABELS": "ON" if labels() else "OFF",
        "WPY_SANITIZE": ",".join(sanitizers()),
        # A newer compiler, with new warnings, must not break an installation.
        "WPY_WERROR": "ON" if strict(paths.root) else "OFF",
        "CMAKE_C_COMPILER_LAUNCHER": shutil.which("ccache") or "",
        "FETCHCONTENT_FULLY_DISCONNECTED": "ON",
    }
    if os.name != "nt":
        # With -O0 the interpreter's native frames are too large for small stacks.
        options["CMAKE_C_FLAGS_DEBUG"] = "-Og -g"
        if "thread" in sanitizers():  # for tests that run little code: compiles in half the time
            options["CMAKE_C_FLAGS_RELWITHDEBINFO"] = "-O1 -g1 -DNDEBUG"
    if os.name == "nt":
        options["CMAKE_C_COMPILER"] = options["CMAKE_ASM_COMPILER"] = clang_cl()
    if target := cross():
        options |= _cross_options(paths.build / "zig", CROSS[target])
    if sys.platform == "darwin":
        words = shlex.split(os.environ.get("ARCHFLAGS", ""))
        archs = [arch for flag, arch in itertools.pairwise(words) if flag == "-arch"]
        options["CMAKE_OSX_ARCHITECTURES"] = archs[0] if archs else platform.machine()
    command: list[str | Path] = [_tool("cmake"), "-S", paths.root / "cmake", "-B", paths.cmake]
    command += ["-G", "Ninja"]
    command += [f"-D{name}={value}" for name, value in options.items()]
    # CMake keeps the compiler and the paths of its first run. Ninja notices changed CMake files.
    kept = [str(paths.cmake), *(os.environ.get(name, "") for name in ("CC", "CFLAGS", "LDFLAGS"))]
    note = paths.cmake / "configured.json"
    done = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
    configured = {"kept": kept, "command": [str(word) for word in command]}
    if done == configured:
        return
    if done.get("kept") != kept:
        shutil.rmtree(paths.cmake, ignore_errors=True)
    _call(command, paths.root)
    note.write_text(json.dumps(configured), encoding="utf-8")


def _call(command: list[str | Path], root: Path) -> None:
    words = [str(word) for word in command]
    # ccache knows a file again that another folder has at the same place below this one.
    environment = {"CCACHE_BASEDIR": str(root)} | os.environ
    done = subprocess.run(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    output = done.stdout.decode(errors="replace")
    if done.returncode:
        errors = re.sub(r"(?m)^\[\d+/\d+\] .*\n", "", output)  # without Ninja's progress
        # The list of all our files fills a screen, and hides the message above.
        shown = [word if len(word) < LONGEST_WORD else f"{word[:40]}…" for word in words]
        raise BuildError(f"{errors}\nThis failed:  {shlex.join(shown)}")
    if os.environ.get("WAMR_VERBOSE") == "1":
        print(output, file=sys.stderr, flush=True)


def clang_cl() -> str:
    """Return the path of clang-cl, the only compiler for Windows that takes our C and WAMR's."""
    places = [os.environ.get("CC", ""), "clang-cl"]
    for root in (os.environ.get("VCINSTALLDIR"), os.environ.get("ProgramFiles")):  # noqa: SIM112
        if root:
            own = "ARM64" if sysconfig.get_platform() == "win-arm64" else "x64"
            places += [f"{root}/Tools/Llvm/{own}/bin/clang-cl", f"{root}/LLVM/bin/clang-cl"]
    for place in places:
        path = shutil.which(place) if place else None
        if path and Path(path).stem.lower() == "clang-cl":
            return path
    raise BuildError(
        "There are no wheels of wamr for Windows, and to compile it takes clang-cl; cl.exe can't "
        "compile it. Install the component 'C++ Clang tools for Windows' of Visual Studio, and "
        "type the command again in a developer prompt. CC=path names a clang-cl at another place."
    )


def _cross_options(folder: Path, target: str) -> dict[str, str]:
    """Return CMake's options for zig; write its tools as commands without arguments."""
    folder.mkdir(parents=True, exist_ok=True)
    commands = {"cc": f"cc -target {target} -fno-sanitize=all", "ar": "ar", "ranlib": "ranlib"}
    for name, words in commands.items():
        tool = folder / name
        text = f'#!/bin/sh\nexec "{sys.executable}" -m ziglang {words} "$@"\n'
        if not tool.is_file() or tool.read_text(encoding="utf-8") != text:
            tool.write_text(text, encoding="utf-8")
            tool.chmod(0o755)
    return {
        "CMAKE_SYSTEM_NAME": "Windows",
        "CMAKE_SYSTEM_PROCESSOR": target.partition("-")[0],
        "CMAKE_C_COMPILER": (folder / "cc").as_posix(),
        "CMAKE_ASM_COMPILER": (folder / "cc").as_posix(),
        "CMAKE_AR": (folder / "ar").as_posix(),
        "CMAKE_RANLIB": (folder / "ranlib").as_posix(),
        "CMAKE_TRY_COMPILE_TARGET_TYPE": "STATIC_LIBRARY",
        "MINGW": "1",
    }


def missing_tools() -> list[str]:
    """Return requirements for those of cmake and ninja that this machine lacks."""
    missing = []
    if _cmake_version() < CMAKE_AT_LEAST:
        missing.append("cmake>=" + ".".join(map(str, CMAKE_AT_LEAST)))
    if not shutil.which("ninja"):
        missing.append("ninja")
    return missing


def _cmake_version() -> tuple[int, ...]:
    cmake = shutil.which("cmake")
    if not cmake:
        return (0,)
    done = subprocess.run([cmake, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"version (\d+)\.(\d+)", done.stdout)
    return tuple(map(int, found.groups())) if found else (0,)


def _tool(name: str) -> str:
    path = shutil.which(name)
    if not path:
        raise BuildError(f"{name} is missing. Type:  pip install {name}")
    return path


# -- simde ---------------------------------------------------------------------------------------


def has_simde() -> bool:
    """Return whether the headers of simde are installed, where the build needs them."""
    return os.name == "nt" or bool(find_spec("simde_py")) or DEBIAN_SIMDE.is_dir()


def _simde(folder: Path) -> Path:
    """Make the folder that replaces WAMR's download of simde, and return it.

    The headers are copied out of pip's build environment. The path of that environment differs each
    time, so Ninja would compile everything again.
    """
    try:
        import simde_py

        headers = Path(simde_py.get_include()) / "simde"
    except ImportError:
        headers = DEBIAN_SIMDE
    if not headers.is_dir():
        if (folder / "simde").is_dir():
            return folder
        raise BuildError("The headers of simde are missing. Type:  pip install simde-py")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "simde").is_dir():
        shutil.copytree(headers, folder / "simde.part", dirs_exist_ok=True)
        (folder / "CMakeLists.txt").write_text("# Nothing to build: headers only.\n")
        (folder / "simde.part").rename(folder / "simde")
    return folder
