import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/index.ts';
import { boundOf, longOf } from '../../src/lakehouse/iceberg/bounds.ts';
import { currentSnapshot } from '../../src/lakehouse/iceberg/metadata.ts';
import { murmur32 } from '../../src/lakehouse/iceberg/murmur32.ts';
import { LocalTableFiles } from '../../src/lakehouse/iceberg/table-files.ts';
import { type IcebergTable, TableLoader } from '../../src/lakehouse/iceberg/table-loader.ts';
import { IcebergTableStore } from '../../src/lakehouse/index.ts';
import type { StreamDefinition } from '../../src/streams/index.ts';
import { expectRows, fixturesOf, rowOf, rowsOf, scanned, Table } from '../conformance/table-rows.ts';

const { UPSERT, APPEND, SCHEMA } = fixturesOf({ search: false, isolated: true, format: 'iceberg' });
const MERGE = { textIndex: false, vectorIndex: false, compactFragments: true };
const DAY_MS = 86_400_000;

let folder: string;
let store: IcebergTableStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailwater-iceberg-'));
  store = await IcebergTableStore.open(folder);
});

afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

/** The newest version as its files say, read by nothing that wrote them. */
function loaded(table: Table, kind: 'rows' | 'changes' = 'rows'): Promise<IcebergTable> {
  const loader = new TableLoader(new LocalTableFiles(folder));
  return loader.load(`${table.definition.incarnation}/${kind}`, table.versions![kind]!);
}

function namesIn(...path: string[]): Promise<string[]> {
  return readdir(join(folder, UPSERT.incarnation, ...path));
}

describe('an Iceberg table', () => {
  test('drops a file of which every row has expired, and marks the rows of others as deleted', async () => {
    const table = new Table(store, UPSERT, SCHEMA);
    await table.commit(staging => staging.append({ rows: rowsOf(1, 4) }));
    await table.commit(staging => staging.append({ rows: rowsOf(5, 8) }));
    await table.commit(staging => staging.remove([1, 2, 5], []));
    expect((await loaded(table)).deletes).toHaveLength(1);
    await table.commit(staging => staging.remove([3, 4], []));
    const { data, deletes, metadata } = await loaded(table);
    expect(data.map(file => file.records)).toEqual([4]);
    expect(deletes.map(file => file.records)).toEqual([1]);
    expect(currentSnapshot(metadata)!.summary).toMatchObject({
      'deleted-data-files': '1',
      'total-records': '4',
      'total-position-deletes': '1',
    });
    await expectRows(await table.open(), rowsOf(6, 8));
  });

  test('says in its snapshot what it holds, what changed, and up to where', async () => {
    const table = new Table(store, UPSERT, SCHEMA);
    await table.commit(staging => staging.append({ rows: rowsOf(1, 6) }));
    const staging = await table.begin();
    await staging.takeKeys(['k1', 'k2'].map(utf8), [100, 100]);
    await staging.append({ rows: rowsOf(7, 8) });
    table.versions = (await staging.verify([2, 2], { hashed: 'all', watermark: [3, 3] })).versions;
    const { metadata } = await loaded(table);
    expect(currentSnapshot(metadata)!.summary).toMatchObject({
      operation: 'overwrite',
      'added-records': '2',
      'added-position-deletes': '2',
      'total-records': '8',
      'total-data-files': '2',
      'total-delete-files': '1',
      'total-position-deletes': '2',
      'tailwater.watermark': '[3,3]',
    });
    expect(metadata.snapshots.map(snapshot => snapshot['sequence-number'])).toEqual([1, 2]);
  });

  test('merges small files into one without the deleted rows, and only when that helps', async () => {
    const table = new Table(store, UPSERT, SCHEMA);
    for (let round = 0; round < 4; round++) {
      await table.commit(staging => staging.append({ rows: rowsOf(round * 5 + 1, round * 5 + 5) }));
    }
    await table.commit(staging => staging.takeKeys(['k3', 'k9'].map(utf8), [100, 100]));
    const rows = rowsOf(1, 20).filter(row => ![3, 9].includes(row.seq));
    expect((await loaded(table)).data).toHaveLength(4);
    await expectRows(await table.commit(staging => staging.optimize(MERGE)), rows);
    const { data, deletes, manifests, metadata } = await loaded(table);
    expect([data.map(file => file.records), deletes, manifests.length]).toEqual([[18], [], 2]);
    expect(currentSnapshot(metadata)!.summary).toMatchObject({
      operation: 'replace',
      'total-records': '18',
      'total-delete-files': '0',
    });
    const before = table.versions;
    await table.commit(staging => staging.optimize(MERGE));
    expect(table.versions).toEqual(before);
  });

  test('keeps the rows of a day, and of a bucket, in files of their own, through merges too', async () => {
    const partitionBy: (StreamDefinition['table'] & { format: 'iceberg' })['partitionBy'] = [
      { column: '_time', transform: 'day' },
      { column: 'id', transform: 'bucket', buckets: 4 },
    ];
    const table = new Table(store, { ...APPEND, table: { format: 'iceberg', partitionBy, sortBy: ['_time'] } }, SCHEMA);
    const rows = rowsOf(1, 60).map(row => rowOf(row.seq, { timeMs: row.timeMs + (row.seq % 3) * DAY_MS }));
    for (let from = 0; from < 60; from += 20)
      await table.commit(staging => staging.append({ rows: rows.slice(from, from + 20) }));
    const expected = new Map<string, number>();
    for (const { timeMs, key } of rows) {
      const tuple = JSON.stringify([Math.floor(timeMs / DAY_MS), (murmur32(key!) & 0x7fffffff) % 4]);
      expected.set(tuple, (expected.get(tuple) ?? 0) + 1);
    }
    const found = async (): Promise<Map<string, number>> => {
      const counts = new Map<string, number>();
      for (const { partition, records } of (await loaded(table)).data) {
        counts.set(JSON.stringify(partition), (counts.get(JSON.stringify(partition)) ?? 0) + records);
      }
      return counts;
    };
    expect(await found()).toEqual(expected);
    await expectRows(await table.commit(staging => staging.optimize(MERGE)), rows);
    expect(await found()).toEqual(expected);
    expect((await loaded(table)).data).toHaveLength(expected.size);
  });

  test('is found whole when its folder has moved', async () => {
    const table = new Table(store, UPSERT, SCHEMA);
    await table.commit(staging => staging.append({ rows: rowsOf(1, 5) }));
    await table.commit(staging => staging.takeKeys([utf8('k2')], [100]));
    const moved = await mkdtemp(join(tmpdir(), 'tailwater-moved-'));
    await cp(folder, moved, { recursive: true });
    const other = await IcebergTableStore.open(moved);
    await rm(join(folder, UPSERT.incarnation), { recursive: true });
    await expectRows(
      await other.open(UPSERT, table.versions!, SCHEMA),
      [1, 3, 4, 5].map(seq => rowOf(seq)),
    );
    await other.close();
    await rm(moved, { recursive: true });
  });

  test('may have columns with names that mean something to engines', async () => {
    const names = ['file_index', 'filename', 'file_row_number', 'group', 'select', 'c1', 'rows_1'];
    const columns = names.map(name => ({ name, path: name, type: 'int64' as const }));
    const table = new Table(store, UPSERT, { ...SCHEMA, columns });
    const rows = [1, 2, 3].map(seq =>
      rowOf(seq, { value: JSON.stringify(Object.fromEntries(names.map((name, at) => [name, seq * 10 + at]))) }),
    );
    await table.commit(staging => staging.append({ rows }));
    await table.commit(staging => staging.takeKeys([utf8('k2')], [100]));
    const version = await table.commit(staging => staging.optimize(MERGE));
    await expectRows(version, [rows[0], rows[2]]);
    for (const [at, name] of names.entries()) expect(await version.countRows(`\`${name}\` = ${30 + at}`)).toBe(1);
  });
});

