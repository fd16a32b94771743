import { TailwaterClient } from '../../src/client.ts';
import { filler } from '../lib/events.ts';
import { type BenchContext, type Figure, percentile, type Section, sorted } from '../lib/figures.ts';
import { withServer } from '../lib/server.ts';

const PAIRS = 10_000;
const WRITES_PER_SECOND = 500;
const CHECKERS = 8;

/** Writes at a steady rate over HTTP; each write's own text is searched for at once, with the token of its acknowledgement. */
export const visibility: Section = {
  name: 'visibility',
  title: 'Acknowledged -> visible in a hybrid answer with atLeast, over HTTP under 500 writes/s',
  async run(context) {
    return withServer(context, 'data', {}, async (tailwater, url) => {
      await tailwater.createStream('notes', { kind: 'append', search: { fields: ['text'] }, embed: { fields: ['text'] } });
      const outcome = await checkPairs(new TailwaterClient({ url }), Math.ceil(PAIRS * context.scale));
      context.log(`writes/s held: ${outcome.writesPerSecond.toFixed(0)}`);
      return figuresOf(context, outcome);
    });
  },
};

interface Outcome {
  visibleMs: number[];
  missing: number;
  writesPerSecond: number;
}

async function checkPairs(client: TailwaterClient, pairs: number): Promise<Outcome> {
  const outcome: Outcome = { visibleMs: [], missing: 0, writesPerSecond: 0 };
  const startedMs = performance.now();
  let next = 0;
  const checker = async () => {
    for (let index = next++; index < pairs; index = next++) {
      const dueMs = startedMs + (index / WRITES_PER_SECOND) * 1000;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs));
      await checkPair(client, index, outcome);
    }
  };
  await Promise.all(Array.from({ length: CHECKERS }, checker));
  outcome.writesPerSecond = pairs / ((performance.now() - startedMs) / 1000);
  return outcome;
}

async function checkPair(client: TailwaterClient, index: number, outcome: Outcome): Promise<void> {
  const marker = `marker${index}x`;
  const { token } = await client.append('notes', [{ value: { marker, text: `${marker} ${filler(index, 200)}` } }]);
  const acknowledgedMs = performance.now();
  const answer = await client.query('notes', {
    text: `${marker} parcel`,
    mode: 'hybrid',
    limit: 5,
    consistency: { atLeast: token },
  });
  outcome.visibleMs.push(performance.now() - acknowledgedMs);
  if (!answer.hits.some(hit => hit.value.marker === marker)) outcome.missing++;
}

function figuresOf(_context: BenchContext, outcome: Outcome): Figure[] {
  const times = sorted(outcome.visibleMs);
  return [
    { name: 'acknowledged -> visible, p50', value: percentile(times, 0.5), unit: 'ms', goal: null },
    {
      name: 'acknowledged -> visible, p99',
      value: percentile(times, 0.99),
      unit: 'ms',
      goal: { atMost: 20 },
      beside: { name: 'writes held', value: outcome.writesPerSecond, unit: '/s' },
      note: 'client and server in one process on 2 cores',
    },
    { name: `missing of ${times.length} checked pairs`, value: outcome.missing, unit: '', goal: { atMost: 0 } },
  ];
}
