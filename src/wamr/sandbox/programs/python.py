# ruff: noqa: F821, BLE001, B008, SIM102, SIM105, S307, S110
# mypy: ignore-errors
"""The program that `wamr.sandbox.Python` runs in the interpreter, never in the host.

It serves requests of the host, which are lines of JSON on descriptor 0: tools and modules before
the snapshot is taken, then code. It answers on descriptor 2, between what else is written there: a
marker that the host has chosen, and a line of JSON. Untrusted code runs in the same interpreter
and can change everything here, so the host relies on nothing of this. python_asyncio.py and
python_tools.py are run before in the same namespace; the latter has `tool_maker`.
"""

from __future__ import annotations

import _ast
import builtins
import gc
import io
import json
import linecache
import os
import sys
import traceback
import types

_CONTAINERS = (dict, list, tuple)
_WRITERS = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)
_ONLY_AST = 0x400  # ast.PyCF_ONLY_AST
_FUTURE = 0xFFE0000  # CO_FUTURE_DIVISION and those above: what is imported from __future__
_MOST_DIGITS, _MOST_BITS = 4300, 14284  # of an int
_FRAMES = 1000  # of a traceback
_CHAIN = 50  # of exceptions
_RESERVE = 1 << 18  # bytes with which the end of the memory is described
_CONTINUED = frozenset((" ", "\t", ")", "]", "}", "#", ""))  # what such lines may begin with
_STATEMENTS = frozenset(
    (
        "import",
        "from",
        "def",
        "class",
        "if",
        "for",
        "while",
        "with",
        "try",
        "raise",
        "assert",
        "del",
    )
)
_VALUE = "__value_of_the_last_expression__"
Nothing = object()  # no value
_HIDDEN = "<sandbox>"  # the file name of the code that is left out of tracebacks


class Input(io.StringIO):
    """What code finds as sys.stdin."""

    name, encoding, _bytes = "<stdin>", "utf-8", None

    def __init__(self, text):
        super().__init__(text, None)  # each line ending is read as a line feed
        self._text = text

    @property
    def buffer(self):
        if self._bytes is None:
            text = self.read() if self.tell() else self._text
            self.seek(0, 2)
            self._bytes = io.BytesIO(text.encode())
        return self._bytes


