"""Builds wamr: WAMR and our C as static libraries (cmake/), then the cffi module (build_ffi.py).

All static metadata is in pyproject.toml. Commands that only need metadata, and sdist, compile
nothing and need neither cffi nor a compiler.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel as _bdist_wheel
from setuptools.command.build_ext import build_ext as _build_ext
from setuptools.command.egg_info import egg_info as _egg_info
from setuptools.command.sdist import sdist as _sdist

ROOT = Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT), str(ROOT / "cmake")]

import iwasm  # noqa: E402
import module_options  # noqa: E402
import reproducible  # noqa: E402
import sources  # noqa: E402
import toolchain  # noqa: E402

ONLY_METADATA = {"egg_info", "dist_info", "sdist", "clean"}

# One wheel for CPython 3.10 and later. PyPy and free-threaded builds have no stable ABI.
ABI3 = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")

if sys.platform == "darwin":  # python.org's Python builds for two architectures, WAMR for one
    os.environ.setdefault("ARCHFLAGS", f"-arch {platform.machine()}")


class build_ext(_build_ext):  # noqa: N801
    """Build the static libraries first, then link them into wamr._wamr."""

    def run(self) -> None:
        if lacks := toolchain.missing(os.environ):
            raise iwasm.BuildError(lacks)
        built = iwasm.build(ROOT, None, iwasm.layout(ROOT).c_files)
        self._check(built)
        for extension in self.extensions:
            self._complete(extension, built)
        super().run()

    def build_extensions(self) -> None:
        if ABI3 and sys.platform == "linux":
            self.compiler.compiler_so, self.compiler.linker_so = reproducible.compiler(os.environ)
        if os.name == "nt":
            # setuptools knows only cl.exe, which can't compile our C; its linker takes clang-cl's.
            if not self.compiler.initialized:
                self.compiler.initialize()
            self.compiler.cc = iwasm.clang_cl()
        else:
            # pyenv's and conda's Pythons add an rpath, which the module doesn't need.
            linker = self.compiler.linker_so
            self.compiler.linker_so = [w for w in linker if not w.startswith("-Wl,-rpath")]
            self.compiler._compile = _with_warnings(self.compiler._compile)
        super().build_extensions()

    def _check(self, built: iwasm.Iwasm) -> None:
        """Report declared functions that no library defines. Not every linker does."""
        import build_ffi

        build_ffi.check_link(built.libraries, build_ffi.declared)

    def _complete(self, extension: Extension, built: iwasm.Iwasm) -> None:
        libraries = [str(path) for path in built.libraries]
        extension.extra_objects = libraries
        paths = iwasm.layout(ROOT)
        extension.depends = [*libraries, *map(str, paths.native.rglob("*.h"))]
        extension.include_dirs += [str(path) for path in built.include_dirs]
        extension.define_macros += built.define_macros
        if sys.implementation.name == "cpython":
            ours = module_options.own_sources(paths.native)
            extension.sources = [*extension.sources, *map(str, ours)]
        if ABI3:
            extension.define_macros.append(module_options.STABLE_ABI)
        extension.extra_compile_args += module_options.for_all(abi3=ABI3, cl=os.name == "nt")
        extension.libraries += built.system_libraries
        if os.name == "nt":
            return
        extension.extra_compile_args += built.compile_args
        extension.extra_link_args += [*_link_args(), *built.link_args]


def _with_warnings(compile_one: Callable[..., None]) -> Callable[..., None]:
    """Add the options for src/native/cpython."""

    def compile_(
        target: str, source: str, ext: str, args: list[str], more: list[str], *rest: Any
    ) -> None:
        if Path(source).parent.name == "cpython":
            more = [*more, *module_options.for_own(strict=iwasm.strict(ROOT))]
        compile_one(target, source, ext, args, more, *rest)

    return compile_


def _link_args() -> list[str]:
    """Return options that hide WAMR's symbols, since a process may have another copy of WAMR."""
    stripped = not (iwasm.debug() or iwasm.sanitizers())
    if sys.platform == "darwin":
        name = "__cffi_pypyinit__wamr" if sys.implementation.name == "pypy" else "_PyInit__wamr"
        flags = [f"-exported_symbol,{name}", "-dead_strip", *(["-x", "-S"] if stripped else [])]
    else:
        flags = ["--version-script=cmake/exports.map"]
        flags += ["-Bsymbolic", "--gc-sections", "-z,relro,-z,now"]
        flags += ["-s"] if stripped else []
    return [f"-Wl,{flag}" for flag in flags]


class bdist_wheel(_bdist_wheel):  # noqa: N801
    """Write the same wheel whatever the umask is."""

    def write_wheelfile(self, *args: Any, **options: Any) -> None:
        super().write_wheelfile(*args, **options)
        if self.bdist_dir:
            reproducible.set_modes(Path(self.bdist_dir))


class egg_info(_egg_info):  # noqa: N801
    """Forget the list of files of a former build: setuptools would add them to the new list."""

    def find_sources(self) -> None:
        Path(self.egg_info, "SOURCES.txt").unlink(missing_ok=True)
        super().find_sources()


class sdist(_sdist):  # noqa: N801
    """Add WAMR's tree, so that an sdist builds without a network."""

    def make_archive(self, base_name: Any, format: str, *where: Any, **options: Any) -> str:  # noqa: A002
        if format != "gztar":
            return super().make_archive(base_name, format, *where, **options)
        archive = Path(f"{base_name}.tar.gz")
        epoch = reproducible.epoch(os.environ)
        reproducible.write_archive(archive, Path(options["base_dir"]), epoch)
        return str(archive)

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        paths = iwasm.layout(ROOT)
        paths.build.mkdir(parents=True, exist_ok=True)
        tree = sources.resolve(ROOT, paths.build)
        for part in sources.PARTS:
            source, target = tree.path / part, Path(base_dir) / sources.SUBMODULE / part
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)


def _description() -> dict[str, Any]:
    """Return the README for package indexes, without its pictures: they are not there."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    parts = [part for part in readme.split("\n\n") if not part.startswith("![")]
    return {
        "long_description": "\n\n".join(parts),
        "long_description_content_type": "text/markdown",
    }


def _arguments() -> dict[str, Any]:
    if ONLY_METADATA.intersection(sys.argv[1:]):
        return {}
    # Each variant (debug, sanitizers) has a folder of its own, so that no objects are mixed.
    base = iwasm.layout(ROOT).build.relative_to(ROOT) / "python"
    options: dict[str, Any] = {"build": {"build_base": str(base)}}
    if ABI3:
        options["bdist_wheel"] = {"py_limited_api": "cp310"}
    return {"cffi_modules": ["build_ffi.py:ffibuilder"], "options": options}


COMMANDS = {
    "bdist_wheel": bdist_wheel,
    "build_ext": build_ext,
    "egg_info": egg_info,
    "sdist": sdist,
}
os.chdir(ROOT)  # cffi_modules and pyproject.toml have relative paths
setup(cmdclass=COMMANDS, **_description(), **_arguments())
