import { Command } from 'commander';
import { runMutant } from '../harness/mutations/mutation.ts';
import { type Exploration, explore } from './explore.ts';
import { MUTATIONS } from './mutations.ts';
import { describeScope, SCOPES, type Scope, SMALLEST } from './scope.ts';

const SELF = 'test/model/main.ts';
/** The options that say how much is explored. */
const SIZES = ['writers', 'appends', 'prefilled', 'collections', 'reads', 'faults', 'retries', 'sharedReads'] as const;

type Sizes = Record<(typeof SIZES)[number], number | undefined>;
interface Options extends Sizes {
  exact?: true;
  seconds?: number;
  json?: true;
  mutations?: string | true;
}

const program = new Command()
  .name('explore')
  .description(
    'Runs the journal’s real code in every interleaving of a small scope, with faults, and checks J1-J6 in each.\n' +
      `Without sizes it goes through ${SCOPES.length} scopes that together take some minutes; with any size, through that one scope.`,
  )
  .option('--writers <n>', `processes that append (default ${SMALLEST.writers})`, count)
  .option('--appends <n>', `appends of each writer (default ${SMALLEST.appends})`, count)
  .option('--prefilled <n>', `entries committed since the writers opened (default ${SMALLEST.prefilled})`, count)
  .option('--collections <n>', `rounds of checkpoint, floor, deletion (default ${SMALLEST.collections})`, count)
  .option('--reads <n>', `strong reads, the first from scratch (default ${SMALLEST.reads})`, count)
  .option('--faults <n>', `faults in one interleaving, at most (default ${SMALLEST.faults})`, count)
  .option('--retries <n>', `repetitions of an append whose outcome is unknown (default ${SMALLEST.retries})`, count)
  .option(
    '--shared-reads <n>',
    `strong reads on the first writer’s replica, at any time (default ${SMALLEST.sharedReads})`,
    count,
  )
  .option('--exact', 'merge no states that differ only in how they came about')
  .option('--seconds <n>', 'stop each scope after so long', count)
  .option('--json', 'print one JSON object a scope')
  .option('--mutations [name]', 'plant each known bug (or the named one) and show what finds it')
  .parse();

const options = program.opts<Options>();
if (options.mutations === undefined) process.exitCode = await exploreAll(chosenScopes());
else process.exitCode = await huntAll(options.mutations);

/** Every scope in turn, until one is broken. Returns the exit code. */
async function exploreAll(scopes: readonly Scope[]): Promise<number> {
  for (const scope of scopes) {
    const maxMs = (options.seconds ?? Number.POSITIVE_INFINITY) * 1000;
    const onProgress = process.stderr.isTTY ? (worlds: number) => void process.stderr.write(`\r${worlds} worlds `) : () => {};
    const found = await explore(scope, { maxMs, onProgress }, () => performance.now());
    process.stdout.write(options.json ? `${JSON.stringify(found)}\n` : reported(found));
    if (found.violation !== null) return 1;
  }
  return 0;
}

/** Each planted bug in a process of its own. Returns the exit code: 1 when one was not found. */
async function huntAll(name: string | true): Promise<number> {
  const mutations = MUTATIONS.filter(mutation => name === true || mutation.name === name);
  if (mutations.length === 0) program.error(`There is no mutation '${name}'.`);
  let missed = 0;
  for (const mutation of mutations) {
    const seconds = options.seconds === undefined ? [] : ['--seconds', String(options.seconds)];
    const run = await runMutant(mutation, SELF, ['--json', ...seconds]);
    const explored = run.stdout
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as Exploration);
    const last = explored.at(-1);
    if (last?.violation) process.stdout.write(found(mutation.name, explored, last));
    else {
      missed++;
      process.stdout.write(`NOT FOUND  ${mutation.name}\n${run.stderr}`);
    }
  }
  process.stdout.write(`${mutations.length - missed} of ${mutations.length} planted bugs were found.\n`);
  return missed === 0 ? 0 : 1;
}

function found(name: string, explored: readonly Exploration[], last: Exploration): string {
  const events = explored.reduce((sum, { events }) => sum + events, 0);
  const ms = explored.reduce((sum, { ms }) => sum + ms, 0);
  const interleavings = explored.reduce((sum, { interleavings }) => sum + interleavings, 0);
  const how = `${figure(interleavings)} interleavings, ${figure(events)} events explored, ${(ms / 1000).toFixed(1)} s, in scope: ${describeScope(last.scope)}`;
  return `found  ${name}\n       ${last.violation!.message}\n       ${how}; ${last.violation!.events.length} events long\n`;
}

function reported({ scope, complete, interleavings, worlds, events, longest, codeRuns, ms, violation }: Exploration): string {
  const verdict = violation !== null ? 'BROKEN' : complete ? 'all held' : 'STOPPED at its time limit';
  const lines = [
    `${describeScope(scope)}: ${verdict}`,
    `  ${figure(interleavings)} interleavings of up to ${longest} events, through ${figure(worlds)} worlds and ${figure(events)} events; ` +
      `the code was run ${figure(codeRuns)} times; ${(ms / 1000).toFixed(1)} s`,
  ];
  if (violation !== null)
    lines.push(`  ${violation.message}`, ...violation.events.map((event, index) => `  ${index + 1}. ${event}`));
  return `${lines.join('\n')}\n`;
}

function chosenScopes(): readonly Scope[] {
  const chosen = Object.fromEntries(SIZES.flatMap(size => (options[size] === undefined ? [] : [[size, options[size]]])));
  const exact = options.exact ?? false;
  if (Object.keys(chosen).length > 0) return [{ ...SMALLEST, ...chosen, exact }];
  return SCOPES.map(scope => ({ ...scope, exact }));
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) program.error(`'${text}' is not a count.`);
  return value;
}

function figure(value: number): string {
  return value < 1e9 ? value.toLocaleString('en-US') : value.toExponential(1);
}
