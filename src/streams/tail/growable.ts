/** Doubles until `length` fits, up to `maxLength`; the content moves along. */
export function grownTo<T extends Uint8Array | Uint32Array | Int32Array | Float32Array>(
  array: T,
  length: number,
  maxLength = Number.POSITIVE_INFINITY,
): T {
  if (length <= array.length) return array;
  const capacity = Math.min(maxLength, Math.max(length, array.length * 2, 64));
  const grown = new (array.constructor as new (length: number) => T)(capacity);
  grown.set(array);
  return grown;
}
