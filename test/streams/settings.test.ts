import { describe, expect, test } from 'vitest';
import { parseDurationMs } from '../../src/streams/catalog/duration.ts';
import { normaliseSettings } from '../../src/streams/catalog/settings.ts';

const DAY_MS = 86_400_000;

function typed(types: Record<string, string | string[]>): object {
  return { type: 'object', properties: Object.fromEntries(Object.entries(types).map(([name, type]) => [name, { type }])) };
}

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
      table: { format: 'iceberg', partitionBy: [], sortBy: [] },
      historyMs: 7 * DAY_MS,
      retentionMs: null,
    });
  });

  test('of documents say how they are cut, and leave out what would tear them apart', () => {
    const chunkingOf = (documents: object) => normaliseSettings({ kind: 'upsert', documents }).documents;
    expect(chunkingOf({})).toEqual({ chunkTokens: 400, overlapTokens: 50 });
    expect(chunkingOf({ chunkTokens: 64 })).toEqual({ chunkTokens: 64, overlapTokens: 32 });
    expect(chunkingOf({ chunkTokens: 32, overlapTokens: 0 })).toEqual({ chunkTokens: 32, overlapTokens: 0 });
    expect(normaliseSettings({ kind: 'upsert' })).not.toHaveProperty('documents');
    const wrong = [{ chunkTokens: 8193 }, { chunkTokens: 40.5 }, { overlapTokens: 201 }, { overlapTokens: -1 }, { size: 1 }, []];
    for (const documents of wrong) expect(() => chunkingOf(documents)).toThrow(/^documents/);
    for (const more of [
      { kind: 'append' },
      { key: 'id' },
      { schema: {} },
      { retention: { bytes: 1 } },
      { ttl: { field: 'a' } },
    ]) {
      expect(() => normaliseSettings({ kind: 'upsert', documents: {}, ...more })).toThrow(/documents/);
    }
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

  test('keep the tables of streams that are searched in Lance, and others in Iceberg unless told otherwise', () => {
    const formatOf = (settings: object): string => normaliseSettings({ kind: 'append', ...settings }).table.format;
    expect(formatOf({ table: {} })).toBe('iceberg');
    expect(formatOf({ table: { format: 'lance' } })).toBe('lance');
    expect(formatOf({ search: { fields: ['a'] } })).toBe('lance');
    expect(formatOf({ embed: { fields: ['a'] } })).toBe('lance');
  });

  test('say how an Iceberg table is laid out', () => {
    const schema = typed({ user: ['string', 'null'], id: 'integer', country: 'string' });
    const partitionBy = ['day(_time)', 'hour(_ingested_at)', 'bucket(16, user)', 'bucket(4,id)', 'country'];
    expect(normaliseSettings({ kind: 'append', schema, table: { partitionBy, sortBy: ['_time', 'id'] } }).table).toEqual({
      format: 'iceberg',
      partitionBy: [
        { column: '_time', transform: 'day' },
        { column: '_ingested_at', transform: 'hour' },
        { column: 'user', transform: 'bucket', buckets: 16 },
        { column: 'id', transform: 'bucket', buckets: 4 },
        { column: 'country', transform: 'identity' },
      ],
      sortBy: ['_time', 'id'],
    });
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
    ['table.format', { kind: 'append', table: { format: 'delta' } }],
    ['table.format', { kind: 'append', search: { fields: ['a'] }, table: { format: 'iceberg' } }],
    ['table.format', { kind: 'append', embed: { fields: ['a'] }, table: { format: 'iceberg' } }],
    ['table', { kind: 'append', table: { location: 'x' } }],
    ['table.partitionBy', { kind: 'append', table: { format: 'lance', partitionBy: ['day(_time)'] } }],
    ['table.partitionBy', { kind: 'append', table: { partitionBy: 'day(_time)' } }],
    ['table.partitionBy[0]', { kind: 'append', table: { partitionBy: ['month(_time)'] } }],
    ['table.partitionBy[0]', { kind: 'append', table: { partitionBy: ['day(at)'] } }],
    ['table.partitionBy[1]', { kind: 'append', table: { partitionBy: ['day(_time)', 'country'] } }],
    ['table.partitionBy[0]', { kind: 'append', table: { partitionBy: ['bucket(0, a)'] }, schema: typed({ a: 'string' }) }],
    ['table.partitionBy[0]', { kind: 'append', table: { partitionBy: ['bucket(4, a)'] }, schema: typed({ a: 'number' }) }],
    ['table.partitionBy[0]', { kind: 'append', table: { partitionBy: ['a'] }, schema: typed({ a: 'integer' }) }],
    ['table.sortBy[0]', { kind: 'append', table: { sortBy: ['a'] } }],
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
