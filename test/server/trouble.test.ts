import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { TailwaterError } from '../../src/base/index.ts';
import { TailwaterClient } from '../../src/client.ts';
import { Tailwater } from '../../src/index.ts';
import { type TemporaryFolder, temporaryFolder } from './engine-support.ts';
import { startServer, type TestServer } from './http-support.ts';
import { onSmallDisk } from './small-disk.ts';

const MANUAL = { compactionHost: 'inline', compaction: { auto: false } } as const;

interface Node extends AsyncDisposable {
  server: TestServer;
  client: TailwaterClient;
}

async function openNode(dataDir: string): Promise<Node> {
  const tailwater = await Tailwater.open({ dataDir, ...MANUAL });
  const server = await startServer(tailwater.engine);
  return {
    server,
    client: new TailwaterClient({ url: server.url, maxAttempts: 1 }),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await tailwater.close();
    },
  };
}

const failureOf = (work: Promise<unknown>): Promise<TailwaterError> =>
  work.then(
    () => Promise.reject(new Error('it succeeded')),
    error => error,
  );

async function keysOf(client: TailwaterClient): Promise<unknown[]> {
  return (await client.read('s', { limit: 10_000 })).records.map(record => record.key);
}

describe('a disk that is full', () => {
  test('loses nothing acknowledged, shows nothing refused, and goes on once there is space', async () => {
    await onSmallDisk(8, 'the full disk', disk => fillAndRecover(join(disk.path, 'data'), disk));
  });
});

async function fillAndRecover(dataDir: string, disk: { resize(megabytes: number): void }): Promise<void> {
  const acknowledged: string[] = [];
  {
    await using node = await openNode(dataDir);
    const { client } = node;
    await client.createStream('s', { kind: 'upsert', key: 'id', search: { fields: ['text'] } });
    const put = async (id: string, text: string): Promise<void> => {
      await client.append('s', [{ value: { id, text } }]);
      acknowledged.push(id);
    };
    await put('first', 'a parcel');
    await client.compact('s');
    const refused = await failureOf(
      (async () => {
        for (let n = 0; n < 1000; n++) await put(`row-${n}`, 'x'.repeat(300_000));
      })(),
    );
    expect(refused).toMatchObject({ code: 'TW_STORAGE_FULL', status: 507 });
    expect(await failureOf(client.compact('s'))).toMatchObject({ code: 'TW_STORAGE_FULL' });
    expect(await client.health()).toMatchObject({ status: 'degraded', problems: [expect.stringContaining('no space')] });
    expect(await keysOf(client)).toEqual(acknowledged);
    expect((await client.query('s', { text: 'parcel' })).hits).toMatchObject([{ id: 'first', tier: 'table' }]);
    disk.resize(64);
    await put('again', 'a second parcel');
    expect(await client.compact('s')).toMatchObject({ state: { rowCount: acknowledged.length } });
    expect(await client.health()).toMatchObject({ status: 'ok' });
    expect(await keysOf(client)).toEqual(acknowledged);
  }
  await using reopened = await openNode(dataDir);
  expect(await keysOf(reopened.client)).toEqual(acknowledged);
  const { hits } = await reopened.client.query('s', { text: 'parcel' });
  expect(hits.map(hit => hit.id).sort()).toEqual(['again', 'first']);
}

describe('a damaged segment', () => {
  async function withSegments(folder: TemporaryFolder): Promise<{ dataDir: string; log: string }> {
    const dataDir = join(folder.path, 'data');
    await using node = await openNode(dataDir);
    await node.client.createStream('s', { kind: 'append' });
    for (let n = 0; n < 20; n++) await node.client.append('s', [{ value: { n, text: 'x'.repeat(100) } }]);
    await node.client.compact('s');
    const folderOfLog = join(dataDir, 'log', '0');
    const [file] = readdirSync(folderOfLog).filter(name => name.endsWith('.log'));
    return { dataDir, log: join(folderOfLog, file) };
  }

  test('is named and never skipped, and nothing in the folder is changed', async () => {
    await using folder = await temporaryFolder();
    const { dataDir, log } = await withSegments(folder);
    const sound = readFileSync(log);
    for (const share of [0.2, 0.5, 0.8]) {
      const damaged = Uint8Array.from(sound);
      damaged[Math.floor(sound.length * share)] ^= 0x40;
      writeFileSync(log, damaged);
      const before = readdirSync(join(dataDir, 'log', '0'));
      const failure = await failureOf(Tailwater.open({ dataDir, ...MANUAL }));
      expect(failure).toMatchObject({ code: 'TW_DATA_DAMAGED', message: expect.stringMatching(/\d{20}\.log/) });
      expect(readFileSync(log).equals(damaged)).toBe(true);
      expect(readdirSync(join(dataDir, 'log', '0'))).toEqual(before);
    }
    writeFileSync(log, sound);
    await using node = await openNode(dataDir);
    expect((await node.client.read('s')).records).toHaveLength(20);
  });
});
