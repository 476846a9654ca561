"""The programs of `compute`, as module text: each exports `run`, from an i32 to an i32.

They are written like the output of a compiler: locals, plain loops, no tricks.
"""

from __future__ import annotations

FIB = """(module
  (func $fib (export "run") (param $n i32) (result i32)
    (if (result i32) (i32.lt_u (local.get $n) (i32.const 2))
      (then (local.get $n))
      (else (i32.add
        (call $fib (i32.sub (local.get $n) (i32.const 1)))
        (call $fib (i32.sub (local.get $n) (i32.const 2))))))))"""

# The number of primes below n.
SIEVE = """(module (memory 16)
  (func (export "run") (param $n i32) (result i32) (local $i i32) (local $j i32) (local $count i32)
    (memory.fill (i32.const 0) (i32.const 1) (local.get $n))
    (local.set $i (i32.const 2))
    (loop $each
      (if (i32.load8_u (local.get $i)) (then
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (local.set $j (i32.shl (local.get $i) (i32.const 1)))
        (block $done (loop $strike
          (br_if $done (i32.ge_u (local.get $j) (local.get $n)))
          (i32.store8 (local.get $j) (i32.const 0))
          (local.set $j (i32.add (local.get $j) (local.get $i)))
          (br $strike)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $each (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $count)))"""

# One element of the product of two n x n matrices, all of which is computed.
MATMUL = """(module (memory 16)
  (func $at (param $base i32) (param $row i32) (param $column i32) (param $n i32) (result i32)
    (i32.add (local.get $base) (i32.shl (i32.add
      (i32.mul (local.get $row) (local.get $n)) (local.get $column)) (i32.const 3))))
  (func (export "run") (param $n i32) (result i32)
    (local $i i32) (local $j i32) (local $k i32) (local $sum f64) (local $b i32) (local $c i32)
    (local $p i32) (local $q i32) (local $row i32)
    (local.set $b (call $at (i32.const 0) (local.get $n) (i32.const 0) (local.get $n)))
    (local.set $c (call $at (local.get $b) (local.get $n) (i32.const 0) (local.get $n)))
    (local.set $row (i32.shl (local.get $n) (i32.const 3)))
    (loop $fill
      (f64.store (i32.shl (local.get $i) (i32.const 3)) (f64.convert_i32_s (local.get $i)))
      (f64.store (i32.add (local.get $b) (i32.shl (local.get $i) (i32.const 3)))
        (f64.convert_i32_s (i32.sub (local.get $n) (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $fill (i32.lt_u (local.get $i) (i32.mul (local.get $n) (local.get $n)))))
    (local.set $i (i32.const 0))
    (loop $rows
      (local.set $j (i32.const 0))
      (loop $columns
        (local.set $sum (f64.const 0))
        (local.set $k (i32.const 0))
        (local.set $p (i32.mul (local.get $i) (local.get $row)))
        (local.set $q (i32.add (local.get $b) (i32.shl (local.get $j) (i32.const 3))))
        (loop $dot
          (local.set $sum (f64.add (local.get $sum)
            (f64.mul (f64.load (local.get $p)) (f64.load (local.get $q)))))
          (local.set $p (i32.add (local.get $p) (i32.const 8)))
          (local.set $q (i32.add (local.get $q) (local.get $row)))
          (local.set $k (i32.add (local.get $k) (i32.const 1)))
          (br_if $dot (i32.lt_u (local.get $k) (local.get $n))))
        (f64.store (call $at (local.get $c) (local.get $i) (local.get $j) (local.get $n))
          (local.get $sum))
        (local.set $j (i32.add (local.get $j) (i32.const 1)))
        (br_if $columns (i32.lt_u (local.get $j) (local.get $n))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $rows (i32.lt_u (local.get $i) (local.get $n))))
    (i32.trunc_f64_s (f64.load (call $at (local.get $c) (i32.const 1) (i32.const 2)
      (local.get $n))))))"""

