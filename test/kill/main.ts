import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import type { StoreKind } from './plan.ts';
import { reportText } from './report.ts';
import { run } from './run.ts';

interface Options {
  rounds: number;
  seed: number;
  store: StoreKind;
  json?: true;
}

const program = new Command()
  .name('kill')
  .description(
    'Kills real nodes with SIGKILL while clients write, starts them again, and checks after every start that what was acknowledged is there\n' +
      'exactly once, what is unknown once or not at all, and that rows, searches and answers to retries agree. Exit code 1 when one is broken.',
  )
  .option('--rounds <n>', 'rounds of load, kill, start and check, some three seconds each', count, 50)
  .option('--seed <n>', 'how rounds end, and what is written; when exactly kills fall is up to the machine', count, 1)
  .addOption(
    new Option(
      '--store <store>',
      'folder: a data folder; s3: log and objects on a real S3 server, which is killed too (needs Go, to build it once)',
    )
      .choices(['folder', 's3'])
      .default('folder'),
  )
  .option('--json', 'print the report as one JSON object')
  .parse();

const { rounds, seed, store, json } = program.opts<Options>();
const folder = await mkdtemp(join(tmpdir(), 'tailwater-kill-'));
const stop = new AbortController();
process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort());
const report = await run({
  signal: stop.signal,
  rounds,
  seed,
  store,
  folder,
  onRound: ({ number, ending }, { kills }) => {
    if (process.stderr.isTTY) process.stderr.write(`\rround ${number} of ${rounds} (${ending}), ${kills.node} nodes killed   `);
  },
});
if (process.stderr.isTTY) process.stderr.write('\n');
process.stdout.write(json ? `${JSON.stringify(report)}\n` : reportText(report));
if (report.violations.length === 0) await rm(folder, { recursive: true, force: true });
else process.stderr.write(`What was found wrong is in ${folder}\n`);
process.exitCode = report.violations.length === 0 ? 0 : 1;

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) program.error(`'${text}' is not a count.`);
  return value;
}
