"""Functions, of an instance or of the host.

A `Func` of an instance calls wasm code through a plain function in C
(src/native/cpython/function.c). A `Func` of the host calls its callback directly, with arguments
and results converted as in a call through wasm. imports.py passes Funcs to instances.
"""

from __future__ import annotations

from .._backend.binding import CallableBase, bind_export, ffi, lib, refer
from .._base.arguments import already_initialized, checked_bool, type_name
from .._base.binary_format import EXTERNREF
from .._base.callables import checked_host
from .._base.lifetime import Lifetime
from .._base.printable import printable_name
from .._base.registry import new_key
from .._base.suspension import SUSPEND
from .._values.codec import codec_of
from .._values.references import PassThroughContext, set_func_factory
from ..errors import ClosedError
from ..types import FuncType, functype_from_annotations
from .awaitables import close_unstarted
from .callbacks import HostFunction, find_host_function
from .calls import SlowCall
from .extern import Extern
from .limits import checked_fuel, checked_slice, checked_slice_fuel, checked_timeout
from .state import InstanceState, find_instance_state
from .store import checked_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from inspect import Signature
    from typing import Any

    from .._base.aliases import Value
    from .execution import Execution
    from .store import Store


_new, _cast = object.__new__, ffi.cast
_FUNC, _UINTPTR = ffi.typeof("wpy_func *"), ffi.typeof("uintptr_t")


class _Signature:
    """The descriptor `Func.__signature__`, which `inspect.signature` reads."""

    def __get__(self, func: Func | None, owner: object) -> Signature | None:
        if func is None:  # of the class: inspect finds the signature of __init__
            return None
        from inspect import Parameter, Signature

        kinds = enumerate(map(str, func._type.params))
        return Signature([Parameter(f"{kind}_{i}", Parameter.POSITIONAL_ONLY) for i, kind in kinds])


