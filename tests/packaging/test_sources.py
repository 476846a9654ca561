"""The four ways to get the sources, their proof, and the error of each way that fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import iwasm
import sources

git = pytest.mark.skipif(not shutil.which("git"), reason="needs git")
posix = pytest.mark.skipif(os.name == "nt", reason="stands in for a tool with a script")


def make_tree(folder: Path) -> Path:
    (folder / "core" / "iwasm").mkdir(parents=True)
    (folder / "core" / "iwasm" / "wasm.c").write_text("int wasm;\n")
    (folder / "core" / "config.h").write_text("/* config */\n")
    (folder / "build-scripts").mkdir()
    (folder / "build-scripts" / "runtime_lib.cmake").write_text("# lib\n")
    (folder / "CMakeLists.txt").write_text("# top\n")
    (folder / "LICENSE").write_text("licence\n")
    return folder


def run_git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-c", "user.name=n", "-c", "user.email=e", "-C", str(folder), *arguments],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small tree that is pinned instead of WAMR's."""
    made = make_tree(tmp_path / "tree")
    monkeypatch.setattr(sources, "CORE_TREE", sources.tree_id(made / "core"))
    return made


@pytest.fixture
def project(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without sources, where no tool is found."""
    made = tmp_path / "project"
    (made / "build").mkdir(parents=True)
    (made / "wamr-src").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return made


def resolve(project: Path) -> sources.Tree:
    return sources.resolve(project, project / "build")


def tool(project: Path, name: str, script: str) -> None:
    """Put a stand-in for a tool on the path."""
    path = project.parent / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!{sys.executable}\nimport sys, time\n{script}\n")
    path.chmod(0o755)


# -- the proof -----------------------------------------------------------------------------------


def test_the_tree_that_is_built_is_the_pinned_one(root: Path) -> None:
    place = iwasm.layout(root)
    place.build.mkdir(parents=True, exist_ok=True)
    tree = sources.resolve(root, place.build)
    assert sources.tree_id(tree.path / "core") == "06291ea11e9d63c2e29fdc4b449184129f34d857"


@git
def test_tree_id_is_that_of_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "core"
    for name in ("a.c", "a/x", "a/empty/", "a0", "b/run.sh", "é.txt", "B"):
        path = folder / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.write_text(name)
    (folder / "b" / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("b/run.sh")
    run_git(tmp_path, "init", "-q")
    run_git(tmp_path, "add", "core")
    expected = run_git(tmp_path, "write-tree", "--prefix=core/")

    monkeypatch.setattr(sources, "EXECUTABLES", {"b/run.sh"})
    assert sources.tree_id(folder) == expected
    (folder / "b" / "run.sh").chmod(0o644)  # lost, as in a zip file
    assert sources.tree_id(folder) == expected
    (folder / "a" / "x").write_text("changed")
    assert sources.tree_id(folder) != expected


def test_a_wrong_tree_is_refused(
    tree: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "core" / "iwasm" / "wasm.c").write_text("int other;\n")
    monkeypatch.setenv("WAMR_SRC", str(tree))
    with pytest.raises(sources.SourceError, match=r"not that of commit 978ce3f2397b(?s:.*)unset"):
        resolve(project)
    monkeypatch.setenv("WAMR_ALLOW_OTHER", "1")
    assert resolve(project).path == tree


def test_files_that_do_not_belong_there_are_named(
    tree: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAMR_SRC", str(tree))
    (tree / "core" / "iwasm" / "wasm.c~").write_text("backup")
    (tree / "core" / "__pycache__").mkdir()
    (tree / "core" / "__pycache__" / "x.pyc").write_text("cache")
    with pytest.raises(sources.SourceError, match=r"delete them(?s:.*)wasm\.c~"):
        resolve(project)


def test_converted_line_ends_are_recognised(
    tree: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAMR_SRC", str(tree))
    (tree / "core" / "config.h").write_bytes(b"/* config */\r\n")
    with pytest.raises(sources.SourceError, match=r"core\.autocrlf false"):
        resolve(project)


# -- the ways ------------------------------------------------------------------------------------


def test_the_environment_comes_first(
    tree: Path,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_tree(project / "wamr-src" / "..").resolve()
    monkeypatch.setenv("WAMR_SRC", str(tree))
    assert resolve(project) == sources.Tree(tree, "WAMR_SRC")
    assert capsys.readouterr().err == f"wamr: sources of WAMR: WAMR_SRC ({tree})\n"


def test_the_environment_names_no_tree(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAMR_SRC", str(tmp_path))
    with pytest.raises(sources.SourceError, match=r"no core/iwasm in it(?s:.*)unset WAMR_SRC"):
        resolve(project)


def test_a_populated_submodule_is_taken(tree: Path, project: Path) -> None:
    shutil.copytree(tree, project / "wamr-src", dirs_exist_ok=True)
    assert resolve(project) == sources.Tree(project / "wamr-src", "wamr-src/")


@pytest.mark.parametrize("checkout", [True, False])
def test_a_half_populated_submodule_is_an_error(tree: Path, project: Path, checkout: bool) -> None:
    shutil.copytree(tree, project / "wamr-src", dirs_exist_ok=True)
    shutil.rmtree(project / "wamr-src" / "build-scripts")
    if checkout:
        (project / ".git").mkdir()
    hint = "git submodule update --init --force" if checkout else "Unpack the source distribution"
    with pytest.raises(sources.SourceError, match=rf"build-scripts missing(?s:.*){hint}"):
        resolve(project)


@git
@posix
def test_git_fetches_the_submodule(
    tree: Path, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # restores the path; the small tree is pinned again below
    monkeypatch.delenv("WAMR_SRC", raising=False)
    upstream = tmp_path / "upstream"
    shutil.copytree(tree, upstream)
    monkeypatch.setattr(sources, "CORE_TREE", sources.tree_id(upstream / "core"))
    run_git(upstream, "init", "-q")
    run_git(upstream, "config", "uploadpack.allowAnySHA1InWant", "true")
    run_git(upstream, "add", ".")
    run_git(upstream, "commit", "-qm", "upstream")
    commit = run_git(upstream, "rev-parse", "HEAD")
    run_git(project, "init", "-q")
    (project / ".gitmodules").write_text(
        f'[submodule "wamr-src"]\n\tpath = wamr-src\n\turl = file://{upstream}\n'
    )
    run_git(project, "update-index", "--add", "--cacheinfo", f"160000,{commit},wamr-src")
    for name, value in (
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "protocol.file.allow"),
        ("GIT_CONFIG_VALUE_0", "always"),
    ):
        monkeypatch.setenv(name, value)
    assert resolve(project) == sources.Tree(project / "wamr-src", "git submodule update")


CARGO = """
assert sys.argv[1] == "metadata"
print({answer!r})
"""


def cargo_answers(project: Path, crate: Path) -> None:
    package = {"name": "wamrx-sys", "manifest_path": str(crate / "Cargo.toml")}
    tool(project, "cargo", CARGO.format(answer=json.dumps({"packages": [package]})))


@posix
def test_cargo_unpacks_the_crate_and_is_not_asked_again(tree: Path, project: Path) -> None:
    crate = project.parent / "wamrx-sys-0.3.0"
    crate.mkdir()
    (crate / "Cargo.toml").touch()
    tree.rename(crate / "wasm-micro-runtime")
    cargo_answers(project, crate)
    taken = resolve(project)
    assert taken == sources.Tree(crate / "wasm-micro-runtime", "cargo, crate wamrx-sys-0.3.0")

    tool(project, "cargo", "sys.exit('asked again')")
    sources._resolve.cache_clear()  # as in another process
    assert resolve(project) == taken
    crate.rename(crate.with_name("gone"))
    sources._resolve.cache_clear()
    with pytest.raises(sources.SourceError, match="cargo metadata: asked again"):
        resolve(project)


# -- no way --------------------------------------------------------------------------------------


def test_no_way_at_all_names_the_four_with_what_to_type(project: Path) -> None:
    with pytest.raises(sources.SourceError) as error:
        resolve(project)
    text = str(error.value)
    for words in (
        "WAMR_SRC is not set",
        "is empty",
        "git: this folder is not a git checkout",
        "cargo: not installed",
        "export WAMR_SRC=",
        "git submodule update --init --depth 1 wamr-src",
        "apt install cargo",
        "pip install wamr",
    ):
        assert words in text


def test_a_lone_git_file_does_not_populate_the_submodule(project: Path) -> None:
    (project / "wamr-src" / ".git").touch()
    with pytest.raises(sources.SourceError, match="is empty"):
        resolve(project)


def test_a_checkout_without_git(project: Path) -> None:
    (project / ".git").mkdir()
    with pytest.raises(sources.SourceError, match="git: not installed"):
        resolve(project)


@posix
def test_no_network(project: Path) -> None:
    (project / ".git").mkdir()
    failing = "sys.stderr.write('fatal: Could not resolve host\\n')\nsys.exit(128)"
    tool(project, "git", "if 'config' in sys.argv: sys.exit(print('https://nowhere'))\n" + failing)
    tool(project, "cargo", "sys.stderr.write('error: no registry\\n')\nsys.exit(101)")
    with pytest.raises(sources.SourceError) as error:
        resolve(project)
    assert "git ls-remote: fatal: Could not resolve host" in str(error.value)
    assert "cargo metadata: error: no registry" in str(error.value)


@posix
def test_a_network_that_does_not_answer(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / ".git").mkdir()
    tool(project, "git", "time.sleep(60)")
    monkeypatch.setattr(sources._git, "__kwdefaults__", {"timeout": 0.2})
    with pytest.raises(sources.SourceError, match="no answer within 0 s"):
        resolve(project)


def test_a_folder_that_cannot_be_written(project: Path) -> None:
    (project / "file").touch()
    with pytest.raises(iwasm.BuildError, match=r"can't be written(?s:.*)cp -r"):
        iwasm.prepare(project, project / "file" / "build")


def test_an_error_is_one_message_without_a_traceback(project: Path, root: Path) -> None:
    code = "import sources, pathlib; sources.resolve(pathlib.Path('.'), pathlib.Path('build'))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(root / "cmake")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "nowhere to be found" in done.stderr
    assert "Traceback" not in done.stderr
