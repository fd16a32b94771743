import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../src/base/index.ts';
import { TailwaterClient } from '../../src/client.ts';
import type { Tailwater } from '../../src/server/index.ts';
import { type TestEngine, temporaryEngine } from './engine-support.ts';
import { startServer } from './http-support.ts';

const HOUR_MS = 3_600_000;

/** The system's clock, set forward when a test says so. */
function movableClock(): Clock & { forward(ms: number): void } {
  let byMs = 0;
  const { after, monotonicMs, sleep, turn } = systemClock;
  return {
    after: after.bind(systemClock),
    sleep: sleep.bind(systemClock),
    turn: turn.bind(systemClock),
    monotonicMs: monotonicMs.bind(systemClock),
    nowMs: () => systemClock.nowMs() + byMs,
    forward: ms => {
      byMs += ms;
    },
  };
}

let engine: TestEngine;
let tailwater: Tailwater;
const clock = movableClock();
beforeAll(async () => {
  engine = await temporaryEngine({ clock, collection: { auto: false, graceMs: 0, historySlack: 0 } });
  tailwater = engine.tailwater;
});
afterAll(() => engine[Symbol.asyncDispose]());

async function write(stream: string, first: number, last: number, more: object = {}): Promise<string> {
  const records = Array.from({ length: last - first + 1 }, (_, at) => ({ value: { n: first + at, text: 'boat', ...more } }));
  return (await tailwater.append(stream, records)).token;
}

async function found(stream: string, asOf?: string): Promise<unknown[]> {
  const { hits } = await tailwater.query(stream, { text: 'boat', limit: 100, ...(asOf && { consistency: { asOf } }) });
  return hits.map(hit => hit.value.n).sort((a, b) => Number(a) - Number(b));
}

