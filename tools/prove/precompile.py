"""Compiles what a run of tests imports, for an interpreter that is slow because it is emulated.

    python3.13 precompile.py WORK

The interpreter must have the version of the emulated one: then both have the same bytecode. It is
written to WORK/pycache, where PYTHONPYCACHEPREFIX of the emulated one points. Test files are
compiled as pytest does, which rewrites their assertions. What can't be compiled is left to the
other one.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from py_compile import PycInvalidationMode, PyCompileError
from py_compile import compile as compile_file

# Python code that every run imports.
PACKAGES = ("_pytest", "execnet", "hypothesis", "pluggy", "pytest", "xdist", "wamr")


def compile_packages(work: Path, site: Path) -> None:
    inside = Path("/work") / site.relative_to(work)
    for path in (path for name in PACKAGES for path in (site / name).rglob("*.py")):
        shown = inside / path.relative_to(site)
        cached = f"{shown.stem}.{sys.implementation.cache_tag}.pyc"
        target = work / "pycache" / shown.parent.relative_to("/") / cached
        if not target.exists() or "wamr" in shown.parts:
            mode = PycInvalidationMode.CHECKED_HASH
            with contextlib.suppress(PyCompileError):
                compile_file(
                    str(path), str(target), str(shown), doraise=True, invalidation_mode=mode
                )


def rewrite_tests(work: Path) -> None:
    from _pytest.assertion.rewrite import PYC_TAIL, _rewrite_test, _write_pyc_fp

    for path in (work / "tree" / "tests").rglob("*.py"):
        name = path.name
        if name.startswith("test_") or name == "conftest.py" or path.parent.name == "support":
            folder = work / "pycache" / "work" / path.parent.relative_to(work)
            folder.mkdir(parents=True, exist_ok=True)
            digest, code = _rewrite_test(path, None)
            with (folder / (path.stem + PYC_TAIL)).open("wb") as file:
                _write_pyc_fp(file, digest, code)


if __name__ == "__main__":
    work = Path(sys.argv[1])
    (site,) = (work / "venv" / "lib").glob("python3.*/site-packages")
    sys.path.insert(0, str(site))
    compile_packages(work, site)
    rewrite_tests(work)
