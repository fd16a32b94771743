import { describe, expect, test } from 'vitest';
import { seededRandom, silentLogger } from '../../src/base/index.ts';
import { Compactions } from '../../src/server/compactions.ts';
import type { EngineOptions, Tailwater } from '../../src/server/index.ts';
import { settingsOf } from '../../src/server/settings.ts';
import type { LiveStreams } from '../../src/snapshot/index.ts';
import { EmbeddingServer, embeds, embedsUpTo, refuses } from '../embeddings/embedding-server.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';
import { temporaryEngine } from './engine-support.ts';

const STREAM = {
  kind: 'upsert',
  key: 'id',
  search: { fields: ['text'] },
  embed: { fields: ['text'], provider: 'openai', model: 'm', dimensions: 8 },
} as const;

const rows = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ value: { id: `r${at}`, text: 'word '.repeat(at + 1) } }));

async function withService(
  options: Partial<EngineOptions>,
  work: (tailwater: Tailwater, service: EmbeddingServer) => Promise<void>,
): Promise<void> {
  const service = await EmbeddingServer.start();
  try {
    await using engine = await temporaryEngine({ ...options, openai: { baseURL: service.baseURL, apiKey: 'k' } });
    await engine.tailwater.createStream('docs', STREAM);
    await work(engine.tailwater, service);
  } finally {
    await service.stop();
  }
}

const nullVectors = async (tailwater: Tailwater): Promise<number | undefined> =>
  (await tailwater.getTable('docs')).state?.nullVectors;

async function vectorSearch(tailwater: Tailwater): Promise<{ found: number; complete: boolean }> {
  const vector = [5, 119, 1, 1, 1, 1, 1, 1];
  const { hits, freshness } = await tailwater.query('docs', { vector, mode: 'vector', limit: 100 });
  return { found: hits.length, complete: freshness.complete };
}

describe('rows that enter the table without a vector (C7)', () => {
  test.each(['inline', 'process'] as const)('have one after the service is back, compacting %s', compactionHost =>
    withService({ compactionHost }, async (tailwater, service) => {
      service.usual = refuses(401);
      await tailwater.append('docs', rows(20));
      await tailwater.compact('docs');
      expect(await nullVectors(tailwater)).toBe(20);
      expect(await vectorSearch(tailwater)).toEqual({ found: 0, complete: false });
      service.usual = embeds;
      await tailwater.compact('docs', { full: true });
      expect(await nullVectors(tailwater)).toBe(0);
      expect(await vectorSearch(tailwater)).toEqual({ found: 20, complete: true });
    }),
  );

  test('a text that the service refuses keeps no other row from its vector, in the tail or in the table', () =>
    withService({}, async (tailwater, service) => {
      service.usual = embedsUpTo(95);
      await tailwater.append('docs', rows(20));
      await expect.poll(() => vectorSearch(tailwater)).toEqual({ found: 19, complete: false });
      await tailwater.compact('docs', { full: true });
      expect(await nullVectors(tailwater)).toBe(1);
      expect(await vectorSearch(tailwater)).toEqual({ found: 19, complete: false });
      const asked = service.requests.length;
      await tailwater.append('docs', [{ value: { id: 'r19', text: 'short' } }]);
      await tailwater.compact('docs', { full: true });
      expect(await vectorSearch(tailwater)).toEqual({ found: 20, complete: true });
      // The refused text was not sent again.
      expect(service.requests.slice(asked).flatMap(({ input }) => input)).not.toContain('word '.repeat(20));
    }));

  test('are asked for again at growing intervals while the stream is not written to', async () => {
    const clock = new VirtualClock();
    const state = { nullVectors: 3, logSeq: 7 };
    const stream = {
      definition: { incarnation: 'i', name: 'docs' },
      newestState: state,
      tail: { firstSegment: null },
      advance: async () => {},
    };
    const streams = { all: () => [stream], get: () => stream, requireReady: () => {} } as unknown as LiveStreams;
    const upkeepAtSeconds: number[] = [];
    const startMs = clock.nowMs();
    const runner = {
      run: async ({ part }: { part: string }) => {
        if (part === 'upkeep') upkeepAtSeconds.push(Math.floor((clock.nowMs() - startMs) / 1000));
        return null;
      },
      prune: async () => {},
      close: async () => {},
    };
    const settings = settingsOf({ dataDir: 'none', clock, random: seededRandom(1), logger: silentLogger });
    const compactions = new Compactions(streams, runner, settings);
    await clock.advance(80_000);
    expect(upkeepAtSeconds).toEqual([5, 15, 35, 75]);
    state.nullVectors = 1;
    await clock.advance(90_000);
    // Something was gained: it goes on quickly.
    expect(upkeepAtSeconds.slice(4)).toEqual([155, 160]);
    state.nullVectors = 0;
    await clock.advance(1_000_000);
    expect(upkeepAtSeconds).toHaveLength(6);
    await compactions.close();
  });
});
