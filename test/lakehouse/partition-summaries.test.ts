import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IcebergTableStore } from '../../src/lakehouse/index.ts';
import { fixturesOf, rowOf, Table } from '../conformance/table-rows.ts';
import { readAvro } from './foreign-engine.ts';

const { APPEND, SCHEMA } = fixturesOf({ search: false, isolated: true, format: 'iceberg' });

interface Listed {
  manifest_path: string;
  partitions: { contains_null: boolean; lower_bound: Buffer | null; upper_bound: Buffer | null }[];
}

interface Entry {
  data_file: { partition: { _time_day: number; text: string | null } };
}

const row = fc.record({ day: fc.integer({ min: -2, max: 20_000 }), text: fc.option(fc.string({ unit: 'grapheme' })) });

test('a manifest list says between which values of its partition the files of each manifest lie', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tailwater-summaries-'));
  const store = await IcebergTableStore.open(folder);
  let lives = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(row, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 }), async commits => {
      const definition = {
        ...APPEND,
        incarnation: `life${lives++}`,
        table: {
          format: 'iceberg' as const,
          partitionBy: [
            { column: '_time', transform: 'day' as const },
            { column: 'text', transform: 'identity' as const },
          ],
          sortBy: [],
        },
      };
      const table = new Table(store, definition, SCHEMA);
      let seq = 0;
      for (const rows of commits) {
        await table.commit(async staging => {
          const written = rows.map(({ day, text }) => {
            const value = JSON.stringify({ id: 'x', ...(text !== null && { text }) });
            return rowOf(++seq, { value, timeMs: day * 86_400_000 + 5 });
          });
          await staging.append({ rows: written });
        });
      }
      const manifests = await readAvro<Listed>(await newestList(folder, table));
      expect(manifests.length).toBe(commits.length);
      for (const { manifest_path: path, partitions } of manifests) {
        const entries = await readAvro<Entry>(fileURLToPath(path));
        const days = entries.map(({ data_file }) => data_file.partition._time_day).sort((a, b) => a - b);
        const texts = entries.map(({ data_file }) => data_file.partition.text);
        const bytes = texts.filter(text => text !== null).map(text => Buffer.from(text));
        bytes.sort(Buffer.compare);
        const [day, text] = partitions;
        expect([day.lower_bound?.readInt32LE(), day.upper_bound?.readInt32LE()]).toEqual([days[0], days.at(-1)]);
        expect(day.contains_null).toBe(false);
        expect([text.lower_bound, text.upper_bound]).toEqual([bytes[0] ?? null, bytes.at(-1) ?? null]);
        expect(text.contains_null).toBe(texts.includes(null));
      }
    }),
    { numRuns: 12 },
  );
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

/** The path of the newest snapshot's manifest list, as the metadata say it. */
async function newestList(folder: string, table: Table): Promise<string> {
  const path = join(folder, table.definition.incarnation, 'rows', 'metadata', `v${table.versions!.rows}.metadata.json`);
  const { snapshots } = JSON.parse(await readFile(path, 'utf8')) as { snapshots: { 'manifest-list': string }[] };
  return fileURLToPath(snapshots.at(-1)!['manifest-list']);
}
