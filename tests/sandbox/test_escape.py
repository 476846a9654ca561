# ruff: noqa: E501 - lists of code
"""Attacks: code may do anything to its own interpreter, and other runs don't notice.

Code shares the interpreter with the program that serves the host's requests, so code can change
this program, and can then forge its own results. It must not reach the host, exceed limits,
change other runs, or make `run` raise.
"""

from __future__ import annotations

import pytest
from sandboxes import SMALL, TOOLS, kept_machines, python
from wasm_fixtures import descriptors

from wamr.sandbox import Python, Result, RunLimits

# As an attacker would: find the function that serves requests and the marker of this run.
FIND = """
import gc, sys, os, types
frame = sys._getframe()
while frame.f_code.co_name != "_serve":
    frame = frame.f_back
inner = frame.f_locals
marker = inner["state"]["marker"]
def forge(data):
    os.write(2, marker + data + b"\\n")
"""


def run(code: str, **rest: object) -> Result:
    """Run code; check that it does no harm to the next run."""
    result = python().run(code, **rest)
    assert isinstance(result, Result)
    assert result.limit in (
        None,
        "time",
        "memory",
        "output",
        "tool_calls",
        "fuel",
        "stack",
        "files",
    )
    assert python().run("echo(20) + 1").value == 21
    return result


def test_code_can_find_the_marker_but_each_run_has_another():
    first, second = (run(FIND + "marker.hex()").value for _ in range(2))
    assert first != second
    assert (
        run(f"import os\nos.write(2, bytes.fromhex({first!r}) + b'{{\"value\": 1}}\\n')\n2").value
        == 2
    )


@pytest.mark.parametrize(
    ("data", "value"),
    [(b'{"value": "forged"}', "forged"), (b'{"repr": "forged"}', "forged"), (b"{}", None)],
)
def test_code_can_forge_its_own_result_only(data, value):
    result = run(f"{FIND}forge({data!r})\nos.read(0, 1)")
    assert result.value == value
    with python().session() as other:
        assert other.run("1").value == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"[]",
        b"1",
        b"{",
        b'{"value": NaN}',
        b'{"value": 1, "value": 2}',
        b'{"value": "\\ud800"}',
        b'{"value": ' + b"[" * 5000,
        b'{"value": ' + b"9" * 5000 + b"}",
        b'{"exception": 1}',
        b'{"exception": {"type": 1}}',
        b'{"exception": []}',
        b'{"exception": null}',
        b'{"limit": "x"}',
        b'{"limit": ["time"]}',
        b'{"limit": {}}',
        b'{"call": 1}',
        b'{"call": "nothing", "args": [], "kwargs": {}}',
        b'{"call": "echo"}',
        b'{"call": "echo", "args": {}, "kwargs": []}',
        b'{"call": "__class__", "args": [], "kwargs": {}}',
        b'{"call": ["echo"], "args": [], "kwargs": {}}',
        b'{"call": "echo", "args": [1, 2, 3, 4], "kwargs": {}}',
        b'{"call": "echo", "args": [], "kwargs": {"value": 1, "x": 2}}',
        b'{"call": null, "args": [], "kwargs": {}}',
        b"\xff\xfe",
        b'{"value": "\xff"}',
        b"\0" * 100,
    ],
)
def test_wrong_messages_end_the_run_and_nothing_else(data):
    result = run(f"{FIND}forge({data!r})\nos.read(0, 1)")
    assert result.value is None
    with python().session() as session:
        session.run(f"{FIND}forge({data!r})\nos.read(0, 1)")


def test_a_forged_limit_is_one_that_an_interpreter_may_name():
    assert run(FIND + 'forge(b\'{"limit": "memory"}\')\nos.read(0, 1)').limit == "memory"
    for name in ("time", "fuel", "tool_calls", "stack", "files"):
        assert run(f'{FIND}forge(b\'{{"limit": "{name}"}}\')\nos.read(0, 1)').limit is None


def test_many_messages_are_refused():
    result = run(FIND + "for i in range(100): forge(b'{\"value\": 1}')")
    assert result.value is None
    assert "wrong message" in result.exception.message


