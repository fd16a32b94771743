import { keyText } from '../columns/encode-rows.ts';
import { textLiteral } from '../columns/sql.ts';
import type { ExpiryBounds } from '../table-store.ts';

/** A superset of the rows with these keys: keys that are not UTF-8 may share their text with another key. */
export function keysPredicate(keys: readonly Uint8Array[]): string {
  return `_key_text IN (${keys.map(key => textLiteral(keyText(key))).join(',')})`;
}

export function seqsPredicate(seqs: readonly number[]): string {
  return `_seq IN (${seqs.join(',')})`;
}

export function offsetsPredicate(partition: number, first: number, last: number): string {
  return `_partition = ${partition} AND _offset >= ${first} AND _offset <= ${last}`;
}

/** Rows above a watermark; partitions beyond it are above it whole. */
export function abovePredicate(watermark: readonly number[]): string {
  const parts = watermark.map((offset, partition) => `(_partition = ${partition} AND _offset > ${offset})`);
  return [...parts, `_partition >= ${watermark.length}`].join(' OR ');
}

/** Null: nothing can have expired. */
export function expiredPredicate(bounds: ExpiryBounds, kind: 'rows' | 'changes'): string | null {
  const { ingestedMs, timeMs, supersededMs, offsetsBelow } = bounds;
  const times: [string, number | null][] = [
    ['_ingested_at', ingestedMs],
    kind === 'rows' ? ['_time', timeMs] : ['_superseded_at', supersededMs],
  ];
  const parts = times.flatMap(([column, ms]) =>
    ms === null ? [] : [`${column} <= to_timestamp_micros(${Math.floor(ms) * 1000})`],
  );
  for (const [partition, offset] of (offsetsBelow ?? []).entries()) {
    if (offset > 0) parts.push(`(_partition = ${partition} AND _offset < ${offset})`);
  }
  return parts.length === 0 ? null : parts.join(' OR ');
}
