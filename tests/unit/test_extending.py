"""Public classes as bases of classes of users."""

import pytest

import wamr

STORE = wamr.Store()
MADE = [  # the constructor arguments of each class
    (wamr.Engine, ()),
    (wamr.Store, ()),
    (wamr.Module, (STORE, "(module)")),
    (wamr.Instance, (STORE, wamr.Module(STORE, "(module)"))),
    (wamr.Linker, (STORE,)),
    (wamr.Func, (STORE, wamr.FuncType([]), dict)),
    (wamr.Memory, (STORE, wamr.MemoryType(wamr.Limits(1)))),
    (wamr.Table, (STORE, wamr.TableType(wamr.ValType.FUNCREF, wamr.Limits(1)))),
    (wamr.Global, (STORE, wamr.GlobalType(wamr.ValType.I32), 1)),
    (wamr.Tag, (STORE, wamr.TagType([wamr.ValType.I32]))),
    (wamr.Val, (wamr.ValType.I32, 1)),
    (wamr.Ref, (None, wamr.ValType.FUNCREF)),
    (wamr.Foreign, (STORE, [])),
    (wamr.Config, ()),
    (wamr.ResourceLimits, ()),
    (wamr.WasiConfig, ()),
    (wamr.Dir, (".",)),
    (wamr.Limits, (1,)),
    (wamr.GlobalType, (wamr.ValType.I32,)),
    (wamr.TagType, ([wamr.ValType.I32],)),
    (wamr.Trap, ("message",)),
    (wamr.WasmException, (wamr.Tag(STORE, wamr.TagType([wamr.ValType.I32])), 1)),
    (wamr.Frame, (1,)),
]


@pytest.mark.parametrize(("base", "args"), MADE, ids=[base.__name__ for base, _ in MADE])
def test_classes_can_be_extended(base, args):
    class Extended(base):
        def more(self):
            return self

    made = Extended(*args)
    assert made.more() is made
    assert made == made
    assert isinstance(hash(made), int)
    assert repr(made)


@pytest.mark.parametrize(
    ("base", "args"),
    [row for row in MADE if not issubclass(row[0], (wamr.Frame, wamr.Trap, wamr.WasmException))],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_its_init_never_made_is_an_attribute_error(base, args):
    """As in a subclass whose __init__ doesn't call `super().__init__(…)`."""
    empty = base.__new__(base)
    raised = 0
    for name in ("__repr__", *(name for name in dir(base) if not name.startswith("_"))):
        try:
            value = getattr(empty, name)
            if callable(value) and name != "call_async":
                value()
        except (AttributeError, TypeError, wamr.ClosedError):
            raised += 1
    assert raised > 0 or base is wamr.Engine  # Exports has no attributes of its own
    del empty  # which prints nothing: pytest fails for exceptions in finalizers
