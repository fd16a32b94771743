import { join } from 'node:path';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { type Random, seededRandom, systemClock } from '../../src/base/index.ts';
import { type ContextRequest, type FeatureViewDefinition, Tailwater } from '../../src/index.ts';
import { filler } from '../lib/events.ts';
import { type BenchContext, type Figure, percentile, type Section, sorted } from '../lib/figures.ts';

const DOCUMENTS = 100_000;
const EVENTS = 1_000_000;
const USERS = 10_000;
const CALLS = 1000;
const CHECKS = 10_000;
const BATCH = 2000;
/** Of each stream, so that every call merges two tiers. */
const TAIL_SHARE = 0.02;

/** Everything that an agent is told, in one call: latency, freshness, budgets and replay. */
export const context: Section = {
  name: 'context',
  title: 'Contexts: events, features and documents at one instant',
  async run(bench) {
    const tailwater = await Tailwater.open({ dataDir: join(bench.folder, 'large'), compaction: { auto: false } });
    try {
      await fill(tailwater, bench, { documents: DOCUMENTS * bench.scale, events: EVENTS * bench.scale });
      const latency = await calls(tailwater, bench);
      const fresh = await visible(tailwater, bench);
      const over = await budgets(tailwater, bench);
      return [...latency, ...fresh, ...over, ...(await replays(bench))];
    } finally {
      await tailwater.close();
    }
  },
};

/** A support desk: help texts, what users did, 50 features of each user. */
async function fill(
  tailwater: Tailwater,
  { log }: Pick<BenchContext, 'log'>,
  { documents, events }: { documents: number; events: number },
): Promise<void> {
  await tailwater.createStream('help', {
    kind: 'upsert',
    key: 'id',
    search: { fields: ['body'] },
    embed: { fields: ['body'] },
  });
  // By user, so that one user's events lie side by side.
  const properties = { user: { type: 'string' }, page: { type: 'string' }, amount: { type: 'integer' } };
  await tailwater.createStream('clicks', {
    kind: 'append',
    schema: { type: 'object', properties },
    table: { format: 'iceberg', sortBy: ['user'] },
  });
  await tailwater.features.apply({ name: 'activity', definition: fiftyFeatures() });
  const load = async (stream: string, count: number, recordOf: (index: number) => object): Promise<void> => {
    const stored = Math.floor(count * (1 - TAIL_SHARE));
    await append(tailwater, stream, 0, stored, recordOf);
    await tailwater.compact(stream, { full: true });
    await append(tailwater, stream, stored, count, recordOf);
    log(`${stream}: ${stored} records in the table, ${count - stored} in the tail`);
  };
  await load('help', Math.ceil(documents), index => ({ id: `d${index}`, body: filler(index, 280) }));
  await load('clicks', Math.ceil(events), clickOf);
}

function clickOf(index: number): object {
  const user = `u${(Math.imul(index, 2_654_435_761) % USERS) >>> 0}`;
  return { user, page: `page-${index % 50}`, amount: (index * 7919) % 1000 };
}

function fiftyFeatures(): FeatureViewDefinition {
  const windows = ['5m', '1h', '1d', '7d', '30d'];
  const ofWindow = (sliding: string, at: number): [string, object][] => [
    [`count_${at}`, { aggregate: 'count', window: { sliding } }],
    [`sum_${at}`, { aggregate: 'sum', field: 'amount', window: { sliding } }],
    [`avg_${at}`, { aggregate: 'avg', field: 'amount', window: { sliding } }],
    [`min_${at}`, { aggregate: 'min', field: 'amount', window: { sliding } }],
    [`max_${at}`, { aggregate: 'max', field: 'amount', window: { sliding } }],
    [`stddev_${at}`, { aggregate: 'stddev', field: 'amount', window: { sliding } }],
    [`last_${at}`, { aggregate: 'last', field: 'page', window: { sliding } }],
    [`pages_${at}`, { aggregate: 'count_distinct', field: 'page', window: { sliding } }],
    [`top_${at}`, { aggregate: 'top_k', field: 'page', n: 3, window: { sliding } }],
    [`large_${at}`, { aggregate: 'count', where: { amount: { $gt: 900 } }, window: { sliding } }],
  ];
  return { source: 'clicks', entity: 'user', features: Object.fromEntries(windows.flatMap(ofWindow)) } as FeatureViewDefinition;
}

async function append(
  tailwater: Tailwater,
  stream: string,
  first: number,
  end: number,
  recordOf: (index: number) => object,
): Promise<void> {
  for (let at = first; at < end; at += BATCH) {
    const records = Array.from({ length: Math.min(BATCH, end - at) }, (_, index) => ({ value: recordOf(at + index) as never }));
    await tailwater.append(stream, records);
  }
}

function requestOf(random: Random, tokens = 2000): ContextRequest {
  return {
    subject: `u${Math.floor(random.float() * USERS)}`,
    query: filler(Math.floor(random.float() * 1e6), 30),
    include: {
      features: { view: 'activity' },
      events: { stream: 'clicks', subjectField: 'user', limit: 20 },
      documents: { stream: 'help', limit: 10 },
    },
    budget: { tokens },
  };
}

/** The first search has the table's rows loaded into memory. */
async function warm(tailwater: Tailwater): Promise<void> {
  await tailwater.query('help', { text: 'parcel' });
  for (let waited = 0; waited < 120; waited++) {
    if (/^tailwater_resident_tables 1$/m.test(await tailwater.metrics())) return;
    await systemClock.sleep(500);
  }
}

