import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { JsonValue } from '../../src/base/index.ts';
import {
  arrow,
  type ColumnBatch,
  fieldsOf,
  recordBatch,
  type TableRow,
  type TableSchema,
  type TableVersion,
} from '../../src/lakehouse/index.ts';
import { fixturesOf, LANCE_TRAITS, rowOf, rowsOf, Table, type TableTraits, written } from './table-rows.ts';
import type { TableWorld } from './table-store.ts';

type Cells = Record<string, unknown>;

/** The cells of a column scan as JavaScript values, by Arrow's own accessors. */
async function cellsOf(
  version: TableVersion,
  schema: TableSchema,
  options: Parameters<TableVersion['scanColumns']>[0],
): Promise<Cells[]> {
  const fields = fieldsOf(schema, options.columns).map(field => field!);
  const rows: Cells[] = [];
  for await (const batch of version.scanColumns(options)) {
    checkBuffers(batch);
    const table = new arrow.Table([recordBatch(fields, batch)]);
    for (const row of table) rows.push(Object.fromEntries(options.columns.map(name => [name, plainCell(row?.[name])])));
  }
  return rows;
}

/** Readers of batches count on these. */
function checkBuffers({ rows, columns }: ColumnBatch): void {
  for (const data of columns) {
    expect(data.length).toBe(rows);
    expect(data.offset).toBe(0);
  }
}

function plainCell(cell: unknown): unknown {
  if (typeof cell === 'bigint') return Number(cell);
  return cell instanceof Uint8Array ? Buffer.from(cell).toString() : (cell ?? null);
}

/** What the columns must hold, from the row itself. */
function expectedCells(row: TableRow, columns: readonly string[]): Cells {
  const value: Record<string, JsonValue> = JSON.parse(Buffer.from(row.value!).toString());
  const system: Cells = {
    _partition: row.partition,
    _offset: row.offset,
    _seq: row.seq,
    _key: Buffer.from(row.key!).toString(),
    _key_text: Buffer.from(row.key!).toString(),
    _time: row.timeMs,
    _ingested_at: row.ingestedAtMs,
    _text: value.text ?? null,
  };
  return Object.fromEntries(columns.map(name => [name, name in system ? system[name] : (value[name] ?? null)]));
}

const COLUMNS = ['price', '_seq', 'id', '_key', '_offset', '_partition', '_time', '_key_text', '_ingested_at', '_text'];

/** What every implementation of the table port does when it is read by column. */
export function tableStoreColumns(name: string, makeWorld: () => Promise<TableWorld>, traits: TableTraits = LANCE_TRAITS): void {
  const { UPSERT, APPEND, SCHEMA } = fixturesOf(traits);
  const columns = COLUMNS.filter(column => traits.search || column !== '_text');

  describe(`${name} is read by column`, () => {
    let world: TableWorld;
    let upsert: Table;
    let append: Table;

    beforeEach(async () => {
      world = await makeWorld();
      upsert = new Table(world.store, UPSERT, SCHEMA);
      append = new Table(world.store, { ...APPEND, incarnation: 'append' }, SCHEMA);
    });

    afterEach(() => world.close());

    test('with the cells of every row, in the order of the names, nulls where a row has no such field', async () => {
      const rows = [...rowsOf(1, 5), rowOf(6, { value: '{"id":"k6"}' }), rowOf(7, { value: '{"price":"dear","text":"x"}' })];
      const version = await append.commit(staging => staging.append(written(rows)));
      const found = await cellsOf(version, SCHEMA, { columns, ordered: true });
      expect(found).toEqual(rows.map(row => ({ ...expectedCells(row, columns), ...(row.seq === 7 ? { price: null } : {}) })));
      expect(await cellsOf(version, SCHEMA, { columns: ['_extra', '_seq'], where: '_extra IS NOT NULL' })).toEqual([
        { _extra: '{"price":"dear"}', _seq: 7 },
      ]);
    });

    test('without a row, without a batch; of many rows, each once', async () => {
      const empty = await append.commit(async () => {});
      expect(await cellsOf(empty, SCHEMA, { columns: ['id'], ordered: true })).toEqual([]);
      const version = await append.commit(staging => staging.append(written(rowsOf(1, 2_500))));
      const found = await cellsOf(version, SCHEMA, { columns: ['_seq'] });
      expect(found.map(row => Number(row._seq)).sort((a, b) => a - b)).toEqual(rowsOf(1, 2_500).map(row => row.seq));
    });

    test('in rising _seq when that is asked for, although rows were moved, taken and merged', async () => {
      await upsert.commit(staging => staging.append(written(rowsOf(1, 6), [null, [1, 0, 0]])));
      if (traits.search) await upsert.commit(staging => staging.setVectors([2, 4], new Float32Array([1, 1, 0, 9, 9, 9])));
      await upsert.commit(async staging => {
        await staging.takeKeys([new Uint8Array(Buffer.from('k3'))], [100]);
        await staging.append(written(rowsOf(7, 8)));
      });
      const version = await upsert.commit(staging =>
        staging.optimize({ textIndex: true, vectorIndex: false, compactFragments: true }),
      );
      const kept = [1, 2, 4, 5, 6, 7, 8];
      const all = await cellsOf(version, SCHEMA, { columns, ordered: true });
      expect(all).toEqual(kept.map(seq => expectedCells(rowOf(seq), columns)));
      const some = await cellsOf(version, SCHEMA, { columns: ['id', '_seq'], ordered: true, where: '_seq > 2 AND `price` <> 6' });
      expect(some).toEqual([4, 5, 7, 8].map(seq => expectedCells(rowOf(seq), ['id', '_seq'])));
      const bounds = [rowOf(2), rowOf(7)].map(({ timeMs }) => `to_timestamp_micros(${timeMs * 1000})`);
      const between = `_time > ${bounds[0]} AND \`_time\` <= ${bounds[1]} AND _ingested_at <> ${bounds[0]}`;
      const then = await cellsOf(version, SCHEMA, { columns: ['_seq'], ordered: true, where: between });
      const isThen = ({ timeMs, ingestedAtMs }: TableRow): boolean =>
        timeMs > rowOf(2).timeMs && timeMs <= rowOf(7).timeMs && ingestedAtMs !== rowOf(2).timeMs;
      expect(then).toEqual(kept.filter(seq => isThen(rowOf(seq))).map(seq => ({ _seq: seq })));
      expect(then.length).toBeGreaterThan(0);
    });

    test('with vectors, and with the types that the schema gives after it was widened', async () => {
      const schema: TableSchema = {
        ...SCHEMA,
        id: 2,
        columns: [...SCHEMA.columns.map(column => (column.name === 'price' ? { ...column, type: 'float64' as const } : column))],
      };
      await append.commit(staging => staging.append(written(rowsOf(1, 2), [[1, 2, 3], null])));
      const version = await append.commit(async staging => {
        await staging.evolve(schema);
        await staging.append(written([rowOf(3, { value: '{"price":0.5}' })]));
      }, schema);
      expect(await cellsOf(version, schema, { columns: ['price'], ordered: true })).toEqual([
        { price: 1 },
        { price: 2 },
        { price: 0.5 },
      ]);
      if (!traits.search) return;
      const vectors: unknown[] = [];
      for await (const { columns, rows } of version.scanColumns({ columns: ['_embedding'], ordered: true })) {
        const vector = new arrow.Vector([columns[0]]);
        for (let row = 0; row < rows; row++)
          vectors.push(vector.get(row) === null ? null : [...(vector.get(row) as Iterable<number>)]);
      }
      expect(vectors).toEqual([[1, 2, 3], null, null]);
    });
  });
}
