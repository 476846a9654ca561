;; How many steps do the numbers of a range take to 1, if each is halved, or tripled and increased?
(module
  (func $steps (param $n i64) (result i64) (local $steps i64)
    (block $done (loop $next
      (br_if $done (i64.le_u (local.get $n) (i64.const 1)))
      (local.set $n (if (result i64) (i64.eqz (i64.and (local.get $n) (i64.const 1)))
        (then (i64.shr_u (local.get $n) (i64.const 1)))
        (else (i64.add (i64.mul (local.get $n) (i64.const 3)) (i64.const 1)))))
      (local.set $steps (i64.add (local.get $steps) (i64.const 1)))
      (br $next)))
    (local.get $steps))
  (func (export "sum_of_steps") (param $from i64) (param $to i64) (result i64) (local $sum i64)
    (block $done (loop $next
      (br_if $done (i64.ge_u (local.get $from) (local.get $to)))
      (local.set $sum (i64.add (local.get $sum) (call $steps (local.get $from))))
      (local.set $from (i64.add (local.get $from) (i64.const 1)))
      (br $next)))
    (local.get $sum)))
