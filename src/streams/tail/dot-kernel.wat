;; Products of one query with vectors: exact ones of float32, and fast ones of small integers.
(module
  (import "tail" "memory" (memory 1))
  ;; The dot product of two vectors of $stride bytes of float32, a multiple of 16. Addresses are in bytes.
  (func (export "dot") (param $query i32) (param $row i32) (param $stride i32) (result f32)
    (local $queryEnd i32) (local $sum v128)
    (local.set $queryEnd (i32.add (local.get $query) (local.get $stride)))
    (loop $next
      (local.set $sum (f32x4.add (local.get $sum) (f32x4.mul (v128.load (local.get $query)) (v128.load (local.get $row)))))
      (local.set $row (i32.add (local.get $row) (i32.const 16)))
      (br_if $next (i32.lt_u (local.tee $query (i32.add (local.get $query) (i32.const 16))) (local.get $queryEnd))))
    (call $across (local.get $sum)))
  ;; Sums of products of a query of 16-bit integers with rows of $width 8-bit integers (a multiple of 16), as 32-bit integers.
  (func (export "sums") (param $query i32) (param $codes i32) (param $count i32) (param $width i32) (param $out i32)
    (local $end i32) (local $rowEnd i32) (local $q i32) (local $s0 v128) (local $s1 v128)
    (local.set $end (i32.add (local.get $out) (i32.shl (local.get $count) (i32.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $out) (local.get $end)))
        (local.set $rowEnd (i32.add (local.get $codes) (local.get $width)))
        (local.set $q (local.get $query))
        (local.set $s0 (v128.const i32x4 0 0 0 0))
        (local.set $s1 (v128.const i32x4 0 0 0 0))
        (loop $sum
          (local.set $s0 (i32x4.add (local.get $s0)
            (i32x4.dot_i16x8_s (v128.load (local.get $q)) (v128.load8x8_s (local.get $codes)))))
          (local.set $s1 (i32x4.add (local.get $s1)
            (i32x4.dot_i16x8_s (v128.load offset=16 (local.get $q)) (v128.load8x8_s offset=8 (local.get $codes)))))
          (local.set $q (i32.add (local.get $q) (i32.const 32)))
          (br_if $sum (i32.lt_u (local.tee $codes (i32.add (local.get $codes) (i32.const 16))) (local.get $rowEnd))))
        (local.set $s0 (i32x4.add (local.get $s0) (local.get $s1)))
        (i32.store (local.get $out)
          (i32.add
            (i32.add (i32x4.extract_lane 0 (local.get $s0)) (i32x4.extract_lane 1 (local.get $s0)))
            (i32.add (i32x4.extract_lane 2 (local.get $s0)) (i32x4.extract_lane 3 (local.get $s0)))))
        (local.set $out (i32.add (local.get $out) (i32.const 4)))
        (br $next))))
  (func $across (param $sums v128) (result f32)
    (f32.add
      (f32.add (f32x4.extract_lane 0 (local.get $sums)) (f32x4.extract_lane 1 (local.get $sums)))
      (f32.add (f32x4.extract_lane 2 (local.get $sums)) (f32x4.extract_lane 3 (local.get $sums))))))
