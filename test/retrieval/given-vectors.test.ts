import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/index.ts';
import type { StreamSettings, Tailwater } from '../../src/index.ts';
import { withEngine } from '../snapshot/temporary-engine.ts';

const DIMENSIONS = 6;
const STREAM: StreamSettings = {
  kind: 'upsert',
  key: 'id',
  search: { fields: ['text'] },
  embed: { fields: ['vector'], provider: 'given', model: 'mine-v2', dimensions: DIMENSIONS },
};

const random = seededRandom(7);
const drawVector = (): number[] => Array.from({ length: DIMENSIONS }, () => random.float() * 2 - 1);

function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = a.reduce((sum, x, index) => sum + x * b[index], 0);
  return dot / (Math.hypot(...a) * Math.hypot(...b));
}

const write = (tailwater: Tailwater, rows: readonly object[]) =>
  tailwater.append(
    's',
    rows.map(value => ({ value: value as never })),
  );

describe('vectors that come with the records', () => {
  test('rank as a brute-force cosine does, in tail and table, the newest version of a row alone', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('s', STREAM);
      const rows = new Map<string, number[]>();
      for (const part of [0, 1, 2]) {
        const batch = Array.from({ length: 40 }, (_, at) => ({ id: `r${part * 30 + at}`, text: 'tide', vector: drawVector() }));
        for (const { id, vector } of batch) rows.set(id, vector);
        await write(tailwater, batch);
        if (part === 1) await tailwater.compact('s', { full: true });
      }
      for (let draw = 0; draw < 20; draw++) {
        const vector = drawVector();
        const { hits, freshness } = await tailwater.query('s', { vector, limit: 15 });
        const expected = [...rows].map(([id, own]) => [id, cosine(own, vector)] as const).sort((a, b) => b[1] - a[1]);
        expect(hits.map(hit => hit.id)).toEqual(expected.slice(0, 15).map(([id]) => id));
        for (const [index, hit] of hits.entries()) expect(hit.score).toBeCloseTo(expected[index][1], 5);
        expect(freshness.complete).toBe(true);
      }
    }));

  test('a record without one is found by text, and nothing is missing for it', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('s', STREAM);
      await write(tailwater, [
        { id: 'a', text: 'anchor' },
        { id: 'b', text: 'anchor', vector: null },
      ]);
      await tailwater.compact('s', { full: true });
      const { hits, freshness } = await tailwater.query('s', { text: 'anchor' });
      expect(hits.map(hit => hit.id).sort()).toEqual(['a', 'b']);
      expect(freshness.complete).toBe(true);
    }));

  test('a vector that is none, or of another length, is rejected and its batch is not', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('s', STREAM);
      const { accepted, rejected } = await write(tailwater, [
        { id: 'short', vector: [1, 2] },
        { id: 'text', vector: 'near' },
        { id: 'mixed', vector: [1, 2, 3, 4, 5, '6'] },
        { id: 'huge', vector: [1e300, 0, 0, 0, 0, 0] },
        { id: 'zero', vector: [0, 0, 0, 0, 0, 0] },
        { id: 'good', vector: drawVector() },
      ]);
      expect(accepted).toBe(2);
      expect(rejected.map(({ index, code }) => [index, code])).toEqual([
        [0, 'TW_VECTOR_LENGTH'],
        [1, 'TW_SCHEMA_MISMATCH'],
        [2, 'TW_SCHEMA_MISMATCH'],
        [3, 'TW_SCHEMA_MISMATCH'],
      ]);
    }));

  test('a text alone cannot rank by them, and the answer says what to give', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('s', STREAM);
      for (const mode of ['vector', 'hybrid'] as const)
        await expect(tailwater.query('s', { text: 'tide', mode })).rejects.toThrow(/give `vector`/);
      const { fields: _, ...embed } = STREAM.embed!;
      await expect(tailwater.createStream('two', { ...STREAM, embed: { ...embed, fields: ['a', 'b'] } })).rejects.toMatchObject({
        code: 'TW_BAD_REQUEST',
      });
    }));
});
