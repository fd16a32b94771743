import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isTailwaterError, systemClock, systemRandom } from '../../src/base/index.ts';
import { TailwaterClient } from '../../src/client.ts';
import { ObjectJournal } from '../../src/journal/index.ts';
import { LanceTableStore } from '../../src/lakehouse/index.ts';
import { localParts, pathsOf } from '../../src/server/data-folder.ts';
import { Engine } from '../../src/server/engine.ts';
import { createS3Store, withRetries } from '../../src/storage/index.ts';
import { temporaryFolder } from '../server/engine-support.ts';
import { startServer } from '../server/http-support.ts';
import { S3Double } from '../storage/s3-double.ts';
import { HeldConnections } from './held-connections.ts';

/** Of a request to the store. */
const TIMEOUT_MS = 300;
/** Far above what timeouts and retries add up to, far below for ever. */
const ANSWERED_WITHIN_MS = 15_000;

async function failureOf(work: Promise<unknown>): Promise<string> {
  const startedMs = performance.now();
  const code = await work.then(
    () => 'no failure',
    error => (isTailwaterError(error) ? error.code : String(error)),
  );
  expect(performance.now() - startedMs).toBeLessThan(ANSWERED_WITHIN_MS);
  return code;
}

test('writes to a store that never answers are unknown, and settled once it does', async () => {
  await using folder = await temporaryFolder();
  const double = await S3Double.start();
  const held = new HeldConnections(Number(new URL(double.endpoint).port));
  const settings = { ...double.settings, endpoint: await held.listen(), timeoutMs: TIMEOUT_MS };
  const store = withRetries(createS3Store(settings), { clock: systemClock, random: systemRandom, attempts: 2, baseDelayMs: 1 });
  const options = {
    dataDir: folder.path,
    compactionHost: 'inline',
    compaction: { auto: false },
    collection: { auto: false, graceMs: 1 },
  } as const;
  const open = () =>
    Engine.open(options, async dataDir => ({
      lock: null,
      store,
      journal: new ObjectJournal(store, 'log/0'),
      tables: await LanceTableStore.open(join(dataDir, 'lance')),
      ...localParts(pathsOf(dataDir)),
    }));
  const engine = await open();
  const server = await startServer(engine);
  const client = new TailwaterClient({ url: server.url, maxAttempts: 1, readYourWrites: false });
  try {
    await client.createStream('s', { kind: 'append', search: { fields: ['text'] } });
    const write = (text: string) => client.append('s', [{ value: { text } }], { idempotencyKey: text });
    await write('before');
    held.hold();
    expect(await failureOf(write('meanwhile'))).toBe('TW_OUTCOME_UNKNOWN');
    expect(await failureOf(write('meanwhile'))).toBe('TW_OUTCOME_UNKNOWN');
    expect(['TW_STORAGE_UNAVAILABLE', 'TW_DEADLINE', 'TW_NOT_YET_VISIBLE']).toContain(
      await failureOf(client.query('s', { text: 'before', consistency: { strong: true }, deadlineMs: 1000 })),
    );
    const stale = await client.query('s', { text: 'before', consistency: { maxStalenessMs: 3_600_000 } });
    expect(stale.hits.map(hit => hit.value.text)).toEqual(['before']);
    expect(['TW_COMPACTION_FAILED', 'TW_STORAGE_UNAVAILABLE']).toContain(await failureOf(client.compact('s')));
    expect(await failureOf(open())).toBe('TW_STORAGE_UNAVAILABLE');
    held.letGo();
    const { partitions } = await write('meanwhile');
    await write('after');
    expect(await write('meanwhile')).toMatchObject({ accepted: 1, partitions });
    const texts = async () => (await client.read('s')).records.map(record => (record.value as { text: string }).text);
    expect(await texts()).toEqual(['before', 'meanwhile', 'after']);
    expect(await client.compact('s')).toMatchObject({ state: { rowCount: 3 } });
    expect(await texts()).toEqual(['before', 'meanwhile', 'after']);
    expect(await client.health()).toMatchObject({ status: 'ok', problems: [] });
  } finally {
    await server[Symbol.asyncDispose]();
    await engine.close();
    await held.close();
    await double.stop();
  }
});
