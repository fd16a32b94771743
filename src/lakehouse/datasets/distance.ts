/** Cosine distance, 1 - cosine similarity, in [0, 2]; 1 when a vector is zero. Computed in double precision over float32 values. */
export function cosineDistance(a: Float32Array, b: Float32Array): number {
  let product = 0;
  let squareA = 0;
  let squareB = 0;
  for (let at = 0; at < a.length; at++) {
    product += a[at] * b[at];
    squareA += a[at] * a[at];
    squareB += b[at] * b[at];
  }
  return squareA === 0 || squareB === 0 ? 1 : 1 - product / Math.sqrt(squareA * squareB);
}
