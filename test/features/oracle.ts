import type { JsonObject, JsonValue } from '../../src/base/index.ts';
import type {
  AggregateDefinition,
  FeatureDefinition,
  FeatureViewDefinition,
  MeasureDefinition,
  RatioDefinition,
} from '../../src/features/index.ts';
import { exactSum, toDouble, toExact } from './oracle-numbers.ts';

/** A record as the oracle sees it, in log order. */
export interface OracleEvent {
  seq: number;
  key: string | null;
  timeMs: number;
  ingestedAtMs: number;
  value: JsonObject | null;
}

export interface Expected {
  status: 'present' | 'default' | 'expired' | 'not_found';
  value: JsonValue;
  eventTimeMs: number | null;
  /** What counts, for those that are checked against a bound instead of by equality. */
  inputs: JsonValue[];
}

const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

export function durationMs(text: string): number {
  const unit = text.replace(/[\d.]/g, '');
  return Math.round(Number(text.slice(0, -unit.length)) * UNIT_MS[unit]);
}

/** The features of an entity at an instant by the definition of what they are: filter all events, fold. Reads nothing of src/features. */
export class Oracle {
  readonly #definition: FeatureViewDefinition;
  readonly #upsert: boolean;
  readonly #events: OracleEvent[] = [];

  constructor(definition: FeatureViewDefinition, upsert: boolean) {
    this.#definition = definition;
    this.#upsert = upsert;
  }

  add(event: OracleEvent): void {
    this.#events.push(event);
  }

