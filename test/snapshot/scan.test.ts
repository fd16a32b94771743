import { tableFromIPC } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonObject, TailwaterError } from '../../src/base/index.ts';
import type { Tailwater } from '../../src/index.ts';
import { arrowStream, type ScanRequest } from '../../src/snapshot/index.ts';
import { matches, parseFilter } from '../../src/streams/index.ts';
import { type Scanned, scanned, steps, take, Written, withoutNulls, writtenValue } from './scan-support.ts';
import { withEngine } from './temporary-engine.ts';

/** A dozen engines, or more while a failure shrinks, each with tables of its own. */
const SLOW_MS = 300_000;

const FILTERS: JsonObject[] = [
  { n: { $gt: 1 } },
  { n: { $ne: 2 } },
  { tag: 'red' },
  { tag: { $in: ['blue', "it's"] } },
  { tag: { $exists: false } },
  { n: 2.5 },
  { n: 'seven' },
  { $or: [{ ok: true }, { late: { $lt: 2 } }] },
  { $not: { n: { $lte: 0 } } },
  { 'meta.a': 1 },
];

async function expectScans(tailwater: Tailwater, rows: JsonObject[]): Promise<void> {
  const all = await scanned(tailwater);
  expect(all.rows.map(writtenValue)).toEqual(rows.map(withoutNulls));
  // Without a row that says so, there is no column to name.
  for (const filter of rows.length === 0 ? [] : FILTERS) {
    const found = await scanned(tailwater, { filter, columns: ['id'] });
    const wanted = rows.filter(row => matches(parseFilter(filter), row)).map(row => ({ id: row.id }));
    expect(found.rows, JSON.stringify(filter)).toEqual(wanted);
  }
  await expectParts(tailwater, all);
}

/** Shards are the rows once, each in the same order; a scan that goes on after a row is the rest. */
async function expectParts(tailwater: Tailwater, all: Scanned): Promise<void> {
  const shards = await Promise.all([0, 1, 2].map(index => scanned(tailwater, { shard: { index, count: 3 } })));
  const joined = shards.flatMap(shard => shard.rows).sort((a, b) => Number(a._seq) - Number(b._seq));
  expect(joined).toEqual(all.rows);
  for (const { rows } of shards) expect(rows).toEqual(all.rows.filter(row => rows.some(own => own._seq === row._seq)));
  for (const at of [0, all.rows.length >> 1, all.rows.length - 1].filter(index => index >= 0 && index < all.rows.length)) {
    const rest = await scanned(tailwater, { afterSeq: Number(all.rows[at]._seq) });
    expect(rest.rows).toEqual(all.rows.slice(at + 1));
  }
}

describe.each(['append', 'upsert'] as const)('a scan of an %s stream', kind => {
  test('is what was written, at every instant, however it was compacted; a token gives the same bytes for ever', {
    timeout: SLOW_MS,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(steps, history =>
        withEngine(async tailwater => {
          await tailwater.createStream('rows', { kind, key: 'id', partitions: 2 });
          const written = new Written(kind);
          const instants: { asOf: string; length: number; bytes: string }[] = [];
          for (const step of history) {
            const asOf = await take(tailwater, written, step);
            if (asOf === null) continue;
            const { rows, arrow } = await scanned(tailwater, { consistency: { asOf } });
            expect(rows.map(writtenValue).sort(byText)).toEqual(written.rows().map(withoutNulls).sort(byText));
            instants.push({ asOf, length: written.log.length, bytes: arrow });
          }
          await tailwater.compact('rows');
          for (const { asOf, bytes } of instants) expect((await scanned(tailwater, { consistency: { asOf } })).arrow).toBe(bytes);
        }),
      ),
      { numRuns: 6 },
    );
  });

  test('gives filters, shards and resumed scans the same rows, whatever is in table or tail', { timeout: SLOW_MS }, async () => {
    await fc.assert(
      fc.asyncProperty(steps, history =>
        withEngine(async tailwater => {
          await tailwater.createStream('rows', { kind, key: 'id' });
          const written = new Written(kind);
          for (const step of history) await take(tailwater, written, step);
          await expectScans(tailwater, written.rows());
        }),
      ),
      { numRuns: 6 },
    );
  });

  test('goes on over the same rows while a compaction commits', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('rows', { kind, key: 'id' });
      const valuesFrom = (first: number) =>
        Array.from({ length: 1000 }, (_, at) => ({ value: { id: `k${(first + at) % 3000}`, n: first + at } }));
      for (let first = 0; first < 4000; first += 1000) {
        await tailwater.append('rows', valuesFrom(first));
        if (first === 1000) await tailwater.compact('rows');
      }
      const before = await scanned(tailwater);
      const scan = await tailwater.engine.scan('rows', {});
      const messages: Uint8Array[] = [];
      for await (const message of arrowStream(scan)) {
        if (messages.length === 0) await tailwater.compact('rows', { full: true });
        messages.push(message);
      }
      expect(Buffer.concat(messages.slice(1)).toString('base64')).toBe(before.arrow);
    }));
});

