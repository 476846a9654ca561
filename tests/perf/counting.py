"""Counts the instructions of our C's paths, and compares them with those in counts.txt.

    python tests/perf/counting.py            # shows what has become of each path
    python tests/perf/counting.py --update   # writes what is counted now into counts.txt
    python tests/perf/counting.py --where add  # where a path spends its instructions

A count may not grow by more than GROWN; one that shrank by more than SHRUNK must be recorded, so
that the gain isn't lost unnoticed. Counts don't depend on other processes, the clock or the caches,
so a difference of a few percent is a difference of our code.

Paths in C are driven by driver.c. What counts are the instructions of that program's own file: of
driver.c, plain.c, and the two static libraries of the extension, which setup.py left in build/. The
C library and the kernel, which differ from machine to machine, don't count; plain.c replaces the
functions of the C library that our C spends time in. Paths that begin in Python are driven by
calling.py.

Compilers generate different code: counts.txt has a section for each recorded compiler, by name,
version and processor, and counts are compared within one section. `Unfit` says why nothing can be
compared.
"""

from __future__ import annotations

import argparse
import atexit
import configparser
import functools
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "cmake")]

import iwasm  # noqa: E402

COUNTS = HERE / "counts.txt"
COMMAND = f"python {HERE.relative_to(ROOT)}/counting.py"
GROWN, SHRUNK = 0.03, 0.10
# From 3.12 on, Python's headers add a few instructions to paths that begin in Python, since some
# objects are immortal.
HEADERS = 4 if sys.version_info >= (3, 12) else 0

MODULE = """(module
  (import "env" "f" (func $f (param i32 i32) (result i32)))
  (import "env" "g" (func $g (param i32 i32) (result i32)))
  (type $binary (func (param i32 i32) (result i32)))
  (memory (export "memory") 1 1000)
  (table (export "table") 4 funcref)
  (global (export "global") (mut i64) (i64.const 7))
  (elem (i32.const 0) $add)
  (data (i32.const 16) "some text that a program has in it")
  (func $add (export "add") (param i32 i32) (result i32)
    (i32.add (local.get 0) (local.get 1)))
  (func (export "run") (param i32 i32) (result i32)
    (call $f (local.get 0) (local.get 1)))
  (func (export "run_by_cells") (param i32 i32) (result i32)
    (call $g (local.get 0) (local.get 1)))
  (func (export "indirect") (param i32 i32) (result i32)
    (call_indirect (type $binary) (local.get 0) (local.get 1) (i32.const 0)))
  (func (export "trap") unreachable)
  (func (export "loop") (param $n i32) (result i32)
    (i32.store (i32.const 64) (i32.const 0))
    (loop $again
      (i32.store (i32.const 64) (i32.add (i32.load (i32.const 64)) (local.get $n)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.load (i32.const 64))))"""


class Unfit(Exception):
    """Raised where instructions can't be counted or compared; the message says why."""


# ------------------------------------------------------------------ the build
def compiler() -> str:
    """Return the name of the section of the libraries' compiler; raise Unfit."""
    command = _cc(_build_folder())
    version = output([command, "--version"])
    name = next((n for n in ("clang", "gcc") if n in version or n == "gcc"), "")
    number = re.search(r"\b(\d+\.\d+\.\d+)\b", version)
    if not number:
        raise Unfit(f"{command} does not tell its version: {version.splitlines()[:1]}")
    return f"{name} {number[1]} {platform.machine()}"


def _build_folder() -> iwasm.Layout:
    """Return the folder of the imported wamr's libraries; prove.py makes several."""
    extension = installed()
    for folder in extension.parents if extension else ():
        if folder.parent == ROOT / "build":
            return iwasm.Layout(ROOT, folder)
    return iwasm.layout(ROOT)


def installed() -> Path | None:
    """Return the file of the imported wamr's extension, if there is one."""
    spec = importlib.util.find_spec("wamr._wamr")
    return Path(spec.origin) if spec and spec.origin else None


def has_assertions(extension: Path) -> bool:
    """Return whether an extension is a debug build or has sanitizers, as only they assert."""
    return b"(see lock_order.h)" in extension.read_bytes()  # thread.c


def _cc(place: iwasm.Layout) -> str:
    cache = place.cmake / "CMakeCache.txt"
    if not cache.is_file():
        raise Unfit(f"our C was not built in this folder: there is no {cache} (make test)")
    text = cache.read_text(encoding="utf-8")
    found = re.search(r"(?m)^CMAKE_C_COMPILER:\w+=(.*)$", text)
    flags = re.search(r"(?m)^CMAKE_C_FLAGS:\w+=(.*)$", text)
    if not found:
        raise Unfit(f"{cache} names no compiler")
    if flags and flags[1].strip():
        raise Unfit(f"our C was built with flags that are not its own: CFLAGS={flags[1]}")
    return found[1]


