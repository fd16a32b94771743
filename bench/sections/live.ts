import { type BenchContext, type Figure, percentile, type Section, sorted } from '../lib/figures.ts';
import { forked } from '../lib/forked.ts';
import type { LiveOrder, LiveResult } from '../lib/live-process.ts';
import { withServer } from '../lib/server.ts';

const SUBSCRIBERS = 1000;
const UPDATES = 100;
const UPDATES_PER_SECOND = 4;

/** A thousand readers of one stream, who wait in a process of their own on the same cores; each hears of each update. */
export const live: Section = {
  name: 'live',
  title: `Acknowledged -> told to ${SUBSCRIBERS} subscribers over HTTP`,
  async run(bench) {
    const subscribers = Math.ceil(SUBSCRIBERS * bench.scale);
    const alone = await measured(bench, 'alone', 'answers', 1);
    const answers = await measured(bench, 'answers', 'answers', subscribers);
    const matches = await measured(bench, 'matches', 'matches', subscribers);
    return [...figuresOf('live answer', subscribers, answers, alone), ...figuresOf('match', subscribers, matches, alone)];
  },
};

function measured(bench: BenchContext, name: string, emit: LiveOrder['emit'], subscribers: number): Promise<LiveResult> {
  return withServer(bench, name, {}, async (tailwater, url) => {
    await tailwater.createStream('ticks', { kind: 'append' });
    const order: LiveOrder = {
      url,
      stream: 'ticks',
      subscribers,
      updates: Math.ceil(UPDATES * bench.scale),
      updatesPerSecond: UPDATES_PER_SECOND,
      emit,
    };
    bench.log(`${emit}: ${subscribers} subscribers`);
    return forked(new URL('../lib/live-process.ts', import.meta.url), order);
  });
}

function figuresOf(what: string, subscribers: number, { heardMs, missing }: LiveResult, alone: LiveResult): Figure[] {
  const times = sorted(heardMs);
  const beside = { name: 'one subscriber alone, p99', value: percentile(sorted(alone.heardMs), 0.99), unit: 'ms' };
  return [
    { name: `${what}, ${subscribers} subscribers, p50`, value: percentile(times, 0.5), unit: 'ms', goal: null },
    {
      name: `${what}, ${subscribers} subscribers, p99`,
      value: percentile(times, 0.99),
      unit: 'ms',
      goal: { atMost: 100 },
      beside,
    },
    { name: `${what}: missing of ${times.length + missing}`, value: missing, unit: '', goal: { atMost: 0 } },
  ];
}
