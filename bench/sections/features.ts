import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom, utf8 } from '../../src/base/index.ts';
import { type FeatureEvent, type FeatureViewDefinition, parseDefinition, planView, sweepOf } from '../../src/features/index.ts';
import type { Tailwater } from '../../src/index.ts';
import { rowsInDuckDb } from '../lib/duckdb-rows.ts';
import { feastOnline } from '../lib/feast.ts';
import { type BenchContext, type Figure, percentile, type Section, sorted, timed } from '../lib/figures.ts';
import { withServer } from '../lib/server.ts';

const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 0, 1);

/** Feature views: online latency, freshness, training rows. */
export const features: Section = {
  name: 'features',
  title: 'Features: online values and training rows',
  async run(context) {
    return [
      ...(await manyInstants(context)),
      ...(await trainingRows(context)),
      ...(await online(context)),
      ...(await besideFeast(context)),
    ];
  },
};

/** Chronon's own benchmark: 100,000 instants of 30 days over 10,000 events of 180 days, means and the 300 largest over four windows. */
async function manyInstants({ scale }: BenchContext): Promise<Figure[]> {
  const random = seededRandom(1);
  const windows = [{ sliding: '1h' }, { sliding: '1d' }, { sliding: '30d' }, 'lifetime'] as const;
  const definition = parseDefinition({
    source: 's',
    entity: 'e',
    features: Object.fromEntries(
      windows.flatMap((window, index) => [
        [`avg_${index}`, { aggregate: 'avg', field: 'num', window }],
        [`top_${index}`, { aggregate: 'max_n', field: 'num', n: 300, window }],
      ]),
    ),
  });
  const count = Math.ceil(10_000 * scale);
  const events: FeatureEvent[] = Array.from({ length: count }, (_, index) => ({
    seq: index + 1,
    key: null,
    timeMs: NOW_MS - Math.floor(random.float() * 180 * DAY_MS),
    ingestedAtMs: NOW_MS,
    value: { e: 'x', num: Math.floor(random.float() * 1000) },
  }));
  const spine = Array.from({ length: Math.ceil(100_000 * scale) }, (_, index) => ({
    index,
    entity: 'x',
    timeMs: NOW_MS - Math.floor((random.float() * 30 * DAY_MS) / 300_000) * 300_000,
    values: {},
  }));
  let rows: ReturnType<ReturnType<typeof sweepOf>['finish']> = [];
  const { ms, cpuSeconds } = await timedWithCpu(() => {
    const sweep = sweepOf(planView(definition), spine, { upsert: false, asSeen: false });
    for (const event of events) sweep.apply(event);
    rows = sweep.finish();
  });
  let mismatches = 0;
  for (let check = 0; check < 1000; check++) {
    const { timeMs, index } = spine[Math.floor(random.float() * spine.length)];
    if (JSON.stringify(naive(events, timeMs)) !== JSON.stringify(Object.values(rows[index]))) mismatches++;
  }
  return [
    {
      name: `${spine.length} instants x ${count} events, mean and 300 largest over 1h/1d/30d/lifetime, one thread`,
      value: ms / 1000,
      unit: 's',
      goal: { atMost: 2 },
      beside: { name: 'Chronon, as its test notes (JVM, another machine)', value: 0.914, unit: 's' },
      note: `${cpuSeconds.toFixed(2)} s of CPU`,
    },
    { name: 'mismatches of 1,000 with a naive fold', value: mismatches, unit: '', goal: { atMost: 0 } },
  ];
}

function naive(events: readonly FeatureEvent[], atMs: number): unknown[] {
  return [3_600_000, DAY_MS, 30 * DAY_MS, Number.POSITIVE_INFINITY].flatMap(sizeMs => {
    const values = events
      .filter(({ timeMs }) => timeMs > atMs - sizeMs && timeMs <= atMs)
      .map(({ value }) => (value as { num: number }).num);
    if (values.length === 0) return [null, null];
    const top = values.toSorted((a, b) => b - a).slice(0, 300);
    return [values.reduce((sum, value) => sum + value, 0) / values.length, top];
  });
}

