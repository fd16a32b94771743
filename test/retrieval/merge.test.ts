import { describe, expect, test } from 'vitest';
import type { QueryHit, SearchMode, StreamSettings, Tailwater } from '../../src/index.ts';
import { EmbeddingServer, refuses } from '../embeddings/embedding-server.ts';
import { withEngine } from '../snapshot/temporary-engine.ts';

const SUBJECTS = ['parcel', 'refund', 'charger', 'screen', 'invoice', 'courier', 'battery'];
const STATES = ['delayed', 'broken', 'missing', 'returned', 'paid twice', 'lost at the depot'];

function documents(count: number) {
  return Array.from({ length: count }, (_, id) => ({
    id: `d${id}`,
    rank: id % 10,
    text: `${SUBJECTS[id % 7]} ${STATES[(id * 5) % 6]} ${SUBJECTS[(id * 3 + 1) % 7]} ${'again '.repeat(id % 4)}note${id % 17}`,
  }));
}

const STREAM: StreamSettings = {
  kind: 'upsert',
  key: 'id',
  search: { fields: ['text'] },
  embed: { fields: ['text'], dimensions: 64 },
};
const QUERIES = ['delayed parcel', 'broken charger note3', 'courier lost', 'invoice paid twice again', 'battery returned screen'];

/** Writes the documents, the first part compacted; of these some are written again, and some keys deleted, in the tail. */
async function split(tailwater: Tailwater, name: string, compacted: number): Promise<void> {
  await tailwater.createStream(name, STREAM);
  const docs = documents(120);
  const stale = docs.slice(0, 30).map(doc => ({ value: { ...doc, text: 'parcel refund charger screen delayed' } }));
  const first = [...stale, ...docs.slice(30, 100).map(value => ({ value }))];
  const gone = Array.from({ length: 10 }, (_, id) => ({ value: { id: `gone${id}`, rank: 0, text: 'delayed parcel courier' } }));
  const history = [
    ...first,
    ...gone,
    ...docs.slice(0, 30).map(value => ({ value })),
    ...docs.slice(100).map(value => ({ value })),
  ];
  const deletions = gone.map(({ value }) => ({ key: value.id, value: null }));
  const records = [...history, ...deletions];
  if (compacted > 0) {
    await tailwater.append(name, records.slice(0, compacted));
    await tailwater.compact(name, { full: true });
  }
  if (compacted < records.length) await tailwater.append(name, records.slice(compacted));
}

async function answers(
  tailwater: Tailwater,
  name: string,
  mode: SearchMode,
  filter?: Record<string, never> | object,
): Promise<[string, number][][]> {
  const rows: [string, number][][] = [];
  for (const text of QUERIES) {
    const { hits, freshness } = await tailwater.query(name, {
      text,
      mode,
      limit: 10,
      ...(filter && { filter: filter as never }),
    });
    expect(freshness.complete).toBe(true);
    rows.push(hits.map((hit: QueryHit) => [hit.id, Number(hit.score.toFixed(3))]));
  }
  return rows;
}

