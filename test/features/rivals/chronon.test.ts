import { describe, expect, test } from 'vitest';
import { type JsonValue, seededRandom } from '../../../src/base/index.ts';
import { createAggregation } from '../../../src/features/aggregate/create.ts';
import type { Fold } from '../../../src/features/aggregate/fold.ts';
import { type MeasureDefinition, planView, sweepOf, type WindowDefinition } from '../../../src/features/index.ts';
import { viewOf } from '../support.ts';

/** Inputs and outputs of Chronon's tests of aggregators and mutations, as facts. */
function foldOf(measure: MeasureDefinition, inputs: readonly JsonValue[]): Fold {
  const aggregation = createAggregation(measure);
  const fold = aggregation.create();
  for (const [index, value] of inputs.entries()) {
    const input = aggregation.inputOf(value);
    if (input !== null) fold.add(input, index, index);
  }
  return fold;
}

function resultOf(measure: MeasureDefinition, parts: readonly (readonly JsonValue[])[]): JsonValue {
  const [first, ...rest] = parts.map(part => foldOf(measure, part));
  for (const fold of rest) first.merge(fold);
  return first.result(0);
}

/** Each value as often as it says. */
function repeated(counts: Record<string, number>): string[] {
  return Object.entries(counts).flatMap(([value, count]) => Array.from({ length: count }, () => value));
}

const field = 'v';

