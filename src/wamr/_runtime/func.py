"""Functions: of an instance, or of the host.

A `Func` of an instance calls through the closure that `calls` makes; one of the host calls its
callback directly, converting as a call through wasm would. Importing it into an instance is
imports.py's business.
"""

from __future__ import annotations

from .._backend.binding import CallableBase, bind_export, ffi, known, lib, refer
from .._backend.handles import handle
from .._base.callables import checked_plain
from .._base.immutable import made_already
from .._base.registry import new_key
from .._values.codec import codec_of
from .._values.externrefs import NULL_REF
from ..errors import ClosedError
from ..types import FuncType, functype_from_annotations
from .callbacks import HostFunction, find_host_function
from .calls import SlowCall
from .exceptions import WasmException, exception_of, exnref_of
from .extern import Extern, Lifetime, taken_in
from .limits import checked_fuel, checked_timeout
from .state import InstanceState, find_instance_state
from .store import checked_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from inspect import Signature
    from typing import Any

    from .._base.aliases import Value
    from .store import Store


_new, _cast = object.__new__, ffi.cast
_FUNC, _UINTPTR = ffi.typeof("wpy_func *"), ffi.typeof("uintptr_t")


class _Signature:
    """What inspect.signature shows of a Func; of the class, what it has found itself."""

    def __get__(self, func: Func | None, owner: object) -> Signature | None:
        if func is None:
            return None
        from inspect import Parameter, Signature

        kinds = enumerate(map(str, func._type.params))
        return Signature([Parameter(f"{kind}_{i}", Parameter.POSITIONAL_ONLY) for i, kind in kinds])


class Func(CallableBase, Extern):
    """A function that can be called, imported, and passed as a funcref.

    store: where it lives. type: its type; None: from the annotations of `callback`. callback: what
    it does; it returns None, one value, or a tuple or list; what it raises ends the wasm code and
    comes out of the outermost call as the same exception. access_caller: the callback's first
    argument is the calling Instance, None when Python calls.
    Raises TypeError, ClosedError. C: `wasm_func_new`. Spec: section 4.5.3, `func_alloc`.

    >>> from wamr import Func, Store
    >>> def double(x: int) -> int:
    ...     return 2 * x
    >>> func = Func(Store(), None, double)
    >>> func
    <wamr.Func double (i32) -> i32>
    >>> func(21)
    42

    Calling it: i32 and i64 from int, signed or unsigned, f32 and f64 from float or int, v128 from
    16 bytes, externref any object, funcref a Func or None. It returns None, a value, or a tuple;
    integers come back signed. A call raises TypeError, OverflowError, Trap, ClosedError, and what a
    host function raised. `callable` is the same call as a plain function, the fastest way in.
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
            raise made_already(self)
        checked_store("store", store)
        if not callable(callback):
            raise TypeError(f"callback must be callable, not {_kind(callback)}")
        if type is None:
            type = functype_from_annotations(callback, access_caller=access_caller)  # noqa: A001
        elif not isinstance(type, FuncType):
            raise TypeError(f"type must be a FuncType or None, not {_kind(type)}")
        _check_callback("callback", callback, type)
        name = getattr(callback, "__name__", None) or "callback"
        host = HostFunction(store, type, callback, name, access_caller)
        self._fill_host(host, type, Lifetime(store, grouped=False))

    def _fill_host(self, host: HostFunction, type: FuncType, owner: Lifetime) -> None:  # noqa: A002
        self._lifetime = owner
        owner.keep(host)
        owner.store._closables.add(new_key(), owner)
        self._host: HostFunction | None = host
        self._type = type
        self._name: str | None = host.name
        self.callable = _host_callable(self)
        self._of_host(int(_cast(_UINTPTR, host.fn)))
        refer(self)

    @property
    def _c(self) -> Any:
        """A handle of its own on the function in C."""
        if self._host is not None:
            return self._host.fn
        c = _cast(_FUNC, self._address)
        lib.wpy_retain(c)
        return handle(c)

    @property
    def type(self) -> FuncType:
        """The function's type."""
        return self._type

    @property
    def name(self) -> str | None:
        """The name it is exported under, or has in its module, or the callback's."""
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
        """Call it with limits for this call.

        timeout: seconds it may take (TimeoutTrap). fuel: branches and calls that it may execute in
        its instance (FuelTrap). Raises also what a plain call does.
        """
        timeout_ns, units = checked_timeout(timeout), checked_fuel(fuel)
        if self._host is not None:
            return self.callable(*args)
        return self._call().call(args, timeout_ns, units)

    async def call_async(
        self, *args: Value, timeout: float | None = None, fuel: int | None = None
    ) -> Any:
        """Call it in a thread of the event loop's; cancelling stops the wasm code.

        Host functions see the context variables of the task, as with asyncio.to_thread.
        Raises as `call`, and asyncio.CancelledError once nothing of the call runs any more: wasm
        code is interrupted, a host function that is running goes on to its end.
        """
        from .async_calls import in_thread

        timeout_ns, units = checked_timeout(timeout), checked_fuel(fuel)
        if self._host is not None:
            return await in_thread(lambda _: self.callable(*args))
        call = self._call()
        return await in_thread(lambda stop: call.call(args, timeout_ns, units, stop))

    def _call(self) -> SlowCall:
        return SlowCall(self._lifetime, self._address, self._type, self.__name__, self)

    def __repr__(self) -> str:
        name = f" {self._name}" if self._name else ""
        return f"<wamr.Func{name} {self._type}{', closed' if self._lifetime.closed else ''}>"


