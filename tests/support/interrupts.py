"""Signals whose handler raises an exception, at each place where Python may run the handler."""

from __future__ import annotations

import ctypes
import platform
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import wamr

PACKAGE = str(Path(wamr.__file__).parent)

# CPython 3.12 has events for opcodes where a frame has asked for them before `sys.settrace`.
sys._getframe().f_trace_opcodes = True
sys._getframe().f_trace_opcodes = False


class Interrupted(KeyboardInterrupt):
    """What the signal handler raises."""


class _Tracer:
    """Lets SIGINT arrive before the n-th opcode of the package's code.

    No frame stays traced by opcodes when it is left: CPython 3.12 crashes where a thread without a
    trace function, or the garbage collector in it, ends a suspended coroutine that does.
    """

    def __init__(self, number: int) -> None:
        self.left = number
        self.active = True
        self._arrives_in: Any = None
        if platform.python_implementation() == "CPython":
            # In C, so that Python runs the handler where it next looks for signals in the code that
            # is traced, and not in the trace function. PyErr_SetInterrupt ignores arguments.
            arguments = [ctypes.py_object] * 3
            self._arrive: Any = ctypes.PYFUNCTYPE(None, *arguments)(
                ("PyErr_SetInterrupt", ctypes.pythonapi)
            )

    def handler(self, _: int, frame: Any) -> None:
        # Not in others' code: asyncio forgets a task that is interrupted while it is scheduled.
        if self.active and frame.f_code.co_filename.startswith(PACKAGE):
            self.active = False
            sys.settrace(None)
            while frame is not None:  # those that catch the exception go on
                frame.f_trace_opcodes = False
                frame = frame.f_back
            raise Interrupted

    def __call__(self, frame: Any, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        frame.f_trace = self.local  # before the next line, since 3.12
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return self.local

    def local(self, frame: Any, event: str, _: object) -> Any:
        if event == "opcode":
            self.left -= 1
            if self.left == 0:
                if platform.python_implementation() != "CPython":
                    self.handler(0, frame)  # PyPy runs handlers before any opcode
                self._arrives_in = frame
                frame.f_trace = self._arrive  # from the next opcode on
                return None
        elif event == "return":  # or a coroutine waits
            frame.f_trace_opcodes = False
        return self.local

    def stop(self) -> None:
        """Interrupt nothing from now on."""
        self.active = False
        frame, self._arrives_in = self._arrives_in, None
        if frame is not None:
            frame.f_trace_opcodes = False


def interrupted(call: Callable[[], Any], number: int) -> bool:
    """Call a function, interrupt it before its n-th opcode, and return whether it has so many.

    It is not interrupted where no signal handler runs before code of others goes on.
    """
    tracer = _Tracer(number)
    before, tracing = signal.signal(signal.SIGINT, tracer.handler), sys.gettrace()
    sys.settrace(tracer)
    try:
        call()
        tracer.active = False  # a signal may still wait
    except Interrupted:
        pass
    finally:
        tracer.stop()
        sys.settrace(None)
        signal.signal(signal.SIGINT, lambda *_: None)  # for one that has yet to be handled
        signal.signal(signal.SIGINT, before)
        sys.settrace(tracing)
    return tracer.left <= 0


def interruptions(call: Callable[[], Any], *, most: int = 20_000) -> Iterator[int]:
    """Interrupt a function at each place in turn, and yield after each."""
    number = 1
    while interrupted(call, number):
        yield number
        number += 1
        assert number < most, f"the function has more than {most} opcodes"
