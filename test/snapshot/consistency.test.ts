import { describe, expect, test } from 'vitest';
import { Tailwater } from '../../src/index.ts';
import { parseConsistency } from '../../src/snapshot/consistency.ts';
import { decodeToken, encodeToken } from '../../src/streams/index.ts';
import { withEngine } from './temporary-engine.ts';

async function filled(tailwater: Tailwater, count = 3): Promise<string[]> {
  await tailwater.createStream('events', { kind: 'append', search: { fields: ['text'] } });
  const tokens: string[] = [];
  for (let n = 0; n < count; n++) tokens.push((await tailwater.append('events', [{ value: { n, text: `event ${n}` } }])).token);
  return tokens;
}

function ahead(token: string): string {
  const position = decodeToken(token);
  position.shards[0].seq += 5;
  return encodeToken(position);
}

describe('consistency', () => {
  test('a position that is not reached by the deadline is TW_NOT_YET_VISIBLE with the position reached, never an older answer', () =>
    withEngine(async tailwater => {
      const [token] = await filled(tailwater, 1);
      const query = tailwater.query('events', { text: 'event', consistency: { atLeast: ahead(token) }, deadlineMs: 20 });
      await expect(query).rejects.toMatchObject({
        code: 'TW_NOT_YET_VISIBLE',
        data: { reached: decodeToken(token).shards[0].seq },
      });
    }));

  test('a token that waits for a later write is answered by that write', () =>
    withEngine(async tailwater => {
      const [token] = await filled(tailwater, 1);
      const position = decodeToken(token);
      position.shards[0].seq += 1;
      const waiting = tailwater.query('events', { text: 'late', consistency: { atLeast: encodeToken(position) } });
      await tailwater.append('events', [{ value: { n: 9, text: 'late event' } }]);
      expect((await waiting).hits.map(hit => hit.value.n)).toEqual([9]);
    }));

  test('of several tokens the furthest decides, whichever it is', () =>
    withEngine(async tailwater => {
      const [token] = await filled(tailwater, 1);
      for (const atLeast of [
        [token, ahead(token)],
        [ahead(token), token],
      ]) {
        const late = tailwater.query('events', { text: 'event', consistency: { atLeast }, deadlineMs: 20 });
        await expect(late).rejects.toMatchObject({ code: 'TW_NOT_YET_VISIBLE' });
      }
      const now = await tailwater.sql('SELECT count(*) FROM events', { consistency: { atLeast: [token, token] } });
      expect(now.rows).toEqual([[1]]);
      for (const atLeast of [[], Array.from({ length: 101 }, () => token)]) {
        await expect(tailwater.query('events', { text: 'event', consistency: { atLeast } })).rejects.toMatchObject({
          code: 'TW_BAD_REQUEST',
        });
      }
    }));

  test('asOf a token or a time answers exactly what was there then, also after compaction', () =>
    withEngine(async tailwater => {
      const tokens = await filled(tailwater, 3);
      const times = (await tailwater.read('events')).records.map(record => record.ingestedAt);
      for (const compact of [false, true]) {
        if (compact) await tailwater.compact('events');
        for (const n of [0, 1, 2]) {
          const byToken = await tailwater.query('events', { text: 'event', consistency: { asOf: tokens[n] } });
          const byTime = await tailwater.query('events', { text: 'event', consistency: { asOf: times[n] } });
          expect(byToken.hits.map(hit => hit.value.n).sort()).toEqual([0, 1, 2].slice(0, n + 1));
          expect(byTime.hits).toEqual(byToken.hits.map(hit => ({ ...hit, ageMs: expect.any(Number) })));
          expect(decodeToken(byTime.token).shards).toEqual(decodeToken(tokens[n]).shards);
        }
      }
    }));

  test('asOf has the vectors of rows that were written again since, after a restart and where the log before them is gone', () =>
    withEngine(
      async (tailwater, dataDir) => {
        await filled(tailwater, 1);
        await tailwater.compact('events');
        expect((await tailwater.collect()).log[0].floor).toBeGreaterThan(1);
        await tailwater.createStream('rows', { kind: 'upsert', key: 'id', embed: { fields: ['text'] } });
        const write = async (text: string) => (await tailwater.append('rows', [{ value: { id: 'a', text } }])).token;
        const old = await write('a storm at sea');
        await write('fog');
        await tailwater.close();
        const again = await Tailwater.open({ dataDir, compactionHost: 'inline', compaction: { auto: false } });
        const { hits, freshness } = await again.query('rows', { text: 'storm', mode: 'vector', consistency: { asOf: old } });
        expect([hits.map(hit => hit.value.text), freshness.complete]).toEqual([['a storm at sea'], true]);
        await again.close();
      },
      { collection: { auto: false, graceMs: 0, logHistoryMs: 0, historySlack: 0 } },
    ));

  test('an instant before the first record is empty; one in the future is refused', () =>
    withEngine(async tailwater => {
      await filled(tailwater, 2);
      const then = await tailwater.query('events', { text: 'event', consistency: { asOf: '2001-01-01T00:00:00Z' } });
      expect(then.hits).toEqual([]);
      const later = tailwater.query('events', { text: 'event', consistency: { asOf: '2999-01-01T00:00:00Z' } });
      await expect(later).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
    }));

  test.each([
    [{ strong: true, maxStalenessMs: 5 }, /only one/],
    [{ fresh: true }, /no member "fresh"/],
    [{ maxStalenessMs: -1 }, />= 0/],
    [{ strong: false }, /strong must be true/],
    [{ asOf: '2026-13-45T00:00:00Z' }, /not an ISO/],
    ['strong', /an object/],
  ])('demands that cannot be understood say why: %j', (consistency, message) => {
    expect(() => parseConsistency(consistency as never, { kind: 'strong' })).toThrowError(message);
  });
});

