import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRecordsBody } from '../../src/ingest/index.ts';
import { encodeEnvelopes, encodeNdjson } from '../../src/ingest/records/encode-ndjson.ts';
import { encodeRecords } from '../../src/ingest/records/encode-records.ts';
import { RECORD_LIMITS } from '../../src/ingest/records/input.ts';
import { RecordRules } from '../../src/ingest/records/record-rules.ts';
import { normaliseSettings, type StreamSettings } from '../../src/streams/index.ts';

const NOW_MS = 1_767_225_600_000;

function rulesOf(settings: Partial<StreamSettings>, limits = {}): RecordRules {
  const normal = normaliseSettings({ kind: 'append', ...settings });
  return new RecordRules({ ...normal, name: 's', incarnation: 'i', createdAtMs: 0 }, { ...RECORD_LIMITS, ...limits });
}

interface Written {
  partition: number;
  key: string | null;
  value: string | null;
  timeMs: number;
}

function written(batches: ReturnType<typeof encodeNdjson>): Written[] {
  return batches.flatMap(({ parts }) =>
    parts.flatMap(({ partition, records }) => {
      const bytes = Buffer.from(records.bytes.buffer, records.bytes.byteOffset, records.bytes.byteLength);
      const cut = (start: number, end: number) => (start < 0 ? null : bytes.toString('utf8', start, end));
      return Array.from({ length: records.count }, (_, at) => ({
        partition,
        key: cut(records.keyStart[at], records.keyEnd[at]),
        value: cut(records.valueStart[at], records.valueEnd[at]),
        timeMs: records.timesMs[at],
      }));
    }),
  );
}

function ndjson(rules: RecordRules, body: string | Uint8Array) {
  const batches = encodeNdjson(rules, typeof body === 'string' ? Buffer.from(body) : body, NOW_MS, 0);
  return { written: written(batches), rejected: batches.flatMap(batch => batch.rejected) };
}

describe('NDJSON', () => {
  test('keeps the bytes of every line, whatever they are, and rejects alone what is no object', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.object({ maxDepth: 2 }), fc.constantFrom('nonsense', 5, null, [1])), { maxLength: 20 }),
        values => {
          const lines = values.map(value => (value === 'nonsense' ? '{"a":' : JSON.stringify(value)));
          const { written: rows, rejected } = ndjson(rulesOf({}), lines.join('\n'));
          const good = lines.filter(
            (_, at) => typeof values[at] === 'object' && values[at] !== null && !Array.isArray(values[at]),
          );
          expect(rows.map(row => row.value)).toEqual(good);
          expect(rejected.map(letter => letter.index)).toEqual(lines.flatMap((line, at) => (good.includes(line) ? [] : [at])));
        },
      ),
    );
  });

  test('skips blank lines, byte order mark, carriage returns; the last line needs no newline', () => {
    const { written: rows } = ndjson(rulesOf({}), '\uFEFF{"a":1}\r\n\n  \t\n {"a": 2} \n{"a":3}');
    expect(rows.map(row => row.value)).toEqual(['{"a":1}', '{"a": 2}', '{"a":3}']);
  });

  test('rejects what is not UTF-8, and only that', () => {
    const body = Buffer.concat([Buffer.from('{"a":1}\n{"a":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}\n{"a":3}\n')]);
    const { written: rows, rejected } = ndjson(rulesOf({}), body);
    expect(rows.map(row => row.value)).toEqual(['{"a":1}', '{"a":3}']);
    expect(rejected).toMatchObject([{ index: 1, code: 'TW_MALFORMED_JSON' }]);
  });

  test('is cut into batches that fit a segment, none of it lost', () => {
    const lines = Array.from({ length: 40_000 }, (_, n) => `{"n":${n},"pad":"${'x'.repeat(n % 300)}"}`);
    const batches = encodeNdjson(rulesOf({ partitions: 3 }), Buffer.from(lines.join('\n')), NOW_MS, 0);
    expect(batches.length).toBeGreaterThan(1);
    expect(
      written(batches)
        .map(row => row.value)
        .sort(),
    ).toEqual([...lines].sort());
  });
});

