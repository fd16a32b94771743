import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AdditiveHash, utf8 } from '../../src/base/index.ts';
import { filterToSql, type TableRow, type TableSchema, type TableStore } from '../../src/lakehouse/index.ts';
import { parseFilter } from '../../src/streams/index.ts';
import {
  expectRows,
  fixturesOf,
  LANCE_TRAITS,
  plain,
  rowOf,
  rowsOf,
  scanned,
  seqsOf,
  seqsWhere,
  sorted,
  Table,
  type TableTraits,
  written,
} from './table-rows.ts';

/** The data of one table store, and a second store over the same data, as another process would have it. */
export interface TableWorld {
  store: TableStore;
  other: TableStore;
  close(): Promise<void>;
}

const HOSTILE_KEYS = ["it's", '`tick`', 'a,b', '', 'ключ', '🦑', "''", 'x'.repeat(2_000), 'base64:/w=='];

/** What every implementation of the table port does with one staging after another. Races: `table-store-races.ts`. */
export function tableStoreConformance(
  name: string,
  makeWorld: () => Promise<TableWorld>,
  traits: TableTraits = LANCE_TRAITS,
): void {
  const { UPSERT, APPEND, SCHEMA } = fixturesOf(traits);
  describe(`${name} is a table store`, () => {
    let world: TableWorld;
    let upsert: Table;
    let append: Table;

    beforeEach(async () => {
      world = await makeWorld();
      upsert = new Table(world.store, UPSERT, SCHEMA);
      append = new Table(world.store, { ...APPEND, incarnation: 'append' }, SCHEMA);
    });

    afterEach(() => world.close());

    describe('a table', () => {
      test('begins without a row, and every read of it finds nothing', async () => {
        const version = await upsert.commit(async () => {});
        expect(await scanned(version)).toEqual([]);
        expect(await version.countRows()).toBe(0);
        expect(await version.byKeys([utf8('a')])).toEqual([]);
        expect(await version.byOffsets(0, 0, 100, 10)).toEqual([]);
        expect(await version.searchText('note', 10, null)).toEqual([]);
        expect(await version.searchVector(new Float32Array([1, 0, 0]), 10, null)).toEqual([]);
      });

      test('gives rows back whole: keys of any bytes, headers in order, microseconds, no key at all', async () => {
        const headers = [
          { name: 'trace', value: utf8('1') },
          { name: 'trace', value: new Uint8Array([0xff, 0]) },
          { name: '', value: null },
        ];
        const rows = [rowOf(1, { headers, timeMs: 1_767_225_600_000.25 }), { ...rowOf(2), key: new Uint8Array([0xff, 0x00]) }];
        const keyless = { ...rowOf(3), key: null };
        const version = await append.commit(staging => staging.append(written([...rows, keyless])));
        await expectRows(version, [...rows, keyless]);
      });

      test('does not keep the caller’s buffers', async () => {
        const row = rowOf(1);
        const expected = plain(row);
        const staging = await append.begin();
        await staging.append(written([row]));
        row.value!.fill(0);
        row.key!.fill(0);
        const { versions } = await staging.verify([]);
        expect((await scanned(await append.open(versions))).map(plain)).toEqual([expected]);
      });

      test('leftovers of an attempt that was never committed are not in the next one', async () => {
        await (await upsert.begin()).append(written(rowsOf(1, 3)));
        const version = await upsert.commit(staging => staging.append(written(rowsOf(4, 5))));
        await expectRows(version, rowsOf(4, 5));
        await (await upsert.begin()).takeKeys([utf8('k4')], [100]);
        await expectRows(await upsert.commit(staging => staging.append(written(rowsOf(6, 6)))), rowsOf(4, 6));
      });

      test('that is dropped is gone, and its incarnation is free', async () => {
        await upsert.commit(staging => staging.append(written(rowsOf(1, 3))));
        const old = upsert.versions!;
        await world.store.drop(UPSERT.incarnation);
        await expect(upsert.open(old)).rejects.toMatchObject({ code: 'TW_HISTORY_EXPIRED' });
        upsert.versions = null;
        await expectRows(await upsert.commit(staging => staging.append(written(rowsOf(7, 8)))), rowsOf(7, 8));
        await world.store.drop('never-there');
      });

      test('is the same through another store over the same data', async () => {
        await upsert.commit(staging => staging.append(written(rowsOf(1, 5))));
        await expectRows(await world.other.open(UPSERT, upsert.versions!, SCHEMA), rowsOf(1, 5));
      });
    });

    describe('a staged change', () => {
      test('is invisible to opened versions, whichever step it takes (C1)', async () => {
        const opened = await upsert.commit(staging => staging.append(written(rowsOf(1, 6))));
        const base = upsert.versions!;
        const staging = await upsert.begin();
        const taken = await staging.takeKeys([utf8('k1'), utf8('k2')], [100, 100]);
        await staging.appendChanges(taken.map(row => ({ row, supersededAtMs: row.ingestedAtMs + 1 })));
        await staging.evolve(widened(SCHEMA));
        await staging.append(written(rowsOf(7, 9)));
        if (traits.search) await staging.setVectors([3], new Float32Array([0, 1, 0]));
        await staging.optimize({ textIndex: true, vectorIndex: true, compactFragments: true });
        await staging.verify([]);
        for (const version of [opened, await upsert.open(base), await world.other.open(UPSERT, base, SCHEMA)]) {
          await expectRows(version, rowsOf(1, 6));
          expect((await version.byOffsets(0, 0, 100, 100)).map(row => row.seq)).toEqual([1, 3, 5]);
          expect(await version.searchVector(new Float32Array([0, 1, 0]), 5, null)).toEqual([]);
        }
      });

      test('that changes nothing keeps the versions of its base', async () => {
        await upsert.commit(staging => staging.append(written(rowsOf(1, 2))));
        const staging = await upsert.begin();
        await staging.evolve(SCHEMA);
        await staging.append(written([]));
        expect(await staging.takeKeys([utf8('absent')], [100])).toEqual([]);
        await staging.appendChanges([]);
        expect((await staging.verify([])).versions).toEqual(upsert.versions);
      });

      test('starts from the version it is told, also when that is not the newest', async () => {
        await append.commit(staging => staging.append(written(rowsOf(1, 2))));
        const base = append.versions!;
        await append.commit(staging => staging.append(written(rowsOf(3, 4))));
        append.versions = base;
        await expectRows(await append.commit(staging => staging.append(written(rowsOf(5, 6)))), [
          ...rowsOf(1, 2),
          ...rowsOf(5, 6),
        ]);
      });
    });

    describe('takeKeys (C6)', () => {
      test('returns and removes exactly the rows of these keys below their seqs', async () => {
        await upsert.commit(staging => staging.append(written(rowsOf(1, 5))));
        let taken: TableRow[] = [];
        const version = await upsert.commit(async staging => {
          taken = await staging.takeKeys(['k1', 'k2', 'k3', 'absent'].map(utf8), [100, 2, 4, 100]);
        });
        expect(sorted(taken)).toEqual(sorted([rowOf(1), rowOf(3)]));
        await expectRows(version, [rowOf(2), rowOf(4), rowOf(5)]);
      });

      test('finds keys that are hostile to SQL, and only the one of two keys with the same text', async () => {
        const rows = HOSTILE_KEYS.map((key, index) => rowOf(index + 1, { key }));
        const binary = { ...rowOf(rows.length + 1), key: new Uint8Array([0xff]) };
        const version = await upsert.commit(staging => staging.append(written([...rows, binary])));
        for (const row of [...rows, binary]) expect((await version.byKeys([row.key!])).map(plain)).toEqual([plain(row)]);
        let taken: TableRow[] = [];
        await upsert.commit(async staging => {
          taken = await staging.takeKeys([binary.key, utf8("it's")], [100, 100]);
        });
        expect(sorted(taken)).toEqual(sorted([rows[0], binary]));
      });
    });

    describe('changes', () => {
      test('are in offset order with the rows, tombstones too, and in no other read', async () => {
        await upsert.commit(staging => staging.append(written(rowsOf(1, 6))));
        const tombstone = rowOf(7, { key: 'k3', value: null });
        const version = await upsert.commit(async staging => {
          const taken = await staging.takeKeys([utf8('k3')], [7]);
          await staging.appendChanges([...taken, tombstone].map(row => ({ row, supersededAtMs: tombstone.ingestedAtMs })));
        });
        const expected = [rowOf(1), rowOf(3), rowOf(5), tombstone];
        expect((await version.byOffsets(0, 0, 100, 100)).map(plain)).toEqual(expected.map(plain));
        expect((await version.byOffsets(0, 1, 3, 2)).map(plain)).toEqual([rowOf(3), rowOf(5)].map(plain));
        await expectRows(
          version,
          [1, 2, 4, 5, 6].map(seq => rowOf(seq)),
        );
        expect(await version.countRows()).toBe(5);
        expect(await version.byKeys([utf8('k3')])).toEqual([]);
        expect(seqsOf(await version.searchText('3', 10, null))).toEqual([]);
      });

      test('are no part of an append stream', async () => {
        const staging = await append.begin();
        await expect(staging.appendChanges([{ row: rowOf(1), supersededAtMs: 0 }])).rejects.toMatchObject({
          code: 'TW_INTERNAL',
        });
        expect((await staging.verify([])).versions.changes).toBeNull();
      });
    });

    describe('byOffsets', () => {
      test('gives the first rows of a range, across holes of any width, of one partition', async () => {
        const offsets = [0, 1, 5, 900, 901, 1_000_000];
        const rows = offsets.flatMap((offset, index) =>
          [0, 1].map(partition => rowOf(index * 2 + partition + 1, { partition, offset })),
        );
        const version = await append.commit(staging => staging.append(written([...rows].reverse())));
        const found = async (...range: [number, number, number]) => (await version.byOffsets(1, ...range)).map(row => row.offset);
        expect(await found(0, 2_000_000, 100)).toEqual(offsets);
        expect(await found(1, 901, 3)).toEqual([1, 5, 900]);
        expect(await found(2, 4, 5)).toEqual([]);
        expect(await found(902, 1_000_000, 1)).toEqual([1_000_000]);
        expect(await version.byOffsets(7, 0, 100, 5)).toEqual([]);
      });
    });

    describe('scan', () => {
      test('gives every row once, in batches of at most the size asked for', async () => {
        const version = await append.commit(async staging => {
          await staging.append(written(rowsOf(1, 10)));
          await staging.append(written(rowsOf(11, 13)));
        });
        const sizes: number[] = [];
        const seqs: number[] = [];
        for await (const batch of version.scan({ batchRows: 4 })) {
          sizes.push(batch.length);
          seqs.push(...seqsOf(batch));
        }
        expect(Math.max(...sizes)).toBeLessThanOrEqual(4);
        expect(seqs.sort((a, b) => a - b)).toEqual(seqsOf(rowsOf(1, 13)));
      });

      test.runIf(traits.search)(
        'gives what rows are searched by, when asked: text and vector, null where a row has none',
        async () => {
          const rows = [rowOf(1), rowOf(2, { value: '{"price":2}' }), rowOf(3)];
          const version = await append.commit(staging => staging.append(written(rows, [[1, 0, 0], null, [0, 2, -1]])));
          const given: { seq: number; text: string | null; vector: number[] | null }[] = [];
          for await (const batch of version.scanIndexable({ where: '`price` >= 1', batchRows: 2 })) {
            for (const { row, text, vector } of batch) given.push({ seq: row.seq, text, vector: vector && [...vector] });
          }
          expect(given.sort((one, other) => one.seq - other.seq)).toEqual([
            { seq: 1, text: 'note 1', vector: [1, 0, 0] },
            { seq: 2, text: null, vector: null },
            { seq: 3, text: 'note 3', vector: [0, 2, -1] },
          ]);
        },
      );

      test.each([
        [{ price: { $gte: 3 } }, [3, 4, 5, 6]],
        [{ price: { $in: [1, 6, 99] } }, [1, 6]],
        [{ $or: [{ id: 'k2' }, { price: 5 }] }, [2, 5]],
        [{ text: { $contains: 'note' }, price: { $lt: 3 } }, [1, 2]],
        [{ $not: { price: { $gt: 2 } } }, [1, 2]],
        [{ id: "k1' OR '1'='1" }, []],
      ])('and countRows keep what a condition keeps: %j', async (filter, seqs) => {
        const version = await append.commit(staging => staging.append(written(rowsOf(1, 6))));
        const where = filterToSql(parseFilter(filter), SCHEMA)!;
        expect(await seqsWhere(version, where)).toEqual(seqs);
        expect(await version.countRows(where)).toBe(seqs.length);
        expect(await version.countRows(null)).toBe(6);
      });
    });

    describe.runIf(traits.search)('searchText', () => {
      test.each([false, true])(
        'finds every row with a term of the query, best first, within a condition (index refreshed: %s)',
        async indexed => {
          const texts = ['harbour tide', 'tide tide tide', 'anchor', 'the HARBOUR', 'storm'];
          const rows = texts.map((text, index) =>
            rowOf(index + 1, { value: JSON.stringify({ id: `k${index + 1}`, text, price: index + 1 }) }),
          );
          const version = await append.commit(async staging => {
            await staging.append(written([...rows, rowOf(6, { value: '{"price":6}' })]));
            if (indexed) await staging.optimize({ textIndex: true, vectorIndex: false, compactFragments: true });
          });
          const found = await version.searchText('harbour tide', 10, null);
          expect(seqsOf(found)).toEqual([1, 2, 4]);
          expect(found[0].text).toBe('harbour tide');
          expect(seqsOf(await version.searchText('harbour tide', 1, null))).toEqual([1]);
          expect(seqsOf(await version.searchText('tide', 10, filterToSql(parseFilter({ price: { $gt: 1 } }), SCHEMA)))).toEqual([
            2,
          ]);
          expect(await version.searchText('absent', 10, null)).toEqual([]);
          expect(sorted(found)).toEqual(sorted([rows[0], rows[1], rows[3]]));
        },
      );
    });

    describe.runIf(traits.search)('searchVector', () => {
      const vectors = [[1, 0, 0], null, [0, 2, 0], [3, 4, 0], [-1, 0, 0], null];
      const query = new Float32Array([1, 0, 0]);

      test('gives the nearest rows by exact cosine distance; rows without a vector never', async () => {
        const version = await append.commit(staging => staging.append(written(rowsOf(1, 6), vectors)));
        const found = await version.searchVector(query, 10, null);
        expect(found.map(row => row.seq)).toEqual([1, 4, 3, 5]);
        for (const [index, distance] of [0, 0.4, 1, 2].entries()) expect(found[index].distance).toBeCloseTo(distance, 6);
        expect((await version.searchVector(query, 2, null)).map(row => row.seq)).toEqual([1, 4]);
        const where = filterToSql(parseFilter({ price: { $gte: 2 } }), SCHEMA);
        expect((await version.searchVector(query, 2, where)).map(row => row.seq)).toEqual([4, 3]);
      });

      test('setVectors fills the rows of these seqs, keeps all else of them, and leaves the others null (C7)', async () => {
        await append.commit(staging => staging.append(written(rowsOf(1, 6), vectors)));
        const version = await append.commit(staging => staging.setVectors([2, 404], new Float32Array([1, 1, 0, 9, 9, 9])));
        expect((await version.searchVector(query, 10, null)).map(row => row.seq)).toEqual([1, 2, 4, 3, 5]);
        await expectRows(version, rowsOf(1, 6));
        expect(seqsOf(await version.searchText('2', 10, null))).toEqual([2]);
      });
    });

    describe('evolve', () => {
      test('adds columns and widens int64 to float64 without changing a byte of the rows', async () => {
        const before = [
          ...rowsOf(1, 3),
          rowOf(4, { value: '{"id":"k4","price":-9007199254740991}' }),
          rowOf(5, { value: '{"price":1.0}' }),
        ];
        const after = [rowOf(6, { value: '{"price":0.5,"flag":true}' }), rowOf(7, { value: '{"price":7,"flag":null}' })];
        await upsert.commit(async staging => {
          await staging.append(written(before));
          await staging.appendChanges([{ row: rowOf(8, { value: '{"price":8}' }), supersededAtMs: 1 }]);
        });
        const version = await upsert.commit(async staging => {
          await staging.evolve(widened(SCHEMA));
          await staging.append(written(after));
          await staging.appendChanges([{ row: rowOf(9, { value: '{"price":9.25,"flag":false}' }), supersededAtMs: 1 }]);
        }, widened(SCHEMA));
        await expectRows(version, [...before, ...after]);
        const changed = await version.byOffsets(0, 4, 4, 1);
        expect(changed.map(row => Buffer.from(row.value!).toString())).toEqual(['{"price":9.25,"flag":false}']);
        const where = (filter: Parameters<typeof parseFilter>[0]) => filterToSql(parseFilter(filter), upsert.schema)!;
        expect(await seqsWhere(version, where({ price: { $gt: 0.25, $lt: 3 } }))).toEqual([1, 2, 5, 6]);
        expect(await seqsWhere(version, where({ flag: true }))).toEqual([6]);
      });
    });

    describe('optimize', () => {
      test('changes no row, and is verified by equal counts and hashes (C5)', async () => {
        for (let seq = 1; seq <= 6; seq++) await upsert.commit(staging => staging.append(written([rowOf(seq)], [[seq, 1, 0]])));
        const before = await (await upsert.begin()).verify([]);
        const staging = await upsert.begin();
        await staging.optimize({ textIndex: true, vectorIndex: true, compactFragments: true });
        const after = await staging.verify([]);
        expect({ ...after, versions: null }).toEqual({ ...before, versions: null });
        const version = await upsert.open(after.versions);
        await expectRows(version, rowsOf(1, 6));
        if (!traits.search) return;
        expect(seqsOf(await version.searchText('note', 10, null))).toEqual([1, 2, 3, 4, 5, 6]);
        expect((await version.searchVector(new Float32Array([0, 1, 0]), 2, null)).map(row => row.seq)).toEqual([1, 2]);
      });
    });

    describe('verify (C2)', () => {
      test('counts and hashes rows and changes, apart for those at or below a watermark', async () => {
        await upsert.commit(staging => staging.append(written(rowsOf(1, 6))));
        const staging = await upsert.begin();
        const taken = await staging.takeKeys([utf8('k2')], [100]);
        await staging.appendChanges(taken.map(row => ({ row, supersededAtMs: 1 })));
        await staging.append(written([...rowsOf(7, 8), rowOf(9, { value: '{ "price":  1}' })]));
        const rows = [1, 3, 4, 5, 6, 7, 8, 9].map(seq => rowOf(seq));
        const old = rows.filter(row => row.seq <= 6);
        const counts = { rowCount: 8, oldRowCount: 5, changeCount: 1, rawCount: 1, changesHash: hashOf([rowOf(2)]) };
        expect(await staging.verify([2, 2])).toMatchObject({
          ...counts,
          hashed: 'all',
          rowsHash: hashOf(rows),
          oldRowsHash: hashOf(old),
        });
        expect(await staging.verify([2])).toMatchObject({ ...counts, oldRowCount: 3 });
        expect(await staging.verify([2, 2], { hashed: 'new' })).toMatchObject({
          ...counts,
          hashed: 'new',
          rowsHash: hashOf(rows.filter(row => row.seq > 6)),
          oldRowsHash: hashOf([]),
          changesHash: hashOf([]),
        });
      });
    });

    describe('prune', () => {
      test('keeps what it is told; what is older is TW_HISTORY_EXPIRED, never another answer', async () => {
        const history = [];
        for (let seq = 1; seq <= 5; seq++) {
          await upsert.commit(async staging => {
            await staging.append(written([rowOf(seq)]));
            await staging.appendChanges([{ row: rowOf(seq + 10), supersededAtMs: 1 }]);
            if (seq === 3) await staging.optimize({ textIndex: true, vectorIndex: false, compactFragments: true });
          });
          history.push(upsert.versions!);
        }
        const early = await upsert.open(history[0]);
        await world.store.prune(UPSERT, []);
        await expectRows(await upsert.open(history[0]), rowsOf(1, 1));
        await world.store.prune(UPSERT, [history[4], history[2]]);
        for (const kept of [2, 4]) {
          const version = await world.other.open(UPSERT, history[kept], SCHEMA);
          await expectRows(version, rowsOf(1, kept + 1));
          expect(await version.byOffsets(0, 0, 100, 100)).toHaveLength(kept + 2);
        }
        await expect(world.other.open(UPSERT, history[0], SCHEMA)).rejects.toMatchObject({ code: 'TW_HISTORY_EXPIRED' });
        for (const old of [0, 1]) {
          const answer = old === 0 ? scanned(early) : upsert.open(history[old]).then(scanned);
          const found = await answer.catch(error => error);
          if (found instanceof Error) expect(found).toMatchObject({ code: 'TW_HISTORY_EXPIRED' });
          else expect(sorted(found)).toEqual(sorted(rowsOf(1, old + 1)));
        }
        await expectRows(await upsert.commit(staging => staging.append(written([rowOf(6)]))), rowsOf(1, 6));
      });

      test('of versions that never were, opening is TW_HISTORY_EXPIRED', async () => {
        await upsert.commit(staging => staging.append(written(rowsOf(1, 2))));
        await expect(upsert.open({ rows: 4_000, changes: upsert.versions!.changes })).rejects.toMatchObject({
          code: 'TW_HISTORY_EXPIRED',
        });
      });
    });
  });
}

export function hashOf(rows: readonly TableRow[]): string {
  const hash = new AdditiveHash();
  for (const { partition, offset } of rows) hash.add(partition, offset);
  return hash.toString();
}

/** The next schema: a price may be a fraction, and there is a flag. */
function widened(schema: TableSchema): TableSchema {
  const columns = schema.columns.map(column => (column.name === 'price' ? { ...column, type: 'float64' as const } : column));
  return { ...schema, id: schema.id + 1, columns: [...columns, { name: 'flag', path: 'flag', type: 'bool' }] };
}
