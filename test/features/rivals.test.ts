import { describe, expect, test } from 'vitest';
import type { JsonObject, JsonValue } from '../../src/base/index.ts';
import { createAggregation } from '../../src/features/aggregate/create.ts';
import { type AggregateDefinition, type MeasureDefinition, planView, sweepOf } from '../../src/features/index.ts';
import { stateOf, type TimedValue, valuesAt, viewOf } from './support.ts';

/** Inputs and outputs of the tests of other feature stores, as facts. What differs on purpose is said in docs/FEATURES.md. */
const START_MS = 1_590_738_990_000;

describe('OpenMLDB: aggregations with conditions over the last rows', () => {
  const table = [
    { c2: 1, c3: 1, c4: 30, c5: null, c6: 2.1, c10: true },
    { c2: 4, c3: 4, c4: null, c5: 1.4, c6: 2.4, c10: false },
    { c2: 3, c3: null, c4: 33, c5: 1.3, c6: 2.3, c10: true },
    { c2: null, c3: 3, c4: 32, c5: 1.1, c6: null, c10: null },
  ];

  function running(feature: Omit<AggregateDefinition, 'window'>, values: readonly JsonObject[], rows = 3): JsonValue[] {
    const events = values.map((value, index): TimedValue => [START_MS + index * 1000, value]);
    const state = stateOf(viewOf({ f: { ...feature, window: { rows } } }), events);
    return events.map(([timeMs]) => valuesAt(state, timeMs).f);
  }

  test.each<[string, string, JsonObject, JsonValue[]]>([
    ['sum', 'c2', { c2: { $lt: 4 } }, [1, 1, 4, 3]],
    ['sum', 'c3', { c3: { $lt: 4 } }, [1, 1, 1, 3]],
    ['sum', 'c4', { c4: { $lt: 33 } }, [30, 30, 30, 32]],
    ['sum', 'c5', { c5: { $lte: 1.3 } }, [null, null, 1.3, 1.3 + 1.1]],
    ['sum', 'c6', { c10: true }, [2.1, 2.1, 4.4, 2.3]],
    ['avg', 'c2', { c2: { $lt: 4 } }, [1, 1, 2, 3]],
    ['avg', 'c3', { c3: { $lt: 4 } }, [1, 1, 1, 3]],
    ['avg', 'c6', { c10: true }, [2.1, 2.1, 2.2, 2.3]],
    ['count', 'c2', { c2: { $lt: 4 } }, [1, 1, 2, 1]],
    ['count', 'c6', { c10: true }, [1, 1, 2, 1]],
  ])('%s of %s where %j', (aggregate, field, where, expected) => {
    expect(running({ aggregate: aggregate as 'sum', field, where }, table)).toEqual(expected);
  });

  test('counts and means of what a threshold lets through, over ten rows', () => {
    const values = [1.1, 7.7, 0.1, null, 5.5].map(c2 => ({ c2 }));
    const where = { c2: { $gt: 4 } };
    expect(running({ aggregate: 'count', field: 'c2', where }, values, 11)).toEqual([0, 1, 1, 1, 2]);
    expect(running({ aggregate: 'avg', field: 'c2', where }, values, 11)).toEqual([null, 7.7, 7.7, 7.7, 6.6]);
  });

  test('a sum per key over all rows so far', () => {
    expect(running({ aggregate: 'sum', field: 'c1' }, [{ c1: 10 }, { c1: 9 }, { c1: 8 }], 11)).toEqual([10, 19, 27]);
  });
});