describe('keys', () => {
  test('that differ only beyond 2^53 are two keys', () => {
    const { written: rows } = ndjson(
      rulesOf({ kind: 'upsert', key: 'a.id' }),
      '{"a":{"id":9007199254740993}}\n{"a":{"id":9007199254740992}}',
    );
    expect(rows.map(row => row.key)).toEqual(['9007199254740993', '9007199254740992']);
  });

  test('of several fields are a JSON array; a missing one rejects the record', () => {
    const { written: rows, rejected } = ndjson(rulesOf({ kind: 'upsert', key: ['a', 'b'] }), '{"a":"x","b":7}\n{"a":"x"}');
    expect(rows.map(row => row.key)).toEqual(['["x",7]']);
    expect(rejected).toMatchObject([{ code: 'TW_KEY_REQUIRED' }]);
  });

  test('may be binary; the same key twice is two versions', () => {
    const key = { base64: Buffer.from([0, 255, 7]).toString('base64') };
    const batches = encodeRecords(
      rulesOf({ kind: 'upsert' }),
      [
        { key, value: { n: 1 } },
        { key, value: { n: 2 } },
        { key, value: null },
      ],
      NOW_MS,
      0,
    );
    expect(written(batches).map(row => row.value)).toEqual(['{"n":1}', '{"n":2}', null]);
  });

  test('decide the partition, so that a key stays in one', () => {
    const body = Array.from({ length: 200 }, (_, n) => JSON.stringify({ key: `k${n % 20}`, value: { n } })).join('\n');
    const rows = written(encodeEnvelopes(rulesOf({ partitions: 5 }), Buffer.from(body), NOW_MS, 0));
    const partitions = Map.groupBy(rows, row => row.key);
    for (const same of partitions.values()) expect(new Set(same.map(row => row.partition)).size).toBe(1);
    expect(new Set(rows.map(row => row.partition)).size).toBeGreaterThan(1);
  });
});

describe('event times', () => {
  test.each([
    [{ field: 't', unit: 's' }, '{"t":1700000000.5}', 1_700_000_000_500],
    [{ field: 't', unit: 'us' }, '{"t":1700000000123456}', 1_700_000_000_123],
    ['t', '{"t":"2026-01-01T00:00:00Z"}', NOW_MS],
  ] as const)('are read in their unit: %j', (time, line, expected) => {
    expect(ndjson(rulesOf({ time: time as never }), line).written[0].timeMs).toBe(expected);
  });

  test.each(['{"t":1700000000000}', '{"t":"soon"}', '{}', '{"t":1e300}'])('that cannot be are rejected: %s', line => {
    expect(ndjson(rulesOf({ time: { field: 't', unit: 's' } }), line).rejected).toMatchObject([{ code: 'TW_EVENT_TIME' }]);
  });
});

describe('limits', () => {
  test('a record too large, or of too many fields, is rejected alone', () => {
    const many = JSON.stringify(Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`f${n}`, n])));
    const { written: rows, rejected } = ndjson(
      rulesOf({}, { maxRecordBytes: 2000, maxFields: 100 }),
      `{"ok":1}\n${many}\n{"big":"${'x'.repeat(3000)}"}`,
    );
    expect(rows).toHaveLength(1);
    expect(rejected.map(letter => letter.code)).toEqual(['TW_TOO_MANY_FIELDS', 'TW_RECORD_TOO_LARGE']);
  });

  test('a value that does not match the schema says where', () => {
    const schema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] };
    const { rejected } = ndjson(rulesOf({ schema }), '{"n":"x"}\n{}\n{"n":1}');
    expect(rejected.map(letter => letter.code)).toEqual(['TW_SCHEMA_MISMATCH', 'TW_SCHEMA_MISMATCH']);
    expect(rejected[0].message).toMatch(/n must be integer/);
  });
});

describe('a JSON body', () => {
  test('keeps the digits of numbers that a double cannot hold', () => {
    const body = '{"records":[{"value":{"n":12345678901234567890,"f":0.1234567890123456789}},{"value":{"n":1}}]}';
    const rows = written(encodeRecords(rulesOf({}), parseRecordsBody(Buffer.from(body)), NOW_MS, 0));
    expect(rows.map(row => row.value)).toEqual(['{"n":12345678901234567890,"f":0.1234567890123456789}', '{"n":1}']);
  });

  test('that is no list of records is refused whole', () => {
    expect(() => parseRecordsBody(Buffer.from('{"records":'))).toThrowError(/not JSON/);
    expect(() => parseRecordsBody(Buffer.from('[1]'))).toThrowError(/"records"/);
  });
});
