import { describe, expect, test } from 'vitest';
import type { JsonObject, JsonValue } from '../../../src/base/index.ts';
import { type AggregateDefinition, planView, sweepOf } from '../../../src/features/index.ts';
import { entityOfValue } from '../../../src/features/state/entity-key.ts';
import { viewOf } from '../support.ts';

/** Inputs and outputs of Feast's tests of retrieval at points in time, as facts. Its created timestamp is the time of ingestion here. */
interface Facts {
  entity: string[];
  /** Null: none expires. */
  ttl: string | null;
  /** By event time and created time; ISO times, or hours from a moment called now. */
  events: [time: string | number, created: string | number, value: JsonObject][];
  rows: [time: string | number, row: JsonObject][];
  /** Only what had been created by the time of a row. */
  asSeen?: boolean;
  expected: JsonObject[];
}

const NOW_MS = Date.UTC(2025, 0, 15);

function msOf(time: string | number): number {
  return typeof time === 'number' ? NOW_MS + time * 3_600_000 : Date.parse(time);
}

const DRIVERS: Facts['events'] = [
  [-2, -2, { driver: 1, conv: 0.5, acc: 0.9 }],
  [-1, -1, { driver: 1, conv: 0.6, acc: 0.85 }],
  [0, 0, { driver: 1, conv: 0.7, acc: 0.8 }],
  [-2, -2, { driver: 2, conv: 0.3, acc: 0.95 }],
];
const TWO_VERSIONS: Facts['events'] = [
  ['2025-01-01T10:00:00Z', '2025-01-01T12:00:00Z', { driver: 1, conv: 0.4 }],
  ['2025-01-01T10:00:00Z', '2025-01-03T00:00:00Z', { driver: 1, conv: 0.6 }],
];