def output(command: list[str]) -> str:
    """Return the output of a command; raise RuntimeError with its error output."""
    done = subprocess.run(command, capture_output=True, text=True, env=_environment(), check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


def check_machine() -> None:
    """Raise Unfit on a machine or for a build whose instructions can't be counted."""
    if not sys.platform.startswith("linux"):
        raise Unfit("callgrind counts on Linux only")
    if iwasm.debug() or iwasm.sanitizers() or iwasm.patches.left_out():
        raise Unfit("only the code of a release is compared, not a variant")
    if "libasan" in os.environ.get("LD_PRELOAD", ""):
        raise Unfit("these tests run over a build with sanitizers")
    extension = installed()
    if extension and has_assertions(extension):
        raise Unfit(f"{extension} has assertions: only the code of a release is compared")
    if not shutil.which("valgrind"):
        raise Unfit("there is no valgrind (Debian: apt install valgrind)")


def check_built(place: iwasm.Layout, extension: Path | None) -> None:
    """Raise Unfit for a build that is older than our C.

    A build makes only what has changed: WAMR's library for a change in interp/, the extension for
    one in cpython/. So the newest product tells when our C was built.
    """
    missing = [path.name for path in place.libraries if not path.is_file()]
    if missing:
        raise Unfit(f"our C was not built in this folder: {missing[0]} is missing (make test)")
    built = max(path.stat().st_mtime for path in [*place.libraries, extension] if path)
    for path in place.native.rglob("*.[ch]"):
        if path.stat().st_mtime > built:
            raise Unfit(f"{path.name} is newer than what was built (make test)")


def _check_header(cc: str) -> None:
    command = [cc, "-fsyntax-only", "-include", "valgrind/callgrind.h", "-x", "c", os.devnull]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise Unfit("valgrind's header callgrind.h is missing")


# ------------------------------------------------------------------ counting
def count(*defines: str, module: str = MODULE) -> dict[str, Counter[str]]:
    """Return for each path how many instructions each function takes in one run; raise Unfit.

    `defines` and `module` are for the driver; only tests of the counting pass them.
    """
    from wamr.wat import wat2wasm

    return _count(wat2wasm(module), [], defines)


def count_loading(binary: bytes) -> dict[str, Counter[str]]:
    """Return the counts of loading and of instantiating a module once; raise Unfit."""
    return _count(binary, ["load"], [])


def _count(
    binary: bytes, arguments: Iterable[str], defines: Iterable[str]
) -> dict[str, Counter[str]]:
    check_machine()
    driver = _driver(tuple(defines))
    with TemporaryDirectory() as folder:
        module = Path(folder, "module.wasm")
        module.write_bytes(binary)
        command = [str(driver), *arguments, str(module)]
        options = "--instr-atstart=no", "--collect-atstart=no"
        found = dict(dumps(command, Path(folder), driver.name, *options))
    loop = found.pop("nothing")
    for functions in found.values():
        functions.subtract(loop)
    return {name: +functions for name, functions in found.items()}


_made = TemporaryDirectory()
atexit.register(_made.cleanup)


@functools.cache
def _driver(defines: tuple[str, ...]) -> Path:
    place, cc = _build_folder(), driver_compiler()
    driver = Path(_made.name, " ".join(("driver", *defines)))
    output(
        [
            *(cc, "-std=gnu11", "-O2", "-g0", "-fno-builtin", "-Wall", "-Wextra", "-Werror"),
            *(["-fno-tree-loop-distribute-patterns"] if compiler().startswith("gcc") else []),
            *(f"-D{define}" for define in defines),
            *(f"-I{path}" for path in place.include_dirs),
            *(str(HERE / name) for name in ("driver.c", "plain.c")),
            *map(str, place.libraries),
            *("-Wl,--gc-sections", "-o", str(driver), "-lm", "-lpthread", "-ldl"),
        ]
    )
    return driver


def driver_compiler() -> str:
    """Return the command of the libraries' compiler; raise Unfit if it finds no callgrind.h."""
    place = _build_folder()
    cc = _cc(place)
    check_built(place, installed())
    _check_header(cc)
    return cc


def dumps(
    command: list[str], folder: Path, file: str, *options: str
) -> Iterator[tuple[str, Counter[str]]]:
    """Run a command under callgrind; yield for each dump the path and the counts of `file`."""
    output(
        [
            *("valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/counts", *options),
            *("--compress-strings=no", "--compress-pos=no", "--dump-line=no", *command),
        ]
    )
    for path in sorted(folder.glob("counts.*"), key=lambda path: int(path.suffix[1:])):
        yield _dump(path, file)


def _dump(path: Path, driver: str) -> tuple[str, Counter[str]]:
    """Return the name of a path and the counts of its functions, from one dump of callgrind."""
    text = path.read_text(encoding="utf-8")
    mark = re.search(r"(?m)^desc: Trigger: Client Request: (\w+) (\d+)$", text)
    if not mark:
        raise RuntimeError(f"callgrind wrote what is not understood: {text[:300]}")
    costs: Counter[str] = Counter()
    for function, cost in own(text.splitlines(), driver):
        costs[function] += cost
    times = int(mark[2])
    return mark[1], Counter({name: cost / times for name, cost in costs.items()})


def own(lines: list[str], file: str) -> Iterator[tuple[str, int]]:
    """Yield functions of an object file with parts of their own counts."""
    ours, function, called = False, "", False
    for line in lines:
        key, equals, value = line.partition("=")
        if equals and key == "ob":
            ours = Path(value).name == file
        elif equals and key == "fn":
            function = value
        elif equals and key == "calls":
            called = True  # the next line is what the callee costs
        elif line[:1].isdigit():
            if ours and not called:
                yield function, int(line.split()[1])
            called = False


# ------------------------------------------------------------------ comparing
@dataclass(frozen=True)
class Change:
    """The count of a path: as recorded, and now."""

    path: str
    old: float | None
    new: float | None

    @property
    def verdict(self) -> str:
        """Return what is wrong with the count, or an empty text."""
        if self.old is None:
            return "is not recorded"
        if self.new is None:
            return "is recorded and not counted any more"
        more = HEADERS if self.path.startswith("py_") else 0
        if self.new > self.old * (1 + GROWN) + more:
            return f"grew by more than {GROWN:.0%}"
        if self.new < self.old * (1 - SHRUNK):
            return f"shrank by more than {SHRUNK:.0%}: record it"
        return ""

    def __str__(self) -> str:
        old, new = ("-" if x is None else f"{x:.1f}" for x in (self.old, self.new))
        share = f"{self.new / self.old - 1:+.1%}" if self.old and self.new else ""
        return f"{self.path:<14} {old:>12} {new:>12} {share:>8}  {self.verdict}".rstrip()


def compare(old: Mapping[str, float], new: Mapping[str, float]) -> list[Change]:
    """Return the paths of both counts."""
    return [Change(path, old.get(path), new.get(path)) for path in {**new, **old}]


def report(changes: Iterable[Change], paths: Mapping[str, Counter[str]]) -> str:
    """Return what is wrong with the counts and what to do, or an empty text."""
    wrong = [change for change in changes if change.verdict]
    if not wrong:
        return ""
    grown = [x.path for x in wrong if x.new is not None and x.old is not None and x.new > x.old]
    spent = "".join(f"\n{path} spends them in\n{most(paths[path])}\n" for path in grown)
    lines = "\n".join(map(str, wrong))
    return (
        f"{'instructions':<14} {'recorded':>12} {'now':>12}\n{lines}\n{spent}\n"
        f"If that is meant, record it: {COMMAND} --update"
    )


def recorded(name: str, file: Path = COUNTS) -> dict[str, float]:
    """Return the recorded counts of a compiler; raise Unfit if there are none."""
    sections = _read(file)
    if name not in sections:
        known = ", ".join(sections.sections()) or "none"
        raise Unfit(f"nothing is recorded for {name}, only for: {known} ({COMMAND} --update)")
    return {path: float(value) for path, value in sections[name].items()}


def _read(file: Path) -> configparser.ConfigParser:
    sections = configparser.ConfigParser(delimiters="=", interpolation=None)
    sections.read_string(file.read_text(encoding="utf-8"), str(file))
    return sections


def record(name: str, counts: Mapping[str, float], file: Path = COUNTS) -> None:
    """Write the section of a compiler; the other sections and the introduction stay."""
    sections = _read(file)
    sections[name] = {path: f"{value:.1f}" for path, value in counts.items()}
    head = file.read_text(encoding="utf-8").partition("\n[")[0].rstrip("\n")
    text = head + "\n"
    for section in sorted(sections.sections()):
        text += f"\n[{section}]\n"
        text += "".join(f"{path:<14} = {value:>12}\n" for path, value in sections[section].items())
    file.write_text(text, encoding="utf-8")


def totals(paths: Mapping[str, Counter[str]]) -> dict[str, float]:
    """Return the instructions of each path."""
    return {path: round(functions.total(), 1) for path, functions in paths.items()}


def most(functions: Counter[str], lines: int = 8) -> str:
    """Return a table of the functions in which a path spends its instructions."""
    return "\n".join(f"{cost:12.1f}  {name}" for name, cost in functions.most_common(lines))


def main() -> int:
    """Run the command line; return 1 if a count is wrong."""
    parser = argparse.ArgumentParser(description="Count the instructions of our C's paths.")
    parser.add_argument("--update", action="store_true", help="write them into counts.txt")
    parser.add_argument("--where", metavar="PATH", help="show a path's functions")
    options = parser.parse_args()
    import calling

    try:
        name, counted = compiler(), {**count(), **calling.count()}
        if options.where:
            if options.where not in counted:
                sys.exit(f"there is no path {options.where!r}; there are {', '.join(counted)}")
            print(most(counted[options.where], 30))
            return 0
        old = {} if options.update and name not in _read(COUNTS) else recorded(name)
    except Unfit as reason:
        sys.exit(str(reason))
    changes = compare(old, totals(counted))
    print(f"{name}\n{'':14} {'recorded':>12} {'now':>12}")
    print("\n".join(map(str, changes)))
    if options.update:
        record(name, totals(counted))
        print(f"{COUNTS.relative_to(ROOT)} is up to date")
        return 0
    return int(any(change.verdict for change in changes))


if __name__ == "__main__":
    sys.exit(main())
