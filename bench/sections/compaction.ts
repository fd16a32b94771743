import { join } from 'node:path';
import { connect, type Table } from '@lancedb/lancedb';
import { Tailwater } from '../../src/index.ts';
import { eventLine, ndjson } from '../lib/events.ts';
import { type BenchContext, type Figure, type Section, timed } from '../lib/figures.ts';
import { bareRows, DIMENSIONS, textOf } from '../lib/lance.ts';

const EVENTS = 400_000;
const DOCUMENTS = 60_000;
const BATCH = 10_000;

export const compaction: Section = {
  name: 'compaction',
  title: 'Compaction beside bare LanceDB add() in batches of 10,000 rows',
  async run(context) {
    return [await plainEvents(context), await documents(context)];
  },
};

async function plainEvents(context: BenchContext): Promise<Figure> {
  const count = Math.ceil((EVENTS * context.scale) / BATCH) * BATCH;
  const ours = await compactRate(context, 'events', count, async tailwater => {
    await tailwater.createStream('rows', { kind: 'append', table: { format: 'lance' } });
    for (let first = 0; first < count; first += BATCH) await tailwater.appendNdjson('rows', ndjson(first, BATCH));
  });
  const bare = await bareRate(context, 'bare-events', count, first =>
    Array.from({ length: BATCH }, (_, at) => JSON.parse(eventLine(first + at))),
  );
  return figureOf('plain 300-byte events', ours, bare);
}

async function documents(context: BenchContext): Promise<Figure> {
  const count = Math.ceil((DOCUMENTS * context.scale) / BATCH) * BATCH;
  const ours = await compactRate(context, 'documents', count, async tailwater => {
    await tailwater.createStream('rows', {
      kind: 'append',
      search: { fields: ['text'] },
      embed: { fields: ['text'], dimensions: DIMENSIONS },
    });
    for (let first = 0; first < count; first += 2000) {
      await tailwater.append(
        'rows',
        Array.from({ length: 2000 }, (_, at) => ({ value: { id: first + at, text: textOf(first + at) } })),
      );
    }
  });
  const bare = await bareRate(context, 'bare-documents', count, first => bareRows(first, BATCH));
  return figureOf(
    'text and 384 dimensions',
    ours,
    bare,
    'ours computes the vectors and builds the text index within this time; bare only adds',
  );
}

async function compactRate(
  context: BenchContext,
  name: string,
  count: number,
  fill: (tailwater: Tailwater) => Promise<void>,
): Promise<number> {
  const tailwater = await Tailwater.open({
    dataDir: join(context.folder, name),
    compaction: { auto: false },
    compactionThreads: 2,
  });
  await fill(tailwater);
  const milliseconds = await timed(() => tailwater.compact('rows'));
  await tailwater.close();
  return (count / milliseconds) * 1000;
}

/** Rows are made before the clock starts: only add() is timed. */
async function bareRate(
  context: BenchContext,
  name: string,
  count: number,
  batch: (first: number) => Record<string, unknown>[],
): Promise<number> {
  const connection = await connect(join(context.folder, name));
  let table: Table | null = null;
  let milliseconds = 0;
  for (let first = 0; first < count; first += BATCH) {
    const rows = batch(first);
    milliseconds += await timed(async () => {
      if (table) await table.add(rows);
      else table = await connection.createTable('rows', rows);
    });
  }
  return (count / milliseconds) * 1000;
}

function figureOf(name: string, ours: number, bare: number, note?: string): Figure {
  return {
    name: `compaction of ${name} / bare add()`,
    value: ours / bare,
    unit: 'x',
    goal: { atLeast: 0.5 },
    beside: { name: `ours ${Math.round(ours).toLocaleString('en-US')} rows/s; bare`, value: bare, unit: 'rows/s' },
    ...(note && { note }),
  };
}
