import type { JsonValue } from '../../base/index.ts';
import type { InputSlice } from './input-slice.ts';
import type { Slider } from './slider.ts';

/** What a row holds of an event for one aggregation; null: the event does not count in it. */
export type Input = JsonValue;

/**
 * The state of one aggregation over a set of events. Events are added in any order and states of disjoint sets are merged in any
 * way: the result is the same. Ties of event time are ordered by `seq`, the ingest position.
 */
export interface Fold {
  add(input: Input, timeMs: number, seq: number): void;
  /** Takes in another state of the same aggregation, which is not changed and shares nothing with this one afterwards. */
  merge(other: Fold): void;
  /** Takes out what was added, or what was not (its opposite remains). Absent where that cannot be. */
  retract?(input: Input, timeMs: number, seq: number): void;
  /** Of at least one event, as of an instant that is not before any of them. */
  result(atMs: number): JsonValue;
  /** Gives up what no instant from `sinceMs` on needs. */
  forget?(sinceMs: number): void;
  encode(): JsonValue;
}

/** One kind of aggregation with its parameters. */
export interface Aggregation {
  /** The input of a value; null when it does not count, as null and what is of another type never does. */
  inputOf(value: JsonValue | undefined): Input | null;
  create(): Fold;
  /** The inverse of `encode`. */
  restore(encoded: JsonValue): Fold;
  /** A better way over a window that only moves forward than adding and retracting; absent: there is none. */
  slide?(): Slider;
  /** Results of ranges of rows of which at least one counts, better yet; absent or null: not of this input. */
  ranges?(input: InputSlice): ((from: number, to: number) => JsonValue) | null;
  /** Retracting and sliding are exact only while there were at most so many distinct values; absent: always. */
  exactUpTo?: number;
  /** The result changes as time passes, without an event. */
  ages?: true;
}

/** Sums, and squares of what is summed, stay far from overflow; larger numbers do not count. */
const MAX_SUMMAND = 1e140;

export function summand(value: JsonValue | undefined): number | null {
  return typeof value === 'number' && Math.abs(value) <= MAX_SUMMAND ? value : null;
}

export function finite(value: JsonValue | undefined): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value + 0 : null;
}

export function anything(value: JsonValue | undefined): JsonValue | null {
  return value ?? null;
}

/** For aggregations to which it does not matter which value it is. */
export function presence(value: JsonValue | undefined): true | null {
  return value === undefined || value === null ? null : true;
}

export type Scalar = string | number | boolean;

export function scalar(value: JsonValue | undefined): Scalar | null {
  if (typeof value === 'number') return finite(value);
  return typeof value === 'string' || typeof value === 'boolean' ? value : null;
}

/** Booleans before numbers before texts; texts by UTF-16 code unit. */
export function compareScalars(a: Scalar, b: Scalar): number {
  const rank = rankOf(a) - rankOf(b);
  if (rank !== 0) return rank;
  return a < b ? -1 : a > b ? 1 : 0;
}

function rankOf(value: Scalar): number {
  return typeof value === 'boolean' ? 0 : typeof value === 'number' ? 1 : 2;
}