/** 100,000 spine rows x 10 windowed features over 1,000,000 events of 10,000 entities, in memory, beside DuckDB with hand-written SQL. */
async function trainingRows({ scale, folder, log }: BenchContext): Promise<Figure[]> {
  const random = seededRandom(2);
  const plan = planView(parseDefinition(JSON.parse(JSON.stringify(tenFeatures()))));
  const entities = Math.ceil(10_000 * scale);
  const ago = (days: number): number => NOW_MS - Math.floor(random.float() * days * DAY_MS);
  const user = (): string => `u${Math.floor(random.float() * entities)}`;
  const spine = Array.from({ length: Math.ceil(100_000 * scale) }, (_, index) => ({
    index,
    entity: user(),
    timeMs: ago(30),
    values: {},
  }));
  const events = Array.from({ length: Math.ceil(1_000_000 * scale) }, (_, index) => ({
    seq: index + 1,
    key: null,
    timeMs: ago(40),
    ingestedAtMs: NOW_MS,
    value: { user: user(), amount: Math.floor(random.float() * 1000) / 10, page: `p${index % 50}` },
  }));
  let rows: Record<string, unknown>[] = [];
  const own = await timedWithCpu(() => {
    const sweep = sweepOf(plan, spine, { upsert: false, asSeen: false });
    for (const event of events) sweep.apply(event);
    rows = sweep.finish();
  });
  const files = { events: join(folder, 'events.csv'), spine: join(folder, 'spine.csv') };
  writeFileSync(
    files.events,
    csv(
      'user,ts,amount,page',
      events.map(({ timeMs, value }) => `${value.user},${timeMs},${value.amount},${value.page}`),
    ),
  );
  writeFileSync(
    files.spine,
    csv(
      'idx,user,ts',
      spine.map(({ index, entity, timeMs }) => `${index},${entity},${timeMs}`),
    ),
  );
  const duck = await rowsInDuckDb(files);
  const totals = Object.keys(rows[0]).map(name => rows.reduce((sum, row) => sum + ((row[name] as number | null) ?? 0), 0));
  const differ = totals.filter((total, index) => Math.abs(total - duck.totals[index]) > Math.abs(total) * 1e-9).length;
  log(`DuckDB ${Math.round(duck.ms)} ms, ${differ} of ${totals.length} features differ in their total`);
  return [
    {
      name: `${spine.length} training rows x 10 features over ${events.length} events, in memory, one thread`,
      value: own.ms / 1000,
      unit: 's',
      goal: null,
      beside: { name: 'DuckDB, hand-written SQL, one thread', value: duck.ms / 1000, unit: 's' },
      note: `${own.cpuSeconds.toFixed(2)} s of CPU, DuckDB ${duck.cpuSeconds.toFixed(2)} s`,
    },
    { name: 'features whose total differs from DuckDB’s', value: differ, unit: '', goal: { atMost: 0 } },
  ];
}

function csv(header: string, lines: readonly string[]): string {
  return `${header}\n${lines.join('\n')}\n`;
}

/** On a shared machine the time of the thread says more than the time that passed. */
async function timedWithCpu(work: () => void): Promise<{ ms: number; cpuSeconds: number }> {
  const before = process.cpuUsage();
  const ms = await timed(work);
  const { user, system } = process.cpuUsage(before);
  return { ms, cpuSeconds: (user + system) / 1e6 };
}

function tenFeatures(): FeatureViewDefinition {
  const windows = ['1h', '1d', '7d', '30d'];
  const of = (aggregate: string, window: string, more: object = {}): [string, object] => [
    `${aggregate}_${window}`,
    { aggregate, window: { sliding: window }, ...more },
  ];
  const amount = { field: 'amount' };
  return {
    source: 'events',
    entity: 'user',
    features: Object.fromEntries([
      ...windows.map(window => of('count', window)),
      ...windows.slice(1).map(window => of('sum', window, amount)),
      of('avg', '7d', amount),
      of('max', '30d', amount),
      of('count_distinct', '7d', { field: 'page' }),
    ]),
  } as FeatureViewDefinition;
}

function manyFeatures(count: number): FeatureViewDefinition {
  const kinds = ['count', 'sum', 'avg', 'min', 'max', 'stddev', 'last', 'count_distinct', 'top_k'];
  const windows = ['5m', '1h', '1d', '7d', '30d'];
  const features = Array.from({ length: count }, (_, index) => {
    const aggregate = kinds[index % kinds.length];
    const field =
      aggregate === 'count_distinct' || aggregate === 'top_k' || aggregate === 'last' ? { field: 'page' } : { field: 'amount' };
    const more = aggregate === 'top_k' ? { n: 3 } : {};
    return [
      `f${index}`,
      {
        aggregate,
        ...field,
        ...more,
        window: { sliding: windows[Math.floor(index / kinds.length) % 5], ...(index >= 45 ? { bounds: '[]' } : {}) },
      },
    ];
  });
  return { source: 'events', entity: 'user', features: Object.fromEntries(features) } as FeatureViewDefinition;
}

/** Feast in its own process, called from Python as its users do: its values are computed before, and only read. */
async function besideFeast({ folder, scale, log }: BenchContext): Promise<Figure[]> {
  const results = await feastOnline(folder, Math.ceil(500 * scale), log).catch(error => {
    log(`Feast is left out: it failed (${String(error).slice(-300)})`);
    return [];
  });
  return results.flatMap(({ store, one, hundred }) =>
    [
      { what: 'one entity, 20 features', latency: one },
      { what: '100 entities x 50 features', latency: hundred },
    ].map(({ what, latency: { p50, p99, cpuMs } }) => ({
      name: `Feast with ${store}: ${what}, in process, p99`,
      value: p99,
      unit: 'ms',
      goal: null,
      note: `p50 ${p50.toFixed(3)} ms, ${cpuMs.toFixed(3)} ms of CPU a call`,
    })),
  );
}

const ENTITIES = 1000;

