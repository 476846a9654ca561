"""Modules that use everything of exceptions, for `mutants`: the new form, and the legacy form."""

NEW = """(module $new
  (import "m" "h" (func $h (param i32 exnref) (result exnref)))
  (import "m" "f" (func $f (param i32)))
  (import "m" "t" (tag $t (param i32)))
  (import "m" "e" (global $e (mut exnref)))
  (import "m" "kept" (table $kept 3 9 exnref))
  (tag $own (export "own") (param i64 f64)) (tag $none)
  (tag $wide (export "wide") (param v128 externref exnref f32 funcref i32))
  (table $more (export "more") 2 8 (ref null exn))
  (global $g (export "g") (mut exnref) (ref.null exn))
  (elem $nulls exnref (ref.null exn) (ref.null exn))
  (elem (table $more) (i32.const 1) exnref (ref.null exn))
  (start $start)
  (func $start (global.set $g (call $make (i32.const 5))))
  (func $throw (export "throw") (param i32)
    (if (i32.and (local.get 0) (i32.const 1)) (then (throw $t (local.get 0))))
    (if (i32.and (local.get 0) (i32.const 2))
      (then (throw $own (i64.extend_i32_s (local.get 0)) (f64.const 2.5))))
    (throw $wide (v128.const i64x2 1 2) (ref.null extern) (global.get $g) (f32.const 1)
      (ref.func $throw) (local.get 0)))
  (func $make (export "make") (param i32) (result exnref)
    (block $c (result exnref)
      (try_table (catch_all_ref $c) (call $throw (local.get 0))) (unreachable)))
  (func (export "clauses") (param i32) (result i32) (local $v v128)
    (block $all
      (block $own_ref (result i64 f64 exnref)
        (block $wide (result v128 externref exnref f32 funcref i32)
          (block $t (result i32)
            (try_table (result i32) (catch $t $t) (catch_ref $own $own_ref) (catch $wide $wide)
                (catch_all $all)
              (local.set $v (v128.const i32x4 1 2 3 4))
              (call $f (local.get 0)) (call $throw (local.get 0)) (i32.const 7))
            (return))
          (return (i32.add (i32x4.extract_lane 2 (local.get $v)))))
        (drop) (drop) (drop) (drop)
        (global.set $g (call $make (i32.const 3))) (drop) (return (i32.const 1)))
      (global.set $e) (drop) (drop) (return (i32.const 2)))
    (i32.const 3))
  (func (export "loop") (param $n i32) (result i32) (local $sum i32)
    (loop $again (param) (result i32)
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (local.set $sum (i32.add (local.get $sum) (i32.const 1)))
      (if (i32.le_s (local.get $n) (i32.const 0)) (then (return (local.get $sum))))
      (try_table (result i32) (catch_all $again) (throw $none))))
  (func (export "again") (param i32) (result i32) (local $e exnref)
    (block $out (result i32)
      (block $in (result exnref)
        (try_table (catch $t $out)
          (try_table (catch_all_ref $in)
            (try_table (catch $none 0) (call $throw (local.get 0)))))
        (return (i32.const -1)))
      (local.set $e) (table.set $kept (i32.const 1) (local.get $e))
      (try_table (result i32) (catch $t $out) (throw_ref (table.get $kept (i32.const 1))))))
  (func (export "tables") (param $r exnref) (result i32)
    (table.fill $more (i32.const 0) (local.get $r) (i32.const 2))
    (table.copy $more $kept (i32.const 0) (i32.const 0) (i32.const 2))
    (table.init $kept $nulls (i32.const 0) (i32.const 0) (i32.const 2))
    (elem.drop $nulls)
    (drop (select (result exnref) (local.get $r) (ref.null exn) (i32.const 1)))
    (global.set $g (call $h (i32.const 5) (local.get $r)))
    (i32.add (table.grow $more (local.get $r) (i32.const 1))
      (ref.is_null (table.get $more (i32.const 0)))))
  (func $tail (param i32) (result i32) (call $throw (local.get 0)) (i32.const 1))
  (func (export "tail") (param i32) (result i32)
    (block $c (try_table (catch_all $c) (return_call $tail (local.get 0)))) (i32.const 9))
  (func (export "tail_caught") (param i32) (result i32)
    (block $c (try_table (catch_all $c) (drop (call $tail (local.get 0))))) (i32.const 9)))"""

LEGACY = """(module $legacy
  (import "m" "f" (func $f (param i32)))
  (import "m" "t" (tag $t (param i32)))
  (tag $own (export "own") (param i64 f64)) (tag $vector (param v128))
  (global $g (export "g") (mut i32) (i32.const 0))
  (func $throw (export "throw") (param i32)
    local.get 0 i32.const 1 i32.and
    if local.get 0 throw $t end
    local.get 0 i32.const 2 i32.and
    if i64.const 5 f64.const 1.5 throw $own end
    v128.const i64x2 1 2 throw $vector)
  (func (export "catches") (param i32) (result i32)
    try (result i32)
      local.get 0 call $f local.get 0 call $throw i32.const 1
    catch $t
      i32.const 1 i32.add
    catch $own
      drop drop i32.const 2
    catch_all
      i32.const 3
    end)
  (func (export "rethrows") (param i32) (result i32)
    try $out (result i32)
      try $in (result i32)
        local.get 0 call $throw i32.const 1
      catch $t
        global.set $g
        try (result i32) i64.const 2 f64.const 3 throw $own
        catch_all rethrow $in
        end
      catch_all
        rethrow $in
      end
    catch $t
    catch_all
      i32.const 4
    end)
  (func (export "delegates") (param i32) (result i32)
    try $out (result i32)
      try $middle (result i32)
        try (result i32)
          loop (result i32)
            try (result i32) local.get 0 call $throw i32.const 1 delegate $out
          end
        catch_all i32.const 5
        end
      catch_all i32.const 6
      end
    catch_all
      i32.const 7
    end)
  (func (export "out") (param i32) (result i32)
    try (result i32) local.get 0 call $throw i32.const 1 delegate 0)
  (func (export "nested") (param i32) (result i32)
    block $out (result i32)
      try (param) (result i32)
        try local.get 0 call $throw
        catch $own drop drop i32.const 1 br $out
        end
        i32.const 2
      catch_all
        i32.const 8 br $out
      end
    end))"""