const LAST: Record<string, Facts> = {
  'rows of one entity at several times': {
    entity: ['driver'],
    ttl: '1d',
    events: DRIVERS,
    rows: [
      [-1.5, { driver: 1 }],
      [-0.5, { driver: 1 }],
      [-1, { driver: 2 }],
    ],
    expected: [{ conv: 0.5 }, { conv: 0.6 }, { conv: 0.3 }],
  },
  'rows of now': {
    entity: ['driver'],
    ttl: '1d',
    events: DRIVERS,
    rows: [
      [0, { driver: 1 }],
      [0, { driver: 2 }],
    ],
    expected: [
      { conv: 0.7, acc: 0.8 },
      { conv: 0.3, acc: 0.95 },
    ],
  },
  'rows with a label': {
    entity: ['driver'],
    ttl: '1d',
    events: DRIVERS,
    rows: [
      [-1.5, { driver: 1, success: 1 }],
      [-0.5, { driver: 1, success: 0 }],
      [-1, { driver: 2, success: 1 }],
    ],
    expected: [{ conv: 0.5 }, { conv: 0.6 }, { conv: 0.3 }],
  },
  'the one that was created last of those of one time': {
    entity: ['driver'],
    ttl: '1d',
    events: [
      [-1, -0.5, { driver: 1, conv: 0.1 }],
      [-1, -0.17, { driver: 1, conv: 0.9 }],
    ],
    rows: [
      [0, { driver: 1 }],
      [0, { driver: 1 }],
    ],
    expected: [{ conv: 0.9 }, { conv: 0.9 }],
  },
  'null for what is older than the time to live': {
    entity: ['driver'],
    ttl: '1d',
    events: [
      [-1, -1, { driver: 1, conv: 0.9 }],
      [-48, -48, { driver: 2, conv: 0.5 }],
    ],
    rows: [
      [0, { driver: 1 }],
      [0, { driver: 2 }],
    ],
    expected: [{ conv: 0.9 }, { conv: null }],
  },
  'several entity fields': {
    entity: ['user', 'device'],
    ttl: '1d',
    events: [
      [-2, -2, { user: 1, device: 'mobile', opens: 50 }],
      [-1, -1, { user: 1, device: 'mobile', opens: 55 }],
      [-1, -1, { user: 1, device: 'desktop', opens: 10 }],
      [-1, -1, { user: 2, device: 'tablet', opens: 25 }],
    ],
    rows: [
      [0, { user: 1, device: 'mobile' }],
      [0, { user: 1, device: 'desktop' }],
      [0, { user: 2, device: 'tablet' }],
    ],
    expected: [{ opens: 55 }, { opens: 10 }, { opens: 25 }],
  },
  'rows of one user on two devices': {
    entity: ['user'],
    ttl: '1d',
    events: [
      [-2, -2, { user: 1, theme: 'dark' }],
      [-0.5, -0.5, { user: 1, theme: 'light' }],
    ],
    rows: [
      [-1, { user: 1, device: 'X' }],
      [0, { user: 1, device: 'Y' }],
    ],
    expected: [{ theme: 'dark' }, { theme: 'light' }],
  },
  'and the devices of that user': {
    entity: ['user', 'device'],
    ttl: '1d',
    events: [
      [-2, -2, { user: 1, device: 'X', battery: 0.8 }],
      [-2, -2, { user: 1, device: 'Y', battery: 0.6 }],
    ],
    rows: [
      [-1, { user: 1, device: 'X' }],
      [0, { user: 1, device: 'Y' }],
    ],
    expected: [{ battery: 0.8 }, { battery: 0.6 }],
  },
  'the older one where the newer is after the row': {
    entity: ['driver'],
    ttl: '1d',
    events: [
      [-2, -2, { driver: 1, conv: 0.5 }],
      [-0.5, -0.5, { driver: 1, conv: 0.9 }],
      [-1, -1, { driver: 2, conv: 0.7 }],
    ],
    rows: [
      [-1, { driver: 1 }],
      [0, { driver: 2 }],
    ],
    expected: [{ conv: 0.5 }, { conv: 0.7 }],
  },
  'null where the only one is after the row': {
    entity: ['driver'],
    ttl: '7d',
    events: [
      [-1, -1, { driver: 1, conv: 0.9 }],
      [-2, -2, { driver: 2, conv: 0.5 }],
    ],
    rows: [
      [-3, { driver: 1 }],
      [0, { driver: 2 }],
    ],
    expected: [{ conv: null }, { conv: 0.5 }],
  },
  'customers by day, one of them too old': {
    entity: ['customer'],
    ttl: '10d',
    events: [
      ['2023-12-31', '2023-12-31', { customer: 1, f: 11 }],
      ['2024-01-02', '2024-01-02', { customer: 1, f: 22 }],
      ['2024-01-03', '2024-01-03', { customer: 1, f: 33 }],
      ['2023-01-03', '2023-01-03', { customer: 2, f: 22 }],
      ['2024-01-01', '2024-01-03', { customer: 3, f: 10 }],
      ['2024-01-01', '2024-01-02', { customer: 3, f: 20 }],
    ],
    rows: [
      ['2024-01-01', { customer: 1 }],
      ['2024-01-02', { customer: 1 }],
      ['2024-01-01', { customer: 2 }],
      ['2024-01-03', { customer: 3 }],
    ],
    expected: [{ f: 11 }, { f: 22 }, { f: null }, { f: 10 }],
  },
  'a time to live and one that was created again': {
    entity: ['driver'],
    ttl: '1d',
    events: [
      ['2025-01-01T10:00:00Z', '2025-01-01T10:00:01Z', { driver: 1, conv: 0.1 }],
      ['2025-01-01T10:00:00Z', '2025-01-01T10:00:02Z', { driver: 1, conv: 0.2 }],
      ['2024-12-30T10:00:00Z', '2024-12-30T10:00:00Z', { driver: 1, conv: 0.05 }],
      ['2025-01-01T12:00:00Z', '2025-01-01T12:00:00Z', { driver: 2, conv: 0.3 }],
      ['2025-01-02T11:00:00Z', '2025-01-02T11:00:00Z', { driver: 2, conv: 0.4 }],
    ],
    rows: [
      ['2025-01-02T10:00:00Z', { driver: 1 }],
      ['2025-01-02T10:00:00Z', { driver: 2 }],
    ],
    expected: [{ conv: 0.2 }, { conv: 0.3 }],
  },
  'the newest of days': {
    entity: ['driver'],
    ttl: null,
    events: [
      [-24, -2, { driver: 1001, conv: 0.8, trips: 15 }],
      [-48, -4, { driver: 1001, conv: 0.75, trips: 14 }],
      [-24, -3, { driver: 1002, conv: 0.7, trips: 12 }],
    ],
    rows: [
      [0, { driver: 1001 }],
      [0, { driver: 1002 }],
    ],
    expected: [
      { conv: 0.8, trips: 15 },
      { conv: 0.7, trips: 12 },
    ],
  },
  'the newest version, whenever it was created': {
    entity: ['driver'],
    ttl: '7d',
    events: TWO_VERSIONS,
    rows: [['2025-01-02T00:00:00Z', { driver: 1 }]],
    expected: [{ conv: 0.6 }],
  },
  'as seen, the version that was there': {
    entity: ['driver'],
    ttl: '7d',
    asSeen: true,
    events: TWO_VERSIONS,
    rows: [['2025-01-02T00:00:00Z', { driver: 1 }]],
    expected: [{ conv: 0.4 }],
  },
  'as seen, null where all came later; the row stays': {
    entity: ['driver'],
    ttl: '7d',
    asSeen: true,
    events: [
      ['2025-01-01T10:00:00Z', '2025-01-03T00:00:00Z', { driver: 1, conv: 0.4 }],
      ['2025-01-01T11:00:00Z', '2025-01-04T00:00:00Z', { driver: 1, conv: 0.6 }],
    ],
    rows: [['2025-01-02T00:00:00Z', { driver: 1 }]],
    expected: [{ conv: null }],
  },
  'as seen, nothing of another entity': {
    entity: ['driver'],
    ttl: '7d',
    asSeen: true,
    events: [
      ['2025-01-01T10:00:00Z', '2025-01-01T12:00:00Z', { driver: 1, conv: 0.4 }],
      ['2025-01-01T10:00:00Z', '2025-01-03T00:00:00Z', { driver: 2, conv: 0.6 }],
    ],
    rows: [
      ['2025-01-02T00:00:00Z', { driver: 1 }],
      ['2025-01-02T00:00:00Z', { driver: 2 }],
    ],
    expected: [{ conv: 0.4 }, { conv: null }],
  },
};

