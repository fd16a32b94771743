import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Tailwater } from '../../src/index.ts';
import { withEngine } from './temporary-engine.ts';

type Step = { kind: 'write'; keys: number[] } | { kind: 'delete'; key: number } | { kind: 'compact' };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant('write' as const), keys: fc.array(fc.nat(12), { minLength: 1, maxLength: 6 }) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), key: fc.nat(12) }) },
    { weight: 2, arbitrary: fc.constant({ kind: 'compact' as const }) },
  ),
  { minLength: 3, maxLength: 12 },
);

const WORDS = ['parcel', 'delayed', 'refund', 'charger', 'cable', 'screen'];

/** The log of an upsert stream as a plain list; what every read is held against. */
class Model {
  readonly log: { key: string; value: { id: string; n: number; text: string } | null }[] = [];

  write(key: number): { id: string; n: number; text: string } {
    const n = this.log.length;
    const value = { id: `k${key}`, n, text: `${WORDS[n % 6]} ${WORDS[(n * 5 + key) % 6]} n${n}` };
    this.log.push({ key: value.id, value });
    return value;
  }

  /** Newest value per key of the first `length` records, deleted keys left out. */
  rows(length = this.log.length): Map<string, { id: string; n: number; text: string }> {
    const rows = new Map<string, { id: string; n: number; text: string }>();
    for (const { key, value } of this.log.slice(0, length)) {
      if (value === null) rows.delete(key);
      else rows.set(key, value);
    }
    return rows;
  }
}

async function take(tailwater: Tailwater, model: Model, step: Step): Promise<string | null> {
  switch (step.kind) {
    case 'write':
      return (
        await tailwater.append(
          'rows',
          step.keys.map(key => ({ value: { ...model.write(key) } })),
        )
      ).token;
    case 'delete':
      model.log.push({ key: `k${step.key}`, value: null });
      return (await tailwater.deleteRow('rows', `k${step.key}`)).token;
    case 'compact':
      await tailwater.compact('rows');
      return null;
  }
}

async function expectRows(tailwater: Tailwater, rows: Map<string, object>, consistency = {}): Promise<void> {
  const answer = await tailwater.query('rows', { filter: {}, limit: 100, consistency });
  expect(answer.freshness.complete).toBe(true);
  expect(answer.hits.map(hit => hit.value).sort(byId)).toEqual([...rows.values()].sort(byId));
}

function byId(a: object, b: object): number {
  return String((a as { id: string }).id).localeCompare(String((b as { id: string }).id));
}

describe('an upsert stream, whatever is written, deleted and compacted when', () => {
  test('is one copy: every record once as stream, every row once as table, at every earlier instant too', async () => {
    await fc.assert(
      fc.asyncProperty(steps, history =>
        withEngine(async tailwater => {
          await tailwater.createStream('rows', {
            kind: 'upsert',
            key: 'id',
            search: { fields: ['text'] },
            embed: { fields: ['text'], dimensions: 16 },
          });
          const model = new Model();
          const instants: { token: string; length: number }[] = [];
          for (const step of history) {
            const token = await take(tailwater, model, step);
            if (token !== null) instants.push({ token, length: model.log.length });
          }
          const page = await tailwater.read('rows', { limit: 1000 });
          expect(page.records.map(record => ({ key: record.key, value: record.value }))).toEqual(model.log);
          expect(page.records.map(record => record.offset)).toEqual(model.log.map((_, offset) => offset));
          await expectRows(tailwater, model.rows());
          expect((await tailwater.getStream('rows')).rows).toBe(model.rows().size);
          for (const key of Array.from({ length: 13 }, (_, index) => `k${index}`)) {
            const row = await tailwater.getRow('rows', key).then(
              found => found.record.value,
              error => error.code,
            );
            expect(row).toEqual(model.rows().get(key) ?? 'TW_ROW_NOT_FOUND');
          }
          for (const { token, length } of instants) await expectRows(tailwater, model.rows(length), { asOf: token });
        }),
      ),
      { numRuns: 12 },
    );
  });
});

describe('a deleted key', () => {
  test('is in no answer at any moment, while its deletion is compacted', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('rows', { kind: 'upsert', key: 'id', search: { fields: ['text'] } });
      const records = Array.from({ length: 60 }, (_, id) => ({ value: { id: `k${id}`, text: `parcel number${id}` } }));
      await tailwater.append('rows', records);
      await tailwater.compact('rows');
      for (let id = 0; id < 55; id++) await tailwater.deleteRow('rows', `k${id}`);
      let compacting = true;
      const compaction = tailwater.compact('rows').finally(() => {
        compacting = false;
      });
      do {
        const { hits } = await tailwater.query('rows', { text: 'parcel', limit: 10 });
        expect(hits.map(hit => hit.key).sort()).toEqual(['k55', 'k56', 'k57', 'k58', 'k59']);
      } while (compacting);
      await compaction;
    }));
});
