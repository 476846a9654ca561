"""Calls the public API with hostile arguments: `hostile.py STATE SEED COUNT LOG`.

The program creates a world of objects, brings it into a state, and calls public attributes, setters
and special methods of its objects with hostile arguments, COUNT times; every few calls it creates a
new world. It writes each call to LOG before making it, so that the log names the call after a
crash. An exception of an unexpected class ends the program with a traceback and status 3.
"""

import asyncio
import copy
import faulthandler
import operator
import os
import pickle
import random
import re
import sys
import weakref
from inspect import iscoroutine
from pathlib import Path
from types import FunctionType

from hostile_values import arguments, hostile_values
from hostile_world import STATES, Hostile, World

import wamr
from wamr import Func, ValType

# ------------------------------------------------------------------ what is called
SPECIAL = [
    "repr",
    "str",
    "hash",
    "eq",
    "ne",
    "lt",
    "le",
    "len",
    "iter",
    "contains",
    "getitem",
    "setitem",
    "delitem",
    "call",
    "enter",
    "exit",
    "copy",
    "deepcopy",
    "reduce",
    "reduce_ex",
    "getstate",
    "setstate",
    "sizeof",
    "dir",
    "format",
    "init",
    "bool",
    "index",
    "int",
    "float",
    "bytes",
    "length_hint",
    "add",
    "radd",
    "or",
    "getattr",
    "setattr",
    "delattr",
    "getattribute",
    "init_subclass",
    "subclasshook",
    "instancecheck",
    "buffer",
    "release_buffer",
    "class_getitem",
]
FUNCTIONS = [
    *(
        copy.copy,
        copy.deepcopy,
        pickle.dumps,
        memoryview,
        bytes,
        list,
        tuple,
        dict,
        len,
        hash,
        iter,
        int,
    ),
    *(
        float,
        bool,
        str,
        repr,
        dir,
        vars,
        callable,
        reversed,
        sorted,
        set,
        weakref.ref,
        operator.index,
        id,
    ),
    *(isinstance, issubclass, next, print_quietly := lambda thing: f"{thing!r:.90} {thing}"),
]


def subclassed(thing, *values):
    if isinstance(thing, (ValType, wamr.TrapCode, type)):
        return None
    return type("Sub", (type(thing),), {})(*values)


def called_on_type(thing, *values):
    return type(thing)(*values)


def reclassed(thing, value):
    before = thing.__class__
    thing.__class__ = value if isinstance(value, type) else type(value)
    if thing.__class__ is not before:
        thing.__class__ = before


def pickled(thing):
    return pickle.loads(pickle.dumps(thing))