def test_forged_calls_count():
    code = (
        FIND
        + """
while True:
    forge(b'{"call": "echo", "args": [], "kwargs": {}}')
    os.read(0, 1000)
"""
    )
    result = run(code)
    assert (result.limit, result.tool_calls) == ("tool_calls", SMALL.tool_calls)


def test_a_long_forged_message_is_cut():
    result = run(FIND + "os.write(2, marker)\nwhile True: os.write(2, b'x' * 1000)")
    assert result.limit == "output"


def test_reading_the_requests_ends_the_run():
    assert "has read from descriptor 0" in run("import os\nos.read(0, 100)").exception.message
    assert run("import sys\nsys.__stdin__.read()").exception.type == "SystemExit"


@pytest.mark.parametrize(
    "code",
    [
        "import builtins\nfor name in dir(builtins):\n  if name not in ('delattr', 'builtins'): delattr(builtins, name)",
        "import builtins\nbuiltins.__dict__.clear()",
        "import sys\nsys.modules.clear()",
        "import sys\nsys.stdout = sys.stderr = sys.stdin = None",
        "import sys\nsys.stdout.close(); sys.stderr.close()",
        "import os\nfor i in range(100):\n  try: os.close(i)\n  except OSError: pass",
        "import os\nos.close(2)",
        "import os\nos.close(0)",
        "import os\nos.close(1)\nprint(1)",
        "import os\nos.write = os.read = os.urandom = None",
        "import json\njson.dumps = json.loads = json.JSONEncoder = None\njson.encoder.encode_basestring = None",
        "import traceback\ntraceback.TracebackException = None\n1/0",
        "import traceback\ntraceback.TracebackException.from_exception = lambda *a: 1/0\n1/0",
        "import sys\nsys.excepthook = sys.displayhook = sys.unraisablehook = print\n1/0",
        "import sys\nsys.settrace(lambda *a: 1/0)",
        "import sys\nsys.setprofile(lambda *a: 1/0)",
        "import sys\nsys.addaudithook(lambda *a: 1/0)",
        "import gc\ngc.callbacks.append(lambda *a: 1/0)\ngc.collect()",
        "import atexit\natexit.register(lambda: print('exit'))",
        "import sys\nsys.exit(1)",
        "raise SystemExit(b'x' * 1000)",
        "import sys\nsys._getframe(1).f_locals.clear()",
        "import signal\nsignal.raise_signal(signal.SIGINT)",
        "import threading\nthreading.Thread(target=print).start()",
        "import faulthandler\nfaulthandler._sigsegv()",
        "import _testcapi\n_testcapi.crash_no_current_thread()",
        "import ctypes",
        "import _testinternalcapi",
        "import sys\nsys.setrecursionlimit(5)\n1/0",
        "import linecache\nlinecache.cache = None\n1/0",
        "class E(BaseException):\n  __class__ = property(lambda s: 1/0)\n  __str__ = __repr__ = lambda s: s.x\n  __qualname__ = 1\nraise E",
        "class M(type):\n  __qualname__ = property(lambda s: 1/0)\nclass E(Exception, metaclass=M): pass\nraise E",
        "class E(Exception):\n  def __traceback__(self): pass\nraise E",
        "class A:\n  __repr__ = None\nA()",
        "class A:\n  def __repr__(self): return 5\nA()",
        "class A(dict):\n  def items(self): return 1/0\n  __iter__ = values = keys = items\nA(a=1)",
        "class A(str): pass\nA('x')",
        "class A(int):\n  __repr__ = lambda s: '}'\nA(1)",
        "class A(float):\n  __repr__ = lambda s: '1,2'\nA(1)",
        "class A(list):\n  def __iter__(self): raise SystemExit\nA([1])",
        "e = ValueError()\ne.__context__ = e\ne.__cause__ = e\nraise e",
        "a, b = ValueError(1), ValueError(2)\na.__cause__ = b\nb.__cause__ = a\nraise a",
        "e = ValueError()\nfor i in range(5000):\n  n = ValueError(i)\n  n.__context__ = e\n  e = n\nraise e",
        "raise ExceptionGroup('g', [ExceptionGroup('h', [ValueError(1)] * 100)] * 10)",
        "global __value_of_the_last_expression__\n__value_of_the_last_expression__ = 5",
        "del __builtins__\n5",
        "__builtins__ = None\n5",
        "import sys, types\nsys.modules['__main__'] = 5",
        "import os\nos.chdir('/')\nos.chdir('..')",
        "import os\nos.rmdir('/work')",
        "import os\nos.rename('/work', '/x')",
        "exec('a' * 10**6)",
        "eval('[' * 10**5)",
        "compile('x', '\\0', 'exec')",
        "'\\0'",
        "print('\\0' * 100)",
        "f'{\"\\x00\" + chr(0xd800)!a}'",
    ],
)
def test_an_interpreter_that_was_broken_harms_itself_only(code):
    run(code, limits=RunLimits(time=10, memory=64 << 20, output=10_000))
    with python().session(limits=SMALL) as session:
        session.run(code)
        if not session.closed:
            session.run("1 + 1")