describe('Chronon: buffers, vectors and histograms', () => {
  const foldOf = (measure: MeasureDefinition, inputs: readonly JsonValue[]) => {
    const aggregation = createAggregation(measure);
    const fold = aggregation.create();
    inputs.forEach((input, index) => {
      fold.add(aggregation.inputOf(input)!, index, index);
    });
    return fold;
  };
  const mean: MeasureDefinition = { aggregate: 'vector_mean', field: 'v', dimensions: 2 };

  test('the two largest while values leave in the order in which they came', () => {
    const slider = createAggregation({ aggregate: 'max_n', field: 'v', n: 2 }).slide!();
    for (const value of [7, 8, 9]) slider.enter(value, 0, 0);
    expect(slider.result(0)).toEqual([9, 8]);
    slider.leave(7, 0, 0);
    expect(slider.result(0)).toEqual([9, 8]);
    slider.leave(8, 0, 0);
    expect(slider.result(0)).toEqual([9]);
    slider.leave(9, 0, 0);
    slider.enter(10, 0, 0);
    expect(slider.result(0)).toEqual([10]);
  });

  test('means of vectors: of one, of two, merged, and with one taken out', () => {
    const three = { ...mean, dimensions: 3 };
    expect(foldOf(three, [[1.5, 2.5, 3.5]]).result(0)).toEqual([1.5, 2.5, 3.5]);
    expect(
      foldOf(three, [
        [1, 2, 3],
        [4, 5, 6],
      ]).result(0),
    ).toEqual([2.5, 3.5, 4.5]);
    const merged = foldOf(mean, [
      [1, 2],
      [3, 4],
    ]);
    merged.merge(
      foldOf(mean, [
        [5, 6],
        [7, 8],
      ]),
    );
    expect(merged.result(0)).toEqual([4, 5]);
    const left = foldOf(mean, [
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    left.retract!([3, 4], 0, 0);
    expect(left.result(0)).toEqual([3, 4]);
  });

  test('counts of fewer values than are asked for', () => {
    const items = [3, 3, 3, 2, 2, 1];
    expect(foldOf({ aggregate: 'value_counts', field: 'v' }, items).result(0)).toEqual({ '1': 1, '2': 2, '3': 3 });
  });
});

describe('Feast: what had not been ingested by the time of a row', () => {
  const at = (day: number, hour: number): number => Date.UTC(2025, 0, day, hour);

  /** Rates of two drivers by (event time, ingest time), read on the second day. */
  function rates(events: [driver: number, timeMs: number, ingestedAtMs: number, rate: number][], asSeen: boolean): JsonValue[] {
    const view = viewOf({ rate: { aggregate: 'last', field: 'rate', window: 'lifetime' } }, { entity: 'driver', ttl: '7d' });
    const spine = ['1', '2'].map((entity, index) => ({ index, entity, timeMs: at(2, 0), values: {} }));
    const sweep = sweepOf(planView(view), spine, { upsert: false, asSeen });
    events
      .toSorted((a, b) => a[2] - b[2])
      .forEach(([driver, timeMs, ingestedAtMs, rate], index) => {
        sweep.apply({ seq: index + 1, key: null, timeMs, ingestedAtMs, value: { driver, rate } });
      });
    return sweep.finish().map(row => row.rate);
  }

  test('the newest ingest of one event time wins, unless it is later than the row', () => {
    const events: [number, number, number, number][] = [
      [1, at(1, 10), at(1, 12), 0.4],
      [1, at(1, 10), at(3, 0), 0.6],
    ];
    expect(rates(events, false)[0]).toBe(0.6);
    expect(rates(events, true)[0]).toBe(0.4);
  });

  test('the row stays, with null, when everything came later', () => {
    const events: [number, number, number, number][] = [
      [1, at(1, 10), at(3, 0), 0.4],
      [1, at(1, 11), at(4, 0), 0.6],
    ];
    expect(rates(events, true)).toEqual([null, null]);
  });

  test('and takes nothing from another entity', () => {
    const events: [number, number, number, number][] = [
      [1, at(1, 10), at(1, 12), 0.4],
      [2, at(1, 10), at(3, 0), 0.6],
    ];
    expect(rates(events, true)).toEqual([0.4, null]);
  });
});