def one_call(world, pick, note):
    """Choose one call, log it, and make it."""
    thing = pick.choice(world.alive if pick.random() < 0.7 and world.alive else world.things)
    values = hostile_values(world, pick)
    values += world.things * (1 + len(values) // len(world.things))
    args = tuple(pick.choice(values) for _ in range(pick.choice((0, 1, 1, 1, 2, 2, 3, 4))))
    kind = pick.random()
    names = [name for name in dir(type(thing)) if not name.startswith("_")]
    names += [name for name in dir(thing) if not name.startswith("_")]
    name = pick.choice(names) if names else "__repr__"
    if kind < 0.45:
        if name == "run" and thing is wamr:
            return
        if name in ("close", "interrupt") and pick.random() < 0.8:
            return
        note("attribute", thing, name, ())
        found = getattr(thing, name)
        if isinstance(thing, type) and isinstance(found, FunctionType):
            return  # a method without its object
        if callable(found):
            args = arguments(found, world, pick, values)
            note("call", thing, name, args)
            keyed = {}
            if args and pick.random() < 0.2:
                keyed = {pick.choice(("timeout", "fuel", "size", "init", "format")): args[-1]}
                args = args[:-1]
            used(found(*args, **keyed))
    elif kind < 0.55:
        value = args[0] if args else None
        note("setting", thing, name, (value,))
        if isinstance(thing, type):
            return
        if pick.random() < 0.8:
            setattr(thing, name, value)
        else:
            delattr(thing, name)
    elif kind < 0.75:
        special = f"__{pick.choice(SPECIAL)}__"
        note("special", thing, special, args)
        if isinstance(thing, type) and special in ("__setattr__", "__delattr__"):
            return
        found = getattr(type(thing), special, None)
        if found and special != "__init__" and pick.random() < 0.6:
            if special == "__call__" and isinstance(thing, (Func, type)):
                args = arguments(thing, world, pick, values)
            elif isinstance(found, FunctionType) or special in ("__getitem__", "__setitem__"):
                args = arguments(getattr(thing, special), world, pick, values)
            note("special", thing, special, args)
        used(found and found(thing, *args))
    elif kind < 0.9:
        function = pick.choice(FUNCTIONS)
        note("function", thing, function, args)
        used(
            function(thing, *args[:1]) if function in (isinstance, issubclass) else function(thing)
        )
    else:
        function = pick.choice((called_on_type, subclassed, reclassed, pickled))
        note("made by hand", thing, function, args)
        if function is reclassed:
            reclassed(thing, *(args[:1] or (None,)))
        elif function is pickled:
            pickled(thing)
        else:
            if isinstance(thing, type) or function is called_on_type:
                cls = thing if isinstance(thing, type) else type(thing)
                args = arguments(cls, world, pick, values)
                note("made by hand", cls, "made", args)
                made = cls(*args)
                if type(made).__module__.startswith("wamr") and len(world.alive) < 40:
                    world.alive.append(made)
            else:
                used(function(thing, *args))


def used(result):
    """Inspect a result."""
    if iscoroutine(result):
        # an execution of the world may keep the instance, for which a call waits
        asyncio.run(asyncio.wait_for(result, 0.2))
    elif result is not None:
        if type(result).__module__.startswith("wamr"):
            repr(result)
        del result


EXPECTED = (
    *(
        TypeError,
        ValueError,
        OverflowError,
        IndexError,
        KeyError,
        AttributeError,
        wamr.WasmError,
        OSError,
    ),
    *(
        MemoryError,
        RuntimeError,
        ReferenceError,
        BufferError,
        StopIteration,
        StopAsyncIteration,
        Hostile,
    ),
    *(
        pickle.PicklingError,
        asyncio.CancelledError,
        asyncio.TimeoutError,
        DeprecationWarning,
        SystemExit,
    ),
)


def is_expected(error, unmade):
    if not isinstance(error, EXPECTED) or isinstance(error, UnboundLocalError):
        return False
    if isinstance(error, (AttributeError, TypeError)) and not unmade and is_ours(error):
        return not PRIVATE.search(str(error))
    return not type(error).__module__.startswith(("struct", "cffi", "_cffi"))


PRIVATE = re.compile(
    r"attribute '_(?!_)\w+'|'(?:Opened|\w*State|Lifetime|Codec|HostFunction|_cffi\S*)'|cdata|ctype"
)


PACKAGE = str(Path(wamr.__file__).parent)


def is_ours(error):
    """Return whether our code raised the exception, not code that was called with our objects."""
    traceback = error.__traceback__
    while traceback.tb_next:
        traceback = traceback.tb_next
    return PACKAGE in traceback.tb_frame.f_code.co_filename


def report():
    import traceback

    traceback.print_exc()
    sys.stderr.write(f"LAST: {LAST[0]}\n")
    sys.stderr.flush()


def forked(world, go):
    pid = os.fork()
    if pid:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status:
            os._exit(status & 0xFF)
        return
    code = 9
    try:
        go()
        code = 0
    except BaseException:
        report()
        code = 3
    finally:
        os._exit(code)


LAST = [""]


def shown(value):
    try:
        return f"{type(value).__name__} {value!r}"[:150]
    except BaseException as error:
        return f"{type(value).__name__} ({type(error).__name__} in its repr)"


def main(state, seed, count, log):
    faulthandler.enable()
    pick = random.Random(seed)
    descriptor = os.open(log, os.O_RDWR | os.O_CREAT, 0o666)

    def note(kind, thing, what, args):
        what = getattr(what, "__name__", what)
        LAST[0] = f"{state}: {kind} of {shown(thing)}: {what}{tuple(map(shown, args))}"
        for arg in args:
            if type(arg).__name__ == "Evil":
                arg.armed = pick.random() < 0.3
        os.pwrite(descriptor, LAST[0].encode("utf-8", "replace")[:2000].ljust(2000), 0)

    done = 0
    while done < count:
        world = World()
        each = pick.randrange(1, 25)

        def go(world=world, each=each):
            nonlocal done
            for _ in range(each):
                done += 1
                faulthandler.dump_traceback_later(30, exit=True)
                try:
                    one_call(world, pick, note)
                except BaseException as error:
                    if not is_expected(error, state in ("unmade", "made_twice")):
                        report()
                        os._exit(3)
                    error.__traceback__ = None
                    del error

        (forked if state == "forked" else STATES[state])(world, go)
        done += each if state == "forked" else 0
        del world
    faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    sys.unraisablehook = lambda unraisable: None  # what a hostile __del__ raises
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
