import { join } from 'node:path';
import { Tailwater } from '../../src/index.ts';
import { type BenchContext, type Figure, percentile, type Section, sorted } from '../lib/figures.ts';
import { bareHybrid, bareRows, bareTable, DIMENSIONS, indexAndOptimize, textOf } from '../lib/lance.ts';

const LOADED = 10_000;
const WRITTEN = 400;
const LIMIT = 10;

/** 10,000 documents loaded, then 400 written one by one, durably, each searched for at once. */
export const peers: Section = {
  name: 'peers',
  title: 'Write one document durably and find it at once (hybrid), 10,000 documents loaded',
  async run(context) {
    const loaded = Math.ceil(LOADED * context.scale);
    const ours = await measureTailwater(context, loaded);
    const bare = await measureBare(context, loaded);
    context.log(
      'Measured before on such a machine: Postgres with pgvector in process 13.6 / 24 ms, Chroma’s local server 14.5 / 30 ms with misses.',
    );
    return figuresOf(ours, bare);
  },
};

interface Outcome {
  times: Float64Array;
  missing: number;
}

async function measureTailwater(context: BenchContext, loaded: number): Promise<Outcome> {
  const tailwater = await Tailwater.open({ dataDir: join(context.folder, 'tailwater') });
  await tailwater.createStream('docs', {
    kind: 'upsert',
    key: 'id',
    search: { fields: ['text'] },
    embed: { fields: ['text'], dimensions: DIMENSIONS },
  });
  for (let first = 0; first < loaded; first += 1000) {
    const count = Math.min(1000, loaded - first);
    await tailwater.append(
      'docs',
      Array.from({ length: count }, (_, at) => ({ value: { id: first + at, text: textOf(first + at) } })),
    );
  }
  await tailwater.compact('docs', { full: true });
  const outcome = await writeAndFind(async (id, text) => {
    const { token } = await tailwater.append('docs', [{ value: { id, text } }]);
    const { hits } = await tailwater.query('docs', { text, limit: LIMIT, consistency: { atLeast: token } });
    return hits.some(hit => hit.value.id === id);
  }, loaded);
  await tailwater.close();
  return outcome;
}

async function measureBare(context: BenchContext, loaded: number): Promise<Outcome> {
  const table = await bareTable(join(context.folder, 'bare'), loaded);
  await indexAndOptimize(table, false);
  return writeAndFind(async (id, text) => {
    await table.add(bareRows(id, 1));
    const hits = await bareHybrid(table, text, LIMIT);
    return hits.some(hit => (hit as { id: number }).id === id);
  }, loaded);
}

async function writeAndFind(step: (id: number, text: string) => Promise<boolean>, first: number): Promise<Outcome> {
  const times: number[] = [];
  let missing = 0;
  for (let id = first; id < first + WRITTEN; id++) {
    const startedMs = performance.now();
    if (!(await step(id, textOf(id)))) missing++;
    times.push(performance.now() - startedMs);
  }
  return { times: sorted(times), missing };
}

function figuresOf(ours: Outcome, bare: Outcome): Figure[] {
  const beside = (share: number) => ({ name: 'bare LanceDB', value: percentile(bare.times, share), unit: 'ms' });
  return [
    { name: 'write + found, p50', value: percentile(ours.times, 0.5), unit: 'ms', goal: { atMost: 3 }, beside: beside(0.5) },
    { name: 'write + found, p99', value: percentile(ours.times, 0.99), unit: 'ms', goal: { atMost: 10 }, beside: beside(0.99) },
    {
      name: `not found of ${WRITTEN}`,
      value: ours.missing,
      unit: '',
      goal: { atMost: 0 },
      beside: { name: 'bare LanceDB', value: bare.missing, unit: '' },
    },
  ];
}