describe('following a stream', () => {
  test('gives what is there, then what comes, and resumes after any token without gap or repeat', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('events', { kind: 'append', partitions: 3 });
      const write = (first: number, count: number) =>
        tailwater.append(
          'events',
          Array.from({ length: count }, (_, at) => ({ key: `k${first + at}`, value: { n: first + at } })),
        );
      await write(0, 20);
      await tailwater.compact('events');
      await write(20, 20);
      const seen: { n: number; token: string }[] = [];
      for await (const { record, token } of tailwater.follow('events', { from: 'earliest' })) {
        seen.push({ n: (record.value as { n: number }).n, token });
        if (seen.length === 25) await write(40, 20);
        if (seen.length === 60) break;
      }
      expect(seen.map(entry => entry.n).sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, n) => n));
      for (const at of [0, 7, 30, 55]) {
        const rest: number[] = [];
        for await (const { record } of tailwater.follow('events', { after: seen[at].token })) {
          rest.push((record.value as { n: number }).n);
          if (rest.length === 59 - at) break;
        }
        expect(rest.sort((a, b) => a - b)).toEqual(
          seen
            .slice(at + 1)
            .map(entry => entry.n)
            .sort((a, b) => a - b),
        );
      }
    }));

  test('ends when the reader leaves, and says so when the stream is deleted', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('events', { kind: 'append' });
      const controller = new AbortController();
      const ended = (async () => {
        for await (const _ of tailwater.follow('events', { signal: controller.signal })) throw new Error('nothing was written');
      })();
      controller.abort();
      await ended;
      const gone = (async () => {
        for await (const _ of tailwater.follow('events')) throw new Error('nothing was written');
      })();
      const refused = expect(gone).rejects.toMatchObject({ code: 'TW_STREAM_NOT_FOUND' });
      await tailwater.deleteStream('events');
      await refused;
    }));
});

describe('reading a stream', () => {
  test('starts at an offset, a commit time or an event time, in tail and table alike', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('events', { kind: 'append', time: { field: 'at', unit: 's' } });
      for (let n = 0; n < 6; n++) await tailwater.append('events', [{ value: { n, at: 1000 + n * 10 } }]);
      const commits = (await tailwater.read('events')).records.map(record => record.ingestedAt);
      for (const compact of [false, true]) {
        if (compact) await tailwater.compact('events');
        const first = async (from: string | number) =>
          (await tailwater.read('events', { from })).records.map(record => record.offset);
        expect(await first(4)).toEqual([4, 5]);
        expect(await first('latest')).toEqual([]);
        expect(await first(`time:${commits[3]}`)).toEqual([3, 4, 5]);
        expect(await first(`event:${new Date(1_021_000).toISOString()}`)).toEqual([3, 4, 5]);
        await expect(first(7)).rejects.toMatchObject({ code: 'TW_OFFSET_OUT_OF_RANGE', data: { next: 6 } });
      }
    }));

  test('gives the same bytes of every value before and after compaction', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('raw', { kind: 'append' });
      const lines = [
        '{"b":1,"a":2}',
        '{"n": 12345678901234567890}',
        '{"x":1.0,"y":-0,"z":1e400}',
        '{ "s":"\\u00e9\\ud800" }',
        '{"d":1,"d":2}',
        '{"_offset":7}',
      ];
      await tailwater.appendNdjson('raw', lines.join('\n'));
      const bytes = async () =>
        (await tailwater.engine.read('raw', {})).records.map(record => Buffer.from(record.value!).toString());
      expect(await bytes()).toEqual(lines);
      await tailwater.compact('raw');
      expect(await bytes()).toEqual(lines);
    }));

  test('a folder that is in use is refused, and a new life of a name has none of the old records', () =>
    withEngine(async (tailwater, dataDir) => {
      await expect(Tailwater.open({ dataDir })).rejects.toMatchObject({ code: 'TW_FOLDER_IN_USE' });
      await filled(tailwater);
      await tailwater.compact('events');
      await tailwater.deleteStream('events');
      await tailwater.createStream('events', { kind: 'append' });
      expect((await tailwater.read('events')).records).toEqual([]);
    }));
});
