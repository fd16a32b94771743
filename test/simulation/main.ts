/**
 * npm run simulate -- --seeds N [--seed S] [--ops 200] [--json] [--threads T] [--stop-at-failure] [--no-shrink]
 *
 * Runs N histories from seed S on (default: one, of seed 1), each of so many operations, on all cores. Exit code 1 when a promise was broken.
 */
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { runSeedsInParallel, type SeedOutcome } from './seeds.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    ops: { type: 'string', default: '200' },
    json: { type: 'boolean', default: false },
    'stop-at-failure': { type: 'boolean', default: false },
    'no-shrink': { type: 'boolean', default: false },
    threads: { type: 'string' },
  },
});
const first = Number(values.seed);
const operations = Number(values.ops);
const outcomes: SeedOutcome[] = [];
const startedMs = performance.now();
const range = { first, end: first + Number(values.seeds), step: 1, operations };
const manner = { shrink: !values['no-shrink'], stopAtFailure: values['stop-at-failure'] };
await runSeedsInParallel({ ...range, ...manner }, values.threads === undefined ? null : Number(values.threads), outcome => {
  outcomes.push(outcome);
  if (outcome.report !== null) process.stderr.write(`${outcome.report}\n\n`);
  else if (outcome.broken !== null) process.stderr.write(`Seed ${outcome.seed} broke: ${outcome.broken}\n`);
});
const milliseconds = Math.round(performance.now() - startedMs);
outcomes.sort((a, b) => a.seed - b.seed);
const broken = outcomes.filter(outcome => outcome.broken !== null);
const summary = {
  seeds: outcomes.length,
  operations,
  segments: outcomes.reduce((sum, outcome) => sum + outcome.segments, 0),
  tableStates: outcomes.reduce((sum, outcome) => sum + outcome.states, 0),
  traceHash: createHash('sha256')
    .update(outcomes.map(outcome => outcome.traceHash).join())
    .digest('hex')
    .slice(0, 16),
  broken: broken.map(outcome => ({ seed: outcome.seed, promise: outcome.broken })),
  milliseconds,
  seedsPerMinute: Math.round((outcomes.length * 60_000) / milliseconds),
};
if (values.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
else {
  const { seeds, segments, tableStates, traceHash, seedsPerMinute } = summary;
  const facts = `${segments} segments, ${tableStates} table states, trace ${traceHash}`;
  process.stdout.write(`${seeds} histories of ${operations} operations: ${facts}; ${broken.length} broken. `);
  process.stdout.write(`${milliseconds} ms, ${seedsPerMinute} a minute.\n`);
}
process.exitCode = broken.length === 0 ? 0 : 1;
