import { describe, expect, test } from 'vitest';
import type { JsonObject, JsonValue } from '../../src/base/index.ts';
import { createAggregation } from '../../src/features/aggregate/create.ts';
import type { AggregateDefinition, MeasureDefinition, WindowBounds, WindowDefinition } from '../../src/features/index.ts';
import { stateOf, type TimedValue, valuesAt, viewOf } from './support.ts';

const START_MS = 1_590_738_990_000;
const seconds = (values: readonly JsonObject[]): TimedValue[] => values.map((value, index) => [START_MS + index * 1000, value]);

/** What one feature is right after each event. */
function running(
  feature: Omit<AggregateDefinition, 'window'>,
  window: WindowDefinition,
  values: readonly JsonObject[],
): JsonValue[] {
  const events = seconds(values);
  const state = stateOf(viewOf({ f: { ...feature, window } }), events);
  return events.map(([timeMs]) => valuesAt(state, timeMs).f);
}

describe('window edges', () => {
  const at = (time: string): number => Date.parse(`2024-01-01T${time}Z`);
  const state = (bounds: WindowBounds) =>
    stateOf(viewOf({ s: { aggregate: 'sum', field: 'v', window: { sliding: '1h', bounds } } }), [
      [at('13:24:59.999'), { v: 1 }],
      [at('13:25:00'), { v: 2 }],
      [at('13:26:59'), { v: 4 }],
      [at('13:27:00'), { v: 8 }],
      [at('14:26:59.999'), { v: 16 }],
      [at('14:27:00'), { v: 32 }],
    ]);

  test.each([
    ['[)', 24],
    ['(]', 48],
    ['[]', 56],
  ] as const)('are exact to the millisecond with bounds %s', (bounds, expected) => {
    expect(valuesAt(state(bounds), at('14:27:00')).s).toBe(expected);
  });
});

describe('windows over ranges and rows answer as OpenMLDB does', () => {
  const c4 = [30, 31, 32, 33].map(v => ({ v }));
  const closed2s: WindowDefinition = { sliding: '2s', bounds: '[]' };

  test('sums over a closed range of two seconds', () => {
    expect(running({ aggregate: 'sum', field: 'v' }, closed2s, c4)).toEqual([30, 61, 93, 96]);
    expect(running({ aggregate: 'count', field: 'v' }, closed2s, c4)).toEqual([1, 2, 3, 3]);
  });

  test('sums and means of what a filter lets through', () => {
    const values = [1, 2, 3, 4, 5].map(v => ({ v }));
    const where = { v: { $gt: 2 } };
    expect(running({ aggregate: 'sum', field: 'v', where }, closed2s, values)).toEqual([null, null, 3, 7, 12]);
    expect(running({ aggregate: 'avg', field: 'v', where }, closed2s, values)).toEqual([null, null, 3, 3.5, 4]);
  });

  const rows: WindowDefinition = { rows: 3 };
  const table = [
    { c2: 1, c4: 30, c6: 2.1, c9: 'a', c10: true },
    { c2: 4, c4: 33, c6: 2.4, c9: 'c', c10: false },
    { c2: 3, c4: 32, c6: 2.3, c9: 'b', c10: true },
    { c2: null, c4: null, c6: null, c9: null, c10: null },
  ];

  test.each([
    ['max', 'c4', [30, 33, 33, 33]],
    ['max', 'c6', [2.1, 2.4, 2.4, 2.4]],
    ['min', 'c2', [1, 1, 1, 3]],
    ['min', 'c4', [30, 30, 30, 32]],
    ['count', 'c2', [1, 2, 3, 2]],
    ['count', 'c9', [1, 2, 3, 2]],
    ['sum', 'c2', [1, 5, 8, 7]],
    ['sum', 'c4', [30, 63, 95, 65]],
    ['count_distinct', 'c10', [1, 2, 2, 2]],
  ] as const)('%s of %s over the last three rows', (aggregate, field, expected) => {
    expect(running({ aggregate, field }, rows, table)).toEqual(expected);
  });

  // OpenMLDB adds from left to right in doubles and answers 6.799999999999999; the exact sum rounded once is 6.8.
  test('a sum of doubles is rounded once', () => {
    expect(running({ aggregate: 'sum', field: 'c6' }, rows, table)).toEqual([2.1, 4.5, 6.8, 4.699999999999999]);
  });

  test('means ignore nulls', () => {
    const values = [
      { a: 1, b: null, c: 30 },
      { a: 4, b: 4, c: 33 },
      { a: 1, b: 1, c: 33 },
      { a: null, b: null, c: null },
    ];
    expect(running({ aggregate: 'avg', field: 'a' }, rows, values)).toEqual([1, 2.5, 2, 2.5]);
    expect(running({ aggregate: 'avg', field: 'b' }, rows, values)).toEqual([null, 4, 2.5, 2.5]);
    expect(running({ aggregate: 'avg', field: 'c' }, rows, values)).toEqual([30, 31.5, 32, 33]);
  });

  // OpenMLDB counts null as a value, and answers 2 at the end; here, as in SQL, nulls are ignored.
  test('distinct values', () => {
    const values = [1, 4, 4, null].map(v => ({ v }));
    expect(running({ aggregate: 'count_distinct', field: 'v' }, rows, values)).toEqual([1, 2, 2, 1]);
  });

  test('filters of single aggregations', () => {
    const below = { c2: { $lt: 4 } };
    expect(running({ aggregate: 'max', field: 'c2', where: below }, rows, table)).toEqual([1, 1, 3, 3]);
    expect(running({ aggregate: 'max', field: 'c4', where: { c10: true } }, rows, table)).toEqual([30, 30, 32, 32]);
    expect(running({ aggregate: 'min', field: 'c2', where: { c2: { $gt: 2 } } }, rows, table)).toEqual([null, 4, 3, 3]);
    expect(running({ aggregate: 'min', field: 'c6', where: { c10: true } }, rows, table)).toEqual([2.1, 2.1, 2.1, 2.3]);
  });
});

