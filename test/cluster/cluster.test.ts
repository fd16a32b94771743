import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isTailwaterError, systemClock } from '../../src/base/index.ts';
import type { TailwaterClient } from '../../src/client.ts';
import type { S3Settings } from '../../src/storage/index.ts';
import { freshPrefix, makeBucket, realS3 } from '../harness/real-s3.ts';
import { type ClusterNode, startNode } from './node-on-s3.ts';

/** Compactions and collections of both nodes fall into the load. */
const RESTLESS = {
  'compaction-rows': '150',
  'compaction-age-ms': '500',
  'collection-interval-ms': '2000',
  'collection-grace-ms': '3000',
};
const BATCH = 20;

interface Acknowledged {
  ids: string[];
  token: string;
}

/** Appends until told to stop; what was not acknowledged is sent again under its key until it is, to the node that is there then. */
async function load(nodes: () => readonly TailwaterClient[], writer: string, stop: () => boolean): Promise<Acknowledged> {
  const ids: string[] = [];
  let token = '';
  for (let batch = 0; !stop(); batch++) {
    const records = Array.from({ length: BATCH }, (_, at) => ({ value: { id: `${writer}-${batch}-${at}`, writer } }));
    for (let attempt = 0; ; attempt++) {
      const clients = nodes();
      const client = clients[(batch + attempt) % clients.length];
      try {
        ({ token } = await client.append('events', records, { idempotencyKey: `${writer}-${batch}` }));
        break;
      } catch (error) {
        if (attempt > 100) throw error;
        await systemClock.sleep(50);
      }
    }
    ids.push(...records.map(({ value }) => value.id));
  }
  return { ids, token };
}

/** Every id of the stream as this node reads it after the position, in its order. */
async function idsOf(client: TailwaterClient, atLeast: string): Promise<string[]> {
  const ids: string[] = [];
  let from: number | 'earliest' = 'earliest';
  for (;;) {
    const page = await client.read('events', { from, limit: 1000, consistency: { atLeast } });
    ids.push(...page.records.map(({ value }) => (value as { id: string }).id));
    if (page.records.length === 0) return ids;
    from = page.next;
  }
}

