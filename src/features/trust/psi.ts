import type { JsonValue } from '../../base/index.ts';

/** Bins of a number, at deciles of the baseline. */
const NUMBER_BINS = 10;
/** The most frequent texts of the baseline that have a bin of their own. */
const MAX_CATEGORIES = 50;
/** What an empty bin counts as, so that the logarithm stays finite. */
const LEAST_SHARE = 0.0001;

/**
 * The population stability index of two samples: the sum over bins of (now - baseline) ln(now / baseline), in shares. Numbers have bins at the deciles of the
 * baseline (a value on an edge is in the bin above); texts and booleans one for each of the 50 most frequent values and one for
 * all others. Nulls are left out, lists and objects counted as their JSON. Null when either sample is empty.
 */
export function psi(baseline: readonly JsonValue[], now: readonly JsonValue[]): number | null {
  const before = baseline.filter(value => value !== null);
  const after = now.filter(value => value !== null);
  if (before.length === 0 || after.length === 0) return null;
  const binOf = before.every(value => typeof value === 'number') ? numberBins(before) : categoryBins(before);
  return stabilityIndex(sharesOf(before, binOf), sharesOf(after, binOf));
}

/** Of shares by bin. */
export function stabilityIndex(baseline: ReadonlyMap<string, number>, now: ReadonlyMap<string, number>): number {
  let index = 0;
  for (const bin of new Set([...baseline.keys(), ...now.keys()])) {
    const before = Math.max(baseline.get(bin) ?? 0, LEAST_SHARE);
    const after = Math.max(now.get(bin) ?? 0, LEAST_SHARE);
    index += (after - before) * Math.log(after / before);
  }
  return index;
}

function sharesOf(values: readonly JsonValue[], binOf: (value: JsonValue) => string): Map<string, number> {
  const shares = new Map<string, number>();
  for (const value of values) shares.set(binOf(value), (shares.get(binOf(value)) ?? 0) + 1 / values.length);
  return shares;
}

function numberBins(values: readonly number[]): (value: JsonValue) => string {
  const rising = values.toSorted((a, b) => a - b);
  const edges = Array.from(
    { length: NUMBER_BINS - 1 },
    (_, bin) => rising[Math.floor(((bin + 1) * rising.length) / NUMBER_BINS)],
  );
  const distinct = [...new Set(edges)];
  return value => (typeof value === 'number' ? String(distinct.filter(edge => edge <= value).length) : 'no number');
}

function categoryBins(values: readonly JsonValue[]): (value: JsonValue) => string {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(JSON.stringify(value), (counts.get(JSON.stringify(value)) ?? 0) + 1);
  const frequent = [...counts].sort(([a, first], [b, second]) => second - first || (a < b ? -1 : 1)).slice(0, MAX_CATEGORIES);
  const own = new Set(frequent.map(([text]) => text));
  return value => (own.has(JSON.stringify(value)) ? JSON.stringify(value) : 'others');
}
