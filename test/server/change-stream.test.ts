import { describe, expect, test } from 'vitest';
import { silentLogger, systemRandom } from '../../src/base/index.ts';
import { TailwaterClient } from '../../src/client.ts';
import { Compactions } from '../../src/server/compactions.ts';
import { Tailwater } from '../../src/server/index.ts';
import { settingsOf } from '../../src/server/settings.ts';
import type { LiveStream, LiveStreams } from '../../src/snapshot/index.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';
import { definitionOf } from '../lakehouse/compact-world.ts';
import { temporaryEngine } from './engine-support.ts';
import { problemOf, startServer } from './http-support.ts';

describe('a stream that lives', () => {
  test('is changed over HTTP: what it keeps follows, at once and after a restart, and the rest stays', async () => {
    await using engine = await temporaryEngine({ collection: { auto: false } });
    {
      await using server = await startServer(engine.tailwater.engine);
      const client = new TailwaterClient({ url: server.url });
      const { definition } = await client.createStream('log', { kind: 'append', retention: 'P1D' });
      await client.append(
        'log',
        Array.from({ length: 20 }, (_, n) => ({ value: { n } })),
      );
      expect((await client.compact('log', { full: true })).state?.rowCount).toBe(20);
      const changed = await client.changeStream('log', { retention: { bytes: 40 }, maintenance: { compactionsPerOptimize: 3 } });
      const { retentionMs: _retentionMs, ...same } = definition;
      expect(changed.definition).toEqual({
        ...same,
        retentionMs: null,
        retentionBytes: 40,
        maintenance: { compactionsPerOptimize: 3 },
      });
      expect((await client.compact('log', { full: true })).state?.rowCount).toBe(5);
      const init = { method: 'PATCH', headers: { 'content-type': 'application/json' } };
      const patch = (body: object) => server.fetch('/v1/streams/log', { ...init, body: JSON.stringify(body) });
      for (const body of [
        { kind: 'upsert' },
        { retention: 'P1M' },
        { ttl: 'forever' },
        { maintenance: { unindexedTextRows: 0 } },
      ]) {
        expect(await problemOf(await patch(body)), JSON.stringify(body)).toMatchObject({ code: 'TW_BAD_REQUEST' });
      }
      expect((await client.getStream('log')).definition).toEqual(changed.definition);
      await client.close();
    }
    await engine.tailwater.close();
    const again = await Tailwater.open({ dataDir: engine.dataDir, compactionHost: 'inline', compaction: { auto: false } });
    await again.append('log', [{ value: { n: 20 } }]);
    expect((await again.compact('log', { full: true })).state?.rowCount).toBe(5);
    const reset = await again.changeStream('log', { retention: null, maintenance: null, history: 'PT1H' });
    expect(reset.definition).toMatchObject({ retentionMs: null, historyMs: 3_600_000 });
    expect(reset.definition).not.toHaveProperty('retentionBytes');
    expect(reset.definition).not.toHaveProperty('maintenance');
    await again.close();
  });

  test('shows what is done to its table while it is done', async () => {
    const clock = new VirtualClock();
    const definition = definitionOf({});
    const parts: { part: string; done: () => void }[] = [];
    const stream = { definition, tail: { firstSegment: null }, advance: async () => {} } as unknown as LiveStream;
    const streams = { get: () => stream, all: () => [stream], requireReady: () => {} } as unknown as LiveStreams;
    const runner = {
      run: ({ part }: { part: string }) => new Promise<null>(done => parts.push({ part, done: () => done(null) })),
      prune: async () => {},
      close: async () => {},
    };
    const options = { dataDir: '', clock, random: systemRandom, logger: silentLogger, compaction: { auto: false } };
    const compactions = new Compactions(streams, runner, settingsOf(options));
    expect(compactions.running(definition.incarnation)).toBeNull();
    const compacted = compactions.compact(stream, 7, false);
    const startedAt = new Date(clock.nowMs()).toISOString();
    expect(compactions.running(definition.incarnation)).toEqual({ kind: 'compaction', startedAt, commits: 0 });
    compactions.committed(definition.incarnation);
    await clock.advance(2_000);
    expect(compactions.runningStats()).toEqual([
      { component: 'table_job', labels: { stream: 'shop', kind: 'compaction' }, stats: { seconds: 2, commits: 1 } },
    ]);
    parts[0].done();
    await compacted;
    expect(compactions.running(definition.incarnation)).toMatchObject({ kind: 'maintenance', commits: 0 });
    parts[1].done();
    await clock.advance(1);
    expect(compactions.running(definition.incarnation)).toBeNull();
    await compactions.close();
  });
});
