"""An instance that catches the exceptions of its host function, by each kind of clause."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wamr import ImportItem, Instance, Module, Store, Tag, TagType, ValType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wamr import ImportItem

OF_I32 = TagType([ValType.I32])
# Most exports call the host function `h` and return the caught values or exnref, or -1 if `h` has
# returned.
TEXT = """(module $catching
    (import "m" "h" (func $h)) (import "m" "t" (tag $t (param i32)))
    (tag $own (export "own") (param i32))
    (func (export "bare") (call $h))
    (func (export "by_tag") (result i32)
        (block $c (result i32) (try_table (catch $t $c) (call $h)) (i32.const -1)))
    (func (export "by_other") (result i32)
        (block $c (result i32) (try_table (catch $own $c) (call $h)) (i32.const -1)))
    (func (export "by_all") (result i32)
        (block $c (try_table (catch_all $c) (call $h)) (return (i32.const -1))) (i32.const 1))
    (func (export "by_ref") (result i32 exnref)
        (block $c (result i32 exnref)
            (try_table (catch_ref $t $c) (call $h)) (i32.const -1) (ref.null exn)))
    (func (export "by_all_ref") (result exnref)
        (block $c (result exnref)
            (try_table (catch_all_ref $c) (call $h)) (ref.null exn)))
    (func (export "again")
        (throw_ref (block $c (result exnref)
            (try_table (catch_all_ref $c) (call $h)) (return))))
    (func (export "throw_ref") (param exnref) (throw_ref (local.get 0)))
    (func $inner (param i32) (throw $t (local.get 0)))
    (func $throw (export "throw") (param i32) (call $inner (local.get 0)))
    (func (export "trap_in_try") (result i32)
        (block $c (try_table (catch_all $c) (unreachable))) (i32.const 1))
    (func (export "ok") (result i32) (i32.const 7)))"""
CATCHING = ["by_tag", "by_all", "by_ref", "by_all_ref"]


class CatchingInstance:
    """An instance of TEXT, whose host function does `action`."""

    def __init__(self, store: Store, **options: Any) -> None:
        self.action: Callable[[], Any] = lambda: None
        self.tag = Tag(store, OF_I32)
        imports: list[ImportItem] = [lambda: self.action(), self.tag]
        self.instance = Instance(store, Module(store, TEXT), imports, **options)
        self.exports = self.instance.exports

    def throws(self, exception: BaseException) -> None:
        """Let the host function raise an exception."""

        def fail() -> None:
            raise exception

        self.action = fail
