"""The arguments of `run` as an object, checked, and its results: those of `subprocess.run`.

`Request` is what `run`, `run_async` and `Program.run` have in common. It makes no instance.
"""

from __future__ import annotations

from subprocess import CalledProcessError, TimeoutExpired

from .._runtime.limits import checked_timeout
from .._wasi.config import SingleUseConfig
from .._wasi.stdio import PIPE
from .arguments import Command, checked_input, checked_stdin, text_encoder, with_timeout
from .captured import Captured
from .completed import CompletedProcess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._base.aliases import Stdio
    from .._runtime.limits import ResourceLimits
    from .._runtime.module import Module
    from .._runtime.store import Store


class Request:
    """One call of `run`. The parameters are those of `run`, in its order."""

    captured: Captured
    module: Module
    wasi: SingleUseConfig

    def __init__(
        self,
        args: Any,
        input: object,  # noqa: A002
        stdin: Stdio,
        stdout: Stdio,
        stderr: Stdio,
        capture_output: bool,
        text: bool | None,
        encoding: str | None,
        errors: str | None,
        env: Any,
        dirs: Any,
        timeout: float | None,
        limits: ResourceLimits | None,
        check: bool,
    ) -> None:
        self.command = Command(args)
        as_text = bool(text or encoding or errors)
        if capture_output:
            if stdout is not None or stderr is not None:
                raise ValueError("stdout and stderr can't be used with capture_output")
            stdout = stderr = PIPE
        if input is not None:
            if stdin is not None:
                raise ValueError("stdin and input can't both be used")
            encoder = text_encoder(encoding, errors) if as_text else None
            stdin = checked_input(input, encoder, final=True)
        self.captured = Captured(as_text, encoding, errors)
        checked_timeout(timeout)
        self.timeout = timeout
        self.limits = with_timeout(limits, timeout)
        self._check = check
        self._env, self._dirs = env, dirs
        self._stdin = checked_stdin(stdin, as_text, encoding, errors)
        self._outputs = stdout, stderr

    def load(self) -> Store:
        """Compile the module, make `wasi`, and return a new store for the instance."""
        store = self.command.load()
        self.module = self.command.module
        self.configure()
        return store

    def configure(self) -> None:
        """Make `wasi`."""
        stdout, stderr = self._outputs
        self.wasi = SingleUseConfig(
            args=self.command.argv,
            env=self._env,
            dirs=self._dirs,
            stdin=self._stdin,
            stdout=self.captured.output("stdout", stdout),
            stderr=self.captured.output("stderr", stderr),
        )
        self.captured.config = self.wasi

    def timed_out(self) -> TimeoutExpired:
        """Return the exception for a program that was stopped; its outputs are bytes."""
        return self.captured.timed_out(self.command.args, self.timeout)

    def result(self, returncode: int) -> CompletedProcess:
        """Return the result of `run`. Raises CalledProcessError, UnicodeDecodeError."""
        args, results = self.command.args, self.captured.results()
        if self._check and returncode:
            error = CalledProcessError(returncode, args, *results)
            self.captured.attach_files_to(error)
            raise error
        return CompletedProcess(args, returncode, *results, files=self.wasi.files)
