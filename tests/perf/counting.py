"""Counts the instructions of our C's paths, and compares them with those in counts.txt.

    python tests/perf/counting.py            # shows what has become of each path
    python tests/perf/counting.py --update   # writes what is counted now into counts.txt
    python tests/perf/counting.py --where add  # where a path spends its instructions

A ratchet: a path may not grow by more than GROWN, and where it shrank by more than SHRUNK the file
is to be brought down to it. Instructions don't depend on what else the machine does, on its clock
or its caches, so a difference of a few percent is one of our code.

Paths of C are driven here: what is counted is what the driver's own file runs (driver.c, plain.c,
and the two static libraries that the extension is made from, as setup.py left them in build/). The
C library and the kernel, which differ from machine to machine, are left out, and plain.c stands in
for what our C spends time in there. Paths that begin in Python are driven by calling.py.

Compilers make different code: counts.txt has a section for each that somebody has recorded, by
name, version and processor, and counts are only compared within one. `Unfit` says why nothing can
be compared.
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
# From 3.12 on, Python's headers put a few instructions more into what begins in Python: they know
# objects whose references are not counted.
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
    """Nothing can be counted, or compared, here; the reason is for the reader."""


# ------------------------------------------------------------------ what there is
def compiler() -> str:
    """Return the compiler that the libraries were made with, as its section is called; Unfit."""
    command = _cc(_place())
    version = output([command, "--version"])
    name = next((n for n in ("clang", "gcc") if n in version or n == "gcc"), "")
    number = re.search(r"\b(\d+\.\d+\.\d+)\b", version)
    if not number:
        raise Unfit(f"{command} does not tell its version: {version.splitlines()[:1]}")
    return f"{name} {number[1]} {platform.machine()}"


def _place() -> iwasm.Layout:
    """Return where the libraries of the wamr that is imported are; prove.py has several."""
    spec = importlib.util.find_spec("wamr._wamr")
    for folder in Path(spec.origin).parents if spec and spec.origin else ():
        if folder.parent == ROOT / "build":
            return iwasm.Layout(ROOT, folder)
    return iwasm.layout(ROOT)


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
    """Return what a command writes; RuntimeError with its complaint."""
    done = subprocess.run(command, capture_output=True, text=True, env=_environment(), check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


def check_machine() -> None:
    """Refuse a machine, or a build, on which nothing can be counted; Unfit."""
    if not sys.platform.startswith("linux"):
        raise Unfit("callgrind counts on Linux only")
    if iwasm.debug() or iwasm.sanitizers() or iwasm.patches.left_out():
        raise Unfit("only the code of a release is compared, not a variant")
    if "libasan" in os.environ.get("LD_PRELOAD", ""):
        raise Unfit("these tests run over a build with sanitizers")
    if not shutil.which("valgrind"):
        raise Unfit("there is no valgrind (Debian: apt install valgrind)")


def _check_built(place: iwasm.Layout) -> None:
    """Refuse libraries that are older than our C: something else would be counted."""
    missing = [path.name for path in place.libraries if not path.is_file()]
    if missing:
        raise Unfit(f"our C was not built in this folder: {missing[0]} is missing (make test)")
    built = place.libraries[0].stat().st_mtime
    read = place.native.rglob("*.[ch]")
    newer = [path.name for path in read if path.stat().st_mtime > built]
    if newer:
        raise Unfit(f"{newer[0]} is newer than what was built (make test)")


def _check_header(cc: str) -> None:
    command = [cc, "-fsyntax-only", "-include", "valgrind/callgrind.h", "-x", "c", os.devnull]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise Unfit("valgrind's header callgrind.h is missing")


# ------------------------------------------------------------------ counting
def count(*defines: str, module: str = MODULE) -> dict[str, Counter[str]]:
    """Return for each path how many instructions each function takes, for one time; Unfit.

    defines, module: for the driver; only the tests of this count give others.
    """
    from wamr.wat import wat2wasm

    return _count(wat2wasm(module), [], defines)


def count_loading(binary: bytes) -> dict[str, Counter[str]]:
    """Return what it takes to `load` and to `instantiate` a module once; Unfit."""
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
    place, cc = _place(), driver_compiler()
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
    """Return the compiler that made the libraries, if it finds callgrind's header; Unfit."""
    place = _place()
    cc = _cc(place)
    _check_built(place)
    _check_header(cc)
    return cc


def dumps(
    command: list[str], folder: Path, file: str, *options: str
) -> Iterator[tuple[str, Counter[str]]]:
    """Run a command under callgrind; yield a path and what `file` took, for each dump."""
    output(
        [
            *("valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/counts", *options),
            *("--compress-strings=no", "--compress-pos=no", "--dump-line=no", *command),
        ]
    )
    for path in sorted(folder.glob("counts.*"), key=lambda path: int(path.suffix[1:])):
        yield _dump(path, file)


def _dump(path: Path, driver: str) -> tuple[str, Counter[str]]:
    """Return a path's name and the costs of its functions, from one file of callgrind's."""
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
    """Yield functions of an object file with what they cost by themselves, more than once."""
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
    """A path, before and now."""

    path: str
    old: float | None
    new: float | None

    @property
    def verdict(self) -> str:
        """Return what is wrong with it; empty: nothing."""
        if self.old is None:
            return "is not recorded"
        if self.new is None:
            return "is recorded and not counted any more"
        more = HEADERS if self.path.startswith("py_") else 0
        if self.new > self.old * (1 + GROWN) + more:
            return f"grew by more than {GROWN:.0%}"
        if self.new < self.old * (1 - SHRUNK):
            return f"shrank by more than {SHRUNK:.0%}: lower the ratchet"
        return ""

    def __str__(self) -> str:
        old, new = ("-" if x is None else f"{x:.1f}" for x in (self.old, self.new))
        share = f"{self.new / self.old - 1:+.1%}" if self.old and self.new else ""
        return f"{self.path:<14} {old:>12} {new:>12} {share:>8}  {self.verdict}".rstrip()


def compare(old: Mapping[str, float], new: Mapping[str, float]) -> list[Change]:
    """Return all paths of both."""
    return [Change(path, old.get(path), new.get(path)) for path in {**new, **old}]


def report(changes: Iterable[Change], paths: Mapping[str, Counter[str]]) -> str:
    """Return what is wrong and what to do about it; empty: nothing is wrong."""
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
    """Return what was counted with this compiler; Unfit: nothing was."""
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
    """Write a compiler's section; the others and the words above them stay."""
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
    """Return where a path spends its instructions, in lines."""
    return "\n".join(f"{cost:12.1f}  {name}" for name, cost in functions.most_common(lines))


def main() -> int:
    """Run; 1 if something is wrong with a path."""
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