describe('pruning an Iceberg table (C5)', () => {
  test('removes what lost and dead stagings left, and nothing of one that may still be committed', async () => {
    const table = new Table(store, UPSERT, SCHEMA);
    await table.commit(staging => staging.append({ rows: rowsOf(1, 5) }));
    const crashed = await table.begin();
    await crashed.append({ rows: rowsOf(100, 101) });
    const lost = await table.begin();
    await lost.append({ rows: rowsOf(200, 201) });
    await lost.verify([]);
    await table.commit(staging => staging.append({ rows: rowsOf(6, 8) }));
    const onItsWay = await table.begin();
    await onItsWay.append({ rows: rowsOf(9, 10) });
    const files = (await loaded(table)).data.map(file => file.name);
    await writeFile(join(folder, UPSERT.incarnation, 'rows', 'metadata', 'v2.metadata.json.abc.tmp'), 'half');
    await store.prune(UPSERT, [table.versions!]);
    const left = await namesIn('rows', 'data');
    expect(left).toEqual(expect.arrayContaining(files));
    expect(left).toHaveLength(files.length + 1);
    const versions = (await namesIn('rows', 'metadata')).filter(name => name.startsWith('v'));
    expect(versions).toEqual([`v${table.versions!.rows}.metadata.json`]);
    const facts = await onItsWay.verify([]);
    expect(facts.rowCount).toBe(10);
    await expectRows(await store.open(UPSERT, facts.versions, SCHEMA), rowsOf(1, 10));
    table.versions = facts.versions;
    await expectRows(await table.commit(staging => staging.optimize(MERGE)), rowsOf(1, 10));
    await store.prune(UPSERT, [table.versions]);
    expect(await namesIn('rows', 'data')).toHaveLength(1);
    expect(await scanned(await table.open())).toHaveLength(10);
  });
});

describe('Iceberg’s own arithmetic', () => {
  test('hashes as the specification’s examples do', () => {
    const long = Buffer.alloc(8);
    long.writeBigInt64LE(34n);
    expect(murmur32(long)).toBe(2017239379);
    expect(murmur32(utf8('iceberg'))).toBe(1210000089);
    expect(murmur32(new Uint8Array([0, 1, 2, 3]))).toBe(-188683207);
  });

  test('bounds of texts hold the text between them', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), text => {
        const [lower, upper] = [boundOf('string', text, 'lower')!, boundOf('string', text, 'upper')];
        expect(Buffer.compare(lower, Buffer.from(text))).toBeLessThanOrEqual(0);
        if (upper !== undefined) expect(Buffer.compare(upper, Buffer.from(text))).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test('bounds of times are microseconds, also before 1970', () => {
    expect(longOf(boundOf('timestamptz', '2023-11-14 22:13:20.004999+00', 'lower')!)).toBe(1_700_000_000_004_999n);
    expect(longOf(boundOf('timestamptz', '1969-12-31 23:59:59.5+00', 'upper')!)).toBe(-500_000n);
  });
});