describe('merging tail and table', () => {
  test('answers do not depend on how the rows are split, with updates and deletions across the split', () =>
    withEngine(async tailwater => {
      const splits = [0, 40, 100, 125, 160, 1000];
      for (const compacted of splits) await split(tailwater, `split${compacted}`, compacted);
      for (const mode of ['text', 'vector', 'hybrid'] as const) {
        for (const filter of [undefined, { rank: { $lt: 5 } }]) {
          const reference = (await answers(tailwater, 'split0', mode, filter)).map(hits => hits.map(([, score]) => score));
          for (const compacted of splits.slice(1)) {
            const found = (await answers(tailwater, `split${compacted}`, mode, filter)).map(hits =>
              hits.map(([, score]) => score),
            );
            expect(found, `${mode}, ${compacted} compacted`).toEqual(reference);
          }
        }
      }
    }));

  test('every leg goes on until enough rows are found that nothing hides', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('rows', STREAM);
      const write = (id: number, text: string) => ({ value: { id: `r${id}`, rank: id, text } });
      await tailwater.append(
        'rows',
        Array.from({ length: 400 }, (_, id) => write(id, `parcel ${'parcel '.repeat(id % 3)}`)),
      );
      await tailwater.compact('rows', { full: true });
      await tailwater.append(
        'rows',
        Array.from({ length: 390 }, (_, id) => write(id, 'something else')),
      );
      for (const mode of ['text', 'vector'] as const) {
        const { hits } = await tailwater.query('rows', { text: 'parcel', mode, limit: 10 });
        expect(hits.map(hit => hit.id).sort()).toEqual(Array.from({ length: 10 }, (_, at) => `r${390 + at}`));
      }
    }));

  test('filters mean the JSON value on tail and table alike', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('mixed', { kind: 'append' });
      const values = [
        { a: 1 },
        { a: '1' },
        { a: null },
        {},
        { a: [1, 2] },
        { a: { b: 1 } },
        { a: 2.5 },
        { a: true },
        { _offset: 3, a: 'x' },
      ];
      const filters = [
        { a: 1 },
        { a: '1' },
        { a: null },
        { a: { $exists: false } },
        { a: { $contains: 2 } },
        { 'a.b': 1 },
        { a: { $gt: 1 } },
        { a: { $ne: 1 } },
        { $not: { a: { $in: [1, true] } } },
        { _offset: 3 },
      ];
      await tailwater.append(
        'mixed',
        values.map(value => ({ value })),
      );
      const run = async () => {
        const found: unknown[] = [];
        for (const filter of filters)
          found.push((await tailwater.query('mixed', { filter: filter as never, limit: 50 })).hits.map(hit => hit.offset));
        return found;
      };
      const inTail = await run();
      expect(inTail[0]).toEqual([0]);
      expect(inTail[3]).toEqual([3]);
      await tailwater.compact('mixed');
      expect(await run()).toEqual(inTail);
    }));
});

describe('freshness', () => {
  test('a provider that is down does not hide a fresh row, and the answer says what is missing', async () => {
    const server = await EmbeddingServer.start();
    server.behaviours.push(...Array.from({ length: 50 }, () => refuses(400)));
    try {
      await withEngine(
        async tailwater => {
          await tailwater.createStream('rows', {
            kind: 'append',
            search: { fields: ['text'] },
            embed: { fields: ['text'], provider: 'openai', model: 'm', dimensions: 8 },
          });
          await tailwater.append('rows', [{ value: { text: 'fresh parcel' } }]);
          const { hits, freshness } = await tailwater.query('rows', { text: 'parcel', mode: 'hybrid' });
          expect(hits).toHaveLength(1);
          expect(freshness.complete).toBe(false);
          expect(freshness.skipped.map(skip => skip.leg)).toContain('vector');
          await tailwater.compact('rows');
          const compacted = await tailwater.query('rows', { text: 'parcel', mode: 'text' });
          expect(compacted.hits.map(hit => hit.tier)).toEqual(['table']);
          await expect(tailwater.query('rows', { text: 'parcel', mode: 'vector' })).rejects.toMatchObject({
            code: 'TW_EMBEDDING_FAILED',
          });
        },
        { openai: { baseURL: server.baseURL, apiKey: 'k' } },
      );
    } finally {
      await server.stop();
    }
  });

  test('says which offsets came from where, and how old the newest row is', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('rows', STREAM);
      await tailwater.append(
        'rows',
        documents(5).map(value => ({ value })),
      );
      await tailwater.compact('rows');
      await tailwater.append(
        'rows',
        documents(3).map(value => ({ value })),
      );
      const { freshness, hits } = await tailwater.query('rows', { text: 'parcel refund' });
      expect(freshness).toMatchObject({ watermark: [4], head: [7], tailRows: 3, skipped: [], complete: true });
      expect(freshness.newestAgeMs).toBeGreaterThanOrEqual(0);
      for (const hit of hits) expect(hit.tier).toBe(hit.offset > 4 ? 'tail' : 'table');
    }));

  test('recency prefers newer events of the same relevance', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('rows', { kind: 'append', time: 'at', search: { fields: ['text'] } });
      const now = Date.now();
      await tailwater.append(
        'rows',
        [0, 5, 2].map(days => ({ value: { days, at: now - days * 86_400_000, text: 'parcel' } })),
      );
      const { hits } = await tailwater.query('rows', { text: 'parcel', recency: { halfLifeMs: 86_400_000 } });
      expect(hits.map(hit => hit.value.days)).toEqual([0, 2, 5]);
    }));
});