describe('merging and retracting answers as Chronon does', () => {
  const fold = (measure: MeasureDefinition, inputs: readonly JsonValue[], firstSeq = 1) => {
    const aggregation = createAggregation(measure);
    const state = aggregation.create();
    inputs.forEach((input, index) => {
      state.add(aggregation.inputOf(input)!, firstSeq + index, firstSeq + index);
    });
    return state;
  };

  test('means of tiles {10, 20, 30} and {100} merge to 40', () => {
    const tile = fold({ aggregate: 'avg', field: 'v' }, [10, 20, 30]);
    tile.merge(fold({ aggregate: 'avg', field: 'v' }, [100]));
    expect(tile.result(0)).toBe(40);
  });

  /** Five rows in two tiles; two rows that were never added are taken out. */
  function merged(measure: MeasureDefinition, rows: readonly JsonValue[], retracted: readonly JsonValue[] = []): JsonValue {
    const state = fold(measure, rows.slice(0, 3));
    state.merge(fold(measure, rows.slice(3), 4));
    for (const input of retracted) state.retract!(input, 0, 0);
    return state.result(10);
  }

  const views = [4, 3, 5, 7, 3];
  const rating = [5, 4, 7, 1, 1];
  const title = ['A', 'B', 'D', 'A', 'B'];

  test('retraction of other values', () => {
    expect(merged({ aggregate: 'avg', field: 'v' }, views, [2, 1])).toBe(19 / 3);
    expect(merged({ aggregate: 'sum', field: 'v' }, rating, [1, 2])).toBe(15);
  });

  test('first, last, largest, smallest and distinct', () => {
    expect(merged({ aggregate: 'last', field: 'v' }, title)).toBe('B');
    expect(merged({ aggregate: 'first', field: 'v' }, title)).toBe('A');
    expect(merged({ aggregate: 'first_n', field: 'v', n: 2 }, title)).toEqual(['A', 'B']);
    // Chronon lists the newest first; here lists are in the order of time.
    expect(merged({ aggregate: 'last_n', field: 'v', n: 2 }, title)).toEqual(['A', 'B']);
    expect(merged({ aggregate: 'max_n', field: 'v', n: 2 }, [7, 8, 9])).toEqual([9, 8]);
    expect(merged({ aggregate: 'count_distinct', field: 'v' }, title)).toBe(3);
  });

  test('the most frequent values', () => {
    const items = [...Array(4).fill('4'), ...Array(3).fill('3'), ...Array(2).fill('2'), '1'];
    expect(merged({ aggregate: 'top_k', field: 'v', n: 3 }, items)).toEqual([
      { value: '4', count: 4 },
      { value: '3', count: 3 },
      { value: '2', count: 2 },
    ]);
  });

  test('the variance of a million close values does not cancel', () => {
    const values = Array.from({ length: 100_000 }, (_, index) => 100_000 + ((index * 7919) % 100_000) / 100_000);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const twoPass = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    const variance = merged({ aggregate: 'variance', field: 'v', population: true }, values) as number;
    expect(Math.abs(variance - twoPass) / twoPass).toBeLessThan(1e-7);
  });
});

describe('decay', () => {
  const daysLater = START_MS + 30 * 86_400_000;
  const feature = (aggregate: 'decayed_sum' | 'decayed_avg') =>
    ({ aggregate, field: 'v', halfLife: '1m', window: 'lifetime' }) as const;

  test('a mean of events that are old together is their mean, however long nothing has come; their sum is nothing', () => {
    const state = stateOf(viewOf({ mean: feature('decayed_avg'), sum: feature('decayed_sum') }), [
      [START_MS, { v: 1 }],
      [START_MS + 60_000, { v: 4 }],
    ]);
    expect(valuesAt(state, START_MS + 60_000)).toEqual({ mean: 3, sum: expect.closeTo(4.5) });
    expect(valuesAt(state, daysLater)).toEqual({ mean: 3, sum: 0 });
  });
});

describe('rows of one event time answer as Feast does', () => {
  test('the one ingested later wins', () => {
    const state = stateOf(viewOf({ rate: { aggregate: 'last', field: 'v', window: 'lifetime' } }), [
      [START_MS, { v: 0 }],
      [START_MS, { v: 1 }],
    ]);
    expect(valuesAt(state, START_MS + 50_000).rate).toBe(1);
  });

  test('a value older than the time to live is not served', () => {
    const state = stateOf(viewOf({ rate: { aggregate: 'last', field: 'v', window: 'lifetime' } }, { ttl: '7d' }), [
      [START_MS, { v: 5 }],
    ]);
    expect(valuesAt(state, START_MS + 604_800_000).rate).toBe(5);
    expect(valuesAt(state, START_MS + 604_800_001).rate).toBeNull();
  });
});
