import { fileURLToPath } from 'node:url';
import { type StepRequest, Tailwater, type TailwaterApi } from '../../src/index.ts';

/** A process that works through `inputs` until it is killed; it says each step that it was told of. */
export const STEP_WORKER = fileURLToPath(import.meta.url);

/** What comes of an input, by whom. */
export function stepOf(worker: string, offset: number, from = offset): StepRequest {
  return {
    consumer: 'agent',
    input: { stream: 'inputs', offset, from },
    outputs: [
      { stream: 'answers', records: [{ value: { input: offset, worker } }] },
      { stream: 'facts', records: [{ value: { id: `of-${offset}`, worker } }] },
    ],
    result: { worker },
  };
}

export async function createStepStreams(tailwater: Pick<TailwaterApi, 'createStream' | 'append'>): Promise<void> {
  await tailwater.createStream('inputs', { kind: 'append' });
  await tailwater.createStream('answers', { kind: 'append' });
  await tailwater.createStream('facts', { kind: 'upsert', key: 'id' });
}

if (import.meta.main) {
  const [dataDir, worker] = process.argv.slice(2);
  const tailwater = await Tailwater.open({ dataDir, compactionHost: 'inline', compaction: { auto: false } });
  const { position } = await tailwater.stepPosition({ consumer: 'agent', stream: 'inputs' });
  // Begins with what it may have done before it was killed: what was acknowledged to nobody is given again.
  for (let offset = Math.max(0, position); ; offset++) {
    const { applied, result } = await tailwater.step(stepOf(worker, offset));
    process.stdout.write(`${JSON.stringify({ offset, applied, result })}\n`);
  }
}
