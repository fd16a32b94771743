import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isTailwaterError } from '../../src/base/index.ts';
import { settingsOf } from '../../src/server/settings.ts';
import { TailBound } from '../../src/server/tail-bound.ts';
import type { LiveStream, LiveStreams } from '../../src/snapshot/index.ts';
import { temporaryEngine } from './engine-support.ts';
import { problemOf, startServer } from './http-support.ts';

const NDJSON = { 'content-type': 'application/x-ndjson' };

interface Size {
  rows: number;
  bytes: number;
}

/** Streams whose tails hold what a test says. */
function streamsOf(tails: readonly Size[]): LiveStreams {
  const streams = tails.map((tail, n) => ({ tail, definition: { name: `s${n}` } }) as unknown as LiveStream);
  return { get: (incarnation: string) => streams[Number(incarnation)], all: () => streams } as unknown as LiveStreams;
}

describe('the tail of one stream', () => {
  const [maxTailRows, maxTailBytes] = [1000, 50_000];
  const write = fc.record({
    stream: fc.nat(3),
    rows: fc.integer({ min: 1, max: 200 }),
    bytes: fc.integer({ min: 1, max: 12_000 }),
    compacts: fc.boolean(),
  });

  test('is refused at its share and never below it, and whatever it holds refuses no other stream', () => {
    fc.assert(
      fc.property(fc.array(write, { maxLength: 300 }), fc.constantFrom(0.1, 0.25, 0.5, 0.9), (writes, tailStreamShare) => {
        const tails: Size[] = Array.from({ length: 4 }, () => ({ rows: 0, bytes: 0 }));
        const bound = new TailBound(streamsOf(tails), { maxTailRows, maxTailBytes, tailStreamShare });
        for (const { stream, rows, bytes, compacts } of writes) {
          const own = tails[stream];
          const isFull = own.rows >= maxTailRows * tailStreamShare || own.bytes >= maxTailBytes * tailStreamShare;
          const isNodeFull =
            tails.reduce((sum, tail) => sum + tail.rows, 0) >= maxTailRows ||
            tails.reduce((sum, tail) => sum + tail.bytes, 0) >= maxTailBytes;
          const refusal = refusalOf(() => bound.admit(String(stream)));
          if (isFull) expect(refusal?.data).toMatchObject({ stream: `s${stream}`, ...own });
          else if (refusal !== null) expect([isNodeFull, refusal.data]).toMatchObject([true, { maxRows: maxTailRows }]);
          if (refusal === null) {
            own.rows += rows;
            own.bytes += bytes;
          } else if (compacts) own.rows = own.bytes = 0;
        }
      }),
    );
  });

  test('has no share of its own at 1', () => {
    const tails = [{ rows: 999, bytes: 1 }];
    const bound = new TailBound(streamsOf(tails), { maxTailRows, maxTailBytes, tailStreamShare: 1 });
    expect(refusalOf(() => bound.admit('0'))).toBeNull();
    tails[0].rows = 1000;
    expect(refusalOf(() => bound.admit('0'))?.data).toEqual({ rows: 1000, bytes: 1, maxRows: 1000, maxBytes: 50_000 });
  });

  test('is compacted well before its share is full', () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 1e9 }), fc.double({ min: 0.01, max: 1, noNaN: true }), (max, tailStreamShare) => {
        const settings = settingsOf({ dataDir: 'd', maxTailRows: max, maxTailBytes: max, tailStreamShare });
        const half = Math.max(1, (max * tailStreamShare) / 2);
        expect(settings.compaction.rows).toBeLessThanOrEqual(half);
        expect(settings.compaction.bytes).toBeLessThanOrEqual(half);
      }),
    );
  });
});

test('over HTTP: 429 says which stream, how much and what to do; others are written to; once compacted it is again', async () => {
  await using node = await temporaryEngine({ maxTailRows: 1000, tailStreamShare: 0.5 });
  await using http = await startServer(node.tailwater.engine);
  for (const name of ['loud', 'quiet']) await node.tailwater.createStream(name, { kind: 'append' });
  const body = Array.from({ length: 300 }, (_, n) => `{"n":${n}}`).join('\n');
  const post = (stream: string) => http.post(`/v1/streams/${stream}/records`, body, NDJSON);
  expect([(await post('loud')).status, (await post('loud')).status]).toEqual([200, 200]);

  const refused = await post('loud');
  expect([refused.status, Number(refused.headers.get('retry-after'))]).toEqual([429, 1]);
  const { code, detail, data } = await problemOf(refused);
  expect([code, data]).toMatchObject(['TW_TAIL_FULL', { stream: 'loud', rows: 600, maxRows: 500 }]);
  for (const said of ['"loud"', '600 rows', '500 rows', 'tail.streamShare', 'Other streams']) expect(detail).toContain(said);
  expect((await post('quiet')).status).toBe(200);
  const metrics = await (await http.fetch('/metrics')).text();
  for (const line of ['tail_refused{stream="loud"} 1', 'tail_refused{stream="quiet"} 0', 'tail_bound_max_stream_rows 500'])
    expect(metrics).toContain(`tailwater_${line}\n`);

  await node.tailwater.compact('loud');
  expect((await post('loud')).status).toBe(200);
  expect((await node.tailwater.getStream('loud')).rows).toBe(900);
});

function refusalOf(work: () => void): { data?: unknown } | null {
  try {
    work();
    return null;
  } catch (error) {
    if (isTailwaterError(error, 'TW_TAIL_FULL') && (error.retryAfterMs ?? 0) > 0) return error;
    throw error;
  }
}
