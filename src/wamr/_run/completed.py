"""The result of `run`: `subprocess.CompletedProcess`, with the files of private directories."""

from __future__ import annotations

import subprocess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    _Base = subprocess.CompletedProcess[Any]
else:
    _Base = subprocess.CompletedProcess


class CompletedProcess(_Base):
    """A `subprocess.CompletedProcess` of a program that `run` has run.

    Attribute `files`: for each private directory of `dirs` a mapping of names to the contents of
    its files. The directories exist as long as this object; a pickle contains their files.

    >>> import wamr
    >>> program = '(module (memory (export "memory") 1) (func (export "_start")))'
    >>> done = wamr.run([program], dirs={"/w": {"a.csv": b"1,2"}})
    >>> done.files["/w"]["a.csv"]
    b'1,2'
    """

    files: Mapping[str, Mapping[str, bytes]]

    def __init__(
        self,
        args: Any,
        returncode: int,
        stdout: Any = None,
        stderr: Any = None,
        files: Mapping[str, Mapping[str, bytes]] | None = None,
    ) -> None:
        super().__init__(args, returncode, stdout, stderr)
        self.files = {} if files is None else files
