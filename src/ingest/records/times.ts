import { TailwaterError, valueAt } from '../../base/index.ts';
import type { StreamDefinition, TimeUnit } from '../../streams/index.ts';
import type { ParsedValue } from './input.ts';

const MILLISECONDS: Record<TimeUnit, number> = { s: 1000, ms: 1, us: 0.001 };
const MAX_DATE_MS = 8.64e15;

/**
 * The event time of a record, whole milliseconds: from the declared field, else as the record brings it (ISO 8601 or milliseconds), else its
 * arrival. Throws TW_EVENT_TIME.
 */
export function eventTimeOf(
  definition: StreamDefinition,
  given: unknown,
  parsed: ParsedValue,
  nowMs: number,
  maxFutureMs: number,
): number {
  const { time } = definition;
  let timeMs = nowMs;
  if (given !== undefined && given !== null) timeMs = readTime(given, 'ms', 'time');
  else if (time !== null && parsed.value !== null) timeMs = readTime(valueAt(parsed.value, time.field), time.unit, time.field);
  if (timeMs <= nowMs + maxFutureMs) return timeMs;
  throw new TailwaterError('TW_EVENT_TIME', {
    detail: `The event time ${describe(timeMs)} is more than ${maxFutureMs / 1000} s in the future. Is the unit of the time field right?`,
  });
}

function readTime(value: unknown, unit: TimeUnit, field: string): number {
  const timeMs =
    typeof value === 'number'
      ? Math.floor(value * MILLISECONDS[unit])
      : typeof value === 'string'
        ? Date.parse(value)
        : Number.NaN;
  if (Math.abs(timeMs) <= MAX_DATE_MS) return timeMs;
  throw new TailwaterError('TW_EVENT_TIME', {
    detail:
      value === undefined
        ? `The time field "${field}" is missing.`
        : `"${field}" is neither an ISO 8601 time nor a number of ${unit}.`,
  });
}

function describe(timeMs: number): string {
  return Math.abs(timeMs) <= MAX_DATE_MS ? new Date(timeMs).toISOString() : `${timeMs} ms`;
}