const s3 = realS3();
if (s3 === null) {
  test('nodes on a real S3 server are left out', () => {
    console.log('Left out: several nodes on one S3 deployment. To include them: eval "$(test/storage/real-s3.sh start)"');
    expect(s3).toBeNull();
  });
} else {
  describe('nodes on one S3 deployment', () => {
    let folder: string;
    let settings: S3Settings;
    const nodes: ClusterNode[] = [];
    const startOne = async (name: string, options: Partial<Parameters<typeof startNode>[1]> = {}): Promise<ClusterNode> => {
      const node = await startNode(settings, { dataDir: join(folder, name), settings: RESTLESS, ...options });
      nodes.push(node);
      return node;
    };

    beforeAll(async () => {
      await makeBucket(s3);
      folder = await mkdtemp(join(tmpdir(), 'tailwater-cluster-'));
      settings = { ...s3, prefix: freshPrefix('cluster') };
    });

    afterAll(async () => {
      for (const node of nodes) await node.end('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    });

    test('written to by all, one killed under load: every node reads every acknowledged record once, in one order', async () => {
      const a = await startOne('a');
      const b = await startOne('b');
      await a.client.createStream('events', { kind: 'append' });
      // The other node was not told of the stream, and its token is honoured here.
      const first = await b.client.append('events', [{ value: { id: 'first' } }]);
      expect(await idsOf(a.client, first.token)).toEqual(['first']);

      let alive: readonly TailwaterClient[] = [a.client, b.client];
      let stopped = false;
      const writers = ['w0', 'w1', 'w2'].map(name =>
        load(
          () => alive,
          name,
          () => stopped,
        ),
      );
      await systemClock.sleep(4000);
      await a.end('SIGKILL');
      alive = [b.client];
      await systemClock.sleep(3000);
      const again = await startOne('a');
      alive = [again.client, b.client];
      await systemClock.sleep(4000);
      stopped = true;
      const acknowledged = await Promise.all(writers);

      const expected = ['first', ...acknowledged.flatMap(({ ids }) => ids)].sort();
      const last = await b.client.append('events', [{ value: { id: 'last' } }]);
      const [ofB, ofA] = [await idsOf(b.client, last.token), await idsOf(again.client, last.token)];
      expect(ofA).toEqual(ofB);
      expect([...ofB].sort()).toEqual([...expected, 'last'].sort());
      for (const { client } of [again, b]) {
        const { rows } = await client.sql('SELECT count(*) AS n, count(DISTINCT id) AS ids FROM events', {
          consistency: { strong: true },
        });
        expect(rows).toEqual([[ofB.length, ofB.length]]);
      }
      const table = await b.client.compact('events');
      expect(table.state!.rowCount).toBe(ofB.length);
      expect(table.datasets!.rows.path).toContain(`s3://${settings.bucket}/${settings.prefix}/data/iceberg/`);
      expect(await idsOf(again.client, table.token)).toEqual(ofB);
    }, 120_000);

    test('search finds on one node what was written on the other, in tail and table, and no older version of it', async () => {
      const [a, b] = [await startOne('c'), await startOne('d')];
      await a.client.createStream('notes', { kind: 'upsert', key: 'id', search: { fields: ['text'] } });
      const text = (version: number) => (at: number) => ({
        value: { id: `n${at}`, text: `heron number ${at} version${version}` },
      });
      const indexes = Array.from({ length: 30 }, (_, at) => at);
      await a.client.append('notes', indexes.map(text(1)));
      await a.client.compact('notes', { full: true });
      const { token } = await b.client.append('notes', indexes.slice(0, 10).map(text(2)));
      const found = async (client: TailwaterClient, words: string): Promise<number> => {
        const { hits } = await client.query('notes', { text: words, mode: 'text', limit: 100, consistency: { atLeast: token } });
        return hits.filter(({ value }) => (value as { text: string }).text.includes(words)).length;
      };
      for (const { client } of [a, b]) {
        expect(await found(client, 'version1')).toBe(20);
        expect(await found(client, 'version2')).toBe(10);
      }
      await b.client.compact('notes', { full: true });
      for (const { client } of [a, b]) expect(await found(client, 'version1')).toBe(20);
      await a.end('SIGKILL');
      await b.end('SIGKILL');
    }, 120_000);

    test('what one node deletes and creates anew is so on the other, in streams and in the Iceberg catalog', async () => {
      const [a, b] = [await startOne('h'), await startOne('i')];
      await a.client.createStream('again', { kind: 'append' });
      await b.client.append('again', [{ value: { life: 1 } }]);
      await a.client.deleteStream('again');
      await a.client.createStream('again', { kind: 'append' });
      const { token } = await b.client.append('again', [{ value: { life: 2 } }]);
      const { records } = await a.client.read('again', { consistency: { atLeast: token } });
      expect(records.map(({ value }) => value)).toEqual([{ life: 2 }]);
      const namespaces = async (node: ClusterNode): Promise<string[]> => {
        const answer = (await (await fetch(`${node.url}/iceberg/v1/namespaces`)).json()) as { namespaces: string[][] };
        return answer.namespaces.map(levels => levels.join('.'));
      };
      for (const name of ['one', 'two']) {
        const body = JSON.stringify({ namespace: [name] });
        const made = await fetch(`${a.url}/iceberg/v1/namespaces`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
        });
        expect(made.status).toBe(200);
        expect(await namespaces(b)).toContain(name);
      }
      // What is no stream is not taken for a dead one.
      const report = await b.client.collect({ dryRun: true });
      expect([report.problems, report.orphans.filter(line => line.includes('catalog'))]).toEqual([[], []]);
      await a.end('SIGKILL');
      await b.end('SIGKILL');
    }, 120_000);

    test('nodes do what their roles say: one takes writes, one answers, a worker compacts', async () => {
      const ingest = await startOne('e', { settings: { ...RESTLESS, roles: 'ingest' } });
      const retrieve = await startOne('f', { settings: { ...RESTLESS, roles: 'retrieve' } });
      const worker = await startOne('g', { command: 'worker' });
      await ingest.client.createStream('jobs', { kind: 'append' });
      const records = Array.from({ length: 400 }, (_, at) => ({ value: { id: String(at) } }));
      const { token } = await ingest.client.append('jobs', records);
      const refusals = [
        () => retrieve.client.append('jobs', records),
        () => worker.client.append('jobs', records),
        () => ingest.client.query('jobs', { limit: 1 }),
        () => retrieve.client.compact('jobs'),
      ];
      for (const refused of refusals) await expect(refused()).rejects.toSatisfy(error => isTailwaterError(error, 'TW_ROLE'));
      const page = await retrieve.client.read('jobs', { limit: 1000, consistency: { atLeast: token } });
      expect(page.records).toHaveLength(400);
      // Nobody asked for it, and only the worker does it.
      for (let waited = 0; (await worker.client.getTable('jobs')).state === null; waited++) {
        expect(waited).toBeLessThan(200);
        await systemClock.sleep(100);
      }
      expect((await worker.client.getTable('jobs')).state!.rowCount).toBe(400);
      expect((await worker.client.health()).status).toBe('ok');
    }, 120_000);
  });
}
