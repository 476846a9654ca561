"""Run MicroPython: C with setjmp and longjmp, compiled the way Emscripten does it.

WebAssembly can't jump out of a function into one that called it. So the compiler calls functions
that may do so through imports named `invoke_…`, and where the program calls `longjmp`, an import
that never returns. The host does the rest: it raises an exception there, catches it in the nearest
`invoke_…`, puts the program's stack back, and says with `setThrew` what happened.

The module is on PyPI in `pwasm`; `pip install "wamr[demo]"` brings it.
"""

import json
from collections.abc import Callable
from importlib.metadata import distribution
from typing import Any

import wamr


class Longjmp(Exception):
    """Represents `longjmp` while it unwinds WebAssembly code."""


class Jumps:
    """The imports of a module that uses setjmp and longjmp."""

    def __init__(self, module: wamr.Module, too_deep: str | None = None, most: int = 300) -> None:
        """too_deep: the export that is called instead of a function more than `most` calls deep."""
        self.imports: dict[str, Callable[..., Any]] = {"_emscripten_throw_longjmp": self._throw}
        self._too_deep, self._most, self._depth = too_deep, most, 0
        for item in module.imports:
            if item.name.startswith("invoke_"):
                assert isinstance(item.type, wamr.FuncType)
                self.imports[item.name] = self._invoke(item.type)

    def bind(self, exports: wamr.Exports) -> None:
        """Set the instance whose functions are called, before any of them runs."""
        self._table = exports["__indirect_function_table"]
        self._stack = exports["__stack_pointer"]
        self._set_threw = exports["setThrew"]
        self._overflow = exports[self._too_deep] if self._too_deep else None

    def _throw(self) -> None:
        raise Longjmp

    def _invoke(self, signature: wamr.FuncType) -> Callable[..., Any]:
        nothing = 0 if signature.results else None

        def invoke(index: int, *args: Any) -> Any:
            stack = self._stack.value
            self._depth += 1
            try:
                if self._depth > self._most and self._overflow:
                    self._overflow()
                return self._table[index](*args)
            except Longjmp:
                self._stack.value = stack
                self._set_threw(1, 0)
                return nothing
            finally:
                self._depth -= 1

        return invoke


class PythonError(Exception):
    """The traceback of an exception in a script."""


class MicroPython:
    """An interpreter. Scripts share their global names."""

    def __init__(self, heap: int = 256 * 1024, **limits: Any) -> None:
        path = distribution("pwasm").locate_file("pwasm/guests/micropython.wasm")
        module = wamr.Module(wamr.Engine(), str(path))
        jumps = Jumps(module, "mp_sandbox_recursion_error")
        env = {"host_write": self._write, "host_call": self._call, "host_take": self._take}
        inst = wamr.Instance(
            wamr.Store(module.engine),
            module,
            {"env": {**env, **jumps.imports}},
            limits=wamr.ResourceLimits(stack_bytes=16 << 20, **limits),
        )
        jumps.bind(inst.exports)
        self.functions: dict[str, Callable[..., Any]] = {}  # the functions that scripts may call
        self.exports, self.memory = inst.exports, inst.exports.memory
        self._printed = {1: bytearray(), 2: bytearray()}
        self._answer = b""
        if self.exports.mp_sandbox_init(heap):
            raise MemoryError(f"no room for a heap of {heap} bytes")

    def run(self, code: str) -> str:
        """Run a script; return what it printed."""
        for printed in self._printed.values():
            printed.clear()
        source = code.encode()
        address = self.exports.malloc(len(source) + 1)
        self.memory.write(address, source + b"\0")
        failed = self.exports.mp_sandbox_exec(address, len(source))
        self.exports.free(address)
        if failed:
            raise PythonError(self._printed[2].decode().strip())
        return self._printed[1].decode()

    def _write(self, descriptor: int, address: int, size: int) -> None:
        self._printed[descriptor] += self.memory.read(address, size)

    # `host.call(name, *args)`: arguments and answer as JSON; an error's text has its size negated.
    def _call(self, name: int, name_size: int, args: int, args_size: int) -> int:
        try:
            function = self.functions[self.memory.read(name, name_size).decode()]
            result = function(*json.loads(self.memory.read(args, args_size)))
            self._answer = json.dumps(result).encode()
        except Exception as error:  # noqa: BLE001 - it is the script's to handle
            self._answer = f"{type(error).__name__}: {error}".encode()
            return -len(self._answer)
        return len(self._answer)

    def _take(self, address: int, size: int) -> None:
        self.memory.write(address, self._answer[:size])


FIBONACCI = """
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

print([fibonacci(n) for n in range(15)])
"""
ERRORS = """
def dive(n):
    return dive(n + 1)

for what in (lambda: 1 // 0, lambda: {}["key"], lambda: dive(0)):
    try:
        what()
    except Exception as error:
        print(type(error).__name__, error)
"""


def main() -> None:
    python = MicroPython()
    print(python.run(FIBONACCI), end="")
    print(python.run(ERRORS), end="")
    print(python.run("print(fibonacci(10))"), end="")
    try:
        python.run("fibonacci('x')")
    except PythonError as error:
        print("not caught:", str(error).splitlines()[-1])
    python.functions["upper"] = str.upper
    print(python.run("import host; print(host.call('upper', 'from the host'))"), end="")
    try:
        MicroPython(timeout=0.2).run("while True: pass")
    except wamr.TimeoutTrap as trap:
        print("an endless loop:", trap.message)


if __name__ == "__main__":
    main()
