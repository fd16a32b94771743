import { type Figure, percentile, type Section, sorted } from '../lib/figures.ts';
import { forked } from '../lib/forked.ts';
import type { PairsOrder, PairsResult } from '../lib/pairs-process.ts';
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
      const order: PairsOrder = {
        url,
        stream: 'notes',
        pairs: Math.ceil(PAIRS * context.scale),
        pairsPerSecond: WRITES_PER_SECOND,
        concurrent: CHECKERS,
      };
      return figuresOf(await forked(new URL('../lib/pairs-process.ts', import.meta.url), order));
    });
  },
};

function figuresOf({ visibleMs, missing, seconds }: PairsResult): Figure[] {
  const times = sorted(visibleMs);
  const held = { name: 'writes, each with a search, held', value: times.length / seconds, unit: '/s' };
  return [
    { name: 'acknowledged -> visible, p50', value: percentile(times, 0.5), unit: 'ms', goal: null },
    {
      name: 'acknowledged -> visible, p99',
      value: percentile(times, 0.99),
      unit: 'ms',
      goal: { atMost: 20 },
      beside: held,
      note: 'load from a process of its own on the same 2 cores',
    },
    { name: `missing of ${times.length} checked pairs`, value: missing, unit: '', goal: { atMost: 0 } },
  ];
}
