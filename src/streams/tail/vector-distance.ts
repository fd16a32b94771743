import { createDotMemory } from './dot-kernel.ts';
import { normalise } from './vector-block.ts';

const FLOATS_OF_A_STEP = 16;

/** The cosine distance of vectors from a query: the number that hits of the tail have, bit for bit. A vector must have the query's length. */
export function vectorDistance(query: Float32Array): (vector: Float32Array) => number {
  const width = Math.ceil(query.length / FLOATS_OF_A_STEP) * FLOATS_OF_A_STEP;
  const memory = createDotMemory(width * 8, width * 8);
  const floats = new Float32Array(memory.buffer);
  const place = (vector: Float32Array, start: number): void => {
    floats.set(vector, start);
    normalise(floats, start, vector.length);
  };
  floats.fill(0, 0, width * 2);
  place(query, 0);
  return vector => {
    place(vector, width);
    return 1 - memory.dot(0, width * 4, width * 4);
  };
}
