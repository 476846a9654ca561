"""How WAMR's own native functions are called on Windows: src/native/windows/invoke.c.

On Linux, processors of 64 bits pass integers as the file needs it, too, so it is called here. What
it assumes of WAMR is read from WAMR's sources.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import iwasm

pytestmark = [
    pytest.mark.packaging,
    pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler"),
]
calls = pytest.mark.skipif(
    sys.maxsize < 2**32 or not sys.platform.startswith("linux"),
    reason="arguments on the stack have another size",
)
IN_REGISTERS, MOST = 4, 10
BUFFER = 32  # words: the array of wasm_runtime_invoke_native is never shorter
# Of 32 and of 64 bits in turn, as path_open has them: the environment, then 9 of WASI.
KINDS = (ctypes.c_void_p, *[ctypes.c_uint32, ctypes.c_uint64] * 4, ctypes.c_uint32)


@pytest.fixture(scope="module", params=[0, 1], ids=["floats", "vectors"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the file for a build without or with vectors."""
    source = Path(__file__).resolve().parents[2] / "src/native/windows/invoke.c"
    made = tmp_path_factory.mktemp("invoke") / f"invoke{request.param}.so"
    options = ["-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
    options.append(f"-DWASM_ENABLE_SIMD={request.param}")
    subprocess.run(["cc", *options, source, "-o", made], check=True)
    return made


def words_of(library: Path, values: list[int]) -> ctypes.Array[ctypes.c_uint64]:
    """Return the array as wasm_runtime_invoke_native makes it: float registers, integers."""
    floats = IN_REGISTERS * (2 if "1" in library.stem else 1)
    return (ctypes.c_uint64 * BUFFER)(*[0xF10A7] * floats, *values)


@calls
@pytest.mark.parametrize("count", range(1, MOST + 1))
def test_a_function_gets_its_integers_in_order(library: Path, count: int) -> None:
    got: list[int] = []

    def native(*arguments: int) -> int:
        got.extend(arguments)
        return -count

    kinds = KINDS[:count]
    values = [0xABCD_0000_0000 * (kind is not ctypes.c_uint32) + i for i, kind in enumerate(kinds)]
    invoke = ctypes.CDLL(str(library)).invokeNative
    invoke.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64]
    invoke.restype = ctypes.c_int32
    function = ctypes.CFUNCTYPE(ctypes.c_int32, *kinds)(native)
    on_stack = max(0, count - IN_REGISTERS)
    assert (
        invoke(ctypes.cast(function, ctypes.c_void_p), words_of(library, values), on_stack)
        == -count
    )
    assert got == values


@calls
def test_more_arguments_than_it_passes_end_the_process(library: Path) -> None:
    code = (
        "import ctypes, sys; "
        "invoke = ctypes.CDLL(sys.argv[1]).invokeNative; "
        "words = (ctypes.c_uint64 * 32)(); "
        "invoke(ctypes.cast(invoke, ctypes.c_void_p), words, ctypes.c_uint64(int(sys.argv[2])))"
    )
    command = [sys.executable, "-c", code, str(library), str(MOST - IN_REGISTERS + 1)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == -6, done.stderr


@pytest.fixture(scope="module")
def core() -> Path:
    root = Path(__file__).resolve().parents[2]
    return iwasm.sources.resolve(root, iwasm.layout(root).build).path / "core/iwasm"


@pytest.fixture
def preprocessed(core: Path) -> Callable[..., list[str]]:
    """Return WAMR's layout with these macros: floats, integers, the counter of floats."""
    text = (core / "common/wasm_runtime_common.c").read_text(encoding="utf-8")
    registers = (
        r"^#if defined\(_WIN32\)[^\n]*\n#define MAX_REG_FLOATS.*?^#endif[^\n]*_WIN32[^\n]*\n"
    )
    shared = r"^#if defined\(_WIN32\)[^\n]*\n *(?:/\*[^\n]*\n)?#define n_fps n_ints\n"
    (layout,) = re.findall(registers, text, re.M | re.DOTALL)
    (one,) = re.findall(shared, text, re.M)

    def run(*options: str) -> list[str]:
        source = f"{layout}\n{one}\n#endif\nMAX_REG_FLOATS MAX_REG_INTS n_fps\n"
        command = ["cc", "-E", "-P", "-x", "c", "-U_WIN32", *options, "-"]
        done = subprocess.run(command, input=source, capture_output=True, text=True, check=True)
        return done.stdout.split()

    return run


@pytest.mark.parametrize("processor", ["X86_64", "AARCH64"])
def test_the_layout_is_what_wamr_makes_on_windows(
    preprocessed: Callable[..., list[str]], processor: str
) -> None:
    assert preprocessed("-D_WIN32", f"-DBUILD_TARGET_{processor}") == ["4", "4", "n_ints"]


def test_the_layout_elsewhere_is_another(preprocessed: Callable[..., list[str]]) -> None:
    """The assembler code for arm64 reads this one, on Windows too."""
    assert preprocessed("-DBUILD_TARGET_AARCH64") == ["8", "8", "n_fps"]


def test_functions_of_wasi_take_integers_and_not_too_many(core: Path) -> None:
    text = (core / "libraries/libc-wasi/libc_wasi_wrapper.c").read_text(encoding="utf-8")
    signatures = re.findall(r'REG_NATIVE_FUNC\(\w+,\s*"\(([^)]*)\)(i?)"\)', text)
    assert len(signatures) > 60
    assert len(signatures) == len(re.findall(r"^ +REG_NATIVE_FUNC\(", text, re.M))
    for arguments, _ in signatures:
        assert set(arguments) <= set("iI*~$"), arguments
    assert max(len(arguments) for arguments, _ in signatures) + 1 == MOST
