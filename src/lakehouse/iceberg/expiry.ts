import type { ExpiryBounds } from '../table-store.ts';
import { intOf, longOf, rangeOf } from './bounds.ts';
import { fieldNamed } from './fields.ts';
import type { IcebergField, TableFile } from './iceberg-types.ts';
import { readName } from './parquet-reader.ts';

/** Which rows have expired, and which files may hold such. */
interface ExpiryTest {
  /** In DuckDB's SQL. */
  where: string;
  mayHold(file: TableFile): boolean;
}

/** Null: nothing can have expired. */
export function expiryTest(bounds: ExpiryBounds, kind: 'rows' | 'changes', fields: readonly IcebergField[]): ExpiryTest | null {
  const { ingestedMs, timeMs, supersededMs, offsetsBelow } = bounds;
  const times: [string, number | null][] = [
    ['_ingested_at', ingestedMs],
    kind === 'rows' ? ['_time', timeMs] : ['_superseded_at', supersededMs],
  ];
  const below = [...(offsetsBelow ?? []).entries()].filter(([, offset]) => offset > 0);
  const tests = [
    ...times.flatMap(([name, ms]) => (ms === null ? [] : [untilTime(fieldNamed(fields, name), Math.floor(ms) * 1000)])),
    ...below.map(([partition, offset]) => belowOffset(fields, partition, offset)),
  ];
  if (tests.length === 0) return null;
  return {
    where: tests.map(test => test.where).join(' OR '),
    mayHold: file => tests.some(test => test.mayHold(file)),
  };
}

function untilTime(field: IcebergField, micros: number): ExpiryTest {
  return {
    where: `epoch_us(${readName(field)}) <= ${micros}`,
    mayHold: file => rangeOf(file, field.id, bytes => Number(longOf(bytes))).low <= micros,
  };
}

function belowOffset(fields: readonly IcebergField[], partition: number, offset: number): ExpiryTest {
  const [partitions, offsets] = [fieldNamed(fields, '_partition'), fieldNamed(fields, '_offset')];
  return {
    where: `(${readName(partitions)} = ${partition} AND ${readName(offsets)} < ${offset})`,
    mayHold: file => {
      const { low, high } = rangeOf(file, partitions.id, intOf);
      return low <= partition && partition <= high && rangeOf(file, offsets.id, bytes => Number(longOf(bytes))).low < offset;
    },
  };
}