def instance_func(
    state: InstanceState,
    address: int,
    type: FuncType,  # noqa: A002
    name: str | None,
) -> Func:
    """Return a Func for a function of an instance; address: a handle on it, which it takes over."""
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
    """Return a Func for a plain callable, typed by the import that it is for."""
    _check_callback(f"import {name}", callback, type)
    func = object.__new__(Func)
    func._fill_host(HostFunction(store, type, callback, name), type, Lifetime(store, grouped=False))
    return func


def _check_callback(what: str, callback: Callable[..., Any], type: FuncType) -> None:  # noqa: A002
    """Raise TypeError for one that gives what nobody runs; any object may be an externref."""
    checked_plain(what, callback, generators=0x6F in type._result_kinds)


def func_of_handle(c: Any) -> Func | None:
    """Return the Func for a handle whose origin is not known: a reference's."""
    instance_id = lib.wpy_func_tag(c)
    if instance_id:
        state = find_instance_state(instance_id)
        if state is not None:
            return _func_at(state, lib.wpy_func_index(c), c)
    else:
        host = find_host_function(lib.wpy_func_host_id(c))
        if host is not None:
            func = object.__new__(Func)
            func._fill_host(host, host.type, Lifetime(host.store, grouped=False))
            lib.wpy_release(c)
            return func
    lib.wpy_release(c)
    return None


def _func_at(state: InstanceState, index: int, c: Any) -> Func:
    """Return a Func for a handle on one of the instance's functions, which it takes over."""
    count_ = ffi.new("uint32_t *")
    kinds = ffi.new("uint8_t[]", 256)
    total = lib.wpy_func_type(c, kinds, 256, count_)
    if total > 256:
        kinds = ffi.new("uint8_t[]", total)
        lib.wpy_func_type(c, kinds, total, count_)
    codes = bytes(ffi.buffer(kinds, total))
    type_ = FuncType._from_kinds(codes[: count_[0]], codes[count_[0] :])
    name = state.module._function_name(index)
    return instance_func(state, int(_cast(_UINTPTR, c)), type_, name)


def func_of(number: int) -> Func | None:
    """Return the function of a reference; None: null, or gone."""
    if number == NULL_REF:
        return None
    func: Func | None = known(number)
    if func is None:
        c = lib.wpy_func_of_ref(number)
        func = func_of_handle(c) if c else None
        if func is not None:
            refer(func)
    return func


class ExceptionGone(LookupError):
    """Another thread has changed what was read, and the exception went: it is to be read again."""


class RefHolder(Extern):
    """An extern that holds references: a Global or a Table. Functions come in and out by number."""

    __slots__ = ()

    def _ref_of_func(self, func: CallableBase) -> int:
        """Return the number of a function that is about to come in here."""
        return taken_in(self._c, self._lifetime, func)

    def _func_of_ref(self, number: int) -> Func | None:
        """Return the function of a number that came out."""
        return func_of(number)

    def _ref_of_exception(self, value: object, where: object) -> int:
        """Return the number of an exception that is about to come in here."""
        return exnref_of(value, self, self._c, where)

    def _exception_of_ref(self, number: int) -> WasmException | None:
        """Return the exception of a number that came out; ExceptionGone: it is no longer there."""
        if number == NULL_REF:
            return None
        c = lib.wpy_exnref_hold(self._c, number)
        if not c:
            raise ExceptionGone("the exception is gone")
        return exception_of(c, self._lifetime)


def _host_callable(func: Func) -> Callable[..., Any]:
    """Return what calls the callback as wasm would."""
    host, owner = func._host, func._lifetime
    assert host is not None
    codec, callback, what = codec_of(func._type), host.callback, str(host)

    def host_function(*args: Any) -> Any:
        if owner.closed:
            raise ClosedError(f"{what} is closed")
        place = _HostReferenceContext(owner.store)
        cells = bytearray(codec.bytes)
        codec.pack_arguments(cells, args, place, what)
        given = codec.unpack_arguments(cells, place)
        result = callback(None, *given) if host.access_caller else callback(*given)
        codec.pack_results(cells, result, place, what)
        return codec.unpack_results(cells, place)

    host_function.__name__ = host.name
    host_function.__qualname__ = what
    return host_function


class _HostReferenceContext:
    """Where references of a call that never enters wasm go: they only pass through."""

    __slots__ = ("_exceptions", "_funcs", "store")

    def __init__(self, store: Store) -> None:
        self.store = store
        self._funcs: dict[int, Func] = {}
        self._exceptions: list[WasmException] = []

    def _ref_of_func(self, func: CallableBase) -> int:
        assert isinstance(func, Func)
        number: int = lib.wpy_func_ref(func._c)
        self._funcs[number] = func
        return number

    def _func_of_ref(self, number: int) -> Func | None:
        return self._funcs.get(number)

    def _ref_of_exception(self, value: object, where: object) -> int:
        if value is None:
            return NULL_REF
        if not isinstance(value, WasmException):
            raise TypeError(
                f"{where} must be a WasmException or None (exnref), not {type(value).__name__}"
            )
        if value.tag.store is not self.store:
            raise ValueError(f"{where} is an exception of another store")
        self._exceptions.append(value)
        return len(self._exceptions) - 1

    def _exception_of_ref(self, number: int) -> WasmException | None:
        return None if number == NULL_REF else self._exceptions[number]


def _kind(value: object) -> str:
    return type(value).__name__