class Func(CallableBase, Extern):
    """A function that can be called, imported, and passed as a funcref.

    store: the Store that it lives in. type: a FuncType, or None to read it from the annotations of
    `callback`. callback: a function that returns None, one value, or a tuple or list of values. An
    exception that it raises ends the wasm code, and the outermost call raises the same object.
    access_caller: pass the calling Instance to the callback as its first argument, or None when
    Python calls.
    Raises TypeError, ClosedError. C: `wasm_func_new`. Spec: section 4.5.3, `func_alloc`.

    >>> from wamr import Func, Store
    >>> def double(x: int) -> int:
    ...     return 2 * x
    >>> func = Func(Store(), None, double)
    >>> func
    <wamr.Func double (i32) -> i32>
    >>> func(21)
    42

    Arguments of a call: an int for i32 (-2**31 to 2**32 - 1) and i64 (-2**63 to 2**64 - 1), a float
    or int for f32 and f64, 16 bytes for v128, any object for externref, a Func or None for funcref.
    A call returns None, one value, or a tuple; integers are signed. It raises TypeError,
    OverflowError, ValueError, Trap, ClosedError, and what a host function raised. The attribute
    `callable` makes the same call as a plain function, which is the fastest way to call.
    C: `wasm_func_call`. Spec: section 4.5.5, invocation.
    """

    __slots__ = ("__weakref__", "_host", "_name", "_type")

    def __init__(
        self,
        store: Store,
        type: FuncType | None,  # noqa: A002
        callback: Callable[..., Any],
        *,
        access_caller: bool = False,
    ) -> None:
        if hasattr(self, "_lifetime"):
            raise already_initialized(self)
        checked_store("store", store)
        if not callable(callback):
            raise TypeError(f"callback must be callable, not {type_name(callback)}")
        checked_bool("access_caller", access_caller)
        if type is None:
            type = functype_from_annotations(callback, access_caller=access_caller)  # noqa: A001
        elif not isinstance(type, FuncType):
            raise TypeError(f"type must be a FuncType or None, not {type_name(type)}")
        is_async = _checked_callback("callback", callback, type)
        name = getattr(callback, "__name__", None) or "callback"
        host = HostFunction(store, type, callback, name, access_caller, is_async)
        self._init_host(host, type, Lifetime(store, grouped=False))

    def _init_host(self, host: HostFunction, type: FuncType, lifetime: Lifetime) -> None:  # noqa: A002
        self._lifetime = lifetime
        lifetime.keep(host)
        lifetime.store._register(new_key(), lifetime)
        self._host: HostFunction | None = host
        self._type = type
        self._name: str | None = host.name
        self.callable = _host_callable(self)
        self._of_host(int(_cast(_UINTPTR, host.fn)))
        refer(self)

    @property
    def _c(self) -> Any:
        """The function in C. The pointer is borrowed: it is valid as long as this Func."""
        if self._host is not None:
            return self._host.fn
        return _cast(_FUNC, self._address)

    @property
    def type(self) -> FuncType:
        """The function's type. C: `wasm_func_type`."""
        return self._type

    @property
    def name(self) -> str | None:
        """The name of the export, else of the function in its module, or the callback's name."""
        return self._name

    @property
    def __name__(self) -> str:
        return self._name or "function"

    @property
    def __text_signature__(self) -> str:
        names = [f"{kind}_{i}" for i, kind in enumerate(map(str, self._type.params))]
        return f"({', '.join(names)}{', /' if names else ''})"

    __signature__ = _Signature()

    def call(self, *args: Value, timeout: float | None = None, fuel: int | None = None) -> Any:
        """Call the function with limits for this call.

        timeout: seconds that the call may take, 0 or more; None: no limit. fuel: branches and calls
        that it may execute in its instance, 0 to 2**62 - 1; None: no limit. Both hold in addition
        to the limits of the instance. Raises TimeoutTrap, FuelTrap, TypeError, ValueError, and what
        a plain call raises.

        >>> import wamr
        >>> inst = wamr.load('(module (func (export "spin") (loop (br 0))))')
        >>> inst.exports.spin.call(fuel=1000)
        Traceback (most recent call last):
        ...
        wamr.errors.FuelTrap: out of fuel
        WebAssembly traceback (innermost call first):
          at spin (function 0, byte 0x23)
        """
        timeout_ns, units = checked_timeout(timeout), checked_fuel(fuel)
        if self._host is not None:
            return self.callable(*args)
        return self._slow_call().call(args, timeout_ns, units)

    def execution(
        self,
        *args: Value,
        timeout: float | None = None,
        fuel: int | None = None,
        slice: float | None = None,  # noqa: A002
        slice_fuel: int | None = None,
    ) -> Execution:
        """Return a call that can stop on its way, and go on later; nothing runs before `next`.

        timeout: seconds that the call may take from its start to its end, stops included; None: no
        limit. fuel: as in `call`. slice: seconds after which running code stops, 0 or more.
        slice_fuel: fuel after which it stops, 1 to 2**62 - 1, each time that it goes on: exact, and
        in the same places in each run on every machine, also where fuel isn't limited. If both are
        None, code stops only where a host function returns SUSPEND, or a WASI function would block.
        Raises TypeError, OverflowError, ValueError, ClosedError.

        >>> import wamr
        >>> inst = wamr.load('(module (func (export "spin") (loop (br 0))))')
        >>> execution = inst.exports.spin.execution(slice=0.001)
        >>> next(execution), next(execution)
        (<wamr.Event slice>, <wamr.Event slice>)
        >>> execution.close()
        >>> inst.fuel = 1000
        >>> next(inst.exports.spin.execution(slice_fuel=100)), inst.fuel
        (<wamr.Event slice>, 900)
        """
        timeout_ns, units = checked_timeout(timeout), checked_fuel(fuel)
        slice_ns, slice_units = checked_slice(slice), checked_slice_fuel(slice_fuel)
        if self._host is not None:
            from .host_execution import new_host_execution

            return new_host_execution(self, args)
        from .execution import new_execution

        return new_execution(self, args, timeout_ns, units, slice_ns, slice_units)

    async def call_async(
        self,
        *args: Value,
        timeout: float | None = None,
        fuel: int | None = None,
        slice: float | None = None,  # noqa: A002
        slice_fuel: int | None = None,
    ) -> Any:
        """Call the function, and await its result and those of `async def` host functions.

        timeout: seconds that the call may take, 0 or more, awaiting and waiting for its turn
        included; None: no limit. fuel: as in `call`. slice: seconds, 0 or more: the code runs in
        the thread of the event loop, which goes on for a moment after each slice. slice_fuel: the
        same with slices of so much fuel. None for both: the code runs in a thread of the loop's
        executor.
        Calls of one instance, and of those linked to it, run one after the other, in the order in
        which they came. Cancelling the task stops the wasm code, and what it awaits; a plain host
        function that is running then runs to its end. Plain host functions see the context
        variables of the task as in asyncio.to_thread, `async def` functions run in the task.
        Raises what `call` raises, RuntimeError, and asyncio.CancelledError when nothing of the call
        runs any more.

        >>> import asyncio, wamr
        >>> inst = wamr.load('(module (func (export "two") (result i32) (i32.const 2)))')
        >>> asyncio.run(inst.exports.two.call_async(timeout=60))
        2
        """
        timeout_ns, units = checked_timeout(timeout), checked_fuel(fuel)
        slice_ns, slice_units = checked_slice(slice), checked_slice_fuel(slice_fuel)
        inline = slice is not None or slice_fuel is not None
        if self._host is not None:
            from .host_execution import call_host_async

            return await call_host_async(self, args, timeout_ns, inline=inline)
        from .async_calls import drive
        from .execution import new_execution

        execution = new_execution(self, args, timeout_ns, units, slice_ns, slice_units, waits=False)
        return (await drive(execution, inline=inline))[1]

    def _slow_call(self) -> SlowCall:
        return SlowCall(self._lifetime, self._address, self._type, self.__name__, self)

    def __repr__(self) -> str:
        name = f" {printable_name(self._name)}" if self._name else ""
        return f"<wamr.Func{name} {self._type}{', closed' if self._lifetime.closed else ''}>"


