import type { ColumnCondition } from '../scan/scan-types.ts';

/** Between which event times, in microseconds since the epoch and inclusive, all rows lie for which every condition is true. */
export function timeRangeOf(conditions: readonly ColumnCondition[]): { low: number; high: number } {
  const range = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
  for (const { column, operator, value } of conditions) {
    if (column !== '_time' || typeof value !== 'object') continue;
    if (operator === '=' || operator === '>' || operator === '>=') range.low = Math.max(range.low, value.micros);
    if (operator === '=' || operator === '<' || operator === '<=') range.high = Math.min(range.high, value.micros);
  }
  return range;
}

const TIME = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,6}))?(Z|[+-]\d\d(?::\d\d)?)?)?$/;

/** The moment that DuckDB reads a text as, in microseconds; without a zone it is UTC's. Null for what it may read otherwise, or not at all. */
export function microsOf(text: string): number | null {
  const match = TIME.exec(text);
  if (match === null) return null;
  const [, date, time = '00:00', fraction = '', zone = 'Z'] = match;
  const dayMs = Date.parse(`${date}T00:00:00Z`);
  // JavaScript takes February 30 for a day in March.
  if (Number.isNaN(dayMs) || !new Date(dayMs).toISOString().startsWith(date)) return null;
  const ms = Date.parse(`${date}T${time.length === 5 ? `${time}:00` : time}${zone.length === 3 ? `${zone}:00` : zone}`);
  const micros = ms * 1000 + Number(fraction.padEnd(6, '0'));
  return Number.isSafeInteger(micros) ? micros : null;
}
