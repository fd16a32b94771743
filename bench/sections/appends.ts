import { join } from 'node:path';
import { Tailwater } from '../../src/index.ts';
import { rawFdatasyncRate } from '../lib/disk.ts';
import { filler } from '../lib/events.ts';
import type { BenchContext, Figure, Section } from '../lib/figures.ts';
import { runLoad } from '../lib/load.ts';
import { withServer } from '../lib/server.ts';

const WRITERS = 64;

export const appends: Section = {
  name: 'appends',
  title: 'Durable appends of single records (embedded file journal)',
  async run(context) {
    const raw = rawFdatasyncRate(context.folder, 400, 3000);
    const beside = { name: 'raw write+fdatasync', value: raw, unit: '/s' };
    return [
      {
        name: 'one sequential writer',
        value: await inProcess(context, 'one', 1),
        unit: 'records/s',
        goal: { atLeast: 3000 },
        beside,
      },
      {
        name: '64 writers, in process',
        value: await inProcess(context, 'many', WRITERS),
        unit: 'records/s',
        goal: { atLeast: 100_000 },
        beside,
      },
      await overHttp(context, beside),
    ];
  },
};

async function inProcess(context: BenchContext, name: string, writers: number): Promise<number> {
  const tailwater = await Tailwater.open({ dataDir: join(context.folder, name), compaction: { auto: false } });
  await tailwater.createStream('events', { kind: 'append' });
  const perWriter = Math.ceil((context.scale * (writers === 1 ? 15_000 : 800_000)) / writers);
  const records = [{ value: { id: 1, note: filler(1, 250) } }];
  const write = async (count: number) => {
    for (let index = 0; index < count; index++) await tailwater.append('events', records);
  };
  await Promise.all(Array.from({ length: writers }, () => write(Math.ceil(perWriter / 10))));
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: writers }, () => write(perWriter)));
  const seconds = (performance.now() - startedMs) / 1000;
  await tailwater.close();
  return (perWriter * writers) / seconds;
}

async function overHttp(context: BenchContext, beside: Figure['beside']): Promise<Figure> {
  const value = await withServer(context, 'http', {}, async (tailwater, url) => {
    await tailwater.createStream('events', { kind: 'append' });
    const path = '/v1/streams/events/records';
    const body = JSON.stringify({ records: [{ value: { id: 1, note: filler(1, 250) } }] });
    await runLoad({ url, path, body, connections: WRITERS, requests: 10_000 * context.scale });
    const load = await runLoad({ url, path, body, connections: WRITERS, requests: 120_000 * context.scale });
    return load.requestsPerSecond;
  });
  return {
    name: '64 writers, HTTP',
    value,
    unit: 'records/s',
    goal: { atLeast: 8000 },
    ...(beside && { beside }),
    note: 'load from a process of its own on the same 2 cores',
  };
}
