import type { Tailwater } from '../../src/index.ts';
import { eventLine } from '../lib/events.ts';
import type { BenchContext, Figure, Section } from '../lib/figures.ts';
import { type LoadResult, runLoad } from '../lib/load.ts';
import { withServer } from '../lib/server.ts';

const EVENTS_PER_REQUEST = 5000;
const CONNECTIONS = 4;
const BURST_EVENTS = 1_500_000;
const SUSTAINED_MS = 120_000;

export const bulk: Section = {
  name: 'bulk',
  title: 'Bulk NDJSON of 300-byte events over HTTP',
  async run(context) {
    const parse = jsonParseRate();
    const beside = { name: 'bare JSON.parse of the lines', value: parse, unit: 'events/s' };
    return [...(await burst(context, beside)), ...(await sustained(context, beside)), ...(await searchable(context, beside))];
  },
};

function jsonParseRate(): number {
  const lines = Array.from({ length: 50_000 }, (_, index) => eventLine(index));
  const startedMs = performance.now();
  for (const line of lines) JSON.parse(line);
  return (lines.length / (performance.now() - startedMs)) * 1000;
}

function load(url: string, requests: number, maxMs = Number.POSITIVE_INFINITY): Promise<LoadResult> {
  return runLoad({
    url,
    path: '/v1/streams/events/records',
    contentType: 'application/x-ndjson',
    ndjson: { eventsPerRequest: EVENTS_PER_REQUEST, bytes: 300 },
    connections: CONNECTIONS,
    requests,
    maxMs,
  });
}

async function burst(context: BenchContext, beside: Figure['beside']): Promise<Figure[]> {
  const requests = Math.ceil((BURST_EVENTS * context.scale) / EVENTS_PER_REQUEST);
  return withServer(context, 'burst', {}, async (tailwater, url) => {
    await tailwater.createStream('events', { kind: 'append' });
    const result = await load(url, requests);
    context.log(`burst: ${JSON.stringify(result)}`);
    const value = result.requestsPerSecond * EVENTS_PER_REQUEST;
    const refused = result.requests - (result.statuses['200'] ?? 0);
    return [
      {
        name: `burst of ${requests * EVENTS_PER_REQUEST} events`,
        value,
        unit: 'events/s',
        goal: { atLeast: 150_000 },
        ...(beside && { beside }),
      },
      { name: 'requests not accepted in the burst', value: refused, unit: '', goal: { atMost: 0 } },
    ];
  });
}

async function sustained(context: BenchContext, beside: Figure['beside']): Promise<Figure[]> {
  return withServer(context, 'sustained', {}, async (tailwater, url) => {
    await tailwater.createStream('events', { kind: 'append' });
    const lags: number[] = [];
    const watch = setInterval(() => void lagOf(tailwater).then(lag => lags.push(lag)), 5000);
    const result = await load(url, Number.MAX_SAFE_INTEGER, SUSTAINED_MS * context.scale);
    const lagAtEnd = await lagOf(tailwater);
    clearInterval(watch);
    context.log(`sustained: ${JSON.stringify(result)}; lag every 5 s: ${lags.join(' ')}`);
    const startedMs = performance.now();
    await tailwater.compact('events');
    const drainSeconds = (performance.now() - startedMs) / 1000;
    const accepted = (result.statuses['200'] ?? 0) * EVENTS_PER_REQUEST;
    return [
      {
        name: `sustained over ${Math.round(result.seconds)} s, up to the last event being in the table`,
        value: accepted / (result.seconds + drainSeconds),
        unit: 'events/s',
        goal: null,
        ...(beside && { beside }),
        note: `accepted ${Math.round(accepted / result.seconds)}/s; lag at the end ${lagAtEnd} events, gone in ${drainSeconds.toFixed(1)} s; refused ${result.requests - (result.statuses['200'] ?? 0)}`,
      },
    ];
  });
}

async function lagOf(tailwater: Tailwater): Promise<number> {
  return (await tailwater.getStream('events')).lag;
}

async function searchable(context: BenchContext, beside: Figure['beside']): Promise<Figure[]> {
  const requests = Math.ceil((150_000 * context.scale) / EVENTS_PER_REQUEST);
  return withServer(context, 'searchable', {}, async (tailwater, url) => {
    await tailwater.createStream('events', {
      kind: 'append',
      search: { fields: ['note'] },
      embed: { fields: ['note'], provider: 'hash', model: 'hash-v1', dimensions: 384 },
    });
    const result = await load(url, requests);
    const answer = await tailwater.query('events', { text: 'delayed parcel refund', limit: 5 });
    context.log(`searchable: ${JSON.stringify(result)}; complete: ${answer.freshness.complete}`);
    return [
      {
        name: 'text field and hash embeddings (384), searchable at once',
        value: result.requestsPerSecond * EVENTS_PER_REQUEST,
        unit: 'events/s',
        goal: { atLeast: 15_000 },
        ...(beside && { beside }),
        note: `a hybrid query right after: ${answer.hits.length} hits, complete: ${answer.freshness.complete}`,
      },
    ];
  });
}
