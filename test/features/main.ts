import { parseArgs } from 'node:util';
import { runSeed } from './run-oracle.ts';

/** `npm run features:oracle -- --queries 1000000 [--seed 1]`: compares the engine with the naive fold. Exits 1 at a mismatch. */
const { values } = parseArgs({
  options: { queries: { type: 'string', default: '1000000' }, seed: { type: 'string', default: '1' } },
});
const wanted = Number(values.queries);
let queries = 0;
let mismatches = 0;
let seed = Number(values.seed);
let nextReport = wanted / 10;
for (; queries < wanted; seed++) {
  const run = runSeed(seed);
  queries += run.queries;
  mismatches += run.differences.length;
  for (const difference of run.differences.slice(0, 3)) process.stdout.write(`${difference}\n`);
  if (mismatches > 20) break;
  if (queries >= nextReport) {
    process.stdout.write(`${queries} queries, ${mismatches} mismatches, through seed ${seed}\n`);
    nextReport += wanted / 10;
  }
}
process.stdout.write(`${queries} queries over ${seed - Number(values.seed)} histories: ${mismatches} mismatches\n`);
process.exit(mismatches === 0 ? 0 : 1);
