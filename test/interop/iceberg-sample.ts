import { writeFile } from 'node:fs/promises';
import { fromUtf8, utf8 } from '../../src/base/index.ts';
import { IcebergTableStore, type TableRow, type TableSchema, type TableStaging } from '../../src/lakehouse/index.ts';
import type { StreamDefinition } from '../../src/streams/index.ts';
import { fixturesOf, rowOf, scanned, Table } from '../conformance/table-rows.ts';

/** Writes a partitioned upsert table with updates, deletions and other columns, and what it holds, into the folder that is named. */
const { UPSERT, SCHEMA } = fixturesOf({ search: false, isolated: true, format: 'iceberg' });
const [folder] = process.argv.slice(2);
const HALF_HOUR_MS = 1_800_000;

const definition: StreamDefinition = {
  ...UPSERT,
  table: {
    format: 'iceberg',
    partitionBy: [
      { column: '_time', transform: 'day' },
      { column: 'id', transform: 'bucket', buckets: 4 },
    ],
    sortBy: [],
  },
};
const wide: TableSchema = {
  ...SCHEMA,
  id: 2,
  columns: [
    ...SCHEMA.columns.map(column => (column.name === 'price' ? { ...column, type: 'float64' as const } : column)),
    { name: 'flag', path: 'flag', type: 'bool' },
  ],
};

const store = await IcebergTableStore.open(folder);
const table = new Table(store, definition, SCHEMA);
const rowCounts: number[] = [];

function timed(seq: number, changes: Parameters<typeof rowOf>[1] = {}): TableRow {
  const row = rowOf(seq, changes);
  return { ...row, timeMs: row.timeMs + seq * HALF_HOUR_MS };
}

async function commit(rows: TableRow[], superseded: string[], schema = table.schema): Promise<void> {
  const version = await table.commit(async staging => {
    if (schema.id !== table.schema.id) await staging.evolve(schema);
    await supersede(staging, superseded);
    await staging.append({ rows });
  }, schema);
  rowCounts.push(await version.countRows());
}

async function supersede(staging: TableStaging, keys: string[]): Promise<void> {
  const taken = await staging.takeKeys(
    keys.map(utf8),
    keys.map(() => 1_000),
  );
  await staging.appendChanges(taken.map(row => ({ row, supersededAtMs: row.ingestedAtMs })));
}

await commit(
  Array.from({ length: 60 }, (_, at) => timed(at + 1)),
  [],
);
await commit([timed(61, { key: 'k1' }), timed(62, { key: 'k2' })], ['k1', 'k2', 'k3', 'k10']);
await commit([timed(63, { key: 'k63', value: '{"id":"k63","price":0.5,"flag":true}' })], [], wide);
await commit([], ['k5']);
const rows = (await scanned(await table.open())).map(({ seq, key, value, timeMs }) => {
  return { seq, key: fromUtf8(key!), value: JSON.parse(fromUtf8(value!)), timeMs };
});
const expected = { incarnation: definition.incarnation, versions: table.versions, rows, rowCounts, changeCount: 5 };
await writeFile(`${folder}/expected.json`, JSON.stringify(expected));
await store.close();