describe('retention', () => {
  test('by age takes rows from search and stream alike, says from where on there are no gaps, and leaves past instants exact', async () => {
    await tailwater.createStream('log', { kind: 'append', search: { fields: ['text'] }, retention: { age: 'PT2H' } });
    const early = await write('log', 1, 3);
    await tailwater.compact('log', { full: true });
    const before = await tailwater.read('log');
    clock.forward(HOUR_MS);
    await write('log', 4, 5);
    await tailwater.compact('log', { full: true });
    const tagged = await tailwater.createTag('log', 'whole');
    clock.forward(HOUR_MS);
    const { state } = await tailwater.compact('log', { full: true });

    expect(state).toMatchObject({ kind: expect.any(String), rowCount: 2, expired: { count: 3, rows: 3, through: [2] } });
    expect(await found('log')).toEqual([4, 5]);
    expect(await tailwater.getStream('log')).toMatchObject({ earliest: [3], head: [4], rows: 2 });
    expect((await tailwater.read('log')).records.map(record => record.offset)).toEqual([3, 4]);
    await expect(tailwater.read('log', { from: 2 })).rejects.toMatchObject({ code: 'TW_HISTORY_EXPIRED' });
    const follow = tailwater.follow('log', { after: before.token })[Symbol.asyncIterator]();
    expect((await follow.next()).value.record.offset).toBe(3);
    await follow.return?.(undefined);

    // Instants before are what they were: by the token of a read, of a write, by time and by tag.
    expect(await found('log', before.token)).toEqual([1, 2, 3]);
    expect(await found('log', early)).toEqual([1, 2, 3]);
    expect(await found('log', before.records[2].ingestedAt)).toEqual([1, 2, 3]);
    expect(await found('log', 'tag:whole')).toEqual([1, 2, 3, 4, 5]);
    const then = await tailwater.read('log', { consistency: { asOf: tagged.token } });
    expect(then.records.map(record => record.value)).toHaveLength(5);
    expect(await found('log', (await tailwater.read('log')).token)).toEqual([4, 5]);
  });

  test('of a stream read by someone slow is an error, not a gap', async () => {
    await tailwater.createStream('slow', { kind: 'append', retention: 'PT1H' });
    await write('slow', 1, 2);
    const { token } = await tailwater.read('slow', { limit: 1 });
    await write('slow', 3, 4);
    const [first] = await firstEvents('slow', 1);
    await tailwater.compact('slow');
    clock.forward(HOUR_MS);
    await tailwater.compact('slow', { full: true });
    await write('slow', 5, 5);
    const resumed = tailwater.follow('slow', { after: first.token })[Symbol.asyncIterator]();
    await expect(resumed.next()).rejects.toMatchObject({ code: 'TW_HISTORY_EXPIRED', data: { earliest: 4 } });
    expect((await tailwater.read('slow', { from: 'earliest' })).records.map(record => record.offset)).toEqual([4]);
    expect((await tailwater.read('slow', { from: `time:${new Date(0).toISOString()}` })).records).toHaveLength(1);
    expect((await tailwater.read('slow', { from: `event:${new Date(0).toISOString()}` })).records).toHaveLength(1);
    expect((await tailwater.read('slow', { consistency: { asOf: token } })).records).toHaveLength(2);
  });

  test('by bytes keeps the newest rows, and history is let go of when its time has passed', async () => {
    await tailwater.createStream('small', { kind: 'append', retention: { bytes: 100 } });
    await write('small', 10, 29);
    const { state } = await tailwater.compact('small', { full: true });
    expect(state!.bytes).toBeLessThanOrEqual(100);
    const kept = (await tailwater.read('small')).records;
    expect(kept.map(record => record.offset)).toEqual([16, 17, 18, 19]);

    await tailwater.createStream('keyed', { kind: 'upsert', key: 'n', history: 'PT1H' });
    await write('keyed', 1, 2);
    await write('keyed', 1, 1, { text: 'again' });
    await tailwater.compact('keyed', { full: true });
    clock.forward(HOUR_MS);
    const after = await tailwater.compact('keyed', { full: true });
    expect(after.state).toMatchObject({ rowCount: 2, changeCount: 0 });
    expect((await tailwater.getRow('keyed', '1')).record.value).toMatchObject({ text: 'again' });
    expect((await tailwater.getRow('keyed', '2')).record.value).toMatchObject({ text: 'boat' });
    expect((await tailwater.read('keyed')).records.map(record => record.offset)).toEqual([1, 2]);
  });

  test('by time to live goes by event time, or by the field that says when; it is given over HTTP', async () => {
    await using server = await startServer(engine.tailwater.engine);
    const client = new TailwaterClient({ url: server.url });
    await client.createStream('offers', { kind: 'upsert', key: 'n', ttl: { field: 'until' }, search: { fields: ['text'] } });
    const at = (ms: number): string => new Date(clock.nowMs() + ms).toISOString();
    await write('offers', 1, 1, { until: at(HOUR_MS) });
    await write('offers', 2, 2, { until: clock.nowMs() + 3 * HOUR_MS });
    await write('offers', 3, 3);
    await client.createStream('events', { kind: 'append', time: 'at', ttl: 'PT2H', search: { fields: ['text'] } });
    await write('events', 1, 1, { at: at(-HOUR_MS) });
    await write('events', 2, 2, { at: at(0) });
    for (const stream of ['offers', 'events']) await client.compact(stream, { full: true });
    clock.forward(HOUR_MS + 1);
    for (const stream of ['offers', 'events']) await client.compact(stream, { full: true });
    expect([await found('offers'), await found('events')]).toEqual([[2, 3], [2]]);
    await expect(client.getRow('offers', '1')).rejects.toMatchObject({ code: 'TW_ROW_NOT_FOUND' });
    await client.close();
  });

  test.each(['lance', 'iceberg'] as const)(
    'of a table of format %s shows by search, key, read, scan and SQL the same rows',
    async format => {
      const name = `same_${format}`;
      await tailwater.createStream(name, { kind: 'upsert', key: 'n', retention: 'PT2H', table: { format } });
      await write(name, 1, 4);
      await tailwater.compact(name, { full: true });
      clock.forward(HOUR_MS);
      await write(name, 3, 6, { text: 'newer' });
      await tailwater.compact(name, { full: true });
      const whole = await tailwater.createTag(name, 'whole');
      expect(whole).toMatchObject({ rows: 6, datasets: { format, changes: expect.anything() } });
      clock.forward(HOUR_MS);
      const { state } = await tailwater.compact(name, { full: true });
      expect(state).toMatchObject({ kind: 'retention', rowCount: 4, changeCount: 0, expired: { count: 4, through: [3] } });
      await write(name, 7, 7);
      expect(await everywhere(name)).toEqual([3, 4, 5, 6, 7]);
      expect((await tailwater.read(name)).records.map(record => record.value)).toMatchObject([3, 4, 5, 6, 7].map(n => ({ n })));
      expect(await everywhere(name, 'tag:whole')).toEqual([1, 2, 3, 4, 5, 6]);

      // The tag goes on keeping the instant when history has let go of it, for every way of reading.
      clock.forward(8 * 24 * HOUR_MS);
      await write(name, 8, 8);
      await tailwater.compact(name, { full: true });
      await tailwater.collect({ thorough: true });
      expect(await everywhere(name)).toEqual([8]);
      expect(await everywhere(name, 'tag:whole')).toEqual([1, 2, 3, 4, 5, 6]);
      const { token } = await tailwater.sql(`SELECT n FROM ${name}`, { consistency: { asOf: { tag: 'whole' } } });
      expect(await everywhere(name, token)).toEqual([1, 2, 3, 4, 5, 6]);
    },
  );

  /** The numbers that every way of finding rows finds; they have to agree. */
  async function everywhere(stream: string, asOf?: string): Promise<unknown[]> {
    const consistency = asOf === undefined ? {} : { consistency: { asOf } };
    const { hits } = await tailwater.query(stream, { filter: { n: { $gt: 0 } }, limit: 100, ...consistency });
    const numbers = hits.map(hit => Number(hit.value.n)).sort((a, b) => a - b);
    const lines: Uint8Array[] = [];
    for await (const part of (await tailwater.scan(stream, { format: 'ndjson', columns: ['n'], ...consistency })).body)
      lines.push(part);
    const scanned = Buffer.concat(lines).toString().trim().split('\n');
    expect(scanned.map(line => JSON.parse(line).n).sort((a, b) => a - b)).toEqual(numbers);
    const sql = await tailwater.sql(`SELECT n FROM ${stream} ORDER BY n`, consistency);
    expect(sql.rows.map(([n]) => Number(n))).toEqual(numbers);
    const byKey = Array.from({ length: 8 }, (_, at) =>
      tailwater.getRow(stream, String(at + 1), consistency).catch(error => error.code),
    );
    const keys = (await Promise.all(byKey)).map((row, at) => (row === 'TW_ROW_NOT_FOUND' ? null : at + 1));
    expect(keys.filter(key => key !== null)).toEqual(numbers);
    return numbers;
  }

  async function firstEvents(stream: string, count: number): Promise<{ token: string }[]> {
    const events: { token: string }[] = [];
    for await (const event of tailwater.follow(stream, { from: 'earliest' })) {
      events.push(event);
      if (events.length === count) break;
    }
    return events;
  }
});
