/** Sums of doubles in whole numbers of 2^-1074: no rounding at all. Written apart from the implementation, to check it. */
const SCALE = 1074n;
const view = new DataView(new ArrayBuffer(8));

export function toExact(value: number): bigint {
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const exponent = (bits >> 52n) & 0x7ffn;
  const fraction = bits & 0xf_ffff_ffff_ffffn;
  const magnitude = exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n);
  return bits >> 63n === 1n ? -magnitude : magnitude;
}

/** The nearest double, ties to even, of a number in units of 2^-(1074 * power). */
export function toDouble(exact: bigint, power = 1n): number {
  if (exact === 0n) return 0;
  const magnitude = exact < 0n ? -exact : exact;
  const bits = BigInt(magnitude.toString(16).length * 4);
  const shift = bits > 70n ? bits - 70n : 0n;
  // The bits that are cut off decide only whether it is more than what is left.
  const sticky = shift > 0n && (magnitude & ((1n << shift) - 1n)) !== 0n ? 1n : 0n;
  const rounded = Number(((magnitude >> shift) << 1n) | sticky);
  const scaled = scaleByPowerOfTwo(rounded, Number(shift - 1n - SCALE * power));
  return exact < 0n ? -scaled : scaled;
}

function scaleByPowerOfTwo(value: number, exponent: number): number {
  let scaled = value;
  let left = exponent;
  while (left < -1000) {
    scaled *= 2 ** -1000;
    left += 1000;
  }
  return scaled * 2 ** left;
}

export function exactSum(values: readonly number[]): bigint {
  return values.reduce((sum, value) => sum + toExact(value), 0n);
}
