"""The samples of the C API: each runs in a process of its own and prints the expected text."""

import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "capi"
EXPECTED = {
    "hello": """\
Calling export...
> Hello World!
Done.
""",
    "callback": """\
> 7
> env is {'number': 42}
3 + 4 + 42 = 49
""",
    "trap": """\
trap: Exception: callback abort
  in function 0
  in function 1
trap: Exception: unreachable
  in function 3
  in function 2
trap: Exception: LookupError: nothing there
  because of LookupError('nothing there')
  in function 0
  in function 1
""",
    "reflect": """\
> import env.log: externtype func (i32, i64) -> ()
> import env.start: externtype global const i32
> export func: externtype func (i32, f64, f32) -> (i32)
>> valtype i32 a number
>> valtype f64 a number
>> valtype f32 a number
> export global: externtype global var f64
> export table: externtype table externref 0..50
> export memory: externtype memory 1..65536 pages
""",
    "global": """\
initially: [1.5] [3] [5]
set by the host: [36] [37]
set by wasm: 73 and 1.5 and 37
wasm_global_set: global_ is constant
""",
    "table": """\
size 2 - element 0 is NULL
f(7) = 14 - an empty element: Exception: uninitialized element
g into 0: True
null into 1: True
beyond the end: False
g(666) = -666 - the element that was f: Exception: uninitialized element
grown: True 5
f(5) = 10 - beyond the end: Exception: undefined element
beyond its maximum: False
alone: 5 False
""",
    "memory": """\
pages: 2 [2]
bytes: 131072
at 0x1000: b'\\x01\\x02\\x03\\x04' [1]
after writing: b'\\x01\\x02\\x06\\x05' [5]
beyond the end: Exception: out of bounds memory access
grown: True 3
there now: [0] 196608
beyond its maximum: False
alone: 5 False b'bytes'
""",
    "hostref": """\
global, at first: None
global: one
table: two two
by the host: True one
> one
the same: True
> two
the same: True
> None
the same: True
""",
    "finalize": """\
nothing yet: []
one is deleted: ['instance 1']
a copy is left: ['instance 1']
none is left: ['instance 1', 'foreign']
the store is gone: ['foreign', 'instance 0', 'instance 1', 'instance 2']
""",
    "serialize": """\
serialized: 64 bytes, the same: True
> Hello from a module that was away
""",
    "threads": """\
calls by thread: {0: 3, 1: 3, 2: 3, 3: 3}
""",
    "start": """\
instance: NULL
trap: wasm_instance_new_with_args_ex failed: WASM module instantiate failed: Exception: unreachable
""",
    "multi": """\
functype (i32, i64, f32, f64) -> (f64, f32, i64, i32)
> [1, 2, 3.5, 4.5]
[4.5, 3.5, 2, 1]
[1099511627776, 1099511627776]
""",
}


def test_every_sample_is_tried():
    assert {path.stem for path in SAMPLES.glob("*.py")} == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_sample(wat, name):
    done = subprocess.run(
        [sys.executable, "-W", "error", SAMPLES / f"{name}.py"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    assert done.stdout == EXPECTED[name]
