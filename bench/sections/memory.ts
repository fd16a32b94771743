import { join } from 'node:path';
import { Tailwater } from '../../src/index.ts';
import type { Figure, Section } from '../lib/figures.ts';
import { DIMENSIONS, textOf } from '../lib/lance.ts';

const ROWS = 100_000;

export const memory: Section = {
  name: 'memory',
  title: 'Resident memory with a tail of 100,000 rows (text, 384 dimensions), and after compaction',
  async run(context) {
    const count = Math.ceil(ROWS * context.scale);
    const before = residentMiB();
    const tailwater = await Tailwater.open({ dataDir: join(context.folder, 'data'), compaction: { auto: false } });
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
    await tailwater.query('rows', { text: 'delayed parcel' });
    const full = residentMiB();
    await tailwater.compact('rows');
    await tailwater.query('rows', { text: 'delayed parcel' });
    const after = residentMiB();
    await tailwater.close();
    return [figure('with the tail', full, before), figure('after compaction', after, before)];
  },
};

function residentMiB(): number {
  globalThis.gc?.();
  return process.memoryUsage().rss / 1024 ** 2;
}

function figure(name: string, value: number, before: number): Figure {
  return { name: `RSS ${name}`, value, unit: 'MiB', goal: null, beside: { name: 'before opening', value: before, unit: 'MiB' } };
}
