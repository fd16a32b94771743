import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Tailwater } from '../../src/index.ts';
import { type IngestTarget, ingestSource } from '../../src/ingest/index.ts';
import { withEngine } from '../snapshot/temporary-engine.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailwater-ingest-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function valuesOf(tailwater: Tailwater, stream: string) {
  return (await tailwater.read(stream, { limit: 10_000 })).records.map(record => record.value);
}

function put(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content);
  return path;
}

const LINES = Array.from({ length: 25_000 }, (_, n) => ({ n, pad: 'x'.repeat(n % 50) }));

/** Dies after the k-th append, having applied it or not. */
function dyingTarget(tailwater: Tailwater, calls: number, applied: boolean): IngestTarget {
  let left = calls;
  return {
    sourceProgress: sources => tailwater.sourceProgress(sources),
    appendNdjson: async (stream, body, options) => {
      if (left-- > 0) return tailwater.appendNdjson(stream, body, options);
      if (applied) await tailwater.appendNdjson(stream, body, options);
      throw new Error('killed');
    },
  };
}

describe('ingesting files', () => {
  test('twice, or again after dying at any append, adds nothing twice and loses nothing', () =>
    withEngine(async tailwater => {
      const path = put('events.ndjson.gz', gzipSync(LINES.map(line => JSON.stringify(line)).join('\n')));
      for (const applied of [true, false]) {
        for (const calls of [0, 1, 2]) {
          const stream = `s-${calls}-${applied}`;
          await tailwater.createStream(stream, { kind: 'append' });
          await expect(ingestSource(path, stream, dyingTarget(tailwater, calls, applied))).rejects.toThrow(/killed/);
          const resumed = await ingestSource(path, stream, tailwater);
          const again = await ingestSource(path, stream, tailwater);
          expect(resumed.rejected).toBe(0);
          expect(again).toMatchObject({ skippedFiles: 1, records: 0 });
          const seen: unknown[] = [];
          for (let from = 0; from < LINES.length; from += 10_000) {
            seen.push(...(await tailwater.read(stream, { from, limit: 10_000 })).records.map(record => record.value));
          }
          expect(seen).toEqual(LINES);
        }
      }
    }));

  test('knows a file by where it lies: files of one name do not take turns, and the way to a file does not matter', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('s', { kind: 'append' });
      const a = put('a/x.ndjson', '{"from":"a"}');
      const b = put('b/x.ndjson', '{"from":"b"}');
      for (const path of [a, b, a, b]) await ingestSource(path, 's', tailwater);
      symlinkSync(join(folder, 'a'), join(folder, 'c'));
      const ways = [join(folder, 'b', '..', 'a', 'x.ndjson'), join(folder, 'a'), join(folder, 'c', 'x.ndjson'), folder];
      for (const path of ways) expect((await ingestSource(path, 's', tailwater)).records).toBe(0);
      expect(await valuesOf(tailwater, 's')).toEqual([{ from: 'a' }, { from: 'b' }]);
    }));

  test('goes on before a line that is too large, after dying there', () =>
    withEngine(async tailwater => {
      const lines = ['{"n":1}', `{"n":2,"pad":"${'x'.repeat(1_200_000)}"}`, '{"n":3}'];
      const path = put('large.ndjson', lines.join('\n'));
      await tailwater.createStream('s', { kind: 'append' });
      await expect(ingestSource(path, 's', dyingTarget(tailwater, 1, false))).rejects.toThrow(/killed/);
      const { rejections } = await ingestSource(path, 's', tailwater);
      expect(rejections).toMatchObject([{ line: 2, code: 'TW_RECORD_TOO_LARGE' }]);
      expect(await ingestSource(path, 's', tailwater)).toMatchObject({ records: 0, skippedFiles: 1 });
      expect(await valuesOf(tailwater, 's')).toEqual([{ n: 1 }, { n: 3 }]);
    }));

  test('reads each format of a folder, in the order of names; hidden files and modules are left out', () =>
    withEngine(async tailwater => {
      put('a.csv', '\uFEFFid,zip,amount,ok,none\n1,00501,2.5,true,\n2,"a ""b""",1.50,no,x\n');
      put('b.json', '[{"id":3,"big":12345678901234567890},{"id":4}]');
      put('c/guide.md', '# Guide\n\nHello there.\n\n## Install\n\nRun it.\n\n```sh\n# not a heading\n```\n');
      put('c/.hidden.json', '[]');
      put('node_modules/x.json', '{"id":9}');
      put('d.txt', 'plain words');
      put('e.bin', 'ignored');
      await tailwater.createStream('mixed', { kind: 'append' });
      const summary = await ingestSource(folder, 'mixed', tailwater);
      expect(summary).toMatchObject({ files: 4, records: 7, rejected: 0 });
      expect(await valuesOf(tailwater, 'mixed')).toEqual([
        { id: 1, zip: '00501', amount: 2.5, ok: true, none: null },
        { id: 2, zip: 'a "b"', amount: '1.50', ok: 'no', none: 'x' },
        { id: 3, big: Number('12345678901234567890') },
        { id: 4 },
        { id: 'c/guide.md#0', path: 'c/guide.md', title: 'Guide', section: 'Guide', text: '# Guide\n\nHello there.', line: 1 },
        expect.objectContaining({ section: 'Guide > Install', text: expect.stringContaining('# not a heading'), line: 5 }),
        expect.objectContaining({ path: 'd.txt', text: 'plain words' }),
      ]);
    }));

  test('reports what was rejected with its line, and keeps it in the dead-letter stream', () =>
    withEngine(async tailwater => {
      const path = put('bad.ndjson', '{"n":1}\n\nnonsense\n{"n":2}\n7\n');
      await tailwater.createStream('s', { kind: 'append' });
      const summary = await ingestSource(path, 's', tailwater);
      expect(summary).toMatchObject({ records: 2, rejected: 2 });
      expect(summary.rejections.map(({ line, code }) => [line, code])).toEqual([
        [3, 'TW_MALFORMED_JSON'],
        [5, 'TW_SCHEMA_MISMATCH'],
      ]);
      expect((await valuesOf(tailwater, 's.dlq')).map(value => (value as { record: string }).record)).toEqual(['nonsense', '7']);
    }));

  test('reads standard input when its format is named', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('s', { kind: 'append' });
      const stdin = Readable.from([Buffer.from('{"n":1}\n{"n'), Buffer.from('":2}')]);
      await ingestSource('-', 's', tailwater, { stdin, format: 'ndjson' });
      expect(await valuesOf(tailwater, 's')).toEqual([{ n: 1 }, { n: 2 }]);
      await expect(ingestSource('-', 's', tailwater)).rejects.toMatchObject({ code: 'TW_SOURCE' });
    }));

  test.each([
    ['nowhere.csv', null, /cannot be read/],
    ['what.xyz', 'x', /says no format/],
    ['bad.json', '{"a":', /is not JSON/],
    ['bad.csv', 'a,a\n1,2\n', /names "a" twice/],
    ['long.ndjson', `{"n":1}\n"${'x'.repeat(17 * 1024 * 1024)}`, /^Line 2 of .*long\.ndjson has more than 16777216 bytes/],
    ['cut.ndjson.gz', gzipSync('{"n":1}\n'.repeat(1000)).subarray(0, 40), /cannot be read/],
  ])('a source that cannot be read says why: %s', (name, content, message) =>
    withEngine(async tailwater => {
      const path = content === null ? join(folder, name) : put(name, content);
      await tailwater.createStream('s', { kind: 'append' });
      const failure = ingestSource(path, 's', tailwater);
      await expect(failure).rejects.toThrowError(message);
      await expect(failure).rejects.toMatchObject({ code: 'TW_SOURCE' });
    }),
  );
});
