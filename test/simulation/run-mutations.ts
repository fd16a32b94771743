/**
 * npm run simulate:mutations [-- --seeds 2000] [--ops 200] [--only <part of a name>]
 *
 * Plants one bug after another and runs the simulation until it finds it. Exit code 1 when one survives: a hole in the simulation.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { type Mutation, runMutant } from '../harness/mutations/mutation.ts';
import { MUTATIONS } from './mutations.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2000' },
    ops: { type: 'string', default: '200' },
    only: { type: 'string', default: '' },
  },
});
const wanted = MUTATIONS.filter(mutation => mutation.name.includes(values.only));
const survivors: string[] = [];
const queue = [...wanted];
await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work));
process.stdout.write(`${wanted.length - survivors.length} of ${wanted.length} planted bugs found\n`);
for (const name of survivors) process.stdout.write(`survived: ${name}\n`);
process.exitCode = survivors.length === 0 ? 0 : 1;

async function work(): Promise<void> {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) await plant(next);
}

async function plant(mutation: Mutation): Promise<void> {
  const args = ['--seeds', values.seeds, '--ops', values.ops, '--threads', '1', '--stop-at-failure', '--no-shrink', '--json'];
  const run = await runMutant(mutation, 'test/simulation/main.ts', args);
  const summary = JSON.parse(run.stdout || '{}') as { broken?: { seed: number; promise: string }[] };
  const [found] = summary.broken ?? [];
  if (found === undefined && run.exitCode === 0) survivors.push(mutation.name);
  const seeds = found === undefined ? (run.exitCode === 0 ? '-' : '1') : String(found.seed);
  const how = found?.promise ?? (run.exitCode === 0 ? 'SURVIVED' : 'the process ended');
  process.stdout.write(`${seeds.padStart(6)} seeds  ${mutation.name}  ->  ${how}\n`);
}
