/**
 * Runs a script with one planted bug:
 *
 *     node test/harness/mutations/run.ts <module that exports MUTATIONS> <name of the mutation> <script> [arguments of the script]
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Mutation, runMutant } from './mutation.ts';

const [list, name, script, ...args] = process.argv.slice(2);
if (script === undefined) {
  process.stderr.write('Usage: run.ts <module that exports MUTATIONS> <name> <script> [arguments]\n');
  process.exit(2);
}
const { MUTATIONS } = (await import(pathToFileURL(resolve(list)).href)) as { MUTATIONS: readonly Mutation[] };
const mutation = MUTATIONS.find(each => each.name === name);
if (mutation === undefined) {
  process.stderr.write(`There is no mutation '${name}'; there are:\n${MUTATIONS.map(each => `  ${each.name}\n`).join('')}`);
  process.exit(2);
}
const run = await runMutant(mutation, script, args);
process.stdout.write(run.stdout);
process.stderr.write(run.stderr);
process.exitCode = run.exitCode;
