import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { TailwaterClient } from '../../src/client.ts';
import { pathsOf, serve, Tailwater } from '../../src/server/index.ts';
import { temporaryEngine } from './engine-support.ts';

/** Nobody reads beside the test, so there is nobody to wait for. */
const AT_ONCE = { auto: false, graceMs: 0, logHistoryMs: 0, historySlack: 0 };

async function fill(tailwater: Tailwater, rounds: number, history = 'PT0.001S'): Promise<string[]> {
  await tailwater.createStream('docs', { kind: 'upsert', key: 'id', search: { fields: ['text'] }, history });
  const tokens: string[] = [];
  for (let round = 0; round < rounds; round++) {
    for (let n = 0; n < 4; n++) {
      const { token } = await tailwater.append('docs', [{ value: { id: `d${n}`, round, text: `boat ${round}` } }]);
      tokens.push(token);
    }
    // With its upkeep, which lets go of superseded versions: their history is over.
    await tailwater.compact('docs', { full: true });
  }
  return tokens;
}

function seqsIn(files: string[]): number[] {
  return files
    .filter(name => name.endsWith('.log'))
    .map(name => Number.parseInt(name, 10))
    .sort((a, b) => a - b);
}

describe('an engine that collects', () => {
  test('keeps what reads need on real tables: rows, records and the newest instant, also after a restart', async () => {
    await using engine = await temporaryEngine({ collection: AT_ONCE });
    const { tailwater, dataDir } = engine;
    const tokens = await fill(tailwater, 4);
    const report = await tailwater.collect();
    expect(report).toMatchObject({ problems: [], log: [{ heldBy: null, neededBy: null }] });
    expect(report.states).toBeGreaterThanOrEqual(3);
    expect(report.log[0].floor).toBe(report.log[0].head + 1);
    await expect(tailwater.query('docs', { text: 'boat', consistency: { asOf: tokens[0] } })).rejects.toMatchObject({
      code: 'TW_HISTORY_EXPIRED',
    });
    await tailwater.close();
    const again = await Tailwater.open({ dataDir, compactionHost: 'inline', collection: AT_ONCE });
    const rows = await again.query('docs', { text: 'boat', limit: 10 });
    expect(rows.hits.map(hit => [hit.key, hit.value.round])).toHaveLength(4);
    expect(rows.hits.every(hit => hit.value.round === 3)).toBe(true);
    expect((await again.read('docs')).records.map(record => record.offset)).toEqual([12, 13, 14, 15]);
    expect((await again.query('docs', { text: 'boat', consistency: { asOf: tokens.at(-1)! } })).hits).toHaveLength(4);
    await again.append('docs', [{ value: { id: 'd0', round: 9, text: 'boat 9' } }]);
    await again.compact('docs');
    expect((await again.getRow('docs', 'd0')).record.value).toMatchObject({ round: 9 });
    await again.close();
  });

  test('in a child process too, and lets go of what deleted streams and dead writers left', async () => {
    await using engine = await temporaryEngine({ collection: AT_ONCE, compactionHost: 'process' });
    const { tailwater, dataDir } = engine;
    await fill(tailwater, 3);
    const { problems, states } = await tailwater.collect();
    expect(problems).toEqual([]);
    expect(states).toBeGreaterThanOrEqual(2);
    expect((await tailwater.query('docs', { text: 'boat' })).hits).toHaveLength(4);
    await tailwater.deleteStream('docs');
    await writeFile(join(pathsOf(dataDir).objects, '.tmp', 'left-behind'), 'half an object');
    const preview = await tailwater.collect({ dryRun: true });
    expect(preview).toMatchObject({ dryRun: true, dropped: { streams: 1 }, temporaries: 1 });
    expect(await readdir(pathsOf(dataDir).lance)).toHaveLength(1);
    expect(await tailwater.collect()).toMatchObject({ problems: [], dropped: { streams: 1 }, temporaries: 1 });
    expect(await readdir(pathsOf(dataDir).lance)).toEqual([]);
    expect(await readdir(join(pathsOf(dataDir).objects, '.tmp'))).toEqual([]);
  });

  test('answers a past time after a restart that replayed nothing', async () => {
    await using engine = await temporaryEngine({ collection: { auto: false } });
    const { tailwater, dataDir } = engine;
    await fill(tailwater, 2, 'PT1H');
    const times = (await tailwater.read('docs')).records.map(record => record.ingestedAt);
    await tailwater.close();
    const again = await Tailwater.open({ dataDir, compactionHost: 'inline', collection: { auto: false } });
    const then = await again.query('docs', { text: 'boat', limit: 10, consistency: { asOf: times[2] } });
    expect(then.hits.map(hit => hit.key).sort()).toEqual(['d0', 'd1', 'd2']);
    expect(then.freshness.asOf).toBe(times[2]);
    await again.close();
  });

  test('is told over HTTP, and says in its metrics what holds the floor', async () => {
    await using engine = await temporaryEngine({ collection: AT_ONCE });
    const server = await serve(engine.tailwater.engine, { port: 0 });
    const client = new TailwaterClient({ url: server.url });
    try {
      await fill(engine.tailwater, 1);
      await client.append('docs', [{ value: { id: 'fresh', text: 'boat' } }]);
      const preview = await client.collect({ dryRun: true });
      const report = await client.collect();
      expect(report.log[0]).toMatchObject({ heldBy: 'stream', neededBy: 'docs' });
      expect(preview.log).toEqual(report.log);
      const metrics = await client.metrics();
      expect(metrics).toMatch(/tailwater_log_floor_needed_from_segment\{shard="0",stream="docs"\} \d+/);
      expect(metrics).toMatch(/tailwater_collection_segments [1-9]/);
    } finally {
      await client.close();
      await server.close();
    }
  });

  test('compacts a stream whose tail holds the log for too long', async () => {
    await using engine = await temporaryEngine({ collection: { ...AT_ONCE, maxFloorLagMs: 0 } });
    const { tailwater } = engine;
    await tailwater.createStream('slow', { kind: 'append' });
    await tailwater.append('slow', [{ value: { n: 1 } }]);
    await tailwater.collect();
    await expect.poll(async () => (await tailwater.getStream('slow')).lag).toBe(0);
    const { log } = await tailwater.collect();
    expect(log[0].floor).toBe(log[0].head + 1);
    expect(seqsIn(await readdir(pathsOf(engine.dataDir).log))).toEqual([1]);
  });
});
