"""Code that a language model has written, with tools: functions of the host that it may call.

`pip install "wamr[python,javascript]"` brings the interpreters.
"""

from wamr.sandbox import JavaScript, Python, RunLimits

STOCK = {"apple": 12, "pear": 0}


def stock(item: str) -> int:
    """Return how many of an item there are. Raises KeyError for an unknown item."""
    return STOCK[item]


def order(item: str, count: int = 1, *, express: bool = False) -> dict[str, object]:
    """Order items."""
    STOCK[item] += count
    return {"item": item, "count": count, "days": 1 if express else 3}


# The interpreter starts once, and imports pydoc for help(); each run has a copy of it.
limits = RunLimits(time=5, memory=64 << 20, tool_calls=10)
python = Python(tools=[stock, order], preload=["pydoc"], limits=limits)

# What the code prints, the value of its last expression, and its exceptions come as a Result.
result = python.run("""
for item in ["apple", "pear", "plum"]:
    try:
        if stock(item) == 0:
            print(order(item, 5, express=True))
    except KeyError as error:
        print("unknown:", error)
{item: stock(item) for item in ["apple", "pear"]}
""")
print(result.stdout, end="")
print("value:", result.value, "- calls:", result.tool_calls)

# The code sees names, signatures and docstrings, as of any function.
print(python.run("help(order)").stdout.splitlines()[2])

# A wrong call of a tool is an exception in the code.
for code in ("order()", "order('apple', {1, 2})", "stock('plum')", "import os; os.listdir('/')"):
    told = python.run(code).exception
    print(f"{code}: {told.type}: {told.message}")

# Limits end a run, and the result says which it was.
for code, limits in {
    "while True: pass": RunLimits(time=0.5),
    "[0] * 10**9": RunLimits(memory=64 << 20),
    "while True: stock('apple')": RunLimits(tool_calls=10),
    "print('x' * 10**7)": RunLimits(output=1000),
}.items():
    print(f"{code}: {python.run(code, limits=limits).limit}")

# A session keeps its state; files go in and out.
with python.session(files={"data.csv": "a,1\nb,2\n"}) as session:
    session.run("import csv; rows = list(csv.reader(open('data.csv')))")
    session.run("total = sum(int(number) for _, number in rows)")
    done = session.run("open('total.txt', 'w').write(str(total)); total")
    print("total:", done.value, "- files:", done.files)

# The same for JavaScript.
javascript = JavaScript(tools=[stock, order])
result = javascript.run("console.log(order.named({express: true}, 'apple').days); stock('apple')")
print("javascript:", result.stdout.strip(), result.value)
print(javascript.run("stock('plum')").exception.type)
