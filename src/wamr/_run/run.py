"""`run`: the interface of `subprocess.run` for WASI programs.

`run` makes a store, a module and an instance with a `WasiConfig`, and calls `_start`. request.py
translates the parameters and results of subprocess, captured.py has the outputs.
"""

from __future__ import annotations

from contextlib import suppress

from .._base.clock import monotonic_ns
from .._runtime.instance import Instance
from ..errors import ExitTrap
from .one_turn import ExceptionsOfRun
from .request import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from .._base.aliases import Stdio
    from .._runtime.limits import ResourceLimits
    from .._runtime.module import Module
    from .._wasi.config import _DirSource
    from .completed import CompletedProcess


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
    dirs: Mapping[str, _DirSource] | None = None,
    timeout: float | None = None,
    limits: ResourceLimits | None = None,
    check: bool = False,
) -> CompletedProcess:
    r"""Run a WASI command to its end and return a `CompletedProcess`, as `subprocess.run` does.

    args: the program, which is a path or a Module, and its arguments. The program's argv[0] is its
    file name without the directory.
    input: the data for stdin. stdin, stdout, stderr: None to inherit those of this process;
    subprocess.PIPE, DEVNULL or STDOUT; everything that `WasiConfig` takes.
    capture_output: the same as PIPE for stdout and stderr. text, encoding, errors: use str instead
    of bytes, UTF-8 by default, with `\n` for every line ending; for callables, too.
    env, dirs: as in `WasiConfig`; nothing is inherited. The result, and exceptions that end a
    running program, have the files of private directories as `files`. timeout: seconds that the
    program may run, compiling excluded; None: no limit. limits: as in `Instance`. check: raise an
    exception if the exit code isn't 0.
    Raises subprocess.TimeoutExpired (its outputs are bytes), CalledProcessError (check), OSError,
    CompileError, LinkError, Trap (the program trapped), WasmException (it threw an exception and
    didn't catch it), TypeError, ValueError, LookupError (an unknown encoding or error handler), and
    what a callable or file raised. Exceptions that end
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
    request = Request(
        args,
        input,
        stdin,
        stdout,
        stderr,
        capture_output,
        text,
        encoding,
        errors,
        env,
        dirs,
        timeout,
        limits,
        check,
    )
    with request.load() as store, ExceptionsOfRun(request) as begin:
        wasi, returncode = request.wasi, 0
        try:
            try:
                instance = Instance(store, request.module, wasi=wasi, limits=request.limits)
                spent = (monotonic_ns() - begin) / 1e9
                left = None if timeout is None else max(0.0, timeout - spent)
                instance.exports["_start"].call(timeout=left)
            except ExitTrap as trap:
                returncode = trap.exit_code
            wasi.streams.end()
        except BaseException:
            with suppress(Exception):  # the write of an incomplete character may fail
                wasi.streams.end()
            raise
    return request.result(returncode)