  /** `knownUntilMs`: only what was ingested by then. */
  at(entity: string, atMs: number, knownUntilMs = Number.POSITIVE_INFINITY): Record<string, Expected> {
    const seen = this.#seen(entity, atMs, knownUntilMs);
    const features = Object.entries(this.#definition.features).filter(([, feature]) => !('expression' in feature));
    const windows = features.map(([, feature]) => inWindow((feature as AggregateDefinition).window, seen, atMs));
    const nothing = windows.every(events => events.length === 0);
    return Object.fromEntries(
      features.map(([name, feature], index) => [name, this.#expected(feature, windows[index], atMs, nothing)]),
    );
  }

  #seen(entity: string, atMs: number, knownUntilMs: number): OracleEvent[] {
    const known = this.#events.filter(event => event.ingestedAtMs <= knownUntilMs && event.timeMs <= atMs);
    const newest = new Map<string, OracleEvent>();
    for (const event of known) if (event.key !== null) newest.set(event.key, event);
    return known
      .filter(event => event.value !== null && String(event.value[this.#definition.entity as string]) === entity)
      .filter(event => event.value![this.#definition.entity as string] !== undefined)
      .filter(event => !this.#upsert || event.key === null || newest.get(event.key) === event)
      .sort((a, b) => a.timeMs - b.timeMs || a.seq - b.seq);
  }

  #expected(feature: FeatureDefinition, events: OracleEvent[], atMs: number, nothing: boolean): Expected {
    const definition = feature as AggregateDefinition | RatioDefinition;
    const counts = definition.aggregate === 'count' || definition.aggregate === 'count_distinct';
    const empty = definition.default ?? (counts ? 0 : null);
    if (nothing) return { status: 'not_found', value: empty, eventTimeMs: null, inputs: [] };
    const measures = definition.aggregate === 'ratio' ? [definition.numerator, definition.denominator] : [definition];
    const chosen = measures.map(measure => events.filter(event => inputOf(measure, event) !== null));
    const times = chosen.flat().map(event => event.timeMs);
    if (times.length === 0) return { status: 'default', value: empty, eventTimeMs: null, inputs: [] };
    const eventTimeMs = times.reduce((a, b) => Math.max(a, b));
    const inputs = chosen[0].map(event => inputOf(measures[0], event)!);
    const { ttl } = this.#definition;
    if (ttl !== undefined && atMs - eventTimeMs > durationMs(ttl)) return { status: 'expired', value: null, eventTimeMs, inputs };
    const results = measures.map((measure, index) => fold(measure, chosen[index], atMs));
    const value = definition.aggregate === 'ratio' ? quotient(results) : results[0];
    return { status: 'present', value, eventTimeMs, inputs };
  }
}

function quotient([a, b]: JsonValue[]): JsonValue {
  return typeof a === 'number' && typeof b === 'number' && b !== 0 ? a / b : null;
}

function inWindow(window: AggregateDefinition['window'], events: OracleEvent[], atMs: number): OracleEvent[] {
  if (window === 'lifetime') return events;
  if ('sliding' in window) {
    const startMs = atMs - durationMs(window.sliding);
    const bounds = window.bounds ?? '(]';
    return events.filter(({ timeMs }) => {
      const after = bounds === '(]' ? timeMs > startMs : timeMs >= startMs;
      return after && (bounds === '[)' ? timeMs < atMs : timeMs <= atMs);
    });
  }
  if ('tumbling' in window) {
    const size = durationMs(window.tumbling);
    const period = Math.floor(atMs / size) - (window.complete === true ? 1 : 0);
    return events.filter(({ timeMs }) => Math.floor(timeMs / size) === period);
  }
  if ('rows' in window) return events.slice(-window.rows);
  const gap = durationMs(window.session);
  const recent = events.filter(({ timeMs }) => timeMs > atMs - durationMs(window.max ?? '1d'));
  const session: OracleEvent[] = [];
  let nextMs = atMs;
  for (const event of recent.reverse()) {
    if (nextMs - event.timeMs > gap) break;
    session.unshift(event);
    nextMs = event.timeMs;
  }
  return session;
}

const NUMBERS = ['sum', 'avg', 'variance', 'stddev', 'decayed_sum', 'decayed_avg', 'percentiles'];
const SCALARS = ['count_distinct', 'top_k', 'value_counts'];

function inputOf(measure: MeasureDefinition, event: OracleEvent): JsonValue {
  const value = event.value!;
  if (measure.where !== undefined && !holds(measure.where, value)) return null;
  if (measure.field === undefined) return true;
  const found = value[measure.field] ?? null;
  if (NUMBERS.includes(measure.aggregate)) return typeof found === 'number' && Math.abs(found) <= 1e140 ? found : null;
  if (SCALARS.includes(measure.aggregate)) return typeof found === 'object' ? null : found;
  if (['min', 'max', 'min_n', 'max_n', 'histogram'].includes(measure.aggregate)) return typeof found === 'number' ? found : null;
  if (measure.aggregate.startsWith('vector')) {
    const fits = Array.isArray(found) && found.length === measure.dimensions && found.every(item => typeof item === 'number');
    return fits ? found : null;
  }
  return found;
}

/** The filters that are drawn: {field: text} and {field: {$gt: number}}. */
function holds(where: JsonObject, value: JsonObject): boolean {
  return Object.entries(where).every(([field, wanted]) => {
    const found = value[field];
    if (typeof wanted === 'object' && wanted !== null)
      return typeof found === 'number' && found > ((wanted as JsonObject).$gt as number);
    return found === wanted;
  });
}

function fold(measure: MeasureDefinition, events: OracleEvent[], atMs: number): JsonValue {
  const inputs = events.map(event => inputOf(measure, event)!);
  if (inputs.length === 0) return measure.aggregate === 'count' || measure.aggregate === 'count_distinct' ? 0 : null;
  const numbers = inputs as number[];
  const count = inputs.length;
  switch (measure.aggregate) {
    case 'count':
      return count;
    case 'sum':
      return toDouble(exactSum(numbers));
    case 'avg':
      return toDouble(exactSum(numbers)) / count;
    case 'min':
      return numbers.reduce((a, b) => Math.min(b, a));
    case 'max':
      return numbers.reduce((a, b) => Math.max(b, a));
    case 'variance':
    case 'stddev':
      return spread(measure, numbers);
    case 'first':
      return inputs[0];
    case 'last':
      return inputs[count - 1];
    case 'first_n':
      return inputs.slice(0, measure.n);
    case 'last_n':
      return inputs.slice(-measure.n!);
    case 'min_n':
      return numbers.toSorted((a, b) => a - b).slice(0, measure.n);
    case 'max_n':
      return numbers.toSorted((a, b) => b - a).slice(0, measure.n);
    case 'count_distinct':
      return new Set(inputs).size;
    case 'top_k':
      return tally(inputs)
        .sort((a, b) => b.count - a.count || order(a.value, b.value))
        .slice(0, measure.n);
    case 'value_counts':
      return byName(inputs);
    case 'histogram':
      return buckets(measure.boundaries!, numbers);
    case 'percentiles': {
      const rising = numbers.toSorted((a, b) => a - b);
      return measure.quantiles!.map(quantile => rising[Math.floor(quantile * (count - 1))]);
    }
    case 'decayed_sum':
    case 'decayed_avg':
      return decayed(measure, events, numbers, atMs);
    case 'vector_sum':
    case 'vector_mean': {
      const sums = (inputs[0] as number[]).map((_, index) => toDouble(exactSum(inputs.map(input => (input as number[])[index]))));
      return measure.aggregate === 'vector_sum' ? sums : sums.map(sum => sum / count);
    }
  }
}

function spread({ aggregate, population }: MeasureDefinition, numbers: number[]): JsonValue {
  const n = BigInt(numbers.length);
  const sum = exactSum(numbers);
  const squares = numbers.reduce((total, number) => total + toExact(number) ** 2n, 0n);
  const divisor = numbers.length * (population === true ? numbers.length : numbers.length - 1);
  if (divisor === 0) return null;
  const variance = toDouble(n * squares - sum * sum, 2n) / divisor;
  return aggregate === 'variance' ? variance : Math.sqrt(variance);
}

function decayed({ aggregate, halfLife }: MeasureDefinition, events: OracleEvent[], numbers: number[], atMs: number): JsonValue {
  // The ratios of weights, which are all that counts in a mean, are the same at any instant; at a late one they are all 0.
  const sinceMs = aggregate === 'decayed_sum' ? atMs : Math.max(...events.map(event => event.timeMs));
  const weights = events.map(event => 2 ** (-(sinceMs - event.timeMs) / durationMs(halfLife!)));
  const sum = toDouble(exactSum(numbers.map((number, index) => number * weights[index])));
  if (aggregate === 'decayed_sum') return sum;
  const total = weights.reduce((a, b) => a + b, 0);
  return total === 0 ? null : sum / total;
}

function tally(inputs: JsonValue[]): { value: JsonValue; count: number }[] {
  return [...Map.groupBy(inputs, input => input)].map(([value, same]) => ({ value, count: same.length }));
}

function byName(inputs: JsonValue[]): JsonValue {
  return Object.fromEntries([...Map.groupBy(inputs, input => String(input))].map(([name, same]) => [name, same.length]));
}

function order(a: JsonValue, b: JsonValue): number {
  const kinds = ['boolean', 'number', 'string'];
  const kind = kinds.indexOf(typeof a) - kinds.indexOf(typeof b);
  return kind !== 0 ? kind : a! < b! ? -1 : 1;
}

function buckets(boundaries: number[], numbers: number[]): number[] {
  const edges = [Number.NEGATIVE_INFINITY, ...boundaries, Number.POSITIVE_INFINITY];
  return edges.slice(1).map((edge, index) => numbers.filter(number => number >= edges[index] && number < edge).length);
}
