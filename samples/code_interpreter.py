"""A code interpreter as a web service: untrusted Python code, many requests at once, one loop.

POST /run with {"code": "…", "files": {"name": "text"}} answers {"stdout", "value", "error",
"limit", "files"}. Each request has an interpreter of its own. The sample starts the server, and
tries it as 500 clients do at once, one of which never ends, while another one wants all memory.
It needs `pip install "wamr[server]"`.
"""

import asyncio

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

from wamr.sandbox import Python, RunLimits

LIMITS = RunLimits(time=5, memory=64 << 20, output=100_000, file_bytes=1 << 20)
AT_ONCE = 50  # interpreters; other requests wait, so that they don't share the time and the memory
PRICES = {"apple": 3, "pear": 4}


async def price(item: str, *, currency: str = "EUR") -> str:
    """Return the price of an item."""
    await asyncio.sleep(0.01)  # stands for a query of a database
    return f"{PRICES[item]} {currency}"


def application() -> web.Application:
    """Return the server."""
    python = Python(tools=[price], preload=["json", "math", "re"], limits=LIMITS)
    turn = asyncio.Semaphore(AT_ONCE)

    async def run(request: web.Request) -> web.Response:
        body = await request.json()
        async with turn:
            result = await python.run_async(body["code"], files=body.get("files"))
        files = {name: data.decode("utf-8", "replace") for name, data in result.files.items()}
        return web.json_response(
            {
                "stdout": result.stdout,
                "value": result.value,
                "error": result.exception and result.exception.message,
                "limit": result.limit,
                "files": files,
            }
        )

    server = web.Application()
    server.router.add_post("/run", run)
    return server


async def main() -> None:
    """Start the server, and be its clients."""
    runner = web.AppRunner(application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1000).start()  # connections not yet accepted
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/run"

    async with ClientSession(connector=TCPConnector(limit=0), timeout=ClientTimeout()) as client:

        async def post(code: str, **files: str) -> dict[str, object]:
            async with client.post(url, json={"code": code, "files": files}) as response:
                return await response.json()

        print(await post("print('hello')\n6 * 7"))
        print(await post("[price('apple'), price('pear', currency='USD')]"))
        print((await post("price('plum')"))["error"], "and", (await post("1 / 0"))["error"])
        done = await post("open('out', 'w').write(open('in').read().upper())", **{"in": "text"})
        print(done["files"])

        # 500 requests at once. Each looks for files and names that others may have left.
        code = "import sys\nfound = getattr(sys, 'mine', None)\nsys.mine = {0}\n[found, {0}]"
        codes = [code.format(number) for number in range(498)]
        codes += ["while True: pass", "x = []\nwhile True: x.append(bytes(10**6))"]
        answers = await asyncio.gather(*map(post, codes))
        right = sum(answer["value"] == [None, number] for number, answer in enumerate(answers))
        print(right, "of 498 are right; the others:", [answer["limit"] for answer in answers[498:]])
    await runner.cleanup()


asyncio.run(main())
