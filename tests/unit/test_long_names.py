"""Texts about modules with names of megabytes, or thousands of names: they stay short."""

import traceback

import pytest
from modules_as_bytes import leb, module

import wamr

LONG = "n" * 1_000_000


def name(text):
    return leb(len(text)) + text.encode()


TYPES = (1, b"\1\x60\0\0")
FUNCTION = (3, b"\1\0")
CODE = (10, b"\1\3\0\0\x0b")  # unreachable
EXPORT = (7, b"\1" + name(LONG) + b"\0\0")
OWN = b"\0" + leb(len(name(LONG))) + name(LONG)
FUNCTIONS = b"\1" + leb(2 + len(name(LONG))) + b"\1\0" + name(LONG)
NAMES = (0, b"\4name" + OWN + FUNCTIONS)
IMPORT = (2, b"\1" + name(LONG) + name(LONG) + b"\0\0")


@pytest.fixture(scope="module")
def named():
    """An instance of a module in which each name is long."""
    return wamr.load(module(TYPES, FUNCTION, EXPORT, CODE, NAMES))


def is_short(text):
    assert "nnn…" in text
    assert LONG[:1000] not in text
    return len(text) < 3000


def test_what_represents_it(named):
    func = named.exports[LONG]
    assert func.__name__ == LONG
    linker = wamr.Linker(named.store)
    linker.define_instance(LONG, named)
    for each in (named, named.module, named.exports, func, named.snapshot(), linker):
        assert is_short(repr(each))


def test_what_its_calls_raise(named):
    with pytest.raises(wamr.Trap) as trap:
        named.exports[LONG]()
    assert is_short(str(trap.value))
    assert is_short("".join(traceback.format_exception(trap.value)))
    (frame,) = trap.value.frames
    assert (frame.func_name, frame.module_name) == (LONG, LONG)
    assert is_short(str(frame))
    with pytest.raises(TypeError) as wrong:
        named.exports[LONG](1)
    assert is_short(str(wrong.value))


def test_an_export_that_is_not_there(named):
    for missing in ("m" + LONG, LONG + "m"):
        with pytest.raises(AttributeError) as caught:
            getattr(named.exports, missing)
        assert is_short(str(caught.value))
    for change in (lambda: setattr(named.exports, LONG, 1), lambda: delattr(named.exports, LONG)):
        with pytest.raises(AttributeError) as caught:
            change()
        assert is_short(str(caught.value))


@pytest.mark.parametrize(
    "given",
    [None, {}, {LONG: {}}, {LONG: {LONG: 3}}, {LONG: 3}, {LONG[1:]: {}}, {"a": {LONG: 1}}, [], [3]],
    ids=range(9),
)
def test_imports_that_do_not_match(given):
    with pytest.raises((wamr.LinkError, TypeError)) as caught:
        wamr.load(module(TYPES, IMPORT), given)
    assert is_short(str(caught.value))


def test_an_import_whose_function_is_missing():
    store = wamr.Store()
    linker = wamr.Linker(store)
    imports = wamr.Module(store, module(TYPES, IMPORT, (7, b"\1\1f\0\0")))
    linker.trap_missing(imports)
    instance = linker.instantiate(imports)
    with pytest.raises(wamr.Trap) as caught:
        instance.exports.f()
    assert is_short(str(caught.value))


def test_what_a_linker_raises(named):
    linker = wamr.Linker(named.store)
    linker.define_instance(LONG, named)
    with pytest.raises(ValueError, match="is defined already") as caught:
        linker.define_instance(LONG, named)
    assert is_short(str(caught.value))
    with pytest.raises(ValueError, match="is of another store") as caught:
        wamr.Linker(wamr.Store()).define_instance(LONG, named)
    assert is_short(str(caught.value))
    with pytest.raises(KeyError, match="is not defined") as missing:
        linker.get(LONG, "f")
    assert is_short(str(missing.value))


def test_an_unknown_function_of_wasi():
    unknown = (2, b"\1" + name("wasi_snapshot_preview1") + name(LONG) + b"\0\0")
    with pytest.raises(wamr.LinkError) as caught:
        wamr.load(module(TYPES, unknown), wasi=wamr.WasiConfig())
    assert is_short(str(caught.value))


def test_of_many_names_twenty_are_shown_and_the_rest_counted():
    exports = b"".join(name(f"f{i}") + b"\0\0" for i in range(5000))
    instance = wamr.load(module(TYPES, FUNCTION, (7, leb(5000) + exports), CODE))
    shown = ", ".join([f"f{i}" for i in range(20)]) + ", … (4980 more)"
    assert repr(instance) == f"<wamr.Instance, exports {shown}>"
    assert repr(instance.exports) == f"<wamr.Exports {shown}>"
    with pytest.raises(AttributeError) as caught:
        instance.exports.zzz  # noqa: B018
    assert str(caught.value) == f"there is no export 'zzz'; there is {shown}"
    assert len(instance.exports) == len(list(instance.exports)) == 5000


def test_files_of_a_private_directory():
    text = '(module (memory (export "memory") 1) (func (export "_start")))'
    files = {f"file {i:03}": b"" for i in range(100)}
    with wamr.load(text, wasi=wamr.WasiConfig(dirs={"/w": files})) as instance:
        shown = ", ".join([f"file {i:03}" for i in range(20)])
        assert repr(instance.files["/w"]) == f"<wamr private directory: {shown}, … (80 more)>"
