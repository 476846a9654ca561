"""`run`: the interface of `subprocess.run` for WASI programs.

`run` makes a store, a module and an instance with a `WasiConfig`, and calls `_start`. This module
translates the parameters, results and exceptions of subprocess; captured.py has the outputs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from subprocess import CalledProcessError, CompletedProcess, TimeoutExpired
from time import monotonic

from .._base.callables import checked_plain
from .._runtime.instance import Instance
from .._runtime.limits import ResourceLimits, checked_timeout
from .._runtime.module import Module
from .._runtime.source import is_text
from .._runtime.store import Store
from .._wasi.config import SingleUseConfig
from .._wasi.stdio import DEVNULL, PIPE
from .._wasi.streams import text_reader
from ..errors import ExitTrap, LinkError, TimeoutTrap
from ..types import FuncType
from .captured import Captured

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .._base.aliases import Stdio
    from .._wasi.config import Dir

_NO_ARGUMENTS = FuncType(())


def run(
    args: Sequence[str | os.PathLike[str] | Module],
    *,
    input: bytes | str | None = None,  # noqa: A002
    stdin: Stdio = None,
    stdout: Stdio = None,
    stderr: Stdio = None,
    capture_output: bool = False,
    text: bool | None = None,
    encoding: str | None = None,
    errors: str | None = None,
    env: Mapping[str, str] | None = None,
    dirs: Mapping[str, str | os.PathLike[str] | Dir] | None = None,
    timeout: float | None = None,
    limits: ResourceLimits | None = None,
    check: bool = False,
) -> CompletedProcess[Any]:
    r"""Run a WASI command to its end and return a `subprocess.CompletedProcess`.

    args: the program, which is a path or a Module, and its arguments. The program's argv[0] is its
    file name without the directory.
    input: the data for stdin. stdin, stdout, stderr: None to inherit those of this process;
    subprocess.PIPE, DEVNULL or STDOUT; everything that `WasiConfig` takes.
    capture_output: the same as PIPE for stdout and stderr. text, encoding, errors: use str instead
    of bytes, UTF-8 by default, with "\n" for every line ending; for callables, too.
    env, dirs: as in `WasiConfig`; nothing is inherited. timeout: seconds that the program may run,
    compiling excluded; None: no limit. limits: as in `Instance`. check: raise an exception if the
    exit code isn't 0.
    Raises subprocess.TimeoutExpired (its outputs are bytes), CalledProcessError (check), OSError,
    CompileError, LinkError, Trap (the program trapped), WasmException (it threw an exception and
    didn't catch it), TypeError, ValueError, and what a callable or file raised. Exceptions that end
    a running program have the captured `stdout` and `stderr`, and show the end of stderr. C:
    `wasm_application_execute_main`.

    >>> import wamr
    >>> program = '''(module
    ...   (import "wasi_snapshot_preview1" "fd_write"
    ...     (func $write (param i32 i32 i32 i32) (result i32)))
    ...   (memory (export "memory") 1)
    ...   (data (i32.const 0) "\\08\\00\\00\\00\\06\\00\\00\\00hello\\n")
    ...   (func (export "_start")
    ...     (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))'''
    >>> done = wamr.run([wamr.Module(wamr.Engine(), program)], capture_output=True, text=True)
    >>> done.returncode, done.stdout
    (0, 'hello\n')
    """
    program, arguments = _checked_args(args)
    as_text = bool(text or encoding or errors)
    if capture_output:
        if stdout is not None or stderr is not None:
            raise ValueError("stdout and stderr can't be used with capture_output")
        stdout = stderr = PIPE
    if input is not None:
        if stdin is not None:
            raise ValueError("stdin and input can't both be used")
        stdin = _checked_input(input, as_text, encoding, errors)
    captured = Captured(as_text, encoding, errors)
    checked_timeout(timeout)
    limits = _with_timeout(limits, timeout)

    store = Store(program.engine) if isinstance(program, Module) else Store()
    module = program if isinstance(program, Module) else Module(store, program)
    _check_command(module)
    wasi = SingleUseConfig(
        args=[_name(program), *arguments],
        env=env,
        dirs=dirs,
        stdin=_stdin(stdin, as_text, encoding, errors),
        stdout=captured.output("stdout", stdout),
        stderr=captured.output("stderr", stderr),
    )

    begin = monotonic()
    returncode = 0
    with store:
        try:
            try:
                instance = Instance(store, module, wasi=wasi, limits=limits)
                left = None if timeout is None else max(0.0, timeout - (monotonic() - begin))
                instance.exports["_start"].call(timeout=left)
            except ExitTrap as trap:
                returncode = trap.exit_code
            wasi.streams.end()
        except BaseException as error:
            with suppress(Exception):  # the write of an incomplete character may fail
                wasi.streams.end()
            if not isinstance(error, TimeoutTrap) or not _is_over(begin, timeout):
                captured.attach_to(error)
                raise
            out, err = (captured.bytes_of(name) or None for name in ("stdout", "stderr"))
            raise TimeoutExpired(args, timeout or 0, out, err) from error  # type: ignore[arg-type]

    results = captured.results()
    if check and returncode:
        raise CalledProcessError(returncode, args, *results)  # type: ignore[arg-type]
    return CompletedProcess(args, returncode, *results)  # type: ignore[arg-type]


def _is_over(begin: float, timeout: float | None) -> bool:
    """Tell whether the timeout of `run` has passed, not one of `limits` or of a callable."""
    return timeout is not None and monotonic() - begin >= timeout


# ------------------------------------------------------------------ the program
def _checked_args(args: object) -> tuple[Any, list[str]]:
    if isinstance(args, (str, bytes)) or not isinstance(args, Sequence):
        raise TypeError(
            f'args must be a sequence, as ["program.wasm", "argument"], not {type(args).__name__}'
        )
    if not args:
        raise ValueError("args is empty: its first item is the program")
    program = args[0]
    if not isinstance(program, (str, os.PathLike, Module)):
        made = ""
        if isinstance(program, (bytes, bytearray, memoryview)):
            made = "; wamr.Module(wamr.Engine(), data) makes one of bytes"
        raise TypeError(f"args[0] must be a path or a Module, not {type(program).__name__}{made}")
    rest = [os.fspath(arg) if isinstance(arg, os.PathLike) else arg for arg in args[1:]]
    for i, arg in enumerate(rest, 1):
        if not isinstance(arg, str):
            raise TypeError(f"args[{i}] must be a str or a path, not {type(arg).__name__}")
    return program, rest


def _name(program: Any) -> str:
    """Return the program's argv[0], without directories of the host."""
    if isinstance(program, Module):
        return (program.name or "program").replace("\0", "")
    if isinstance(program, str) and is_text(program):
        return "program"
    path: str = os.fspath(program)
    return os.path.basename(path)  # noqa: PTH119


def _check_command(module: Module) -> None:
    """Raise LinkError if the module isn't a WASI command."""
    exports = {export.name: export.type for export in module.exports}
    start = exports.get("_start")
    if start == _NO_ARGUMENTS:
        return
    if start is not None:
        raise LinkError(f"the program's _start must be a function () -> (), not {start}")
    if "_initialize" in exports:
        raise LinkError(
            "the program has no _start: it is a reactor, whose functions are called: "
            "wamr.load(…, wasi=wamr.WasiConfig())"
        )
    raise LinkError("the program has no function _start: it is no WASI command")


def _with_timeout(limits: ResourceLimits | None, timeout: float | None) -> ResourceLimits | None:
    """Return the limits with the smaller timeout, so that it covers the start function, too."""
    if limits is not None and not isinstance(limits, ResourceLimits):
        raise TypeError(f"limits must be ResourceLimits or None, not {type(limits).__name__}")
    if timeout is None or (limits and limits.timeout is not None and limits.timeout < timeout):
        return limits
    if limits is None:
        return ResourceLimits(timeout=timeout)
    return ResourceLimits(
        timeout=timeout,
        memory_bytes=limits.memory_bytes,
        stack_bytes=limits.stack_bytes,
        table_elements=limits.table_elements,
        fuel=limits.fuel,
    )


# ------------------------------------------------------------------ stdio
def _checked_input(value: object, as_text: bool, encoding: str | None, errors: str | None) -> bytes:
    if as_text:
        if not isinstance(value, str):
            raise TypeError(f"input must be a str in text mode, not {type(value).__name__}")
        return value.encode(encoding or "utf-8", errors or "strict")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise TypeError(f"input must be bytes, or str with text=True, not {type(value).__name__}")


def _stdin(value: Stdio, as_text: bool, encoding: str | None, errors: str | None) -> Stdio:
    if value is None:
        return "inherit"
    if isinstance(value, int) and not isinstance(value, bool) and value in (PIPE, DEVNULL):
        return b""  # a pipe that nobody writes to
    if as_text and callable(value) and not hasattr(value, "read"):
        source: Any = value
        checked_plain("stdin", source)
        return text_reader(source, encoding or "utf-8", errors or "strict")
    return value
