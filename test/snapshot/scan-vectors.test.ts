import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { DuckDBInstance } from '@duckdb/node-api';
import { connect } from '@lancedb/lancedb';
import { tableFromIPC } from 'apache-arrow';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/base/index.ts';
import type { Tailwater } from '../../src/index.ts';
import { EmbeddingServer, refuses } from '../embeddings/embedding-server.ts';
import { scanned } from './scan-support.ts';
import { withEngine } from './temporary-engine.ts';

const SEARCHED = {
  kind: 'upsert',
  key: 'id',
  search: { fields: ['title', 'text'] },
  embed: { fields: ['text'], dimensions: 24 },
} as const;
const COLUMNS = ['id', '_text', '_embedding'];

const docs = (from: number, to: number, word: string) =>
  Array.from({ length: to - from }, (_, at) => ({
    value: {
      id: `d${from + at}`,
      title: `Title ${from + at}`,
      ...((from + at) % 7 === 0 ? {} : { text: `${word} ${from + at}` }),
    },
  }));

/** What LanceDB itself says of the table, by key. */
async function inTable(tailwater: Tailwater, dataDir: string): Promise<Map<string, { text: unknown; vector: number[] | null }>> {
  const { state } = await tailwater.getTable('rows');
  const database = await connect(join(dataDir, 'lance', state!.incarnation));
  const table = await database.openTable('rows');
  await table.checkout(state!.rowsVersion);
  const rows = await table.query().select(['id', '_text', '_embedding']).toArray();
  return new Map(rows.map(row => [row.id, { text: row._text, vector: row._embedding && Array.from(row._embedding.toArray()) }]));
}

describe('a scan of what rows are searched by', () => {
  test('gives the texts and vectors that the table has or will have, in every form, whatever is still in the tail', () =>
    withEngine(async (tailwater, dataDir) => {
      await tailwater.createStream('rows', SEARCHED);
      await tailwater.append('rows', docs(0, 40, 'first'));
      const asOf = (await tailwater.append('rows', docs(30, 50, 'second'))).token;
      const fresh = await scanned(tailwater, { columns: COLUMNS });
      await tailwater.compact('rows');
      const table = await inTable(tailwater, dataDir);
      expect(fresh.rows.length).toBe(50);
      for (const { id, _text, _embedding } of fresh.rows) {
        expect({ text: _text, vector: _embedding }).toEqual(table.get(String(id)));
      }
      expect(fresh.rows.filter(({ _embedding }) => _embedding === null).length).toBe(8);
      // The same bytes from the table, from both, and of the instant before.
      expect((await scanned(tailwater, { columns: COLUMNS })).arrow).toBe(fresh.arrow);
      await tailwater.append('rows', docs(5, 20, 'third'));
      const mixed = await scanned(tailwater, { columns: COLUMNS });
      await tailwater.compact('rows', { full: true });
      expect((await scanned(tailwater, { columns: COLUMNS })).arrow).toBe(mixed.arrow);
      expect((await scanned(tailwater, { columns: COLUMNS, consistency: { asOf } })).arrow).toBe(fresh.arrow);
      await expectForms(tailwater, mixed.rows);
      // By default they are left out.
      const [row] = (await scanned(tailwater)).rows;
      expect(Object.keys(row)).not.toContain('_embedding');
      expect(Object.keys(row)).not.toContain('_text');
    }));

  test('says how many rows have no vector yet, and gives null for theirs', async () => {
    const service = await EmbeddingServer.start();
    service.usual = refuses(401);
    await withEngine(
      async tailwater => {
        await tailwater.createStream('rows', { ...SEARCHED, embed: { ...SEARCHED.embed, provider: 'openai', model: 'm' } });
        await tailwater.append('rows', docs(1, 5, 'first'));
        await tailwater.compact('rows');
        await tailwater.append('rows', docs(8, 11, 'second'));
        const { freshness } = await tailwater.engine.scan('rows', { columns: COLUMNS });
        expect(freshness).toMatchObject({
          complete: false,
          skipped: [{ leg: 'vector', reason: expect.stringMatching(/^7 rows/) }],
        });
        const { rows } = await scanned(tailwater, { columns: COLUMNS });
        expect(rows.map(({ _text, _embedding }) => [_text !== null, _embedding])).toEqual(rows.map(() => [true, null]));
        expect((await tailwater.engine.scan('rows', { columns: ['_text'] })).freshness.complete).toBe(true);
      },
      { openai: { baseURL: service.baseURL, apiKey: 'k' } },
    );
    await service.stop();
  });

  test('is refused where rows are not searched so', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('rows', { kind: 'append' });
      for (const column of ['_embedding', '_text']) {
        await expect(tailwater.engine.scan('rows', { columns: [column] })).rejects.toMatchObject({ code: 'TW_UNKNOWN_FIELD' });
      }
    }));
});

/** Arrow has a list of fixed size, Parquet a list, both of floats of 32 bits. */
async function expectForms(tailwater: Tailwater, rows: JsonObject[]): Promise<void> {
  const bytes = async (format: 'arrow' | 'parquet'): Promise<Buffer> =>
    buffer((await tailwater.scan('rows', { columns: COLUMNS, format })).body);
  const table = tableFromIPC(await bytes('arrow'));
  expect(String(table.schema.fields[2].type)).toBe('FixedSizeList[24]<Float32>');
  expect(table.toArray().map(row => row._embedding && Array.from(row._embedding.toArray()))).toEqual(
    rows.map(({ _embedding }) => _embedding),
  );
  const folder = await mkdtemp(join(tmpdir(), 'tailwater-vectors-'));
  const file = join(folder, 'scan.parquet');
  await writeFile(file, await bytes('parquet'));
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const read = await connection.runAndReadAll(`SELECT _embedding, typeof(_embedding) FROM '${file}'`);
  const found = read.getRowsJson();
  expect(new Set(found.map(([, type]) => type))).toEqual(new Set(['FLOAT[]']));
  const floats = (list: unknown): number[] | null => (list === null ? null : (list as number[]).map(Math.fround));
  expect(found.map(([list]) => floats(list))).toEqual(rows.map(({ _embedding }) => _embedding));
  connection.closeSync();
  instance.closeSync();
  await rm(folder, { recursive: true, force: true });
}
