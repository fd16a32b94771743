import { describe, expect, expectTypeOf, test } from 'vitest';
import type { JsonValue } from '../../src/base/index.ts';
import { isTailwaterError, seededRandom } from '../../src/base/index.ts';
import {
  count,
  expression,
  type FeatureValues,
  type FeatureViewDefinition,
  featureView,
  last,
  parseDefinition,
  ratio,
  sum,
  topK,
  versionOf,
} from '../../src/features/index.ts';
import { Draw } from './draw.ts';
import { stateOf, valuesAt, viewOf } from './support.ts';

const activity = featureView('user_activity', {
  source: 'clicks',
  entity: 'user_id',
  features: {
    clicks_5m: count().over('5m'),
    spend_24h: sum('amount').where({ status: 'paid' }).over('24h').default(0),
    top_pages_7d: topK('page', 3).over('7d'),
    last_seen: last<string>('page').lifetime(),
    paid_share: ratio(count().where({ status: 'paid' }), count()).over('1h'),
    per_click: expression<number>('spend_24h / max(clicks_5m, 1)'),
  },
});

describe('a view defined in TypeScript', () => {
  test('has the types of its values', () => {
    expectTypeOf<FeatureValues<typeof activity>>().toEqualTypeOf<{
      clicks_5m: number;
      spend_24h: number;
      top_pages_7d: { value: string; count: number }[] | null;
      last_seen: string | null;
      paid_share: number | null;
      per_click: number | null;
    }>();
  });

  test('is JSON that gives the same view', () => {
    const json = JSON.parse(JSON.stringify(activity.definition));
    expect(parseDefinition(json)).toEqual(activity.definition);
    expect(json.features.spend_24h).toEqual({
      aggregate: 'sum',
      field: 'amount',
      where: { status: 'paid' },
      window: { sliding: '24h' },
      default: 0,
    });
  });
});

describe('a version', () => {
  const base: FeatureViewDefinition = {
    source: 's',
    entity: 'u',
    features: { a: { aggregate: 'count', window: { sliding: '5m' } } },
  };
  const changed = (change: object): string => versionOf({ ...base, ...change } as FeatureViewDefinition);

  test('is of what is served, not of how it is written', () => {
    const a = { window: { bounds: '(]', sliding: '300s' }, aggregate: 'count', default: 0 };
    expect(changed({ entity: ['u'], history: '60m', features: { a } })).toBe(versionOf(base));
  });

  test.each([
    [{ ttl: '1d' }],
    [{ entity: ['u', 'v'] }],
    [{ features: { a: { aggregate: 'count', window: { sliding: '5m', bounds: '[)' } } } }],
    [{ features: { a: { aggregate: 'count', window: { sliding: '6m' } } } }],
    [{ features: { a: { aggregate: 'count', field: 'x', window: { sliding: '5m' } } } }],
    [{ features: { b: { aggregate: 'count', window: { sliding: '5m' } } } }],
  ])('differs with %j', change => {
    expect(changed(change)).not.toBe(versionOf(base));
  });

  test('survives the way through JSON, whatever the definition', () => {
    for (let seed = 0; seed < 300; seed++) {
      const definition = JSON.parse(JSON.stringify(new Draw(seededRandom(seed)).definition()));
      expect(versionOf(parseDefinition(definition))).toBe(versionOf(definition));
    }
  });
});

describe('a definition that is wrong is refused, naming the place', () => {
  const of = (feature: unknown, more: object = {}): JsonValue =>
    JSON.parse(JSON.stringify({ source: 's', entity: 'u', features: { f: feature }, ...more }));
  const window = { sliding: '5m' };

  test.each([
    ['definition.source', { entity: 'u', features: {} }],
    ['features', { source: 's', entity: 'u', features: {} }],
    ['definition.feature', { source: 's', entity: 'u', feature: {}, features: {} }],
    ['entity', of({ aggregate: 'count', window }, { entity: [] })],
    ['ttl', of({ aggregate: 'count', window }, { ttl: '0s' })],
    ['features.f.window', of({ aggregate: 'count' })],
    ['features.f.window.sliding', of({ aggregate: 'count', window: { sliding: '0s' } })],
    ['features.f.window.sliding', of({ aggregate: 'count', window: { sliding: '-5m' } })],
    ['features.f.window.bounds', of({ aggregate: 'count', window: { sliding: '5m', bounds: '()' } })],
    ['features.f.window.rows', of({ aggregate: 'count', window: { rows: 0 } })],
    ['features.f.aggregate', of({ aggregate: 'median', field: 'x', window })],
    ['features.f.field', of({ aggregate: 'sum', window })],
    ['features.f.n', of({ aggregate: 'top_k', field: 'x', n: 0, window })],
    ['features.f.fields', of({ aggregate: 'sum', field: 'x', fields: 'y', window })],
    ['features.f.where', of({ aggregate: 'count', where: { x: { $like: 1 } }, window })],
    ['features.f.boundaries', of({ aggregate: 'histogram', field: 'x', boundaries: [2, 1], window })],
    ['features.f.quantiles', of({ aggregate: 'percentiles', field: 'x', quantiles: [50], window })],
    [
      'features.f.numerator.field',
      of({ aggregate: 'ratio', numerator: { aggregate: 'sum' }, denominator: { aggregate: 'count' }, window }),
    ],
    ['features.f.expression', of({ expression: 'process.exit(1)' })],
    ['features.f.expression', of({ expression: 'f + 1' })],
    ['features.f.expression', of({ expression: '1 +' })],
  ])('%s', (path, definition) => {
    const error = refusal(definition as JsonValue);
    expect(isTailwaterError(error, 'TW_VIEW_DEFINITION') && error.data).toEqual({ path });
  });

  test('on-demand features in a circle', () => {
    const error = refusal({
      source: 's',
      entity: 'u',
      features: { a: { expression: 'b' }, b: { expression: 'c * 2' }, c: { expression: 'a' } },
    });
    expect(error.message).toContain('a -> b -> c -> a');
  });

  function refusal(definition: JsonValue): Error & { data?: unknown } {
    try {
      parseDefinition(definition);
    } catch (error) {
      return error as Error;
    }
    throw new Error('It was taken.');
  }
});

describe('an on-demand feature', () => {
  const state = (expressions: Record<string, string>) =>
    stateOf(
      viewOf({
        spend: { aggregate: 'sum', field: 'v', window: 'lifetime' },
        ...Object.fromEntries(Object.entries(expressions).map(([name, text]) => [name, { expression: text }])),
      }),
      [[1000, { v: 7 }]],
    );

  test.each<[string, JsonValue]>([
    ['spend * 2 + 1', 15],
    ['-spend + 2 * 3', -1],
    ['amount / spend', 3],
    ['amount / 0', null],
    ['missing + 1', null],
    ['missing ?? 4', 4],
    ['amount > spend && country == "SE"', true],
    ["country != 'SE' ? 1 : 2", 2],
    ['min(amount, spend, 3)', 3],
    ['user.age >= 18', true],
    ['length(country) + round(2.5)', 5],
    ['other + 1', 23],
  ])('%s is %j', (text, expected) => {
    const values = valuesAt(state({ f: text, other: 'spend + 15' }), 2000, { amount: 21, country: 'SE', user: { age: 20 } });
    expect(values.f).toEqual(expected);
  });
});