def _serve(
    # What this uses is bound here, so that code may replace it elsewhere, as tests do.
    os_read=os.read,
    os_write=os.write,
    os_urandom=os.urandom,
    encode=json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode,
    decode=json.JSONDecoder().scan_once,
    quoted=json.encoder.encode_basestring,
    collected=gc.get_objects,
    modules=sys.modules,
):
    state = {
        "marker": b"",
        "runs": 0,
        "writes": 0,
        "warm": False,
        "reserve": None,
        "depth": 0,
        "limits": {},  # of the sandbox
        "tool_bytes": 0,  # of this run
    }
    tools: dict = {}

    # ---- messages
    def receive():
        data = piece = b""
        try:
            while not piece.endswith(b"\n"):
                piece = read(1 << 16)
                data += piece
            return decode(data.decode(), 0)[0]
        except MemoryError:  # which code may catch; the next message must not begin with the rest
            data = state["reserve"] = None
            while not piece.endswith(b"\n"):
                piece = read(1 << 10)
            keep_reserve()
            raise

    def read(size):
        data = os_read(0, size)
        if not data:
            raise SystemExit
        return data

    def send(data):
        left = state["marker"] + data + b"\n"
        while left:
            left = left[os_write(2, left) :]

    # ---- values as JSON
    def to_json(value):
        """Return a value as JSON, in UTF-8; TypeError or ValueError if it isn't JSON."""
        try:
            kind = type(value)
            if kind is str:
                return quoted(value).encode()
            text = encode(value) if kind is not int or value.bit_length() > 99 else f"{value}"
            data = text.encode()
        except UnicodeEncodeError:
            raise ValueError("a str with a lone surrogate is not JSON") from None
        except RecursionError:
            check([value], state["depth"] + 1)
            raise  # it isn't the value that is too deep, but the calls
        if "{" in text or text.count("[") > state["depth"] or len(text) > _MOST_DIGITS:
            check([value], state["depth"] + 1)
        return data

    def check(value, depth):
        if depth < 0:
            raise ValueError("the value is nested too deeply for JSON")
        if isinstance(value, dict):
            for key in value:
                if not isinstance(key, str):
                    raise TypeError(f"keys must be str for JSON, not {type(key).__name__}")
            value = value.values()
        for item in value:
            if isinstance(item, _CONTAINERS):
                check(item, depth - 1)
            elif isinstance(item, int) and item.bit_length() > _MOST_BITS:
                raise ValueError(f"an int of more than {_MOST_DIGITS} digits is not JSON")

    make_tool = tool_maker(send, receive, to_json, state)

    # ---- running code
    def run(request, module):
        """Run code; return the message with its result."""
        state["runs"] += 1
        state["marker"] = f"\0{request['marker']}\0".encode()
        filename = f"<run {state['runs']}>"
        source = request["code"]
        if "\r" in source:
            source = source.replace("\r\n", "\n").replace("\r", "\n")  # as the compiler does
        sys.stdin = Input(request.get("stdin", ""))
        lines = [f"{line}\n" for line in source.split("\n")]  # not as splitlines: at \f, too
        linecache.cache[filename] = (len(source), None, lines, filename)
        limits = {**state["limits"], **request}
        state["tool_bytes"], limit = limits["tool_bytes"], limits["output"]
        try:
            value = execute(source, filename, module.__dict__)
            if value is Nothing:
                return b"{}"
            try:
                data = b'{"value":' + to_json(value) + b"}"
            except (TypeError, ValueError):
                data = b'{"repr":' + to_json(printable(repr(value))) + b"}"
            return data if len(data) <= limit or len(data) < 64 else b'{"limit":"output"}'
        except BaseException as error:
            state["reserve"] = None  # there may be no other memory
            info = describe(error)
            result = {"exception": info}
            if isinstance(error, MemoryError) and not getattr(error, "_of_tool", False):
                if "Parser stack" not in info["message"] and "too complex" not in info["message"]:
                    result["limit"] = "memory"
            error = None
        data = to_json(result)
        if len(data) > limit:
            info["traceback"] = info["traceback"][-limit // 8 :]
            info["message"] = info["message"][: limit // 8]
            info["type"] = info["type"][: limit // 8]
            data = to_json(result)
        return data if len(data) <= limit else b'{"limit":"output"}'

    def execute(source, filename, names):
        """Return the value of the last statement, if it is an expression; else Nothing."""
        head, tail, word = split(source)
        kind = "exec" if word in _STATEMENTS and ";" not in tail else "eval"
        try:  # much faster than a tree, but the last lines may be a part of a statement
            code = compile(tail, filename, kind, dont_inherit=True)
            before = compile(head, filename, "exec", dont_inherit=True) if head else None
        except SyntaxError:
            pass
        else:
            if kind == "eval" or before is None or not before.co_flags & _FUTURE:
                if before is not None:
                    exec(before, names)
                value = eval(code, names)
                return value if kind == "eval" else Nothing
        tree = compile(source, filename, "exec", _ONLY_AST, dont_inherit=True)
        last = tree.body[-1] if tree.body else None
        if type(last) is _ast.Expr:
            where = {name: getattr(last, name) for name in last._attributes}
            target = _ast.Name(_VALUE, _ast.Store(), **where)
            tree.body[-1] = _ast.Assign([target], last.value, **where)
        try:
            exec(compile(tree, filename, "exec", dont_inherit=True), names)
            return names.get(_VALUE, Nothing)
        finally:
            names.pop(_VALUE, None)

    def split(source):
        """Return the code in two parts, and the first word of the second.

        The second part is the last line that isn't indented, and what follows.
        """
        lines = source.split("\n")
        end = len(lines)
        while end and not lines[end - 1].strip():
            end -= 1
        begin = end - 1
        while begin > 0 and lines[begin][:1] in _CONTINUED:
            begin -= 1
        if begin < 0:
            return "", "", "del"
        tail = "\n".join(lines[begin:end])
        word = tail.split(None, 1)[0] if tail else ""
        return "\n".join(lines[:begin]), "\n" * begin + tail, word

    def printable(text):
        return text.encode("utf-8", "backslashreplace").decode()

    def shorten(error):
        """Leave out the middle of long tracebacks, and the end of long chains of exceptions."""
        todo, seen = [error], set()
        while todo and len(seen) < _CHAIN:
            one = todo.pop()
            if one is None or id(one) in seen:
                continue
            seen.add(id(one))
            if len(seen) == _CHAIN:
                one.__cause__ = one.__context__ = None
            inner = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
            todo += [one.__cause__, one.__context__, *inner]
            frames, at = [], one.__traceback__
            while at is not None:
                frames.append(at)
                at = at.tb_next
            if len(frames) > _FRAMES:
                frames[_FRAMES // 2].tb_next = frames[-_FRAMES // 2]

    def describe(error):
        kind = type(error)
        name = str(kind.__qualname__)
        if kind.__module__ not in ("builtins", "__main__"):
            name = f"{kind.__module__}.{name}"
        try:
            message = str(error)
        except BaseException:
            message = "<exception str() failed>"
        try:
            shorten(error)
            shown = traceback.TracebackException.from_exception(error)
            hide(shown)
            text = "".join(shown.format())
        except BaseException:
            text = f"{name}: {message}\n"
        texts = {"type": name, "message": message, "traceback": text}
        return {key: printable(text) for key, text in texts.items()}

    def hide(shown):
        """Leave the frames of this file out of a traceback."""
        todo, seen = [shown], set()
        while todo:
            one = todo.pop()
            if one is not None and id(one) not in seen:
                seen.add(id(one))
                one.stack[:] = [frame for frame in one.stack if frame.filename != _HIDDEN]
                todo += [one.__cause__, one.__context__, *(getattr(one, "exceptions", None) or ())]

    def audit(event, args):
        """Note whether code opens a file for writing."""
        if event == "open" and not state["writes"]:
            mode, flags = args[1], args[2]
            state["writes"] = flags & 3 or (mode is not None and set(mode) & set("wax+"))

    def flush():
        """Write what files that are still open have buffered, as the end of a process would."""
        if not state["writes"]:
            return
        for item in collected():
            if type(item) in _WRITERS:
                try:
                    item.flush()
                except Exception:  # closed, or its descriptor is
                    pass

    def keep_reserve():
        if state["reserve"] is None:
            try:
                state["reserve"] = bytearray(_RESERVE)
            except MemoryError:
                pass

    # ---- requests
    def prepare(request, module):
        if request["program"] != version:
            raise SystemExit(86)  # the host is of another version
        state["depth"] = request["depth"]
        state["limits"] = {key: request[key] for key in ("output", "tool_bytes")}
        for name in request["preload"] or ():
            __import__(name)
        before = dict(tools)
        tools.clear()
        for tool in request["tools"]:
            tools[tool["name"]] = make_tool(tool)
        if module is not None:
            names = module.__dict__
            for name, tool in before.items():
                if names.get(name) is tool:
                    del names[name]
            names.update(tools)
        os.chdir(request["cwd"])
        if request["cwd"] not in sys.path:
            sys.path.insert(0, request["cwd"])

    def warm_up():
        """Run some code, so that the interpreter has adapted to what each run does."""
        for code in ("0", "print(end='')", "x = 0\nx", "[1]", "'x'", "1 / 0") * 12:
            request = {"code": code, "marker": ""}
            run(request, types.ModuleType("__main__"))
        state["runs"], state["warm"] = 0, True
        linecache.cache.clear()

    def new_module():
        module = types.ModuleType("__main__")
        module.__dict__.update(tools)
        module.__dict__["__builtins__"] = builtins
        modules["__main__"] = module
        return module

    sys.addaudithook(audit)
    module = None
    while True:
        request = receive()
        if "preload" in request:
            prepare(request, module)
            if not state["warm"]:
                warm_up()
            keep_reserve()
            gc.collect()
            gc.freeze()
            continue
        if module is None:
            module = new_module()
        if "new" in request:  # it is a new copy, in which this would be as in all others
            random = modules.get("random")
            try:
                random.seed(os_urandom(32))
            except Exception:  # None, or a module of the code that has this name
                pass
        keep_reserve()
        data = run(request, module)
        flush()
        send(data)


if sys.platform == "wasi":
    _serve()
