import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BytesReader } from '../../src/lakehouse/columns/column-readers.ts';
import { ChunkReader } from '../../src/lakehouse/iceberg/chunk-reader.ts';
import type { IcebergField } from '../../src/lakehouse/iceberg/iceberg-types.ts';

const FIELDS: IcebergField[] = [
  { id: 1, name: 'text', required: false, type: 'string' },
  { id: 2, name: 'again', required: false, type: 'string' },
];

/** Around the 12 bytes that DuckDB keeps inline, long, beyond ASCII, and from a few that repeat, which Parquet puts into a dictionary. */
const texts = fc.array(
  fc.oneof(
    fc.string({ maxLength: 30, unit: 'grapheme' }),
    fc.constantFrom('', 'twelve bytes', 'thirteen byte', 'a text of more than twelve bytes', 'é'.repeat(90), 'x'.repeat(5000)),
    fc.constant(null),
  ),
  { minLength: 1, maxLength: 300 },
);

async function read(connection: DuckDBConnection, sql: string): Promise<(string | null)[][]> {
  const found: (string | null)[][] = [[], []];
  const result = await connection.stream(sql);
  const chunks = new ChunkReader(FIELDS);
  for (;;) {
    const chunk = await result.fetchChunk();
    if (chunk === null || chunk.rowCount === 0) return found;
    const batch = chunks.read(chunk);
    for (const column of [0, 1]) {
      const reader = new BytesReader(batch.data.children[column]);
      for (let row = 0; row < chunk.rowCount; row++) found[column].push(reader.text(row));
    }
  }
}

describe('texts that DuckDB hands over', () => {
  test('are those that were written, wherever they lie in memory', { timeout: 120_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tailwater-texts-'));
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
    const connection = await instance.connect();
    try {
      await fc.assert(
        fc.asyncProperty(
          texts,
          fc.constantFrom('zstd', 'uncompressed'),
          fc.integer({ min: 1, max: 20 }),
          async (given, compression, times) => {
            const wanted = Array.from({ length: times }, () => given).flat();
            const file = join(folder, 'texts.parquet');
            await connection.run('CREATE OR REPLACE TABLE given AS SELECT unnest($1::JSON::VARCHAR[]) AS text', [
              JSON.stringify(given),
            ]);
            await connection.run(
              `COPY (SELECT text FROM given, range(${times}) AS t(time) ORDER BY time, given.rowid) TO '${file}' (COMPRESSION ${compression})`,
            );
            for (const from of [
              `read_parquet('${file}')`,
              `(SELECT text FROM given, range(${times}) AS t(time) ORDER BY time, given.rowid)`,
            ]) {
              const [one, other] = await read(connection, `SELECT text, reverse(reverse(text)) FROM ${from}`);
              expect(one).toEqual(wanted);
              expect(other).toHaveLength(wanted.length);
            }
          },
        ),
        { numRuns: 40 },
      );
    } finally {
      connection.closeSync();
      instance.closeSync();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