async function calls(tailwater: Tailwater, { scale, log }: BenchContext): Promise<Figure[]> {
  await warm(tailwater);
  const random = seededRandom(7);
  const measure = async (change: (request: ContextRequest) => ContextRequest, count: number): Promise<Float64Array> => {
    for (let warm = 0; warm < 50; warm++) await tailwater.context(change(requestOf(random)));
    const times: number[] = [];
    for (let call = 0; call < count; call++) {
      const request = change(requestOf(random));
      const startedMs = performance.now();
      await tailwater.context(request);
      times.push(performance.now() - startedMs);
    }
    return sorted(times);
  };
  const all = Math.ceil(CALLS * scale);
  for (const leg of ['features', 'events', 'documents'] as const) {
    const times = await measure(request => ({ ...request, include: { [leg]: request.include[leg] } }), Math.ceil(all / 5));
    log(`${leg} alone: p50 ${percentile(times, 0.5).toFixed(2)} ms, p99 ${percentile(times, 0.99).toFixed(2)} ms`);
  }
  const before = process.cpuUsage();
  const times = await measure(request => request, all);
  const { user, system } = process.cpuUsage(before);
  const cpu = { name: 'CPU per call', value: (user + system) / 1000 / (times.length + 50), unit: 'ms' };
  const size = `${DOCUMENTS * scale} documents, ${EVENTS * scale} events, 50 features`;
  return [
    { name: `three legs on ${size}, p50`, value: percentile(times, 0.5), unit: 'ms', goal: { atMost: 15 }, beside: cpu },
    { name: 'three legs, p99', value: percentile(times, 0.99), unit: 'ms', goal: { atMost: 50 } },
  ];
}

/** A document with a word of its own is written; the next context with that word, with the token, must have it. */
async function visible(tailwater: Tailwater, { scale }: BenchContext): Promise<Figure[]> {
  const random = seededRandom(8);
  const times: number[] = [];
  let missed = 0;
  const count = Math.ceil(CHECKS * scale);
  for (let check = 0; check < count; check++) {
    const word = `fresh${check}x`;
    const { token } = await tailwater.append('help', [{ value: { id: word, body: `${word} ${filler(check, 100)}` } }]);
    const startedMs = performance.now();
    const answer = await tailwater.context({ ...requestOf(random), query: word, consistency: { atLeast: token } });
    times.push(performance.now() - startedMs);
    if (!answer.text.includes(word)) missed++;
    if (check % 2000 === 1999) await tailwater.compact('help');
  }
  const all = sorted(times);
  return [
    {
      name: 'acknowledged -> in a hybrid context, p99',
      value: percentile(all, 0.99),
      unit: 'ms',
      goal: { atMost: 50 },
      beside: { name: 'p50', value: percentile(all, 0.5), unit: 'ms' },
    },
    { name: `missed of ${count}`, value: missed, unit: '', goal: { atMost: 0 } },
  ];
}

async function budgets(tailwater: Tailwater, { scale }: BenchContext): Promise<Figure[]> {
  const random = seededRandom(9);
  const count = Math.ceil(CHECKS * scale);
  let over = 0;
  let refused = 0;
  for (let call = 0; call < count; call++) {
    const tokens = 1 + Math.floor(random.float() ** 3 * 6000);
    try {
      const { text } = await tailwater.context(requestOf(random, tokens));
      if (countTokens(text) > tokens) over++;
    } catch (error) {
      if ((error as { code?: string }).code !== 'TW_CONTEXT_BUDGET') throw error;
      refused++;
    }
  }
  return [
    {
      name: `over the budget of ${count} random calls`,
      value: over,
      unit: '',
      goal: { atMost: 0 },
      beside: { name: 'refused as too small for any item', value: refused, unit: '' },
      note: 'tokens counted by gpt-tokenizer, o200k_base',
    },
  ];
}

/** Answers are asked for again by their tokens while records are written, replaced, and compacted. Smaller: past features fold the whole stream. */
async function replays({ folder, scale, log }: BenchContext): Promise<Figure[]> {
  const tailwater = await Tailwater.open({ dataDir: join(folder, 'small'), compaction: { auto: false } });
  try {
    await fill(tailwater, { log }, { documents: 2000, events: 5000 });
    const random = seededRandom(10);
    let running = true;
    let compactions = 0;
    const busy = (async () => {
      for (let at = 0; running; at++) {
        await tailwater.append('clicks', [{ value: clickOf(at) as never }]);
        await tailwater.append('help', [{ value: { id: `d${at % 2000}`, body: filler(at + 9_000_000, 200) } }]);
        if (at % 50 === 49) {
          await Promise.all([tailwater.compact('help'), tailwater.compact('clicks')]);
          compactions += 2;
        }
        await systemClock.sleep(20);
      }
    })();
    const count = Math.ceil(CHECKS * scale);
    const asked: { request: ContextRequest; token: string; text: string }[] = [];
    let same = 0;
    for (let call = 0; call < count; call++) {
      const request = requestOf(random);
      const { token, text } = await tailwater.context(request);
      asked.push({ request, token, text });
      const past = asked[Math.floor(random.float() * asked.length)];
      const again = await tailwater.context({ ...past.request, consistency: { asOf: past.token } });
      if (again.text === past.text && again.token === past.token) same++;
      if (asked.length > 200) asked.splice(Math.floor(random.float() * asked.length), 1);
      if (call % 500 === 499) log(`${call + 1} replays, ${same} equal`);
    }
    running = false;
    await busy;
    return [
      {
        name: `replays of ${count} that are equal byte for byte`,
        value: same,
        unit: '',
        goal: { atLeast: count },
        beside: { name: 'compactions meanwhile', value: compactions, unit: '' },
      },
    ];
  } finally {
    await tailwater.close();
  }
}
