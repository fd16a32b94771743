import { isUtf8 } from 'node:buffer';
import { fromUtf8, type JsonValue } from '../base/index.ts';
import { readView } from '../features/index.ts';
import type { Searcher } from '../retrieval/index.ts';
import { lookupRow, type Pinned } from '../snapshot/index.ts';
import type { StreamRecord } from '../streams/index.ts';
import type { ContextItem, LegFreshness } from './context-types.ts';
import type { PlannedLeg } from './plan.ts';

/** The one instant of a call. */
export interface Instant {
  /** What counts as now. */
  atMs: number;
  /** In the order of the legs. */
  pinned: readonly Pinned[];
  /** Of each leg: up to there, records count as being in the table, wherever they are by now. */
  watermarks: readonly number[][];
}

export type Found = Pick<ContextItem, 'tier' | 'ageMs' | 'source' | 'ranks' | 'value'>;

export interface LegResult {
  found: Found[];
  skipped: LegFreshness['skipped'];
}

/** Feature values, best first as the view defines them: one item a view. */
export async function readFeatures(
  { reading }: PlannedLeg & { kind: 'features' },
  pinned: Pinned,
  atMs: number,
  state: Parameters<typeof readView>[3],
): Promise<LegResult> {
  const [{ values, details }] = await readView(reading, pinned, atMs, state);
  const ages = Object.values(details).flatMap(({ ageMs }) => (ageMs === null ? [] : [ageMs]));
  const item: Found = {
    tier: 'feature',
    ageMs: ages.length === 0 ? null : Math.min(...ages),
    source: { view: reading.name, version: reading.live.plan.version },
    ranks: {},
    value: values,
  };
  return { found: [item], skipped: [] };
}

/** The rows or records of a leg at the instant, best first. */
export async function readLeg(
  leg: Exclude<PlannedLeg, { kind: 'features' }>,
  pinned: Pinned,
  instant: { atMs: number; watermark: readonly number[] },
  searcher: Searcher,
): Promise<LegResult> {
  const itemOf = (record: StreamRecord, value: JsonValue, ranks: Found['ranks']): Found => ({
    tier: record.offset > instant.watermark[record.partition] ? 'tail' : 'table',
    ageMs: Math.max(0, instant.atMs - record.ingestedAtMs),
    source: { stream: pinned.definition.name, partition: record.partition, offset: record.offset, key: keyText(record.key) },
    ranks,
    value,
  });
  if (leg.kind === 'rows') {
    const rows = await Promise.all(leg.keyBytes.map(key => lookupRow(pinned, key)));
    const found = rows.flatMap(row => (row === null ? [] : [itemOf(row.record, contentOf(row.record), {})]));
    return { found, skipped: [] };
  }
  const { hits, skipped } = await searcher.searchAt(pinned, leg.search, instant.atMs);
  return { found: hits.map(({ record, selected, ranks }) => itemOf(record, selected ?? contentOf(record), ranks)), skipped };
}

function contentOf({ value }: StreamRecord): JsonValue {
  return value === null ? null : JSON.parse(fromUtf8(value));
}

function keyText(key: Uint8Array | null): string | null {
  if (key === null) return null;
  return isUtf8(key) ? fromUtf8(key) : `base64:${Buffer.from(key).toString('base64')}`;
}
