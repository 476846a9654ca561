"""`run_async`: `run` in asyncio, without a thread or process for each program."""

from __future__ import annotations

from contextlib import closing

from .._runtime.executor import in_thread
from .._runtime.instance import Instance
from .._runtime.limits import checked_slice
from .._runtime.module import Module
from .arguments import timeout_ns
from .async_turns import check_loop, drive_async, in_executor
from .one_turn import ExceptionsOfRun
from .request import Request
from .running import Running

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from .._base.aliases import Stdio
    from .._runtime.limits import ResourceLimits
    from .._wasi.config import _DirSource
    from .completed import CompletedProcess


async def run_async(
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
    slice: float | None = None,  # noqa: A002
) -> CompletedProcess:
    """Run a WASI command as `run` does, in asyncio: other tasks run meanwhile.

    slice: None: code runs in the executor of the event loop, in slices, and a program that waits
    for a pipe or sleeps takes no thread. A number of seconds: code runs in the thread of the event
    loop, which runs once after each slice. The other parameters are those of `run`. A path is
    compiled in the executor. Cancelling ends the program. Callables, and the methods of files, are
    called in the thread that runs the code.
    Raises what `run` raises, and asyncio.CancelledError when no code runs any more.

    >>> import asyncio, wamr
    >>> asyncio.run(wamr.run_async(['(module (func (export "_start")))'])).returncode
    0
    """
    checked_slice(slice)
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
    if args and isinstance(args[0], Module):
        store = request.load()
    else:
        check_loop()
        store = await in_executor(request.load)

    def start() -> Running:
        instance = Instance(store, request.module, wasi=request.wasi, limits=request.limits)
        execution = instance.exports["_start"].execution()
        streams, captured = request.wasi.streams, request.captured
        return Running(args, instance, execution, streams, captured, timeout_ns(limits))

    with store, ExceptionsOfRun(request) as begin:
        if request.module._starts():
            running = await in_thread(lambda _: start())
        else:
            running = start()
        with closing(running):
            turn = running.turn(timeout, since=begin)
            await turn.run_async(drive_async, turn, slice)
    return request.result(turn.returncode)
