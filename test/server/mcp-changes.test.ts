import type { Client } from '@modelcontextprotocol/client';
import { describe, expect, test } from 'vitest';
import { StreamChanges } from '../../src/server/mcp/changes.ts';
import { engineToolApi } from '../../src/server/mcp/engine-tool-api.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';
import { temporaryEngine } from './engine-support.ts';
import { fakeEngine } from './fake-engine.ts';
import { startServer } from './http-support.ts';
import { connectHttp, REVISIONS, type Revision } from './mcp-support.ts';

interface News {
  uris: string[];
  /** Resolves with the next notification. */
  next(): Promise<string>;
}

function newsOf(client: Client): News {
  const uris: string[] = [];
  const waiting: ((uri: string) => void)[] = [];
  client.setNotificationHandler('notifications/resources/updated', ({ params }) => {
    uris.push(params.uri);
    for (const resolve of waiting.splice(0)) resolve(params.uri);
  });
  return { uris, next: () => new Promise(resolve => void waiting.push(resolve)) };
}

async function subscribe(client: Client, revision: Revision, uris: string[]): Promise<() => Promise<unknown>> {
  if (revision === '2026-07-28') {
    const subscription = await client.listen({ resourceSubscriptions: uris });
    return () => subscription.close();
  }
  for (const uri of uris) await client.subscribeResource({ uri });
  return () => Promise.all(uris.map(uri => client.unsubscribeResource({ uri })));
}

describe.each(REVISIONS)('who subscribes to a resource in %s', revision => {
  test('is told when its data changes, of it alone, and no more after leaving', async () => {
    await using engine = await temporaryEngine();
    const { tailwater } = engine;
    await tailwater.createStream('orders', { kind: 'append' });
    await tailwater.createStream('other', { kind: 'append' });
    await using server = await startServer(tailwater.engine, { mcp: { coalesceMs: 1 } });
    await using connected = await connectHttp(server.url, revision);
    const news = newsOf(connected.client);
    const orders = ['tailwater://streams/orders', 'tailwater://tables/orders'];
    const leave = await subscribe(connected.client, revision, orders);
    for (let round = 0; round < 3; round++) {
      const told = news.next();
      await tailwater.append('other', [{ value: {} }]);
      await tailwater.append('orders', [{ value: { round } }]);
      await told;
    }
    expect(new Set(news.uris)).toEqual(new Set(orders));
    await leave();
    // Someone else hears of it: by then the one who left would have, too.
    await using later = await connectHttp(server.url, revision);
    const laterNews = newsOf(later.client);
    await subscribe(later.client, revision, [orders[0]]);
    const before = news.uris.length;
    const told = laterNews.next();
    await tailwater.append('orders', [{ value: {} }]);
    await told;
    expect(news.uris.length).toBe(before);
  });

  test('is refused beyond the bound, and for what is no resource', async () => {
    await using server = await startServer(fakeEngine(), { mcp: { maxSubscriptions: 1 } });
    await using connected = await connectHttp(server.url, revision);
    const { client } = connected;
    const both = ['tailwater://streams/events', 'tailwater://tables/events'];
    await expect(subscribe(client, revision, ['tailwater://streams/nowhere'])).rejects.toThrow(/not found/i);
    await expect(subscribe(client, revision, ['file:///etc/passwd'])).rejects.toThrow(/not found/i);
    await expect(subscribe(client, revision, both)).rejects.toThrow(/the most allowed/);
  });
});

describe('changes of a stream', () => {
  test('are told at most once in the time they are gathered for, and the last of them is told of', async () => {
    const engine = fakeEngine();
    const clock = new VirtualClock();
    const changes = new StreamChanges(engineToolApi(engine, null), clock, 250);
    const times: number[] = [];
    let heardAt = -1;
    const end = await changes.watch('events', () => {
      times.push(clock.nowMs());
      heardAt = engine.records.length;
    });
    const endOther = await changes.watch('events', () => {});
    expect(changes.size).toBe(1);
    for (let n = 0; n < 200; n++) {
      await engine.append('events', { records: [{ value: n }] });
      await clock.advance(10);
    }
    await clock.advance(1000);
    expect(heardAt).toBe(200);
    expect(times.length).toBeGreaterThan(4);
    for (let at = 1; at < times.length; at++) expect(times[at] - times[at - 1]).toBeGreaterThanOrEqual(250);
    end();
    endOther();
    expect(changes.size).toBe(0);
    await expect(changes.watch('nowhere', () => {})).rejects.toThrow(/no stream/);
    expect(changes.size).toBe(0);
  });

  test('are told of also after the engine failed for a while', async () => {
    let broken = false;
    const whole = fakeEngine();
    const engine = fakeEngine({
      ...whole,
      follow: (name, options) => {
        if (broken) throw new Error('broken');
        return whole.follow(name, options);
      },
    });
    const clock = new VirtualClock();
    const changes = new StreamChanges(engineToolApi(engine, null), clock, 250);
    let told = 0;
    await changes.watch('events', () => void told++);
    broken = true;
    await whole.append('events', { records: [{ value: 1 }] });
    await clock.advance(300);
    await whole.append('events', { records: [{ value: 2 }] });
    await clock.advance(3000);
    broken = false;
    const before = told;
    await whole.append('events', { records: [{ value: 3 }] });
    await clock.advance(3000);
    expect(told).toBeGreaterThan(before);
    changes.close();
  });
});