describe('Chronon: aggregators, in parts that are merged', () => {
  test.each<[string, MeasureDefinition, JsonValue[][], JsonValue]>([
    ['distinct texts', { aggregate: 'count_distinct', field }, [['1', '1', '2']], 2],
    ['distinct numbers', { aggregate: 'count_distinct', field }, [[1, 1, 2]], 2],
    ['distinct fractions', { aggregate: 'count_distinct', field }, [[1, 1, 2.5]], 2],
    [
      'distinct titles',
      { aggregate: 'count_distinct', field },
      [
        ['A', 'B', 'D'],
        ['A', 'B'],
      ],
      3,
    ],
    ['the four smallest', { aggregate: 'min_n', field, n: 4 }, [[5, 4, 9, 10, -1]], [-1, 4, 5, 9]],
    ['the four smallest of others', { aggregate: 'min_n', field, n: 4 }, [[5, 4, 9, 10, 1, 2]], [1, 2, 4, 5]],
    [
      'the four smallest of both',
      { aggregate: 'min_n', field, n: 4 },
      [
        [5, 4, 9, 10, -1],
        [5, 4, 9, 10, 1, 2],
      ],
      [-1, 1, 2, 4],
    ],
    ['the first', { aggregate: 'first', field }, [['A', 'B', 'D', 'A', 'B']], 'A'],
    ['the last', { aggregate: 'last', field }, [['A', 'B', 'D', 'A', 'B']], 'B'],
    ['the first two', { aggregate: 'first_n', field, n: 2 }, [['A', 'B', 'D', 'A', 'B']], ['A', 'B']],
    ['the last two, which they give newest first', { aggregate: 'last_n', field, n: 2 }, [['A', 'B', 'D', 'A', 'B']], ['A', 'B']],
    ['the mean of a vector', { aggregate: 'vector_mean', field, dimensions: 3 }, [[[1.5, 2.5, 3.5]]], [1.5, 2.5, 3.5]],
    [
      'the mean of two',
      { aggregate: 'vector_mean', field, dimensions: 3 },
      [
        [
          [1, 2, 3],
          [4, 5, 6],
        ],
      ],
      [2.5, 3.5, 4.5],
    ],
    [
      'the mean of parts',
      { aggregate: 'vector_mean', field, dimensions: 2 },
      [
        [
          [1, 2],
          [3, 4],
        ],
        [
          [5, 6],
          [7, 8],
        ],
      ],
      [4, 5],
    ],
    [
      'the sum of vectors',
      { aggregate: 'vector_sum', field, dimensions: 3 },
      [
        [
          [1, 2, 3],
          [4, 5, 6],
        ],
      ],
      [5, 7, 9],
    ],
    ['counts', { aggregate: 'value_counts', field }, [repeated({ 1: 1, 2: 2, 3: 3 })], { 1: 1, 2: 2, 3: 3 }],
    ['counts of fewer than asked for', { aggregate: 'value_counts', field }, [[3, 3, 3, 2, 2, 1]], { 1: 1, 2: 2, 3: 3 }],
    [
      'counts of parts',
      { aggregate: 'value_counts', field },
      [repeated({ 4: 4, 2: 2 }), repeated({ 3: 3, 2: 2 })],
      { 2: 4, 3: 3, 4: 4 },
    ],
    [
      'counts of three parts',
      { aggregate: 'value_counts', field },
      [repeated({ 3: 3 }), repeated({ 2: 2 }), repeated({ 1: 1 })],
      { 1: 1, 2: 2, 3: 3 },
    ],
  ])('%s', (_, measure, parts, expected) => {
    expect(resultOf(measure, parts)).toEqual(expected);
  });

  test.each<[Record<string, number>[], Record<string, number>]>([
    [[{ 4: 4, 3: 3, 2: 2, 1: 1 }], { 4: 4, 3: 3, 2: 2 }],
    [
      [
        { 5: 5, 4: 4, 2: 2, 1: 1 },
        { 6: 6, 4: 4, 2: 2, 1: 1 },
      ],
      { 4: 8, 6: 6, 5: 5 },
    ],
    [
      [
        { 4: 4, 3: 3 },
        { 2: 2, 1: 1 },
      ],
      { 4: 4, 3: 3, 2: 2 },
    ],
    [[{ 5: 5, 3: 3, 2: 2, 1: 1 }, { 2: 2 }], { 5: 5, 2: 4, 3: 3 }],
  ])('the three most frequent of %j', (parts, expected) => {
    const found = resultOf({ aggregate: 'top_k', field, n: 3 }, parts.map(repeated)) as { value: string; count: number }[];
    expect(Object.fromEntries(found.map(({ value, count }) => [value, count]))).toEqual(expected);
  });

  test.each<[string, MeasureDefinition, JsonValue[], JsonValue[], JsonValue]>([
    ['a mean', { aggregate: 'avg', field }, [4, 3, 5, 7, 3], [2, 1], 19 / 3],
    ['a count', { aggregate: 'count', field }, [4, 3, 5, 7, 3], [2, 1], 3],
    ['a sum', { aggregate: 'sum', field }, [5, 4, 7, 1, 1], [1, 2], 15],
    [
      'a sum of vectors',
      { aggregate: 'vector_sum', field, dimensions: 2 },
      [[1, 2], [3, 4], null, [5, 6], [7, 8]],
      [
        [1, 2],
        [3, 4],
      ],
      [12, 14],
    ],
    [
      'a mean of vectors',
      { aggregate: 'vector_mean', field, dimensions: 2 },
      [[1, 2], [3, 4], null, [5, 6], [7, 8]],
      [
        [1, 2],
        [3, 4],
      ],
      [6, 7],
    ],
    [
      'one of three vectors',
      { aggregate: 'vector_mean', field, dimensions: 2 },
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      [[3, 4]],
      [3, 4],
    ],
  ])('%s from which some is taken out', (_, measure, inputs, taken, expected) => {
    const { inputOf } = createAggregation(measure);
    const fold = foldOf(measure, inputs);
    for (const value of taken) fold.retract!(inputOf(value)!, 0, 0);
    expect(fold.result(0)).toEqual(expected);
  });

  test('the two largest while values leave in the order in which they came', () => {
    const slider = createAggregation({ aggregate: 'max_n', field, n: 2 }).slide!();
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

  test.each([
    [0, 1_000_000],
    [100_000, 100_001],
  ])('the variance of numbers between %i and %i is that of two passes', (from, to) => {
    const random = seededRandom(7);
    const numbers = Array.from({ length: 20_000 }, () => from + random.float() * (to - from));
    const mean = numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
    const naive = numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / numbers.length;
    const parts = Array.from({ length: 2000 }, (_, part) => numbers.slice(part * 10, part * 10 + 10));
    const own = resultOf({ aggregate: 'variance', field, population: true }, parts) as number;
    expect(Math.abs(naive - own) / naive).toBeLessThan(1e-7);
  });

  test.each([
    [3000, 5, 4],
    [30_000, 50, 2],
    [30_000, 50, 5],
  ])('31 percentiles of 0 to %i in parts of %i are within %i percent', (nums, slide, percent) => {
    const quantiles = Array.from({ length: 32 }, (_, index) => index / 31);
    const numbers = shuffled(Array.from({ length: nums + 1 }, (_, index) => index));
    const parts = Array.from({ length: Math.ceil(numbers.length / slide) }, (_, part) =>
      numbers.slice(part * slide, part * slide + slide),
    );
    const found = resultOf({ aggregate: 'percentiles', field, quantiles }, parts) as number[];
    for (const [index, value] of found.entries()) {
      expect(Math.abs(value - (index * nums) / 31)).toBeLessThan((nums * percent) / 100);
    }
  });

  test.each([
    [100, 1, 1],
    [1000, 1, 20],
    [10_000, 1, 300],
    [100, 10, 1],
    [1000, 4, 20],
    [10_000, 100, 400],
  ])('%i distinct values in %i parts are counted with an error below %i', (uniques, merges, bound) => {
    const size = uniques / merges;
    const parts = Array.from({ length: merges }, (_, part) => {
      const own = Array.from({ length: size }, (_none, index) => part * size + index + 1);
      return [...own, ...own, ...own];
    });
    const found = resultOf({ aggregate: 'count_distinct', field }, parts) as number;
    expect(Math.abs(found - uniques)).toBeLessThan(bound);
  });
});

function shuffled(numbers: number[]): number[] {
  const random = seededRandom(3);
  return numbers
    .map(value => ({ value, order: random.float() }))
    .sort((a, b) => a.order - b.order)
    .map(({ value }) => value);
}

/** A rating of a listing: `key` is what is replaced or deleted later. Times are of April 2021. */
type Rating = [key: string, time: string, listing: number, rating: number];
type Query = [listing: number, time: string, mean: number | null];

interface Mutations {
  /** In the snapshot of the day before. */
  snapshot: Rating[];
  /** Of the day; one of a key that is there replaces it. */
  mutations: Rating[];
  window: WindowDefinition;
  queries: Query[];
}

const BASE: Rating[] = [
  ['a', '04 00:30', 1, 4],
  ['b', '04 12:30', 1, 5],
  ['c', '05 00:30', 1, 4],
  ['d', '05 02:30', 1, 5],
  ['e', '04 01:40', 2, 3],
  ['f', '05 03:40', 2, 3],
  ['g', '04 06:00', 3, 4],
  ['h', '05 04:00', 3, 4],
];
const OTHERS: Rating[] = [
  ...BASE.map(([key, time, listing, rating]): Rating => [key, time, listing, key === 'b' ? 4 : rating]),
  ['i', '06 03:45', 2, 3],
];
const DECAYING: Rating[] = [
  ['a', '04 00:30', 1, 4],
  ['b', '04 12:30', 1, 4],
  ['c', '05 00:30', 1, 4],
  ['d', '08 02:30', 1, 4],
  ['e', '04 01:40', 2, 3],
  ['f', '05 03:40', 2, 3],
  ['g', '06 03:45', 2, 4],
];

const CASES: Record<string, Mutations> = {
  'only adds': {
    snapshot: BASE,
    mutations: [
      ['k', '10 02:00', 1, 2],
      ['l', '10 10:00', 2, 3],
      ['m', '10 23:00', 3, 4],
    ],
    window: 'lifetime',
    queries: [
      [1, '10 01:00', 4.5],
      [1, '10 02:30', 4],
      [2, '10 23:00', 3],
    ],
  },
  'changes a value': {
    snapshot: BASE,
    mutations: [
      ['c', '10 02:00', 1, 2],
      ['l', '10 10:00', 2, 3],
      ['m', '10 23:00', 3, 4],
    ],
    window: 'lifetime',
    queries: [
      [1, '10 01:00', 4.5],
      [1, '10 02:30', 4],
      [2, '10 23:00', 3],
    ],
  },
  'moves a row to another entity': {
    snapshot: OTHERS,
    mutations: [
      ['d', '10 00:30', 2, 5],
      ['l', '10 10:00', 2, 3],
      ['m', '10 23:00', 3, 4],
    ],
    window: 'lifetime',
    queries: [
      [1, '10 01:00', 4],
      [2, '10 02:30', 3.5],
      [2, '10 23:00', 3.4],
    ],
  },
  'is asked about the day before': {
    snapshot: OTHERS,
    mutations: [
      ['j', '09 05:45', 2, 4],
      ['j', '09 07:00', 2, 5],
      ['k', '10 00:30', 1, 5],
      ['l', '10 10:00', 2, 3],
      ['m', '10 23:00', 3, 4],
    ],
    window: 'lifetime',
    queries: [
      [1, '10 01:00', 4.4],
      [2, '09 04:30', 3],
      [2, '09 06:30', 3.25],
      [2, '09 08:30', 3.5],
      [2, '10 23:00', 3.4],
    ],
  },
  'leaves a window of four days': {
    snapshot: DECAYING,
    mutations: [
      ['j', '09 05:45', 2, 2],
      ['j', '09 07:00', 2, 5],
      ['k', '10 00:30', 1, 5],
      ['l', '10 10:00', 2, 4],
    ],
    window: { sliding: '4d' },
    queries: [
      [2, '09 01:30', 3.5],
      [2, '09 04:30', 4],
      [2, '09 06:30', 3],
      [2, '09 08:30', 4.5],
      [2, '10 09:00', 5],
      [2, '10 23:00', 4.5],
    ],
  },
  'leaves a window while nothing comes': {
    snapshot: [...DECAYING, ['j', '09 05:45', 2, 5]],
    mutations: [['k', '10 00:30', 1, 5]],
    window: { sliding: '4d' },
    queries: [
      [2, '10 01:00', 4.5],
      [2, '10 23:00', 5],
    ],
  },
  'is of an entity without a snapshot': {
    snapshot: DECAYING.slice(0, 4),
    mutations: [
      ['j', '10 00:30', 2, 5],
      ['k', '10 04:30', 2, 2],
      ['k', '10 12:30', 2, 4],
    ],
    window: { sliding: '4d' },
    queries: [
      [2, '10 00:07', null],
      [2, '10 01:07', 5],
      [2, '10 05:00', 3.5],
      [2, '10 23:00', 4.5],
    ],
  },
};

describe('Chronon: a mean of ratings where a mutation', () => {
  const msOf = (time: string): number => Date.parse(`2021-04-${time.replace(' ', 'T')}:00Z`);

  test.each(Object.entries(CASES))('%s', (_, { snapshot, mutations, window, queries }) => {
    const view = viewOf({ mean: { aggregate: 'avg', field: 'rating', window } }, { entity: 'listing' });
    const spine = queries.map(([listing, time], index) => ({ index, entity: String(listing), timeMs: msOf(time), values: {} }));
    const sweep = sweepOf(planView(view), spine, { upsert: true, asSeen: false });
    for (const [index, [key, time, listing, rating]] of [...snapshot, ...mutations].entries()) {
      sweep.apply({ seq: index + 1, key, timeMs: msOf(time), ingestedAtMs: msOf(time), value: { listing, rating } });
    }
    expect(sweep.finish().map(row => row.mean)).toEqual(queries.map(([, , mean]) => mean));
  });
});