# The number of points of an n x n raster that take 100 steps or more.
MANDELBROT = """(module
  (func (export "run") (param $n i32) (result i32)
    (local $i i32) (local $j i32) (local $steps i32) (local $count i32)
    (local $x f64) (local $y f64) (local $a f64) (local $b f64) (local $xx f64) (local $yy f64)
    (loop $rows
      (local.set $b (f64.sub (f64.div (f64.convert_i32_s (i32.mul (local.get $i) (i32.const 2)))
        (f64.convert_i32_s (local.get $n))) (f64.const 1)))
      (local.set $j (i32.const 0))
      (loop $columns
        (local.set $a (f64.sub (f64.div (f64.convert_i32_s (i32.mul (local.get $j) (i32.const 3)))
          (f64.convert_i32_s (local.get $n))) (f64.const 2)))
        (local.set $x (f64.const 0)) (local.set $y (f64.const 0))
        (local.set $steps (i32.const 0))
        (block $escaped
          (loop $step
            (local.set $xx (f64.mul (local.get $x) (local.get $x)))
            (local.set $yy (f64.mul (local.get $y) (local.get $y)))
            (br_if $escaped (f64.gt (f64.add (local.get $xx) (local.get $yy)) (f64.const 4)))
            (local.set $y (f64.add (f64.mul (f64.add (local.get $x) (local.get $x))
              (local.get $y)) (local.get $b)))
            (local.set $x (f64.add (f64.sub (local.get $xx) (local.get $yy)) (local.get $a)))
            (local.set $steps (i32.add (local.get $steps) (i32.const 1)))
            (br_if $step (i32.lt_u (local.get $steps) (i32.const 100))))
          (local.set $count (i32.add (local.get $count) (i32.const 1))))
        (local.set $j (i32.add (local.get $j) (i32.const 1)))
        (br_if $columns (i32.lt_u (local.get $j) (local.get $n))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $rows (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $count)))"""

# A bytecode interpreter: each byte of code is a jump through a table.
SWITCH = r"""(module (memory 1)
  (data (i32.const 0) "\00\02\01\03\06\00\01\02\03\04\05")
  (func (export "run") (param $n i32) (result i32)
    (local $pc i32) (local $op i32) (local $acc i32) (local $x i32)
    (local.set $x (i32.const 12345))
    (loop $next
      (local.set $op (i32.load8_u (local.get $pc)))
      (local.set $pc (i32.add (local.get $pc) (i32.const 1)))
      (block $subtract (block $halt (block $count (block $rotate (block $multiply (block $xor
        (block $add
          (br_table $add $xor $multiply $rotate $count $halt $subtract (local.get $op)))
        (local.set $acc (i32.add (local.get $acc) (local.get $x))) (br $next))
        (local.set $acc (i32.xor (local.get $acc) (i32.const 0x5bd1e995))) (br $next))
        (local.set $x (i32.mul (local.get $acc) (i32.const 3))) (br $next))
        (local.set $acc (i32.rotl (local.get $acc) (i32.const 5))) (br $next))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (if (local.get $n) (then (local.set $pc (i32.const 0))))
        (br $next))
        (return (local.get $acc)))
      (local.set $acc (i32.sub (local.get $acc) (local.get $n)))
      (br $next))
    unreachable))"""


def _sha256_constants() -> str:
    """Return the first 32 bits of the fractions of the cube roots of the first 64 primes."""
    primes = [p for p in range(2, 312) if all(p % d for d in range(2, int(p**0.5) + 1))]
    words = []
    for prime in primes:
        root = round(prime ** (1 / 3) * 2**32)
        while root**3 > prime << 96:
            root -= 1
        while (root + 1) ** 3 <= prime << 96:
            root += 1
        words.append(root & 0xFFFFFFFF)
    return "".join(f"\\{byte:02x}" for word in words for byte in word.to_bytes(4, "little"))