def test_other_runs_of_a_session_can_be_lied_about_by_its_own_code_only():
    with python().session() as session:
        assert session.run(
            FIND + 'inner["send"].__code__ = (lambda data: None).__code__'
        ).limit in (None, "time")
    assert python().run("2").value == 2


def test_nothing_crosses_from_one_run_to_the_next():
    spread = (
        "import builtins, sys, os, json\nbuiltins.evil = sys.evil = json.evil = 'secret-of-a-run'\n"
        "open('left', 'w').write('secret-of-a-run')\nx = bytearray(b'secret-of-a-run' * 100000)\nos.environ['EVIL'] = '1'"
    )
    look = (
        "import builtins, sys, os, json, gc\nsecret = ''.join(['secret-of', '-a-run'])\n"
        "[hasattr(builtins, 'evil'), hasattr(sys, 'evil'), hasattr(json, 'evil'), os.listdir('.'), 'EVIL' in os.environ,\n"
        " any(isinstance(o, dict) and secret in map(str, o.values()) for o in gc.get_objects() if o is not globals()),\n"
        " secret.encode() in bytes(bytearray(10**6))]"
    )
    clean = [False, False, False, [], False, False, False]
    assert python().run(look).value == clean
    for _ in range(3):
        assert python().run(spread).ok
        assert python().run(look).value == clean


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../x",
        "/etc/passwd",
        "/work/../../etc/passwd",
        "/proc/self/mem",
        "../../../../etc/passwd",
    ],
)
def test_files_of_the_host_cannot_be_reached(name):
    for mode in ("rb", "wb"):
        assert run(f"open({name!r}, {mode!r})").exception.type in (
            "FileNotFoundError",
            "PermissionError",
            "IsADirectoryError",
            "OSError",
        )


def test_links_lead_nowhere():
    result = run(
        "import os\nfor target in ('/etc/passwd', '../../../../../../etc/passwd', '/work'):\n"
        "  try: os.symlink(target, 'link' + str(len(target)))\n  except OSError: pass\n"
        "seen = []\nfor name in os.listdir('.'):\n  try: seen.append(open(name).read())\n  except OSError as e: seen.append(type(e).__name__)\nseen"
    )
    assert "root" not in str(result.value)
    assert result.files == {}


def test_tools_get_what_code_sends_and_nothing_else():
    seen = []
    sandbox = Python(
        tools={"take": lambda *args, **kwargs: seen.append((args, kwargs))}, limits=SMALL
    )
    sandbox.run("take({'__class__': 'x', '__reduce__': [1]}, __init__=1, self=2)")
    assert seen == [(({"__class__": "x", "__reduce__": [1]},), {"__init__": 1, "self": 2})]
    assert all(type(item) in (dict, str, list, int) for item in seen[0][0][0].values())


def test_runs_leave_nothing_behind_in_the_host():
    python().run("1")
    before = descriptors() - len(kept_machines(python()))
    for code in (
        "1",
        "import os; os._exit(1)",
        "while True: pass",
        "x = bytearray(10**9)",
        FIND + "forge(b'x')",
    ):
        python().run(code, limits=RunLimits(time=0.1, memory=64 << 20))
    kept = len(kept_machines(python()))
    assert (descriptors() - kept, python()._snapshot.alive) == (before, kept)


def test_all_tools_are_those_that_were_given():
    assert {name for name in run("sorted(globals())").value if not name.startswith("__")} == {
        tool.__name__ for tool in TOOLS
    }