def instance_func(
    state: InstanceState,
    address: int,
    type: FuncType,  # noqa: A002
    name: str | None,
) -> Func:
    """Return a new Func for a function of an instance.

    address: of a C function, a reference to which the Func takes over.
    """
    func = _new(Func)
    func._host = None
    func._type = type
    func._name = name
    if name is None:
        name = "function"
    elif "\0" in name:
        name = name.replace("\0", "\\0")
    bind_export(func, address, name, codec_of(type).signature, state)
    return func


def host_func(store: Store, type: FuncType, callback: Callable[..., Any], name: str) -> Func:  # noqa: A002
    """Return a new Func for a callable that an import takes; the import defines the type."""
    is_async = _checked_callback(f"import {name}", callback, type)
    func = object.__new__(Func)
    host = HostFunction(store, type, callback, name, is_async=is_async)
    func._init_host(host, type, Lifetime(store, grouped=False))
    return func


def _checked_callback(label: str, callback: Callable[..., Any], type: FuncType) -> bool:  # noqa: A002
    """Return whether it is a coroutine function.

    Raises TypeError for a generator function whose result is no externref.
    """
    return checked_host(label, callback, generators=EXTERNREF in type._result_kinds)


def func_from_handle(c: Any) -> Func | None:
    """Return a new Func for a function of any origin, or None if its Python side is gone.

    c: a wpy_func *, a reference to which this takes over.
    """
    instance_id = lib.wpy_func_instance_id(c)
    if instance_id:
        state = find_instance_state(instance_id)
        if state is not None:
            return _instance_func_from_handle(state, lib.wpy_func_index(c), c)
    else:
        host = find_host_function(lib.wpy_func_host_id(c))
        if host is not None:
            func = object.__new__(Func)
            func._init_host(host, host.type, Lifetime(host.store, grouped=False))
            lib.wpy_release(c)
            return func
    lib.wpy_release(c)
    return None


set_func_factory(func_from_handle)


def _instance_func_from_handle(state: InstanceState, index: int, c: Any) -> Func:
    """Return a new Func for a function of an instance; c: as in `func_from_handle`."""
    param_count = ffi.new("uint32_t *")
    kinds = ffi.new("uint8_t[]", 256)
    total = lib.wpy_func_type(c, kinds, 256, param_count)
    if total > 256:
        kinds = ffi.new("uint8_t[]", total)
        lib.wpy_func_type(c, kinds, total, param_count)
    codes = bytes(ffi.buffer(kinds, total))
    type_ = FuncType._from_kinds(codes[: param_count[0]], codes[param_count[0] :])
    name = state.module._function_name(index)
    return instance_func(state, int(_cast(_UINTPTR, c)), type_, name)


def _host_callable(func: Func) -> Callable[..., Any]:
    """Return a function that calls the callback and converts values as a call through wasm does."""
    host, lifetime = func._host, func._lifetime
    assert host is not None
    codec, callback, label = codec_of(func._type), host.callback, str(host)

    def host_function(*args: Any) -> Any:
        if lifetime.closed:
            raise ClosedError(f"{label} is closed")
        context = PassThroughContext(lifetime.store)
        cells = bytearray(codec.bytes)
        codec.pack_arguments(cells, args, context, label)
        values = codec.unpack_arguments(cells, context)
        if host.is_async:
            raise host.refusal()
        result = callback(None, *values) if host.access_caller else callback(*values)
        if result is SUSPEND:
            raise host._not_suspendable()
        if host.awaits(result):
            close_unstarted(result)
            raise host.refusal()
        host.pack(cells, result, context)
        return codec.unpack_results(cells, context)

    host_function.__name__ = host.name
    host_function.__qualname__ = label
    return host_function