# n blocks, each "abc" as SHA-256 pads it; the first word of the digest. Memory: 0 the constants,
# 256 the schedule. One block gives the first word of sha256("abc").
SHA256 = f"""(module (memory 1)
  (data (i32.const 0) "{_sha256_constants()}")
  (func $word (param $at i32) (result i32)
    (i32.load offset=256 (i32.shl (local.get $at) (i32.const 2))))
  (func $schedule (local $i i32) (local $a i32) (local $b i32)
    (memory.fill (i32.const 256) (i32.const 0) (i32.const 64))
    (i32.store (i32.const 256) (i32.const 0x61626380))
    (i32.store (i32.const 316) (i32.const 24))
    (local.set $i (i32.const 16))
    (loop $again
      (local.set $a (call $word (i32.sub (local.get $i) (i32.const 15))))
      (local.set $b (call $word (i32.sub (local.get $i) (i32.const 2))))
      (i32.store offset=256 (i32.shl (local.get $i) (i32.const 2)) (i32.add
        (i32.add (call $word (i32.sub (local.get $i) (i32.const 16)))
          (i32.xor (i32.xor (i32.rotr (local.get $a) (i32.const 7))
            (i32.rotr (local.get $a) (i32.const 18))) (i32.shr_u (local.get $a) (i32.const 3))))
        (i32.add (call $word (i32.sub (local.get $i) (i32.const 7)))
          (i32.xor (i32.xor (i32.rotr (local.get $b) (i32.const 17))
            (i32.rotr (local.get $b) (i32.const 19))) (i32.shr_u (local.get $b) (i32.const 10))))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 64)))))
  (func (export "run") (param $n i32) (result i32)
    (local $h0 i32) (local $h1 i32) (local $h2 i32) (local $h3 i32)
    (local $h4 i32) (local $h5 i32) (local $h6 i32) (local $h7 i32)
    (local $a i32) (local $b i32) (local $c i32) (local $d i32)
    (local $e i32) (local $f i32) (local $g i32) (local $h i32)
    (local $i i32) (local $s i32) (local $t i32)
    (local.set $h0 (i32.const 0x6a09e667)) (local.set $h1 (i32.const 0xbb67ae85))
    (local.set $h2 (i32.const 0x3c6ef372)) (local.set $h3 (i32.const 0xa54ff53a))
    (local.set $h4 (i32.const 0x510e527f)) (local.set $h5 (i32.const 0x9b05688c))
    (local.set $h6 (i32.const 0x1f83d9ab)) (local.set $h7 (i32.const 0x5be0cd19))
    (loop $blocks
      (call $schedule)
      (local.set $a (local.get $h0)) (local.set $b (local.get $h1))
      (local.set $c (local.get $h2)) (local.set $d (local.get $h3))
      (local.set $e (local.get $h4)) (local.set $f (local.get $h5))
      (local.set $g (local.get $h6)) (local.set $h (local.get $h7))
      (local.set $i (i32.const 0))
      (loop $rounds
        (local.set $s (i32.add (i32.add (i32.add (i32.add (local.get $h)
          (i32.xor (i32.xor (i32.rotr (local.get $e) (i32.const 6))
            (i32.rotr (local.get $e) (i32.const 11))) (i32.rotr (local.get $e) (i32.const 25))))
          (i32.xor (i32.and (local.get $e) (local.get $f))
            (i32.and (i32.xor (local.get $e) (i32.const -1)) (local.get $g))))
          (i32.load (i32.shl (local.get $i) (i32.const 2))))
          (call $word (local.get $i))))
        (local.set $t (i32.add
          (i32.xor (i32.xor (i32.rotr (local.get $a) (i32.const 2))
            (i32.rotr (local.get $a) (i32.const 13))) (i32.rotr (local.get $a) (i32.const 22)))
          (i32.xor (i32.xor (i32.and (local.get $a) (local.get $b))
            (i32.and (local.get $a) (local.get $c))) (i32.and (local.get $b) (local.get $c)))))
        (local.set $h (local.get $g)) (local.set $g (local.get $f))
        (local.set $f (local.get $e)) (local.set $e (i32.add (local.get $d) (local.get $s)))
        (local.set $d (local.get $c)) (local.set $c (local.get $b))
        (local.set $b (local.get $a)) (local.set $a (i32.add (local.get $s) (local.get $t)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $rounds (i32.lt_u (local.get $i) (i32.const 64))))
      (local.set $h0 (i32.add (local.get $h0) (local.get $a)))
      (local.set $h1 (i32.add (local.get $h1) (local.get $b)))
      (local.set $h2 (i32.add (local.get $h2) (local.get $c)))
      (local.set $h3 (i32.add (local.get $h3) (local.get $d)))
      (local.set $h4 (i32.add (local.get $h4) (local.get $e)))
      (local.set $h5 (i32.add (local.get $h5) (local.get $f)))
      (local.set $h6 (i32.add (local.get $h6) (local.get $g)))
      (local.set $h7 (i32.add (local.get $h7) (local.get $h)))
      (br_if $blocks (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $h0)))"""

# name -> text, argument: some tens of milliseconds in an interpreter
KERNELS = {
    "fib": (FIB, 22),
    "sieve": (SIEVE, 400_000),
    "sha256": (SHA256, 200),
    "matmul": (MATMUL, 80),
    "mandelbrot": (MANDELBROT, 100),
    "switch": (SWITCH, 60_000),
}