describe('a scan', () => {
  test('is read by another copy of Arrow, types and all, also columns that are null throughout', () =>
    withEngine(async tailwater => {
      const schema = {
        type: 'object',
        properties: { id: { type: 'string' }, on: { type: 'boolean' }, n: { type: 'integer' }, x: { type: 'number' } },
      };
      await tailwater.createStream('rows', { kind: 'append', schema });
      await tailwater.append('rows', [{ value: { id: 'a', n: 2 ** 53 } }, { value: { id: 'b', x: 1.5 } }]);
      const parts: Uint8Array[] = [];
      for await (const part of arrowStream(await tailwater.engine.scan('rows', {}))) parts.push(part);
      const table = tableFromIPC(Buffer.concat(parts));
      expect(table.schema.fields.map(field => `${field.name} ${field.type}`)).toEqual([
        '_partition Int32',
        '_offset Int64',
        '_seq Int64',
        '_key_text Utf8',
        '_time Timestamp<MICROSECOND, UTC>',
        '_ingested_at Timestamp<MICROSECOND, UTC>',
        'id Utf8',
        'on Bool',
        'n Int64',
        'x Float64',
        '_extra Utf8',
      ]);
      expect([...table.getChild('id')!]).toEqual(['a', 'b']);
      expect([...table.getChild('on')!]).toEqual([null, null]);
      expect([...table.getChild('x')!]).toEqual([null, 1.5]);
      expect(table.schema.metadata.get('tailwater.token')).toMatch(/^[\w-]+$/);
    }));

  test('keeps its columns and their types while later scans find others', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('rows', { kind: 'append' });
      await tailwater.append('rows', [{ value: { id: 'a', n: 1 } }]);
      const early = await tailwater.engine.scan('rows', { columns: ['id', 'n', '_extra'] });
      await tailwater.append('rows', [{ value: { id: 'b', n: 1.5, late: true } }]);
      expect((await scanned(tailwater, { columns: ['n', 'late'] })).rows).toEqual([
        { n: 1, late: null },
        { n: 1.5, late: true },
      ]);
      const parts: Uint8Array[] = [];
      for await (const part of arrowStream(early)) parts.push(part);
      const table = tableFromIPC(Buffer.concat(parts));
      expect(table.schema.fields.map(field => String(field.type))).toEqual(['Utf8', 'Int64', 'Utf8']);
      expect(table.toArray().map(row => [row.id, row.n, row._extra])).toEqual([['a', 1n, null]]);
    }));

  test('of the table alone leaves the tail out, and says so', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('rows', { kind: 'upsert', key: 'id' });
      await tailwater.append('rows', [{ value: { id: 'a', n: 1 } }]);
      await tailwater.compact('rows');
      await tailwater.append('rows', [{ value: { id: 'a', n: 2 } }]);
      const { rows } = await scanned(tailwater, { tail: false, columns: ['n'] });
      expect(rows).toEqual([{ n: 1 }]);
      expect((await tailwater.engine.scan('rows', { tail: false })).freshness).toMatchObject({ complete: false, tailRows: 1 });
    }));

  test('refuses what cannot be, and names it', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('rows', { kind: 'append' });
      const codeOf = (request: ScanRequest) =>
        tailwater.engine.scan('rows', request).then(
          () => null,
          (error: unknown) => (error as TailwaterError).code,
        );
      expect(await codeOf({ columns: ['nothing'] })).toBe('TW_UNKNOWN_FIELD');
      expect(await codeOf({ columns: [] })).toBe('TW_BAD_REQUEST');
      expect(await codeOf({ columns: ['_seq', '_seq'] })).toBe('TW_BAD_REQUEST');
      expect(await codeOf({ shard: { index: 3, count: 3 } })).toBe('TW_BAD_REQUEST');
      expect(await codeOf({ filter: { n: { $near: 1 } } })).toBe('TW_BAD_REQUEST');
      expect(await codeOf({ afterSeq: 0.5 })).toBe('TW_BAD_REQUEST');
    }));
});

function byText(a: JsonObject, b: JsonObject): number {
  const [left, right] = [JSON.stringify(sorted(a)), JSON.stringify(sorted(b))];
  return left < right ? -1 : left > right ? 1 : 0;
}

function sorted(row: JsonObject): [string, unknown][] {
  return Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1));
}
