import type { Clock } from '../../base/index.ts';
import {
  type ArrowData,
  type ArrowField,
  arrow,
  BytesReader,
  type ColumnBatch,
  decodePlan,
  fieldsOf,
  filterToSql,
  Int64Reader,
  isExactWithoutExtra,
  NumberReader,
  RowDecoder,
  recordBatch,
  recordColumns,
  type TableSchema,
} from '../../lakehouse/index.ts';
import { type Filter, matches } from '../../streams/index.ts';
import type { Pinned } from '../pinned.ts';
import type { TableView } from '../table-view.ts';
import { conditionsSql } from './conditions.ts';
import { hiddenKeys } from './hidden-keys.ts';
import { plainExtra } from './plain-extra.ts';
import { type ScanRows, shardOf } from './scan-rows.ts';
import { parsed } from './scan-schema.ts';
import type { ScanPlan } from './scan-types.ts';

/** Whether a row of a batch is wanted. */
type Test = (row: number) => boolean;
type TestOf = (dataOf: (column: string) => ArrowData, batch: ColumnBatch) => Test;

/** The rows of the table that the plan wants and the tail does not hide. */
export async function* tableRows(pinned: Pinned, view: TableView, plan: ScanPlan, clock: Clock): AsyncGenerator<ScanRows> {
  const { schema } = view.state;
  const tests = [hidingTest(await hiddenKeys(pinned, view, plan, clock)), shardTest(plan), filterTest(plan.filter, schema)];
  const fields = fieldsOf(schema, plan.columns);
  const present = plan.columns.filter((_, index) => fields[index] !== undefined);
  const columns = [...new Set([...present, ...(plan.ordered ? ['_seq'] : []), ...tests.flatMap(test => test?.columns ?? [])])];
  if (columns.length === 0) columns.push('_partition');
  const where = whereOf(plan, schema);
  const isDeclared = pinned.definition.schema !== null;
  for await (const batch of view.version.scanColumns({ columns, where, ordered: plan.ordered })) {
    const dataOf = (name: string): ArrowData => batch.columns[columns.indexOf(name)];
    const selected = select(
      batch,
      tests.map(test => test?.of(dataOf, batch)).filter(test => test !== undefined),
    );
    yield {
      ...selected,
      columns: plan.fields.map((field, index) => columnOf(field, fields[index], dataOf, batch.rows, isDeclared)),
      seqAt: seqReader(plan, dataOf),
    };
  }
}

function whereOf(plan: ScanPlan, schema: TableSchema): string | null {
  const parts = [
    plan.afterSeq >= 0 ? `_seq > ${plan.afterSeq}` : null,
    plan.filter === null ? null : filterToSql(plan.filter, schema),
    conditionsSql(plan.conditions, schema),
  ].filter(part => part !== null);
  return parts.length === 0 ? null : parts.join(' AND ');
}

function seqReader(plan: ScanPlan, dataOf: (column: string) => ArrowData): (position: number) => number {
  if (!plan.ordered) return () => -1;
  const seqs = new Int64Reader(dataOf('_seq'));
  return position => seqs.number(position);
}

function select(batch: ColumnBatch, tests: readonly Test[]): { selection: Uint32Array | null; count: number } {
  if (tests.length === 0) return { selection: null, count: batch.rows };
  const selection = new Uint32Array(batch.rows);
  let count = 0;
  for (let row = 0; row < batch.rows; row++) if (tests.every(test => test(row))) selection[count++] = row;
  return count === batch.rows ? { selection: null, count } : { selection, count };
}

/** A column as the scan's schema has it: the tail may have added it, or have widened it. */
function columnOf(
  wanted: ArrowField,
  found: ArrowField | undefined,
  dataOf: (column: string) => ArrowData,
  rows: number,
  isDeclared: boolean,
): ArrowData {
  if (found === undefined) return nulls(wanted, rows);
  const data = dataOf(found.name);
  if (found.name === '_extra' && !isDeclared) return plainExtra(data, rows);
  if (!arrow.DataType.isFloat(wanted.type) || !arrow.DataType.isInt(found.type)) return data;
  const integers = new Int64Reader(data);
  const values = Float64Array.from({ length: rows }, (_, row) => integers.number(row));
  return arrow.makeData({
    type: new arrow.Float64(),
    length: rows,
    nullCount: data.nullCount,
    nullBitmap: data.nullBitmap,
    data: values,
  });
}

function nulls({ type }: ArrowField, rows: number): ArrowData {
  const nullBitmap = new Uint8Array(((rows + 63) >> 6) << 3);
  const facts = { type: type as import('apache-arrow').Utf8, length: rows, nullCount: rows, nullBitmap };
  if (arrow.DataType.isUtf8(type))
    return arrow.makeData({ ...facts, valueOffsets: new Int32Array(rows + 1), data: new Uint8Array(0) });
  if (arrow.DataType.isFixedSizeList(type)) {
    const length = rows * type.listSize;
    const child = arrow.makeData({ type: new arrow.Float32(), length, nullCount: 0, data: new Float32Array(length) });
    return arrow.makeData({ type, length: rows, nullCount: rows, nullBitmap, child });
  }
  const data = arrow.DataType.isBool(type)
    ? nullBitmap
    : arrow.DataType.isFloat(type)
      ? new Float64Array(rows)
      : new BigInt64Array(rows);
  return arrow.makeData({ ...facts, data } as never);
}

interface RowTest {
  /** What it reads. */
  columns: readonly string[];
  of: TestOf;
}

function hidingTest(hidden: ReadonlySet<string> | null): RowTest | null {
  if (hidden === null) return null;
  return {
    columns: ['_key'],
    of: dataOf => {
      const keys = new BytesReader(dataOf('_key'));
      const bytes = Buffer.from(keys.bytes.buffer, keys.bytes.byteOffset, keys.bytes.byteLength);
      return row => keys.isNull(row) || !hidden.has(bytes.toString('latin1', keys.start(row), keys.end(row)));
    },
  };
}

function shardTest({ shard }: ScanPlan): RowTest | null {
  if (shard === null) return null;
  return {
    columns: ['_partition', '_offset'],
    of: dataOf => {
      const partitions = new NumberReader(dataOf('_partition'));
      const offsets = new Int64Reader(dataOf('_offset'));
      return row => shardOf(partitions.number(row), offsets.number(row), shard.count) === shard.index;
    },
  };
}

/** The SQL has left out what it could; the value itself decides where columns cannot tell. */
function filterTest(filter: Filter | null, schema: TableSchema): RowTest | null {
  if (filter === null) return null;
  const columns = recordColumns(schema);
  const fields = fieldsOf(schema, columns).map(field => field!);
  const plan = decodePlan(schema);
  const isExact = isExactWithoutExtra(filter, schema);
  return {
    columns,
    of: (dataOf, { rows }) => {
      const extra = dataOf('_extra');
      if (isExact && extra.nullCount === rows) return () => true;
      const extras = new BytesReader(extra);
      const decoder = new RowDecoder(plan, recordBatch(fields, { rows, columns: columns.map(dataOf) }));
      return row => (isExact && extras.isNull(row)) || matches(filter, parsed(decoder.row(row).value!));
    },
  };
}
