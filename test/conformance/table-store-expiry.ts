import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/index.ts';
import type { ExpiryBounds } from '../../src/lakehouse/index.ts';
import { expectRows, fixturesOf, LANCE_TRAITS, rowOf, rowsOf, seqsOf, Table, type TableTraits, written } from './table-rows.ts';
import type { TableWorld } from './table-store.ts';

const NOTHING: ExpiryBounds = { ingestedMs: null, timeMs: null, supersededMs: null, offsetsBelow: null };

/** What every implementation of the table port does about records that have expired. */
export function tableStoreExpiry(name: string, makeWorld: () => Promise<TableWorld>, traits: TableTraits = LANCE_TRAITS): void {
  const { UPSERT, APPEND, SCHEMA } = fixturesOf(traits);

  describe(`${name} lets records expire`, () => {
    let world: TableWorld;
    let upsert: Table;
    let append: Table;
    const [timeMs, ingestedMs] = [rowOf(1).timeMs, rowOf(1).ingestedAtMs];

    beforeEach(async () => {
      world = await makeWorld();
      upsert = new Table(world.store, UPSERT, SCHEMA);
      append = new Table(world.store, { ...APPEND, incarnation: 'append' }, SCHEMA);
    });

    afterEach(() => world.close());

    async function found(table: Table, bounds: Partial<ExpiryBounds>, limit = 100): Promise<[rows: number[], changes: number[]]> {
      const { rows, changes } = await (await table.open()).expired({ ...NOTHING, ...bounds }, limit);
      return [seqsOf(rows), seqsOf(changes)];
    }

    test('finds them by commit time, event time and offset, each up to and with the bound', async () => {
      await append.commit(staging => staging.append(written(rowsOf(1, 8))));
      expect(await found(append, {})).toEqual([[], []]);
      expect(await found(append, { ingestedMs: ingestedMs + 2 })).toEqual([[1, 2, 3], []]);
      expect(await found(append, { ingestedMs: ingestedMs - 1 })).toEqual([[], []]);
      expect(await found(append, { timeMs: timeMs + 1 })).toEqual([[1, 2], []]);
      expect(await found(append, { offsetsBelow: [1, 2] })).toEqual([[1, 2, 4], []]);
      expect(await found(append, { offsetsBelow: [0, 0] })).toEqual([[], []]);
      expect(await found(append, { timeMs, offsetsBelow: [0, 1] })).toEqual([[1, 2], []]);
      expect(await found(append, { supersededMs: ingestedMs + 9_999 })).toEqual([[], []]);
      expect((await found(append, { ingestedMs: ingestedMs + 9_999 }, 3))[0]).toHaveLength(3);
    });

    test('finds changes by when they were superseded, and rows never', async () => {
      await upsert.commit(async staging => {
        await staging.append(written(rowsOf(1, 4)));
        const superseded = [5, 6, 7].map(seq => ({ row: rowOf(seq, { key: 'k1' }), supersededAtMs: ingestedMs + seq * 10 }));
        await staging.appendChanges(superseded);
      });
      expect(await found(upsert, { supersededMs: ingestedMs + 60 })).toEqual([[], [5, 6]]);
      expect(await found(upsert, { timeMs: timeMs + 9_999 })).toEqual([[1, 2, 3, 4], []]);
      expect(await found(upsert, { ingestedMs: ingestedMs + 5 })).toEqual([
        [1, 2, 3, 4],
        [5, 6],
      ]);
      expect(await found(upsert, { offsetsBelow: [3, 0] })).toEqual([[1, 3], [5]]);
    });

    test('removes them for good from the next version, and from no version before it', async () => {
      const before = await upsert.commit(async staging => {
        await staging.append(written(rowsOf(1, 4)));
        await staging.appendChanges([{ row: rowOf(5, { key: 'k1' }), supersededAtMs: ingestedMs }]);
      });
      const after = await upsert.commit(staging => staging.remove([1, 4, 99], [5, 98]));
      await expectRows(after, [rowOf(2), rowOf(3)]);
      await expectRows(before, rowsOf(1, 4));
      expect(seqsOf(await after.byOffsets(0, 0, 10, 10))).toEqual([3]);
      expect(seqsOf(await before.byOffsets(0, 0, 10, 10))).toEqual([1, 3, 5]);
      expect(await after.byKeys([utf8('k1'), utf8('k2')])).toHaveLength(1);
      const facts = await (await upsert.begin()).verify([9, 9]);
      expect(facts).toMatchObject({ rowCount: 2, oldRowCount: 2, changeCount: 0 });
    });

    test('may leave a table without a row, which goes on', async () => {
      await append.commit(staging => staging.append(written(rowsOf(1, 3))));
      const empty = await append.commit(staging => staging.remove([1, 2, 3], []));
      await expectRows(empty, []);
      await expectRows(await append.commit(staging => staging.append(written([rowOf(4)]))), [rowOf(4)]);
    });
  });
}
