import { describe, expect, test } from 'vitest';
import { parseDurationMs } from '../../src/streams/catalog/duration.ts';
import { normaliseSettings } from '../../src/streams/catalog/settings.ts';

const DAY_MS = 86_400_000;

describe('stream settings', () => {
  test('say only what differs from the defaults', () => {
    expect(normaliseSettings({ kind: 'append' })).toEqual({
      kind: 'append',
      key: null,
      time: null,
      schema: null,
      partitions: 1,
      colocate: null,
      embed: null,
      search: null,
      table: { format: 'lance' },
      historyMs: 7 * DAY_MS,
      retentionMs: null,
    });
  });

  test('keep everything that is said', () => {
    const settings = {
      kind: 'upsert',
      key: ['tenant', 'order.id'],
      time: { field: 'at', unit: 'us' },
      schema: { type: 'object' },
      partitions: 256,
      colocate: 'shop',
      embed: { fields: ['title', 'body'], provider: 'openai', model: 'text-embedding-3-small', dimensions: 1536 },
      search: { fields: ['title'] },
      table: { format: 'lance' },
      history: 'forever',
      retention: 'P30DT12H',
    };
    const { history: _history, retention: _retention, ...same } = settings;
    expect(normaliseSettings(settings)).toEqual({ ...same, historyMs: null, retentionMs: 30.5 * DAY_MS });
  });

  test('embed with the hash provider unless told otherwise', () => {
    const { embed } = normaliseSettings({ kind: 'append', embed: { fields: ['text'] } });
    expect(embed).toEqual({ fields: ['text'], provider: 'hash', model: 'hash-v1', dimensions: 384 });
  });

  test.each<[string, unknown]>([
    ['settings', null],
    ['settings', []],
    ['settings', { kind: 'append', color: 'red' }],
    ['kind', {}],
    ['kind', { kind: 'table' }],
    ['key', { kind: 'upsert', key: [] }],
    ['key[0]', { kind: 'upsert', key: '' }],
    ['key[1]', { kind: 'upsert', key: ['a', 7] }],
    ['key', { kind: 'upsert', key: ['a', 'a'] }],
    ['time', { kind: 'append', time: 5 }],
    ['time.unit', { kind: 'append', time: { field: 't' } }],
    ['time.unit', { kind: 'append', time: { field: 't', unit: 'ns' } }],
    ['time', { kind: 'append', time: { field: 't', unit: 's', zone: 'UTC' } }],
    ['schema', { kind: 'append', schema: true }],
    ['schema', { kind: 'append', schema: { description: 'x'.repeat(300_000) } }],
    ['partitions', { kind: 'append', partitions: 0 }],
    ['partitions', { kind: 'append', partitions: 257 }],
    ['partitions', { kind: 'append', partitions: 1.5 }],
    ['colocate', { kind: 'append', colocate: '' }],
    ['embed.fields', { kind: 'append', embed: {} }],
    ['embed.dimensions', { kind: 'append', embed: { fields: ['a'], dimensions: 4097 } }],
    ['embed.dimensions', { kind: 'append', embed: { fields: ['a'], provider: 'openai', model: 'm' } }],
    ['embed.model', { kind: 'append', embed: { fields: ['a'], provider: 'openai', dimensions: 5 } }],
    ['search', { kind: 'append', search: ['a'] }],
    ['search.fields', { kind: 'append', search: { fields: 'a' } }],
    ['table.format', { kind: 'append', table: { format: 'iceberg' } }],
    ['history', { kind: 'append', history: 'P1M' }],
    ['history', { kind: 'append', history: 7 }],
    ['retention', { kind: 'append', retention: 'PT0S' }],
  ])('that are wrong are named: %s in %j', (path, settings) => {
    expect(() => normaliseSettings(settings)).toThrow(expect.objectContaining({ code: 'TW_BAD_REQUEST', data: { path } }));
  });
});

test('durations are ISO 8601 in weeks to seconds; years and months have no fixed length', () => {
  const expected: [string, number | null][] = [
    ['P7D', 7 * DAY_MS],
    ['P2W', 14 * DAY_MS],
    ['PT12H', DAY_MS / 2],
    ['P1DT1H1M1.5S', DAY_MS + 3_661_500],
    ['PT90M', 5_400_000],
    ...['', 'P', 'PT', 'P1DT', '7D', 'P1Y', 'P1M', 'P-1D', 'P1.5D', 'p1d', ' P1D'].map((text): [string, null] => [text, null]),
  ];
  expect(expected.map(([text]) => [text, parseDurationMs(text)])).toEqual(expected);
});