async function online(context: BenchContext): Promise<Figure[]> {
  return withServer(context, 'data', {}, async (tailwater, url) => {
    await tailwater.createStream('events', { kind: 'append', time: 'at' });
    const nowMs = Date.now();
    await fill(tailwater, Math.ceil(200_000 * context.scale), nowMs);
    await tailwater.features.apply({ name: 'twenty', definition: manyFeatures(20) });
    await tailwater.features.apply({ name: 'fifty', definition: manyFeatures(50) });
    const heapBefore = heapBytes();
    const built = await timed(async () => {
      await tailwater.features.online('twenty', { entities: ['u1'], deadlineMs: 600_000 });
      await tailwater.features.online('fifty', { entities: ['u1'], deadlineMs: 600_000 });
    });
    const stats = (await tailwater.features.get('twenty')).stats;
    context.log(`both views built in ${Math.round(built)} ms: ${stats.rows} rows of ${stats.entities} entities`);
    const rows = stats.rows + (await tailwater.features.get('fifty')).stats.rows;
    const stateBytes = heapBytes() - heapBefore;
    const calls = Math.ceil(5000 * context.scale);
    const inProcess = await latencies(calls, index =>
      tailwater.features.online('twenty', { entities: [`u${index % ENTITIES}`] }),
    );
    const post = async (view: string, entities: string[]): Promise<void> => {
      const body = JSON.stringify({ entities });
      const answer = await fetch(`${url}/v1/features/${view}/online`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      await answer.text();
    };
    const one = await latencies(calls, index => post('twenty', [`u${index % ENTITIES}`]));
    const hundred = await latencies(Math.ceil(calls / 10), index =>
      post(
        'fifty',
        Array.from({ length: 100 }, (_, at) => `u${(index * 100 + at) % ENTITIES}`),
      ),
    );
    const fresh = await latencies(Math.ceil(calls / 10), async index => {
      const user = `u${index % ENTITIES}`;
      const { token } = await tailwater.append('events', [{ value: event(index, user, Date.now()) }]);
      const startedMs = performance.now();
      await tailwater.features.online('twenty', { entities: [user], consistency: { atLeast: token } });
      return performance.now() - startedMs;
    });
    return [
      latency('one entity, 20 features, in process, p99', inProcess, 1),
      latency('one entity, 20 features, over HTTP, p99 (client in the same process)', one, 2),
      {
        ...latency('100 entities x 50 features, over HTTP, p99', hundred, 10),
        beside: { name: 'Feast’s Go server, as published', value: 22, unit: 'ms' },
      },
      latency('event acknowledged -> in the online answer, p99', fresh, 20),
      {
        name: 'requests/s, one entity x 20 features over HTTP, one connection at a time',
        value: 1000 / (one.times.reduce((sum, ms) => sum + ms, 0) / one.times.length),
        unit: '1/s',
        goal: null,
        note: `p99 ${percentile(one.times, 0.99).toFixed(3)} ms`,
      },
      {
        name: 'memory of an entity in both views',
        value: stateBytes / stats.entities / 1024,
        unit: 'KiB',
        goal: null,
        note: `${Math.round(rows / stats.entities)} rows an entity of both views`,
      },
    ];
  });
}

interface Latencies {
  times: Float64Array;
  /** Of the whole process a call: both ends, where the client is in it. */
  cpuMs: number;
}

/** After a collection, with `--expose-gc`. */
function heapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function latency(name: string, { times, cpuMs }: Latencies, atMost: number): Figure {
  return {
    name,
    value: percentile(times, 0.99),
    unit: 'ms',
    goal: { atMost },
    note: `p50 ${percentile(times, 0.5).toFixed(3)} ms, ${cpuMs.toFixed(3)} ms of CPU a call`,
  };
}

async function latencies(calls: number, call: (index: number) => Promise<unknown>): Promise<Latencies> {
  for (let index = 0; index < Math.min(calls, 50); index++) await call(index);
  const times: number[] = [];
  const before = process.cpuUsage();
  for (let index = 0; index < calls; index++) {
    const startedMs = performance.now();
    const own = await call(index);
    times.push(typeof own === 'number' ? own : performance.now() - startedMs);
  }
  const { user, system } = process.cpuUsage(before);
  return { times: sorted(times), cpuMs: (user + system) / 1000 / calls };
}

function event(index: number, user: string, atMs: number): { user: string; at: number; amount: number; page: string } {
  return { user, at: atMs, amount: (index * 7919) % 1000, page: `page${(index * 31) % 40}` };
}

async function fill(tailwater: Tailwater, count: number, nowMs: number): Promise<void> {
  for (let from = 0; from < count; from += 5000) {
    const lines = Array.from({ length: Math.min(5000, count - from) }, (_, at) => {
      const index = from + at;
      return JSON.stringify(
        event(index, `u${(index * 7919) % ENTITIES}`, nowMs - Math.floor(((count - index) / count) * 30 * DAY_MS)),
      );
    });
    await tailwater.appendNdjson('events', utf8(lines.join('\n')));
  }
}