const AGGREGATES: [string, Omit<AggregateDefinition, 'window'>, [number, JsonValue][], Record<number, JsonValue>][] = [
  [
    'sums',
    { aggregate: 'sum', field: 'v' },
    [
      [1, 10],
      [1, 20],
      [2, 15],
      [2, 25],
    ],
    { 1: 30, 2: 40 },
  ],
  [
    'sums of other values',
    { aggregate: 'sum', field: 'v' },
    [
      [1, 10],
      [1, 20],
      [2, 30],
      [2, 40],
    ],
    { 1: 30, 2: 70 },
  ],
  [
    'means',
    { aggregate: 'avg', field: 'v' },
    [
      [1, 100],
      [1, 200],
      [2, 150],
      [2, 250],
    ],
    { 1: 150, 2: 200 },
  ],
  [
    'counts',
    { aggregate: 'count', field: 'v' },
    [
      [1, 10],
      [1, 20],
      [2, 5],
    ],
    { 1: 2, 2: 1 },
  ],
  [
    'distinct values',
    { aggregate: 'count_distinct', field: 'v' },
    [
      [1, 1],
      [1, 2],
      [2, 1],
    ],
    { 1: 2, 2: 1 },
  ],
];

/** The last value of every field, or what `features` say, of the rows of a case. */
function answersOf({ entity, ttl, events, rows, asSeen = false }: Facts, features: Record<string, AggregateDefinition>) {
  const view = viewOf(features, { entity, ...(ttl === null ? {} : { ttl }) });
  const spine = rows.map(([time, row], index) => ({
    index,
    entity: entityOfValue(entity, row)!,
    timeMs: msOf(time),
    values: row,
  }));
  const sweep = sweepOf(planView(view), spine, { upsert: false, asSeen });
  for (const [index, [time, created, value]] of events.toSorted((a, b) => msOf(a[1]) - msOf(b[1])).entries()) {
    sweep.apply({ seq: index + 1, key: null, timeMs: msOf(time), ingestedAtMs: msOf(created), value });
  }
  return sweep.finish();
}

describe('Feast: the last values are', () => {
  test.each(Object.entries(LAST))('%s', (_, facts) => {
    const names = Object.keys(facts.expected[0]);
    const features = names.map((field): [string, AggregateDefinition] => [
      field,
      { aggregate: 'last', field, window: 'lifetime' },
    ]);
    expect(answersOf(facts, Object.fromEntries(features))).toEqual(facts.expected);
  });
});

describe('Feast: by entity', () => {
  test.each(AGGREGATES)('%s', (_, feature, values, expected) => {
    const rows = Object.keys(expected).map((entity): [number, JsonObject] => [0, { entity: Number(entity) }]);
    const events = values.map(([entity, v]): Facts['events'][number] => [-1, -1, { entity, v }]);
    const answers = answersOf(
      { entity: ['entity'], ttl: null, events, rows, expected: [] },
      { f: { ...feature, window: 'lifetime' } },
    );
    expect(answers.map(({ f }) => f)).toEqual(Object.values(expected));
  });
});
