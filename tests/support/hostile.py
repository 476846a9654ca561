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
from hostile_world import STATES, Hostile, new_world

import wamr
from wamr import Func, ValType

# ------------------------------------------------------------------ the calls
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
    *(isinstance, issubclass, next, print_quietly := lambda target: f"{target!r:.90} {target}"),
]


def subclassed(target, *values):
    if isinstance(target, (ValType, wamr.TrapCode, type)):
        return None
    return type("Sub", (type(target),), {})(*values)


def called_on_type(target, *values):
    return type(target)(*values)


def reclassed(target, value):
    before = target.__class__
    target.__class__ = value if isinstance(value, type) else type(value)
    if target.__class__ is not before:
        target.__class__ = before


def pickled(target):
    return pickle.loads(pickle.dumps(target))


def one_call(world, pick, log_call):
    """Choose one call, log it, and make it."""
    target = pick.choice(world.alive if pick.random() < 0.7 and world.alive else world.objects)
    values = hostile_values(world, pick)
    values += world.objects * (1 + len(values) // len(world.objects))
    args = tuple(pick.choice(values) for _ in range(pick.choice((0, 1, 1, 1, 2, 2, 3, 4))))
    kind = pick.random()
    names = [name for name in dir(type(target)) if not name.startswith("_")]
    names += [name for name in dir(target) if not name.startswith("_")]
    name = pick.choice(names) if names else "__repr__"
    if kind < 0.45:
        if name == "run" and target is wamr:
            return
        if name in ("close", "interrupt") and pick.random() < 0.8:
            return
        log_call("attribute", target, name, ())
        found = getattr(target, name)
        if isinstance(target, type) and isinstance(found, FunctionType):
            return  # an unbound method
        if callable(found):
            args = arguments(found, world, pick, values)
            log_call("call", target, name, args)
            keyed = {}
            if args and pick.random() < 0.2:
                keyed = {
                    pick.choice(("timeout", "fuel", "slice_fuel", "size", "init", "format")): args[
                        -1
                    ]
                }
                args = args[:-1]
            inspect_result(found(*args, **keyed))
    elif kind < 0.55:
        value = args[0] if args else None
        log_call("setting", target, name, (value,))
        if isinstance(target, type):
            return
        if pick.random() < 0.8:
            setattr(target, name, value)
        else:
            delattr(target, name)
    elif kind < 0.75:
        special = f"__{pick.choice(SPECIAL)}__"
        log_call("special", target, special, args)
        if isinstance(target, type) and special in ("__setattr__", "__delattr__"):
            return
        found = getattr(type(target), special, None)
        if found and special != "__init__" and pick.random() < 0.6:
            if special == "__call__" and isinstance(target, (Func, type)):
                args = arguments(target, world, pick, values)
            elif isinstance(found, FunctionType) or special in ("__getitem__", "__setitem__"):
                args = arguments(getattr(target, special), world, pick, values)
            log_call("special", target, special, args)
        inspect_result(found and found(target, *args))
    elif kind < 0.9:
        function = pick.choice(FUNCTIONS)
        log_call("function", target, function, args)
        inspect_result(
            function(target, *args[:1])
            if function in (isinstance, issubclass)
            else function(target)
        )
    else:
        function = pick.choice((called_on_type, subclassed, reclassed, pickled))
        log_call("constructed", target, function, args)
        if function is reclassed:
            reclassed(target, *(args[:1] or (None,)))
        elif function is pickled:
            pickled(target)
        else:
            if isinstance(target, type) or function is called_on_type:
                cls = target if isinstance(target, type) else type(target)
                args = arguments(cls, world, pick, values)
                log_call("constructed", cls, "made", args)
                made = cls(*args)
                if type(made).__module__.startswith("wamr") and len(world.alive) < 40:
                    world.alive.append(made)
            else:
                inspect_result(function(target, *args))


def inspect_result(result):
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


def is_expected(error, uninitialized):
    if not isinstance(error, EXPECTED) or isinstance(error, UnboundLocalError):
        return False
    if (
        isinstance(error, (AttributeError, TypeError))
        and not uninitialized
        and raised_by_wamr(error)
    ):
        return not PRIVATE.search(str(error))
    return not type(error).__module__.startswith(("struct", "cffi", "_cffi"))


PRIVATE = re.compile(
    r"attribute '_(?!_)\w+'|'(?:Opened|\w*State|Lifetime|Codec|HostFunction|_cffi\S*)'|cdata|ctype"
)


PACKAGE = str(Path(wamr.__file__).parent)


def raised_by_wamr(error):
    """Return whether our code raised the exception, not code that was called with our objects."""
    traceback = error.__traceback__
    while traceback.tb_next:
        traceback = traceback.tb_next
    return PACKAGE in traceback.tb_frame.f_code.co_filename


def report():
    import traceback

    traceback.print_exc()
    sys.stderr.write(f"LAST: {LAST_CALL[0]}\n")
    sys.stderr.flush()


def forked(world, make_calls):
    pid = os.fork()
    if pid:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status:
            os._exit(status & 0xFF)
        return
    code = 9
    try:
        make_calls()
        code = 0
    except BaseException:
        report()
        code = 3
    finally:
        os._exit(code)


LAST_CALL = [""]


def described(value):
    try:
        return f"{type(value).__name__} {value!r}"[:150]
    except BaseException as error:
        return f"{type(value).__name__} ({type(error).__name__} in its repr)"


def main(state, seed, count, log):
    faulthandler.enable()
    pick = random.Random(seed)
    descriptor = os.open(log, os.O_RDWR | os.O_CREAT, 0o666)

    def log_call(kind, target, member, args):
        member = getattr(member, "__name__", member)
        LAST_CALL[0] = (
            f"{state}: {kind} of {described(target)}: {member}{tuple(map(described, args))}"
        )
        for arg in args:
            if type(arg).__name__ == "Evil":
                arg.armed = pick.random() < 0.3
        os.pwrite(descriptor, LAST_CALL[0].encode("utf-8", "replace")[:2000].ljust(2000), 0)

    done = 0
    while done < count:
        world = new_world()
        each = pick.randrange(1, 25)

        def make_calls(world=world, each=each):
            nonlocal done
            for _ in range(each):
                done += 1
                faulthandler.dump_traceback_later(30, exit=True)
                try:
                    one_call(world, pick, log_call)
                except BaseException as error:
                    if not is_expected(error, state in ("uninitialized", "initialized_twice")):
                        report()
                        os._exit(3)
                    error.__traceback__ = None
                    del error

        (forked if state == "forked" else STATES[state])(world, make_calls)
        done += each if state == "forked" else 0
        del world
    faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    sys.unraisablehook = lambda unraisable: None  # hide exceptions of hostile __del__ methods
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
