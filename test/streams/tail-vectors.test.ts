import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import loadWabt from 'wabt';
import { seededRandom } from '../../src/base/index.ts';
import { createDotMemory, plainMemory } from '../../src/streams/tail/dot-kernel.ts';
import { DOT_KERNEL_CODE } from '../../src/streams/tail/dot-kernel-code.ts';
import { RowIndex } from '../../src/streams/tail/row-index.ts';
import { TopHits } from '../../src/streams/tail/top-hits.ts';
import { VectorBlock } from '../../src/streams/tail/vector-block.ts';
import { vectorDistance } from '../../src/streams/tail/vector-distance.ts';

const random = seededRandom(7);

function randomVector(dimensions: number): Float32Array {
  return Float32Array.from({ length: dimensions }, () => random.float() - 0.5);
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let at = 0; at < a.length; at++) {
    dot += a[at] * b[at];
    aa += a[at] * a[at];
    bb += b[at] * b[at];
  }
  return aa === 0 || bb === 0 ? 0 : dot / Math.sqrt(aa * bb);
}

function dots(block: VectorBlock, query: Float32Array, first: number, end: number): number[] {
  block.setQuery(query);
  return Array.from({ length: end - first }, (_, index) => block.dot(first + index));
}

describe.each([
  ['SIMD', createDotMemory],
  ['plain', plainMemory],
] as const)('a block of vectors on %s memory', (_, memory) => {
  test.each([1, 3, 4, 5, 16, 383, 384, 1_536])(
    'gives the cosine of every row with %i dimensions, also after growing',
    dimensions => {
      const rows = dimensions > 1_000 ? 300 : 1_100;
      const vectors = Array.from({ length: rows }, () => randomVector(dimensions));
      const block = new VectorBlock(dimensions, memory);
      const query = randomVector(dimensions);
      for (const [row, vector] of vectors.entries()) {
        block.set(row, (out, at) => out.set(vector, at));
        if (row % 500 === 7) expect(dots(block, query, row, row + 1)[0]).toBeCloseTo(cosine(query, vector), 6);
      }
      for (const [first, end] of [
        [0, rows],
        [1, 2],
        [5, 260],
        [rows - 1, rows],
        [3, 3],
      ]) {
        const found = dots(block, query, first, end);
        const worst = Math.max(0, ...found.map((dot, index) => Math.abs(dot - cosine(query, vectors[first + index]))));
        expect(worst).toBeLessThan(1e-6);
      }
    },
  );

  test.each([1, 5, 16, 100, 384, 3_072])('bounds every dot product of %i dimensions from above, and closely', dimensions => {
    const block = new VectorBlock(dimensions, memory);
    const rows = 300;
    for (let row = 0; row < rows; row++) {
      // Dense, sparse, and with one large part: what integers reproduce well and what they do not.
      const vector = randomVector(dimensions).map(part => (row % 3 === 1 && random.float() < 0.9 ? 0 : part));
      if (row % 3 === 2) vector[0] = 20;
      block.set(row, (out, at) => out.set(vector, at));
    }
    for (let round = 0; round < 20; round++) {
      const query =
        round % 2 === 0 ? randomVector(dimensions) : randomVector(dimensions).map((part, at) => (at === 0 ? 9 : part));
      const exact = dots(block, query, 0, rows);
      for (const [first, end] of [
        [0, rows],
        [7, 8],
        [33, 250],
      ]) {
        const bounds = [...block.bounds(first, end)];
        expect(bounds.length).toBe(end - first);
        const over = bounds.map((bound, index) => bound - exact[first + index]);
        expect(Math.min(...over)).toBeGreaterThanOrEqual(0);
        expect(Math.max(...over)).toBeLessThan(0.15);
      }
    }
  });

  test('takes what is no direction for the zero vector', () => {
    const block = new VectorBlock(2, memory);
    const vectors = [
      [0, 0],
      [Number.NaN, 1],
      [Number.POSITIVE_INFINITY, 1],
      [1e-30, 0],
      [3e19, 3e19],
      [2, 0],
    ];
    for (const [row, vector] of vectors.entries()) block.set(row, (out, at) => out.set(vector, at));
    const diagonal = Math.fround(Math.SQRT1_2);
    expect([...dots(block, Float32Array.of(5, 0), 0, 6)]).toEqual([0, 0, 0, 1, diagonal, 1]);
    expect([...dots(block, Float32Array.of(0, 0), 0, 6)]).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test('forgets what a row held before', () => {
    const block = new VectorBlock(3, memory);
    block.set(0, (out, at) => out.set([9, 9, 9], at));
    block.set(0, (out, at) => {
      out[at + 1] += 2;
    });
    expect([...dots(block, Float32Array.of(0, 1, 0), 0, 1)]).toEqual([1]);
  });
});

test('the two kinds of memory agree to a millionth', () => {
  const blocks = [createDotMemory, plainMemory].map(memory => new VectorBlock(384, memory));
  for (let row = 0; row < 500; row++) {
    const vector = randomVector(384);
    for (const block of blocks) block.set(row, (out, at) => out.set(vector, at));
  }
  const query = randomVector(384);
  const [simd, plain] = blocks.map(block => dots(block, query, 0, 500));
  expect(Math.max(...simd.map((dot, row) => Math.abs(dot - plain[row])))).toBeLessThan(1e-6);
});

test('the kernel is built from its source', async () => {
  const source = await readFile(new URL('../../src/streams/tail/dot-kernel.wat', import.meta.url), 'utf8');
  const wabt = await loadWabt();
  const { buffer } = wabt.parseWat('dot-kernel.wat', source, { simd: true }).toBinary({});
  expect(Buffer.from(buffer).toString('base64')).toBe(DOT_KERNEL_CODE);
});

describe('the best hits', () => {
  test('are those that sorting everything gives', () => {
    const candidate = fc.integer({ min: -5, max: 5 });
    fc.assert(
      fc.property(fc.array(candidate, { maxLength: 60 }), fc.nat(12), (goodness, limit) => {
        const top = new TopHits(limit);
        const all = goodness.map((good, ordinal) => ({ goodness: good, ordinal }));
        for (const { goodness: good, ordinal } of all) if (top.wouldEnter(good, ordinal)) top.add(good, ordinal);
        const sorted = all.toSorted((a, b) => b.goodness - a.goodness || b.ordinal - a.ordinal);
        expect(top.sorted()).toEqual(sorted.slice(0, limit).map(({ ordinal, goodness: good }) => ({ ordinal, goodness: good })));
      }),
    );
  });
});

describe('the distance of a vector that lies elsewhere', () => {
  test('is bit for bit that of the same vector in a block', () => {
    for (let round = 0; round < 400; round++) {
      const dimensions = 1 + Math.floor(random.float() * 400);
      const query = randomVector(dimensions);
      const vectors = [...Array.from({ length: 4 }, () => randomVector(dimensions)), new Float32Array(dimensions), query];
      const index = new RowIndex();
      for (const vector of vectors) index.add(null, vector);
      const distance = vectorDistance(query);
      const found = index.searchVector(vectors.length, query, vectors.length, () => true);
      expect(found.map(({ ordinal, score }) => [ordinal, score])).toEqual(
        found.map(({ ordinal }) => [ordinal, distance(vectors[ordinal])]),
      );
      expect(found.length).toBe(vectors.length);
    }
  });
});
